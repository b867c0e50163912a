"""What a text may meet that stops its drawing."""

from __future__ import annotations


class Undrawable(Exception):
    """This text cannot be shown whole with this font on this canvas. ``missing_glyphs``: characters that no font draws."""

    def __init__(self, reason: str, missing_glyphs: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.missing_glyphs = missing_glyphs
