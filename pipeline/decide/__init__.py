"""Scores to decisions: rules, duplicates, captions and balance as Polars expressions. Never touches a pixel."""
