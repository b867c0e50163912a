"""A preference dataset: OUT/pairs.parquet, a row for each pair with the better and the worse picture of a prompt.

Pictures have the Hugging Face form, so that ``datasets`` decodes them. ``scores`` and ``seeds`` are of the chosen picture
first. OUT/pairs.json has ``digest``: sha256 of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs import UserError
from configs.files import replace_text, replaced

_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("chosen", _PICTURE, nullable=False),
        pa.field("rejected", _PICTURE, nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
        pa.field("seeds", pa.list_(pa.int64()), nullable=False),
        pa.field("reader", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Pair:
    """Two pictures of one size for one prompt, as files."""

    id: str
    prompt: str
    chosen: bytes
    rejected: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Pairs:
    """``digest``: of the file they come from."""

    pairs: tuple[Pair, ...]
    digest: str


def write_pairs(out: Path, rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> None:
    """Write ``rows`` (columns of ``SCHEMA``) and what is told of them."""
    path = out / "pairs.parquet"
    with replaced(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), temporary, row_group_size=64)
    text = json.dumps({**about, "digest": _digest(path)}, indent=1, ensure_ascii=False)
    replace_text(out / "pairs.json", text + "\n", durable=False)


def read_pairs(place: Path) -> Pairs:
    """``place``: the folder, or the file itself. Raises UserError for what is no preference dataset, or an empty one."""
    path = place / "pairs.parquet" if place.is_dir() else place
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"--pairs {place}: no preference dataset of `trainer pairs` ({error})") from None
    lacking = [name for name in Pair.__dataclass_fields__ if name not in table.column_names]
    if lacking:
        raise UserError(f"--pairs {path}: lacks the column '{lacking[0]}'; `trainer pairs` writes such files")
    rows = table.select(list(Pair.__dataclass_fields__)).to_pylist()
    if not rows:
        raise UserError(f"--pairs {path}: holds no pairs")
    for row in rows:
        row["chosen"], row["rejected"] = row["chosen"]["bytes"], row["rejected"]["bytes"]
    return Pairs(tuple(Pair(**row) for row in rows), _digest(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
