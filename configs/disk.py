"""What a system says when it cannot write: recognized whoever passes it on, and told with what helps.

Python's own calls and pyarrow raise OSError with a number; safetensors, tokenizers and shutil have it in their text.
"""

from __future__ import annotations

import errno
import os
import re

_REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room within the quota",
    errno.EFBIG: "let files grow larger (ulimit -f)",
    errno.EROFS: "mount the disk for writing",
    errno.EIO: "check this disk, and the one that it is made from",
    errno.ESTALE: "mount the disk again",
    errno.ENOTCONN: "mount the disk again",
}
_NUMBER = re.compile(r"\berrno (\d+)|\bos error (\d+)", re.IGNORECASE)


def disk_failure(error: BaseException) -> tuple[str, str] | None:
    """(what the system said, what helps) where ``error`` is of the disk and not of our making; else None."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        found = _NUMBER.search(str(error))
        number = int(found[1] or found[2]) if found else None
    remedy = _REMEDIES.get(number or 0)
    return (os.strerror(number or 0).lower(), remedy) if remedy else None
