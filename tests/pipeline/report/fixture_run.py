"""A small run in the exact layout of the engine, written straight through the schema.

Texts and rendered pictures come from a real recipe; scores are drawn by lot and decisions follow
from two rules, so that every part of the page has something to tell, odd names included.
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

from pipeline import schema
from pipeline.engine.commit import to_table, write_table
from pipeline.engine.failures import SCHEMA as FAILURES
from pipeline.engine.layout import RunFolder
from pipeline.engine.ledger import Entry, FragmentsConfig, sample_id, write_ledger
from pipeline.sources.synth import sample_row
from tests.pipeline.hostile import encode, picture

EVIL = '"><script>document.title="owned"</script><img src=x onerror="document.title=1"> & \u202egnp.exe\x07'
"""What a caption, an error line or a name may hold."""

RULES = (
    {"name": "clarity", "stage": 2, "keep": "clarity >= 40", "applies_to": "origin != 'synth'", "if_null": "stop"},
    {"name": "luma", "stage": 2, "keep": "luma > 0.1 and luma < 0.9", "applies_to": "origin != 'synth'", "if_null": "pass"},
    {"name": "dense", "stage": 4, "keep": "text_chars <= 60", "applies_to": "text_level >= 3", "if_null": "pass"},
)


def photos(count: int) -> list[tuple[str, bytes]]:
    """(uri, bytes) of ``count`` pictures, one with a hostile name and one that is not UTF-8."""
    sizes = [(320, 200), (200, 320), (300, 300), (640, 160), (150, 520)]
    found = [(f"photos/{i:03d}.jpg", encode(picture(*sizes[i % 5], seed=i), "JPEG")) for i in range(count)]
    names = [f"photos/{EVIL[:40]}.jpg", "photos/caf%E9.jpg"]
    return [(name, data) for name, (_, data) in zip(names, found, strict=False)] + found[len(names) :]


def build_run(path: Path, pictures: list[tuple[str, bytes]], made: int, decided: bool = True, ocr: bool = True) -> Path:
    """Write the run: one fragment of ``pictures`` (the last one failed), one of ``made`` rendered ones."""
    run = RunFolder(path)
    path.mkdir(parents=True, exist_ok=True)
    sources = [{"kind": "folder", "name": "photos", "path": "/pictures"}]
    sources += [{"kind": "synth", "name": "glyphs", "recipe": "configs/synth/pure.yaml", "count": made}] if made else []
    run.config.write_text(yaml.safe_dump({"seed": 0, "sources": sources, "decide": {"rules": list(RULES)}}))
    rng = np.random.default_rng(0)
    decisions = []
    real = _real_rows(pictures)
    for name, rows in (("photos", real), ("glyphs", _made_rows(made))):
        if rows or name == "photos":
            decisions += _fragment(run, name, rows, rng, ocr)
    if decided:
        run.decisions.mkdir()
        pq.write_table(to_table(decisions, schema.arrow(("id", *schema.DECIDED))), run.decisions / "decisions.parquet")
    return path


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


def _real_rows(pictures: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    from pipeline.decode import Limits, probe

    rows = []
    for index, (uri, data) in enumerate(pictures):
        header = probe(data, Limits())
        text = EVIL if index == 0 else f"a picture of colours, number {index}"
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


def _made_rows(count: int) -> list[dict[str, Any]]:
    from synth import Recipe

    if not count:
        return []
    recipe = Recipe.load("configs/synth/pure.yaml")
    return [sample_row(recipe.render(i)) | {"source": "glyphs", "uri": f"pure@0/{i}"} for i in range(count)]


def _fragment(run: RunFolder, source: str, rows: list[dict[str, Any]], rng: np.random.Generator, ocr: bool) -> list[Any]:
    fragment = f"{source}-00000"
    entries = [Entry(r["uri"], r["bytes_len"], id=r["id"]) for r in rows]
    write_ledger(run.ledger(source), source, entries, FragmentsConfig(inputs=10_000, megabytes=10_000))
    write_table(run.samples(fragment), to_table(rows, schema.arrow(schema.COLLECTED)), [])
    real = source == "photos"
    failed = rows[-1:] if real and len(rows) > 4 else []
    error = f"decode: broken data stream {EVIL}"
    failures = [{"id": r["id"], "uri": r["uri"], "step": "decode", "error": error} for r in failed]
    run.failures(fragment).parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(failures, schema=FAILURES), run.failures(fragment))
    judged = [r for r in rows if r not in failed]
    measured = _measures(judged, rng)
    columns = ("id", *schema.MEASURES)
    write_table(run.scores("measure", fragment), to_table(measured, schema.arrow(columns, ["measure"])), [])
    if ocr:
        names = ("id", *schema.TEXT, "ocr_score")
        read = [_read(r) for r in judged] if real else [{"id": r["id"], "ocr_state": "not_applicable"} for r in judged]
        write_table(run.scores("ocr", fragment), to_table(read, schema.arrow(names, ["ocr"])), [])
    return _decisions(judged, measured)


def _measures(rows: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"],
            "measure_state": "ok",
            "clarity": float(rng.lognormal(5, 1.4)),
            "luma": float(rng.random()),
            "saturation": float(rng.random()),
            "entropy": float(rng.normal(6, 1)),
        }
        for row in rows
    ]


def _read(row: dict[str, Any]) -> dict[str, Any]:
    width, height = row["width"], row["height"]
    quad = [0.1 * width, 0.4 * height, 0.9 * width, 0.45 * height, 0.88 * width, 0.6 * height, 0.08 * width, 0.55 * height]
    region = {"text": f"招牌 {EVIL}", "quad": quad, "level": "line", "direction": "ltr", "score": 0.9}
    found = {"text": "招牌", "text_language": "zh", "text_level": 2, "text_regions": [region], "text_chars": 2}
    return {"id": row["id"], "ocr_state": "ok", "ocr_score": 0.9, "text_area": 0.1, "text_min_height": 20.0, **found}


def _decisions(rows: list[dict[str, Any]], measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = []
    for index, (row, scores) in enumerate(zip(rows, measured, strict=True)):
        real = row["origin"] != "synth"
        one = {"id": row["id"], "stage_from": 1 if real else 4, "stage_to": 7, "fails": [], "repeats": 0.5 + index % 3 / 2}
        if real and scores["clarity"] < 40:
            one |= {"stage_to": 1, "stopped_by": "S2.clarity", "stopped_value": scores["clarity"], "fails": ["S2.clarity"]}
        elif real and index == 3:
            stop = "S1.duplicate"
            one |= {"stage_to": 0, "stopped_by": stop, "fails": [stop], "duplicate_of": rows[2]["id"]}
        elif row.get("text_chars") and row["text_chars"] > 60:
            one |= {"stage_to": 0, "stopped_by": "S4.dense", "stopped_value": float(row["text_chars"]), "fails": ["S4.dense"]}
        made.append(one)
    return made
