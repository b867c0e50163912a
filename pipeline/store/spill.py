"""Look-up tables that are larger than memory: SQLite, which ships with Python, keeps the rest in a file of its own."""

from __future__ import annotations

import sqlite3

_CACHE_KB = 16_384
"""Memory of one table before it goes to disk; chosen."""


def temporary_database() -> sqlite3.Connection:
    """An empty database that nobody else sees and that is gone with its connection.

    Its file lies in SQLITE_TMPDIR or TMPDIR, and is written only when the tables outgrow ``_CACHE_KB``.
    """
    database = sqlite3.connect("")
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = {-_CACHE_KB}"):
        database.execute(f"PRAGMA {pragma}")
    return database
