"""What annotators say of captions stands in the captions that decisions and shards are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.pictures import Limits
from pipeline import schema
from pipeline.annotators.clip import ClipConfig
from pipeline.engine.annotate import FragmentWork, ModelWorker
from pipeline.engine.collect import Collector
from pipeline.engine.list_sources import list_sources
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import FolderSource
from pipeline.store.caption_scores import join_caption_scores
from pipeline.store.ledger import FragmentsConfig
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import fragment_table
from tests.pipeline.annotators.tiny_clip import siglip
from tests.pipeline.commands import write_pictures
from tests.pipeline.inline import work_inline


def caption(text: str, source: str = "raw") -> dict[str, Any]:
    return {**dict.fromkeys(field.name for field in schema.CAPTION), "text": text, "source": source}


def column(name: str, values: list[Any]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, schema.COLUMNS[name].type)])


def test_alignments_go_to_their_caption_and_recaptions_come_behind() -> None:
    captions = column("captions", [[caption("a cat"), caption("ein Hund")], None, None, [caption("c")]])
    scores = {
        "align_siglip": column("align_siglip", [[0.25, None], None, None, None]),
        "recaptions": column("recaptions", [[caption("一只猫", "recaption")], [caption("b", "recaption")], None, []]),
    }
    rows = join_caption_scores(captions, scores).to_pylist()
    assert [[c["text"] for c in row] if row else row for row in rows] == [
        ["a cat", "ein Hund", "一只猫"],
        ["b"],
        None,
        ["c"],
    ]
    assert [c["align_siglip"] for c in rows[0]] == [0.25, None, None]


def test_without_scores_nothing_is_touched() -> None:
    captions = column("captions", [[caption("a cat")]])
    assert join_caption_scores(captions, {}) is captions
    assert join_caption_scores(captions, {"recaptions": column("recaptions", [None])}) is captions


def test_a_run_with_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_inline(monkeypatch)
    limits, guard = Limits(), GuardConfig(seconds=20, retries=0)
    folder, run = tmp_path / "photos", RunFolder(tmp_path / "run")
    write_pictures(folder, 3, edge=32)
    (folder / "001.txt").write_text("a cat on the table", encoding="utf-8")
    source = FolderSource("folder", "photos", str(folder), captions=".txt")
    (fragment,) = list_sources(run, [source], FragmentsConfig())
    Collector(run, {"photos": source.reader()}, limits, guard)(fragment)
    annotator = ClipConfig(kind="clip", model=str(siglip(tmp_path / "model"))).make(limits)
    ModelWorker(run, annotator, [], True, guard)(FragmentWork(fragment))
    table = fragment_table(run, fragment.name, ["captions", "align_siglip_max", "clip_state"])
    assert table["clip_state"].to_pylist() == ["ok"] * 3
    ((judged,),) = [row for row in table["captions"].to_pylist() if row]
    assert [judged["align_siglip"]] == [v for v in table["align_siglip_max"].to_pylist() if v is not None]
    assert -1 <= judged["align_siglip"] <= 1
    assert "embedding" not in pq.read_schema(run.scores("clip", fragment.name)).names
    kept = pq.read_table(run.embeddings("clip", fragment.name))
    assert kept["embedding"].type == pa.list_(pa.float16())
    assert [len(vector) for vector in kept["embedding"].to_pylist()] == [64] * 3
