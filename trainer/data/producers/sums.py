"""The checksum that lies beside a file of encodings: ``NAME.crc32`` for ``NAME``, of its name and its bytes.

It is looked at before anything parses the file: Arrow ends the whole process over some damaged footers.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from configs import RunFailed
from configs.files import replace_text
from model.complete import checksum

_END = ".crc32"


def note(path: Path, temporary: Path) -> None:
    """Before ``temporary`` becomes ``path``: what is there in between is taken for damaged, never for whole."""
    replace_text(_beside(path), _checksum(temporary, path.name) + "\n")


def check(path: Path) -> bool:
    """Whether ``path`` has a checksum, which files of earlier versions have not. Raises RunFailed for another one."""
    if not _beside(path).exists():
        return False
    try:
        if _beside(path).read_text("ascii").strip() == _checksum(path, path.name):
            return True
        why = "another checksum than was written"
    except FileNotFoundError:
        why = "it is missing"
    except (OSError, ValueError) as error:
        why = str(error)
    raise damaged(path, why)


def damaged(path: Path, why: str) -> RunFailed:
    """What to raise for a shard or an index in a folder of encodings."""
    folder = path.parents[1]
    return RunFailed(
        f"{path}: is damaged ({' '.join(why.split())}); checkpoints are safe: python -m trainer encode CONFIG DATASET "
        f"{folder} makes it again, then repeat the command"
    )


def _checksum(path: Path, name: str) -> str:
    return f"{checksum(path, zlib.crc32(name.encode())):08x}"


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _END)
