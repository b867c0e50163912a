"""Damaged glyphs: characters that lack a stroke, have one too many, or one in a wrong place."""
