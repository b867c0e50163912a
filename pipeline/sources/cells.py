"""Values of Arrow tables that somebody else wrote, one at a time: a damaged one costs itself, not its file.

Arrow reads pages without looking at what is in them. What turns a cell to Python finds out, by an exception of its own:
text that is not UTF-8, a day after the year 9999, a time zone that nobody knows.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from configs.errors import one_line
from pipeline.sources.caption_text import ENCODING, UNREADABLE, CaptionFault

UNREADABLE_CELL = (ValueError, OverflowError, pa.ArrowException)
"""What Arrow raises for a value that Python cannot have; UnicodeDecodeError is a ValueError."""


def cell(column: pa.Array, row: int) -> Any:
    """The value as Python has it, or the CaptionFault that says why there is none."""
    try:
        return column[row].as_py()
    except UnicodeDecodeError as error:
        return CaptionFault(ENCODING, f"is not utf-8 from byte {error.start}")
    except UNREADABLE_CELL as error:
        return CaptionFault(UNREADABLE, f"is no {column.type} that can be read: {one_line(error)[:200]}")
