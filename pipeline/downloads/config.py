"""The field ``downloads`` of a run: how politely and how carefully pictures are fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PER_CONNECTION = 10.0
"""Requests a second that each of a host's ``per_host`` connections may begin by default; chosen."""


@dataclass(frozen=True)
class DownloadsConfig:
    """``allow``: ``host:port`` that may be fetched although their addresses are not public. ``timeout_s``: of one try,
    from its first byte to its last. ``max_megabytes``: (10^6) of one picture. ``per_host``: requests to a host at the
    same time; ``requests_per_s``: to a host, null for ten for each of ``per_host``. ``connections``: of all hosts
    together. ``tries``: of a URL; ``backoff_s``: before the second one, twice as long before each further one.
    ``longest_wait_s``: that a server may ask for with Retry-After; what wants longer is given up. ``redirects``:
    followed at most. ``user_agent``: names this crawler, its first word is what robots.txt calls it; ``contact``: a
    page or an address where the owner of a site reaches you. ``robots``, ``opt_outs``: whether robots.txt, and
    X-Robots-Tag and TDM-Reservation, are honored. ``previous``: RUN folder of an earlier run: servers are asked whether
    its pictures have changed, and those that have not are taken from there.
    """

    allow: tuple[str, ...] = ()
    timeout_s: float = 60.0  # chosen
    max_megabytes: float = 50.0  # chosen
    per_host: int = 4  # chosen: what browsers did for long was 6
    requests_per_s: float | None = None
    connections: int = 256  # chosen
    tries: int = 3  # chosen
    backoff_s: float = 1.0  # chosen
    longest_wait_s: float = 120.0  # chosen
    redirects: int = 10  # chosen: browsers follow 20
    user_agent: str = "Glyphmill/0.1"
    contact: str | None = None
    robots: bool = True
    opt_outs: bool = True
    previous: str | None = None

    def __post_init__(self) -> None:
        for index, place in enumerate(self.allow):
            if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):[0-9]{1,5}", place):
                raise ValueError(f"field 'allow.{index}': host:port, found '{place}'")
        for name in ("timeout_s", "max_megabytes", "per_host", "connections", "tries", "requests_per_s"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"field '{name}': must be above 0, found {value:g}")
        for name in ("backoff_s", "longest_wait_s", "redirects"):
            if getattr(self, name) < 0:
                raise ValueError(f"field '{name}': must be at least 0, found {getattr(self, name):g}")
        for name in ("user_agent", "contact"):
            if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", getattr(self, name) or "-"):
                raise ValueError(f"field '{name}': printable ASCII, as headers take it, found {getattr(self, name)!r}")
        if not self.user_agent:
            raise ValueError("field 'user_agent': a name for this crawler; sites must be able to tell it")

    @property
    def header(self) -> str:
        """The header ``User-Agent``."""
        return f"{self.user_agent} (+{self.contact})" if self.contact else self.user_agent

    @property
    def robot(self) -> str:
        """The product token that robots.txt and X-Robots-Tag call this crawler by (RFC 9309)."""
        return re.split(r"[/\s]", self.user_agent)[0]

    @property
    def max_bytes(self) -> int:
        """Of one picture."""
        return int(self.max_megabytes * 10**6)

    @property
    def rate(self) -> float:
        """Requests a second to one host."""
        return self.requests_per_s or self.per_host * _PER_CONNECTION
