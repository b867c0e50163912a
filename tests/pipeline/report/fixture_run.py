"""A small run in the exact layout of the engine, written straight through the schema.

Texts and rendered pictures come from a real recipe, decisions and dataset from the real functions;
only scores are drawn by lot, so that every part of the page has something to tell, odd names included.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from configs import to_plain
from pipeline import schema
from pipeline.config import PipelineConfig
from pipeline.decide.rules import DecideConfig, Rule
from pipeline.decide.run import decide_run, write_decisions
from pipeline.pack.publish import index
from pipeline.pack.shards import ShardWriter, plan_shards, shard_schema
from pipeline.sources import FolderSource, SynthSource
from pipeline.sources.synth import sample_row
from pipeline.store.commit import to_table, write_table
from pipeline.store.compact import Compacted
from pipeline.store.failures import SCHEMA as FAILURES
from pipeline.store.ledger import Entry, FragmentsConfig, sample_id, write_ledger
from pipeline.store.run_folder import RunFolder
from tests.pipeline.hostile import encode, picture

EVIL = '"><script>document.title="owned"</script><img src=x onerror="document.title=1"> & \u202egnp.exe\x07'
"""What a caption, an error line or a name may hold."""

RULES = DecideConfig(
    (
        Rule("S2.clarity", 2, "clarity >= 40", "origin != 'synth'", "stop"),
        Rule("S2.luma", 2, "0.05 < luma < 0.95", "origin != 'synth'"),
        Rule("S4.dense", 4, "text_chars <= 60", "text_level >= 3"),
        Rule("S5.size", 5, "width >= 200 and height >= 200"),
        Rule("S5.aesthetic", 5, "clarity + luma > -1"),
    )
)


def photos(count: int) -> list[tuple[str, bytes]]:
    """(uri, bytes) of ``count`` pictures, one with a hostile name and one that is not UTF-8, and a copy of one."""
    sizes = [(320, 200), (200, 320), (300, 300), (640, 160), (150, 520)]
    found = [(f"photos/{i:03d}.jpg", encode(picture(*sizes[i % 5], seed=i), "JPEG")) for i in range(count)]
    names = [f"photos/{EVIL[:40]}.jpg", "photos/caf%E9.jpg"]
    odd = [(name, data) for name, (_, data) in zip(names, found, strict=False)]
    copies = [("copies/twin.jpg", data) for _, data in found[2:3]]
    return [*odd, *copies, *found[len(odd) :]]


def build_run(
    path: Path, pictures: list[tuple[str, bytes]], synthetic: int, decided: bool = True, ocr: bool = True
) -> Path:
    """Write the run: one fragment of ``pictures`` (the last one failed), one of ``synthetic`` rendered ones."""
    run = RunFolder(path)
    path.mkdir(parents=True)
    sources: list[Any] = [FolderSource("folder", "photos", "/pictures")]
    sources += [SynthSource("synth", "glyphs", "configs/synth/pure.yaml", synthetic)] if synthetic else []
    config = PipelineConfig(tuple(sources), decide=RULES)
    run.config.write_text(yaml.safe_dump(to_plain(config), allow_unicode=True))
    rng = np.random.default_rng(0)
    _fragment(run, "photos", _real_rows(pictures), rng, ocr)
    if synthetic:
        _fragment(run, "glyphs", _synthetic_rows(synthetic), rng, ocr)
    if decided and (pictures or synthetic):
        publish_without_ray(run, config)
    return path


def publish_without_ray(run: RunFolder, config: PipelineConfig) -> None:
    """Decisions and dataset as ``pipeline.pack.shards.publish`` makes them, without Ray."""
    decisions = decide_run(run, config)
    write_decisions(run, decisions, "key")
    shards = run.dataset / "data"
    shards.mkdir(parents=True)
    writer = ShardWriter(run, shards, config.captions, shard_schema(Compacted(run)).names)
    for shard in plan_shards(decisions.kept, config.pack):
        writer(shard)
    index(run, config, decisions, "key")


def add_training(path: Path, steps: int = 120) -> None:
    """metrics.jsonl with three phases and a torn last line, a sheet of samples."""
    train = path / "train"
    train.mkdir()
    rng = np.random.default_rng(1)
    lines = []
    for step in range(steps):
        phase = ("no text", "characters", "lines <b>")[step * 3 // steps]
        loss = float(np.exp(-step / steps) + 0.1 * rng.random())
        lines.append({"step": step + 1, "phase": phase, "loss": loss, "lr": 1e-3 * (1 - step / steps), "samples": 64})
    (train / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9')
    picture(512, 384, seed=9).save(train / "samples.png")
    add_evaluation(train / "evaluation")


def add_evaluation(out: Path) -> None:
    """What ``trainer evaluate`` writes: scores of two suites, a sheet of one."""
    out.mkdir()
    scores = {
        moment: {"count": 60, "exact": exact, "characters": exact + 0.01}
        for moment, exact in (("before", 0.0), ("after", 0.91), ("ceiling", 0.98))
    }
    glyphs = {"count": 60, "held_out": False, **scores, "sheet": "glyphs.png", "items": []}
    words = {"count": 40, "held_out": True, **scores, "sheet": "words.png", "items": []}
    (out / "evaluation.json").write_text(json.dumps({"suites": {"glyphs": glyphs, "words": words}}))
    picture(600, 200, seed=8).save(out / "glyphs.png")


def _real_rows(pictures: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    from configs.pictures import Limits, probe

    rows = []
    for number, (uri, data) in enumerate(pictures):
        header = probe(data, Limits())
        text = EVIL if number == 0 else f"a picture of colors, number {number}"
        rows.append(
            {
                "id": sample_id("photos", uri, 0),
                "origin": "folder",
                "source": "photos",
                "uri": uri,
                "image": {"bytes": data, "path": Path(uri).name},
                "width": header.width,
                "height": header.height,
                "orientation": header.orientation,
                "format": header.format,
                "bytes_len": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "license": "unknown",
                "task": "t2i",
                "captions": [{"text": text, "source": "raw", "language": "en", "tokens": 7}],
            }
        )
    return rows


def _synthetic_rows(count: int) -> list[dict[str, Any]]:
    from synth import Recipe

    if not count:
        return []
    recipe = Recipe.load("configs/synth/pure.yaml")
    return [sample_row(recipe.render(i)) | {"source": "glyphs", "uri": f"pure@0/{i}"} for i in range(count)]


def _fragment(run: RunFolder, source: str, rows: list[dict[str, Any]], rng: np.random.Generator, ocr: bool) -> None:
    fragment = f"{source}-00000"
    entries = [Entry(r["uri"], r["bytes_len"], id=r["id"]) for r in rows]
    write_ledger(run.ledger(source), source, entries, FragmentsConfig(inputs=10_000, megabytes=1000))
    if not rows:
        return
    write_table(run.samples(fragment), to_table(rows, schema.arrow(schema.COLLECTED)), [])
    real = source == "photos"
    failed = rows[-1:] if real and len(rows) > 4 else []
    error = f"decode: broken data stream {EVIL}"
    failures = [
        {"id": r["id"], "uri": r["uri"], "step": "decode", "error": error, "reason": "undecodable", "attempt": 1}
        for r in failed
    ]
    run.failures(fragment).parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(failures, schema=FAILURES), run.failures(fragment))
    columns = ("id", *schema.MEASURES)
    write_table(run.scores("measure", fragment), to_table(_measures(rows, rng), schema.arrow(columns, ["measure"])), [])
    if ocr:
        names = ("id", *schema.TEXT, "ocr_score")
        read = [_read(r) if real else {"id": r["id"], "ocr_state": "not_applicable"} for r in rows]
        write_table(run.scores("ocr", fragment), to_table(read, schema.arrow(names, ["ocr"])), [])


def _measures(rows: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"],
            "measure_state": "ok",
            "pixel_sha256": row["sha256"],
            "clarity": float(rng.lognormal(5, 1.4)),
            "luma": float(rng.random()),
            "saturation": float(rng.random()),
            "entropy": float(rng.normal(6, 1)),
        }
        for row in rows
    ]


def _read(row: dict[str, Any]) -> dict[str, Any]:
    width, height = row["width"], row["height"]
    quad = [
        0.1 * width,
        0.4 * height,
        0.9 * width,
        0.45 * height,
        0.88 * width,
        0.6 * height,
        0.08 * width,
        0.55 * height,
    ]
    region = {"text": f"招牌 {EVIL}", "quad": quad, "level": "line", "direction": "ltr", "score": 0.9}
    found = {"text": "招牌", "text_language": "zh", "text_level": 2, "text_regions": [region], "text_chars": 2}
    return {"id": row["id"], "ocr_state": "ok", "ocr_score": 0.9, "text_area": 0.1, "text_min_height": 20.0, **found}
