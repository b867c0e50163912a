"""A run that is collected and scored, as ``pipeline run`` leaves it, without a byte of a picture.

    row ──content (an earlier row's for 5 %)──> counter-based hashes ──> columns of a ledger's part ──> files of its fragments

Deterministic, and made a part of the ledger at a time. Of the real pictures that it stands for it has the sizes, texts and
captions of both languages in the tables' own types, scores of five annotators (one of them with embeddings that no rule
reads), clusters of equal and of nearly equal pictures, and signs of one template, which share hashes and are no copies.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.pictures import Limits
from pipeline import schema
from pipeline.annotators import Annotator, AnnotatorConfig
from pipeline.annotators.measure import THUMBNAIL_BYTES
from pipeline.schema import Column
from pipeline.store import failures, ledger
from pipeline.store.commit import writer_options
from pipeline.store.run_folder import RunFolder

SOURCE = "pictures"
FRAGMENT = 256
"""Rows of a fragment, and fragments of a part of the ledger."""
_COPIES, _SIGNS, _FAILED = 0.05, 0.02, 0.003
"""Shares of the rows that repeat an earlier one, that are signs of one of 600 templates, and that failed."""
_SIZES = np.array(
    [(640, 480), (1024, 768), (1920, 1080), (800, 1200), (512, 512), (1600, 1067), (240, 180), (400, 1500)]
)
_EMBEDDING = 1280


@dataclass(frozen=True)
class ClipLike(AnnotatorConfig):
    """What scores captions and embeds pictures, as far as a decision sees it."""

    def make(self, limits: Limits) -> Annotator:
        return _ClipLike()


class _ClipLike(Annotator):
    name, version, input = "clip_like", "1", "bytes"
    columns = (
        Column("clip_zh", pa.float32(), "cosine of the best Chinese caption"),
        Column("clip_en", pa.float32(), "cosine of the best English caption"),
    )

    def annotate(self, pictures: Any) -> Any:
        raise NotImplementedError("scores of this run are drawn")


@dataclass(frozen=True)
class EmbedLike(AnnotatorConfig):
    """Embeddings: a file of its own that rules never read."""

    def make(self, limits: Limits) -> Annotator:
        return _EmbedLike()


class _EmbedLike(_ClipLike):
    name = "embed_like"
    columns = (Column("embedding_like", pa.list_(pa.float16()), "of the picture"),)


ANNOTATORS = ("measure", "nsfw", "ocr", "clip_like", "embed_like")


def write_scored_run(
    folder: Path,
    rows: int,
    rules: list[dict[str, Any]],
    sources: int = 1,
    picture: int = 0,
    part: int = FRAGMENT * ledger.PART,
) -> RunFolder:
    """Everything but decisions and dataset. ``sources``: among how many the rows are divided evenly. ``picture``: bytes of
    each, random ones that are no picture; 0 for none, of which the sizes tell another story. ``part``: rows of a part of
    the ledger."""
    run, pool = RunFolder(folder), _sentences()
    names = [SOURCE + (f"-{n}" if n else "") for n in range(sources)]
    config = {
        "sources": [{"kind": "folder", "name": name, "path": "/pictures"} for name in names],
        "annotate": [{"kind": kind} for kind in (*ANNOTATORS[:3], f"{__name__}:ClipLike", f"{__name__}:EmbedLike")],
        "decide": {"rules": rules},
    }
    run.path.mkdir(parents=True)
    run.config.write_text(json.dumps(config))
    each = rows // sources
    for number, name in enumerate(names):
        first = 0
        for start in range(0, each, part):
            ids = np.arange(start, min(start + part, each))
            _write_part(run, name, ids + number * each, first, ids[-1] == each - 1, pool, picture)
            first += -(-len(ids) // FRAGMENT)
    return run


def _write_part(
    run: RunFolder, source: str, numbers: np.ndarray, first: int, last: bool, pool: pa.Array, picture: int
) -> None:
    tables = _tables(source, numbers, pool)
    if picture:
        tables["samples"] = _with_pictures(tables["samples"], picture)
    failed = _uniform(numbers, 90) < _FAILED
    path = run.ledger(source) / f"{first:05d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, ledger.SCHEMA, write_statistics=False) as writer:
        for index, start in enumerate(range(0, len(numbers), FRAGMENT)):
            name = ledger.fragment_name(source, first + index)
            part = slice(start, start + FRAGMENT)
            writer.write_table(_ledger_rows(tables["samples"].slice(start, FRAGMENT), name), row_group_size=FRAGMENT)
            _write(run.samples(name), tables["samples"].slice(start, FRAGMENT))
            for annotator in ANNOTATORS:
                _write(run.scores(annotator, name), tables[annotator].slice(start, FRAGMENT))
            _write_failures(run, name, tables["samples"].slice(start, FRAGMENT).filter(pa.array(failed[part])))
        if last:
            writer.add_key_value_metadata({"glyphmill.last": "yes"})


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {**(table.schema.metadata or {}), b"glyphmill.failures": b"[]", b"glyphmill.version": b"1"}
    pq.write_table(table.replace_schema_metadata(metadata), path, **_options(tuple(table.schema.names), table.schema))


_known_options: dict[tuple[str, ...], dict[str, Any]] = {}


def _options(names: tuple[str, ...], arrow: pa.Schema) -> dict[str, Any]:
    if names not in _known_options:
        _known_options[names] = writer_options(arrow)
    return _known_options[names]


def _write_failures(run: RunFolder, fragment: str, rows: pa.Table) -> None:
    path, count = run.failures(fragment), len(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"step": "decode", "error": "broken data stream", "reason": "undecodable"}
    columns = {"id": rows["id"], "uri": rows["uri"], **{k: pa.repeat(v, count) for k, v in about.items()}}
    table = pa.table(columns | {"attempt": pa.repeat(pa.scalar(1, pa.int32()), count)}, schema=failures.SCHEMA)
    steps = ",".join(ANNOTATORS).encode()
    pq.write_table(table.replace_schema_metadata({b"glyphmill.steps": steps}), path, compression="zstd")


def _ledger_rows(samples: pa.Table, fragment: str) -> pa.Table:
    count = len(samples)
    columns = {"id": samples["id"], "uri": samples["uri"], "source": samples["source"]}
    columns |= {"ordinal": pa.repeat(pa.scalar(0, pa.int32()), count), "bytes": samples["bytes_len"].cast(pa.int64())}
    columns["fragment"] = pa.repeat(fragment, count)
    return pa.table([columns.get(f.name, pa.nulls(count, f.type)) for f in ledger.SCHEMA], schema=ledger.SCHEMA)


def _with_pictures(samples: pa.Table, length: int) -> pa.Table:
    noise = np.random.default_rng(3).bytes(length + len(samples))
    data = pa.array([noise[n : n + length] for n in range(len(samples))], pa.binary())
    image = pa.StructArray.from_arrays([data, pa.nulls(len(samples), pa.string())], ["bytes", "path"])
    for name, values in (("image", image), ("bytes_len", pa.repeat(pa.scalar(length, pa.int32()), len(samples)))):
        at = samples.schema.get_field_index(name)
        samples = samples.set_column(at, samples.schema.field(at), values)
    return samples


def _tables(source: str, numbers: np.ndarray, pool: pa.Array) -> dict[str, pa.Table]:
    """samples and each annotator's scores, a row for each of ``numbers``."""
    copied = (_uniform(numbers, 1) < _COPIES) & (numbers > 1000)
    content = np.where(
        copied, (_mix(numbers, 2) % np.maximum(numbers // 40, 1).astype(np.uint64)).astype(np.int64), numbers
    )
    near = copied & (_uniform(numbers, 3) < 0.5)
    count = len(numbers)
    uris = [
        f"https://images.example.org/{n % 977:03d}/gallery/{_hex(n * 7919, 12)}/{n:09d}.jpg" for n in numbers.tolist()
    ]
    ids = pa.array([ledger.sample_id(source, uri, 0) for uri in uris])
    size = _SIZES[_mix(content, 4) % np.uint64(len(_SIZES))]
    sha256 = pa.array([hashlib.sha256(b"%d" % n).hexdigest() for n in numbers.tolist()])
    pixels = pa.array([hashlib.sha256(b"p%d" % n).hexdigest() for n in np.where(near, -numbers, content).tolist()])
    sample = {
        "id": ids,
        "origin": pa.repeat("urls", count),
        "source": pa.repeat(source, count),
        "uri": pa.array(uris),
        "image": pa.StructArray.from_arrays(
            [pa.repeat(pa.scalar(b"", pa.binary()), count), pa.nulls(count, pa.string())], ["bytes", "path"]
        ),
        "width": pa.array(size[:, 0], pa.int32()),
        "height": pa.array(size[:, 1], pa.int32()),
        "orientation": pa.array(np.where(_uniform(numbers, 5) < 0.02, 6, 1), pa.int8()),
        "format": pa.repeat("JPEG", count),
        "bytes_len": pa.array((np.exp(_normal(numbers, 6)) * size.prod(axis=1) / 8).astype(np.int32)),
        "sha256": sha256,
        "license": pa.array(
            np.array(["CC-BY-4.0", "CC0-1.0", "unknown", "CC-BY-SA-4.0"])[_mix(content, 7) % np.uint64(4)]
        ),
        "task": pa.repeat("t2i", count),
        "captions": _captions(numbers, pool),
    }
    names = schema.arrow(schema.COLLECTED)
    samples = pa.table([sample[f.name] if f.name in sample else pa.nulls(count, f.type) for f in names], schema=names)
    return {"samples": samples, **_scores(ids, numbers, content, near, pixels, pool)}


def _scores(
    ids: pa.Array, numbers: np.ndarray, content: np.ndarray, near: np.ndarray, pixels: pa.Array, pool: pa.Array
) -> dict[str, pa.Table]:
    count = len(ids)
    signs = _uniform(content, 10) < _SIGNS
    hashes = np.where(signs, _mix(_mix(content, 11) % np.uint64(600), 12), _mix(content, 13))
    hashes = np.where(near, hashes ^ (np.uint64(1) << (_mix(numbers, 14) % np.uint64(64))), hashes)
    small = _mix(content[:, None] * 256 + np.arange(THUMBNAIL_BYTES // 8), 15).view(np.uint8) // 2 + 60
    small = small + (
        near[:, None] & (_mix(numbers[:, None] * 256 + np.arange(THUMBNAIL_BYTES // 8), 16).view(np.uint8) % 3 == 0)
    )
    measure = {
        "pixel_sha256": pixels,
        "phash": pa.array(hashes, pa.uint64()),
        "clarity": np.exp(5 + 1.2 * _normal(content, 20)),
        "luma": 0.5 + 0.17 * _normal(content, 21),
        "saturation": np.abs(0.25 + 0.15 * _normal(content, 22)),
        "entropy": 5 + 1.3 * _normal(content, 23),
        "texture": np.exp(0.8 + 0.6 * _normal(content, 24)),
        "blockiness": 1 + 0.25 * np.abs(_normal(content, 25)),
        "thumbnail": pa.array([row.tobytes() for row in small.astype(np.uint8)], pa.binary()),
    }
    known = {
        "measure": measure,
        "nsfw": {"nsfw": _uniform(content, 30) ** 4},
        "ocr": _texts(content, pool),
        "clip_like": {"clip_zh": 0.2 + 0.1 * _normal(numbers, 31), "clip_en": 0.25 + 0.1 * _normal(numbers, 32)},
        "embed_like": {"embedding_like": _embeddings(content)},
    }
    types = {c.name: c.type for c in (*_ClipLike.columns, *_EmbedLike.columns)} | {
        n: c.type for n, c in schema.COLUMNS.items()
    }
    tables = {}
    for annotator, columns in known.items():
        arrays = {n: v if isinstance(v, pa.Array) else pa.array(v.astype(np.float32)) for n, v in columns.items()}
        fields = [pa.field("id", pa.string(), False), pa.field(f"{annotator}_state", pa.string())]
        fields += [pa.field(n, types[n], metadata={"meaning": "drawn"}) for n in arrays]
        state = pa.repeat("ok", count)
        tables[annotator] = pa.table(
            [ids, state, *(arrays[n].cast(types[n]) for n in arrays)], schema=pa.schema(fields)
        )
    return tables


def _texts(content: np.ndarray, pool: pa.Array) -> dict[str, Any]:
    """As OCR reads them: half of the pictures show none."""
    shown = _uniform(content, 40) < 0.5
    lines = [pc.take(pool, pa.array(_mix(content, 41 + n) % np.uint64(len(pool)))) for n in range(3)]
    several, digits = pa.array(_uniform(content, 45) < 0.4), pa.array((_mix(content, 46) % np.uint64(9999)).astype(str))
    one = pc.binary_join_element_wise(lines[0], digits, " ")
    text = pc.if_else(several, pc.binary_join_element_wise(one, lines[1], lines[2], "\n"), one)
    text = pc.if_else(pa.array(shown), text, pa.scalar("", pa.string()))
    chars = pc.utf8_length(text)
    level = np.where(shown, np.where(several.to_numpy(zero_copy_only=False), 3, 2), 0)
    chinese = (_mix(content, 41) % np.uint64(2)) == 0
    none = pa.array(~shown)
    return {
        "text": text,
        "text_language": pa.array(np.where(shown, np.where(chinese, "zh", "en"), "none")),
        "text_level": pa.array(level, pa.int8()),
        "text_regions": _regions(text, _uniform(content, 48)),
        "text_chars": chars.cast(pa.int32()),
        "text_area": np.where(shown, 0.3 * _uniform(content, 47), 0.0),
        "text_min_height": pc.if_else(
            none, pa.scalar(None, pa.float32()), pa.array((8 + 60 * _uniform(content, 49)).astype(np.float32))
        ),
        "ocr_score": pc.if_else(
            none, pa.scalar(None, pa.float32()), pa.array((0.6 + 0.4 * _uniform(content, 50)).astype(np.float32))
        ),
    }


def _regions(text: pa.Array, where: np.ndarray) -> pa.Array:
    """A region for each line."""
    lines = pc.split_pattern(text, "\n")
    flat = lines.flatten()
    quads = pa.FixedSizeListArray.from_arrays(pa.array(np.resize(where, 8 * len(flat)).astype(np.float32)), 8)
    score = pa.array(np.resize(where, len(flat)).astype(np.float32))
    known = {"text": flat, "quad": quads, "level": "line", "direction": "ltr", "score": score}
    kind = schema.COLUMNS["text_regions"].type.value_type
    values = [known.get(field.name) for field in kind]
    arrays = [
        v if isinstance(v, pa.Array) else pa.repeat(pa.scalar(v, f.type), len(flat))
        for v, f in zip(values, kind, strict=True)
    ]
    struct = pa.StructArray.from_arrays([a.cast(f.type) for a, f in zip(arrays, kind, strict=True)], fields=list(kind))
    return pa.ListArray.from_arrays(lines.offsets, struct)


def _captions(numbers: np.ndarray, pool: pa.Array) -> pa.Array:
    """One of two sentences, and for two thirds of the pictures a second one of four."""
    counts = 1 + (_uniform(numbers, 60) < 2 / 3).astype(int)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    owner, place = np.repeat(numbers, counts), np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    salt = owner * 2 + place
    part = [pc.take(pool, pa.array(_mix(salt, 61 + n) % np.uint64(len(pool)))) for n in range(4)]
    text = pc.if_else(
        pa.array(place == 0), pc.binary_join_element_wise(*part[:2], " "), pc.binary_join_element_wise(*part, " ")
    )
    text = pc.if_else(pa.array(_uniform(salt, 65) < 0.01), "Sorry, I cannot describe this picture.", text)
    values = {
        "text": text,
        "source": pa.array(np.where(place == 0, "raw", "recaption")),
        "language": pa.array(np.where(_mix(salt, 61) % np.uint64(2) == 0, "zh", "en")),
        "tokens": pa.array((20 + 600 * _uniform(salt, 66) ** 6).astype(np.int32)),
    }
    arrays = [values.get(f.name, pa.nulls(len(owner), f.type)) for f in schema.CAPTION]
    return pa.ListArray.from_arrays(
        offsets.astype(np.int32), pa.StructArray.from_arrays(arrays, fields=list(schema.CAPTION))
    )


def _embeddings(content: np.ndarray) -> pa.Array:
    """Of few unlike values, so that they do not take the disk that they are not measured on."""
    values = np.tile((_uniform(content, 70)).astype(np.float16)[:, None], (1, _EMBEDDING))
    return pa.ListArray.from_arrays(np.arange(0, values.size + 1, _EMBEDDING, dtype=np.int32), pa.array(values.ravel()))


def _sentences(count: int = 40_000) -> pa.Array:
    """Even ones Chinese, odd ones English, of the words that synth has."""
    folder = Path(__file__).resolve().parents[2] / "synth" / "data"
    words = [(folder / f"words-{language}.txt").read_text(encoding="utf-8") for language in ("zh", "en")]
    lists = [[w for line in text.splitlines() if not line.startswith("#") for w in line.split()] for text in words]
    rng = np.random.default_rng(7)
    found = []
    for number in range(count):
        known, joint = lists[number % 2], ("", " ")[number % 2]
        found.append(joint.join(known[i] for i in rng.integers(len(known), size=rng.integers(4, 12))))
    return pa.array(found)


def _hex(number: int, digits: int) -> str:
    return f"{number:0{digits}x}"


def _mix(numbers: np.ndarray, salt: int) -> np.ndarray:
    """uint64: SplitMix64's finalizer of number and salt."""
    with np.errstate(over="ignore"):
        mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt * 0xD1B54A32D192ED03 % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _uniform(numbers: np.ndarray, salt: int) -> np.ndarray:
    return (_mix(numbers, salt) >> np.uint64(11)) / float(1 << 53)


def _normal(numbers: np.ndarray, salt: int) -> np.ndarray:
    """By Box and Muller."""
    radius = np.sqrt(-2 * np.log1p(-_uniform(numbers, salt)))
    return radius * np.cos(2 * math.pi * _uniform(numbers, salt + 1000))
