"""How many cases a fuzzing test tries: a few in the suite, always the same; many by ``pytest --hypothesis-profile fuzz``."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_PROFILE = "fuzz"


def register() -> None:
    """Make the profile known, which pytest asks for before it reads any test."""
    settings.register_profile(_PROFILE, settings(max_examples=5_000))


def fuzzed(few: int) -> settings:
    """For a test: ``few`` cases, or as many as the profile ``fuzz`` has, other ones each time."""
    long = settings.get_current_profile_name() == _PROFILE
    return settings(
        max_examples=settings.get_profile(_PROFILE).max_examples if long else few,
        derandomize=not long,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


CHANGES = st.lists(
    st.tuples(st.sampled_from(("put", "insert", "delete", "double", "zero")), st.floats(0, 1), st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)
"""What happens to bytes on their way, see ``damaged``."""


def damaged(data: bytes, changes: list[tuple[str, float, bytes]], cut: float = 1.0) -> bytes:
    """``data`` after ``changes`` at places of 0..1, its end lost from ``cut`` on."""
    found = bytearray(data)
    for what, share, piece in changes:
        at = int(share * len(found))
        if what == "put":
            found[at : at + len(piece)] = piece
        elif what == "insert":
            found[at:at] = piece
        elif what == "delete":
            del found[at : at + 8 * len(piece)]
        elif what == "double":
            found[at:at] = found[at : at + 64 * len(piece)]
        else:
            found[at : at + 64 * len(piece)] = bytes(len(found[at : at + 64 * len(piece)]))
    return bytes(found[: int(cut * len(found))])
