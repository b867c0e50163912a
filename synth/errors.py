"""What a text may meet that stops its drawing."""

from __future__ import annotations


class Undrawable(Exception):
    """This text cannot be shown whole with this font on this canvas. ``lacked``: characters that no font draws."""

    def __init__(self, reason: str, lacked: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.lacked = lacked
