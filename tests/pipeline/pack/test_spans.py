"""Pictures and texts by offset: what pack wrote, a shard with pages of every kind, and shards that cannot be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs import RunFailed
from pipeline import schema
from pipeline.dataset import Dataset, Pictures, Texts
from pipeline.pack.shards import write_shard
from pipeline.pack.spans import file_spans

COLUMNS = ["bytes_len", "image", "references", "ref_sizes", "captions", "instructions"]


def rows(count: int, largest: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)

    def picture() -> dict[str, Any]:
        return {"bytes": rng.bytes(int(rng.integers(1, largest))), "path": "p.png"}

    def texts(most: int) -> list[dict[str, Any]] | None:
        found = [
            {"text": "字" * int(rng.integers(1, 9)), "invalid": "S3.length" if rng.random() < 0.3 else None}
            for _ in range(rng.integers(0, most + 1))
        ]
        return found or None

    found = []
    for _ in range(count):
        image, references = picture(), [picture() for _ in range(rng.integers(0, 4))]
        sizes = [64, 64] * len(references) or None
        row = {"bytes_len": len(image["bytes"]), "image": image, "references": references or None, "ref_sizes": sizes}
        found.append(row | {"captions": texts(3), "instructions": texts(2)})
    return found


def shard(path: Path, groups: list[list[dict[str, Any]]]) -> None:
    arrow = schema.arrow(COLUMNS)
    write_shard(path, [pa.Table.from_pylist(group, schema=arrow) for group in groups])


def spelled(data: bytes, spans: list[int]) -> list[bytes]:
    return [data[o : o + n] for o, n in zip(spans[0::2], spans[1::2], strict=True)]


@pytest.mark.parametrize("largest", [40, 3_000_000])  # many values a page; pages of one value
def test_every_value_stands_where_it_is_said_to(tmp_path: Path, largest: int) -> None:
    groups = [rows(9 if largest > 1000 else 3000, largest, seed) for seed in (1, 2)]
    shard(tmp_path / "s.parquet", groups)
    data = (tmp_path / "s.parquet").read_bytes()
    spans = file_spans(tmp_path / "s.parquet").to_pylist()
    for row, found in zip([r for group in groups for r in group], spans, strict=True):
        assert data[found["image_offset"] :].startswith(row["image"]["bytes"])
        assert spelled(data, found["ref_spans"]) == [r["bytes"] for r in row["references"] or ()]
        valid = [t["text"].encode() for n in ("captions", "instructions") for t in row[n] or () if not t["invalid"]]
        assert spelled(data, found["text_spans"]) == valid


@pytest.mark.parametrize("options", [{"use_dictionary": True}, {"compression": "zstd"}, {"data_page_version": "2.0"}])
def test_a_shard_that_is_stored_otherwise_has_no_offsets(tmp_path: Path, options: dict[str, Any]) -> None:
    table = pa.Table.from_pylist(rows(40, 50), schema=schema.arrow(COLUMNS))
    plain = {"use_dictionary": False, "compression": "none"}
    pq.write_table(table, tmp_path / "s.parquet", **(plain | options))
    spans = file_spans(tmp_path / "s.parquet")
    assert {name: spans[name].null_count for name in spans.column_names} == dict.fromkeys(spans.column_names, 40)


def test_pictures_and_texts_of_a_dataset_are_those_of_its_rows(mixed_run: Path) -> None:
    dataset = Dataset.open(mixed_run / "dataset")
    order = np.random.default_rng(0).permutation(dataset.rows)
    samples = dataset.read(order, ["image", "references", "captions", "instructions"])
    pictures = [Pictures(s["image"]["bytes"], tuple(r["bytes"] for r in s["references"] or ())) for s in samples]
    assert dataset.read_pictures(order) == pictures
    assert sum(len(p.references) for p in pictures) == 16
    wanted = np.arange(len(order)) % 2 == 0
    some = dataset.read_pictures(order, wanted)
    assert [p.references for p in some] == [p.references if w else () for p, w in zip(pictures, wanted, strict=True)]
    texts = [Texts(*(tuple(t["text"] for t in s[n] or () if not t["invalid"]) for n in Texts._fields)) for s in samples]
    assert dataset.read_texts(order) == texts
    assert sum(len(t.instructions) for t in texts) == 16
    with pytest.raises(IndexError):
        dataset.read_pictures([dataset.rows])


def test_bytes_are_read_alone(mixed_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset.open(mixed_run / "dataset")
    monkeypatch.setattr("pipeline.dataset.read_row_group", None)  # nothing but the bytes
    assert len(dataset.read_pictures([3, 1])) == len(dataset.read_texts([3, 1])) == 2
    own, _, told = dataset.reading_costs()
    pictures, texts = dataset.read_pictures(range(dataset.rows)), dataset.read_texts(range(dataset.rows))
    spent = [
        len(p.image) + sum(map(len, p.references)) + sum(len(t.encode()) for part in x for t in part)
        for p, x in zip(pictures, texts, strict=True)
    ]
    assert own.tolist() == spent
    assert told.all()


def test_a_shard_that_was_changed_is_named(mixed_run: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(mixed_run / "dataset")
    (tmp_path / "data").mkdir()
    for path in (mixed_run / "dataset" / "data").iterdir():
        (tmp_path / "data" / path.name).write_bytes(bytes(path.stat().st_size))
    (tmp_path / "manifest").symlink_to(mixed_run / "dataset" / "manifest")
    with pytest.raises(RunFailed, match=r"00000\.parquet: no value of .* bytes at byte"):
        Dataset(tmp_path, dataset.about).read_pictures([0])
