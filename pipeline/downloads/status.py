"""What the status of a response means for a picture."""

from __future__ import annotations

from pipeline.downloads.reasons import Stopped

_GONE, _DENIED = (404, 410), (401, 402, 403, 407, 451)
_BRIEF = (408, 425)
"""The server asks for another try."""


def check_status(status: int, wait_s: float | None) -> None:
    """Raise Stopped unless a picture follows. ``wait_s``: what Retry-After asks for, null where it does not."""
    if status == 200:
        return
    text = f"status {status}" + (f", Retry-After {wait_s:g} s" if wait_s is not None else "")
    if status == 429 or (status == 503 and wait_s is not None):
        raise Stopped("rate_limited", text, wait_s=wait_s)
    if 500 <= status < 600:
        raise Stopped("server_error", text)
    if status in _GONE:
        raise Stopped("not_found", text)
    if status in _DENIED:
        raise Stopped("denied", text)
    raise Stopped("bad_status", text, again=status in _BRIEF)
