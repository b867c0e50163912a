"""How a download ends: one of a closed list, whatever a server does."""

from __future__ import annotations

OK, NOT_MODIFIED, NO_ROOM = "ok", "not_modified", "no_room"

REASONS = {
    OK: "the bytes are there",
    NOT_MODIFIED: "the server says that the bytes of an earlier run are still the same",
    "repeated": "an earlier row of the list has the same canonical URL: that one was fetched",
    "bad_url": "no http or https URL, or one with a password, without a host, or too long",
    "forbidden_address": "it leads to an address that is not public, and is not in downloads.allow",
    "robots": "robots.txt of its host excludes it, or could not be had",
    "opted_out": "the response says noai, noimageai or tdm-reservation: 1",
    "dns": "its host has no address",
    "connect": "nothing answers, or the connection broke before a whole response",
    "tls": "its certificate cannot be verified, or there is no common TLS",
    "timeout": "no whole response within downloads.timeout_s",
    "bad_response": "what came is no HTTP",
    "redirects": "redirects in a circle, too many, to nowhere, or to something that is not the web",
    "not_found": "status 404 or 410",
    "denied": "status 401, 402, 403, 407 or 451",
    "rate_limited": "status 429, or 503 with Retry-After, to the last try",
    "server_error": "another status from 500, to the last try",
    "bad_status": "any other status that brings no picture",
    "too_large": "more bytes than downloads.max_megabytes, as announced, as sent, or once decompressed",
    "truncated": "fewer bytes than the server announced, or a compressed body that does not end",
    "empty": "a response without bytes",
    "encoding": "compressed in a way that was not asked for and is not read",
    NO_ROOM: "the pictures of its fragment took too much memory together; a retry gives it another fragment",
    "error": "anything else",
    "not_picture": "the bytes are those of no picture format that is read: HTML, an error page, a video ...",
}
"""Why a URL ended as it did; ``reason`` in downloads/F.parquet, and in failures/ where it brought no picture."""

_AGAIN = frozenset({"connect", "timeout", "bad_response", "truncated", "rate_limited", "server_error", "dns"})
"""Reasons that another try may mend."""


class Stopped(Exception):
    """A download ended without bytes. ``reason``: of REASONS; the message says more. ``again``: whether another try
    may mend it; ``wait_s``: not before so many seconds, as the server asks."""

    def __init__(self, reason: str, message: str, *, again: bool | None = None, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.again = reason in _AGAIN if again is None else again
        self.wait_s = wait_s
