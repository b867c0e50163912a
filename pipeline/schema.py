"""The sample: every column a shard, a score file or a manifest may hold, with its type and meaning.

Writers build their Arrow schema from this table (``arrow``), readers check the version (``check_version``).
Needs pyarrow only.

    samples/F.parquet          COLLECTED            bytes and identity, exact text of synthetic pictures
    scores/<annotator>/F       id, <annotator>_state and the annotator's columns
    embeddings/<annotator>/F   id and what the annotator keeps aside
    decisions/                 id and DECIDED
    dataset/data/*.parquet     STORED               what training and people need in one row
    dataset/manifest/*.parquet MANIFEST             scalars and decisions, and where the row lies

Columns that a predicate may use are flat, because Polars and Parquet statistics do not prune inside structs. Images have the Hugging Face form, so that ``datasets`` decodes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from configs.errors import UserError

SCHEMA_VERSION = "1.7"
"""major.minor: a reader refuses a newer major version; a newer minor version only adds columns."""

RENAMED = {"lacked": "missing_glyphs"}
"""Columns that files of an older version hold under another name (old -> new); reading gives them the new one."""

HUGGINGFACE = b'{"info": {"features": {"image": {"_type": "Image"}, "references": {"_type": "List", "feature": {"_type": "Image"}}}}}'
"""Metadata of shards from which the ``datasets`` library knows which columns to decode to pictures."""

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CAPTION = pa.struct(
    [
        ("text", pa.string()),
        ("source", pa.string()),  # raw, recaption, fused, template
        ("language", pa.string()),  # zh, en, other
        ("tokens", pa.int32()),  # Qwen BPE tokens of the text alone
        ("align_zh", pa.float32()),  # Chinese CLIP cosine, raw captions only
        ("align_siglip", pa.float32()),  # SigLIP 2 cosine, raw captions only
        ("invalid", pa.string()),  # the operator that refused this caption, null when good
    ]
)
_REGION = pa.struct(
    [
        ("text", pa.string()),
        ("quad", pa.list_(pa.float32(), 8)),  # px, x y pairs, clockwise from the reading start
        ("level", pa.string()),  # glyph, word, line, paragraph
        ("direction", pa.string()),  # ltr, ttb
        ("score", pa.float32()),  # reader's confidence 0..1; 1 for exact regions
        ("damage", pa.string()),  # of a synthetic glyph that is not whole: "stroke missing" ...; else null
    ]
)

_STATES = ("ok", "skipped", "not_applicable", "failed")
"""Values of every ``<annotator>_state``: why a score is null. ``skipped``: the model was missing."""

TEXT_LEVELS = ("none", "character or word", "line", "several lines or regions", "paragraph")
"""``text_level`` is an index into this."""


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, unit and meaning. ``required`` columns are never null."""

    name: str
    type: pa.DataType
    meaning: str
    required: bool = False

    @property
    def nested(self) -> bool:
        """Whether the column lives in shards only: what a predicate cannot compare has no place in the manifest."""
        return self.name in NESTED or pa.types.is_nested(self.type) or pa.types.is_binary(self.type)


def _columns(*rows: Column) -> dict[str, Column]:
    return {row.name: row for row in rows}


IDENTITY = _columns(
    Column("id", pa.string(), "32 hex digits of sha256 over source name, canonical uri and ordinal", True),
    Column("origin", pa.string(), "kind of source: folder, urls, webdataset, parquet, edits, synth", True),
    Column("source", pa.string(), "name of the source in the run's config", True),
    Column("uri", pa.string(), "where it came from; percent-encoded where a name is not UTF-8", True),
    Column("image", _IMAGE, "the source's bytes, never re-encoded without need", True),
    Column("references", pa.list_(_IMAGE), "reference images of ti2i and i2i"),
    Column("ref_sizes", pa.list_(pa.int32()), "w, h of each reference in turn, px after orientation"),
    Column("width", pa.int32(), "px, after the EXIF orientation is applied", True),
    Column("height", pa.int32(), "px, after the EXIF orientation is applied", True),
    Column("orientation", pa.int8(), "EXIF orientation 1..8 as found; 1 where there is none", True),
    Column("format", pa.string(), "Pillow's name of the container: JPEG, PNG, WEBP, GIF ...", True),
    Column("bytes_len", pa.int32(), "length of image.bytes", True),
    Column("sha256", pa.string(), "hex digest of image.bytes", True),
    Column("license", pa.string(), "SPDX expression, or unknown", True),
    Column("parents", pa.list_(pa.string()), "of synthetic pictures: photographs, fonts and corpora they come from"),
    Column("domain", pa.string(), "nature, design, people, synthetic; null unless a source or classifier says so"),
    Column(
        "category",
        pa.string(),
        "leaf of the taxonomy, group/leaf of pipeline/annotators/taxonomy.tsv, or the source's own",
    ),
    Column("task", pa.string(), "t2i, ti2i, i2i", True),
    Column("captions", pa.list_(CAPTION), "captions with a verdict each; a bad one never drops the picture"),
    Column("instructions", pa.list_(CAPTION), "edit instructions, in the form of captions"),
    Column("extra", pa.string(), "JSON object: further columns of the source's list, those that its keep names"),
    Column("recipe", pa.string(), "synthetic rows: name of the recipe; null for real ones"),
    Column("strategy", pa.string(), "synthetic rows: pure, scene, template, edit, twin"),
    Column("medium", pa.string(), "synthetic rows: what carries the text in a scene, or the family of the template"),
    Column("fonts", pa.list_(pa.string()), "synthetic rows: families of the faces in it"),
    Column("colors", pa.list_(pa.string()), "synthetic rows: English names of the text's colors, without repeats"),
    Column(
        "effects",
        pa.list_(pa.string()),
        "synthetic rows: stroke, hollow, shadow, glow, gradient, neon, engraved, embossed, stencil, brush, extruded, foil, vertical, curved",
    ),
    Column("pair", pa.string(), "bilingual twins: 32 hex digits that both pictures have in common; null for others"),
    Column(
        "missing_glyphs",
        pa.string(),
        "synthetic rows: characters no font had; for each a text was discarded before this one",
    ),
)

CAPTION_FLAT = _columns(
    Column("n_captions", pa.int32(), "captions that are not invalid"),
    Column("caption_languages", pa.string(), "languages of valid captions, sorted, joined with +: en, en+zh"),
)

TRAINABLE = _columns(
    Column("n_instructions", pa.int32(), "instructions that are not invalid"),
    Column(
        "text_tokens", pa.int32(), "of the longest valid caption or instruction, the template's closing ones counted"
    ),
    Column(
        "quoted_box",
        pa.list_(pa.int32()),
        "left, top, right, bottom in px around the text_regions that a valid caption or instruction quotes; null for none",
    ),
)

TEXT = _columns(
    Column("text", pa.string(), "visible text in reading order, lines separated by newlines"),
    Column("text_language", pa.string(), "zh, en, other, none"),
    Column("text_level", pa.int8(), "0 none, 1 character or word, 2 line, 3 several lines or regions, 4 paragraph"),
    Column("text_regions", pa.list_(_REGION), "quads in the oriented frame; exact for synthetic rows, else OCR's"),
    Column("text_chars", pa.int32(), "visible characters without white space"),
    Column("text_area", pa.float32(), "area of the line quads over the picture's, 0..1"),
    Column(
        "text_min_height",
        pa.float32(),
        "px, shortest side across reading direction among line quads; null without text",
    ),
)

MEASURES = _columns(
    Column("pixel_sha256", pa.string(), "hex digest of the decoded, oriented RGB pixels and their size"),
    Column("phash", pa.uint64(), "64-bit perceptual hash (DCT) of the decoded picture"),
    Column("clarity", pa.float32(), "see pipeline/annotators/measure.py"),
    Column("luma", pa.float32(), "see pipeline/annotators/measure.py"),
    Column(
        "exposure",
        pa.float32(),
        "share of pixels that are crushed to black or burnt out, less a ground all around, 0..1",
    ),
    Column("saturation", pa.float32(), "see pipeline/annotators/measure.py"),
    Column("entropy", pa.float32(), "see pipeline/annotators/measure.py"),
    Column("texture", pa.float32(), "see pipeline/annotators/measure.py"),
    Column("blockiness", pa.float32(), "see pipeline/annotators/measure.py"),
    Column(
        "thumbnail", pa.binary(), "the whole picture in 1,152 bytes, see pipeline/annotators/measure.py; for duplicates"
    ),
)

CODES = _columns(
    Column("codes", pa.int32(), "QR codes and barcodes that decode"),
    Column("code_formats", pa.string(), "their formats, sorted, joined with +: EAN13+QRCode; null without codes"),
    Column("code_area", pa.float32(), "area of their quads over the picture's, 0..1"),
)

PROVENANCE = _columns(
    Column("generated", pa.string(), "AI-made by what the file says: signed (C2PA holds), declared, none"),
    Column("generator", pa.string(), "what says so; null where generated is none"),
)

FACES = _columns(
    Column("faces", pa.int32(), "faces found, seen from the front"),
    Column("face_area", pa.float32(), "area of their boxes over the picture's, 0..1"),
    Column("face_hidden", pa.float32(), "mosaic or blur over the most hidden face, 0..1; null without faces"),
)

_CLASSES = _columns(
    Column("category_score", pa.float32(), "probability of the classifier's category; null where the source says it"),
)

EMBEDDING = Column(
    "embedding", pa.list_(pa.float16(), 1280), "features of efficientnet-lite0, see pipeline/annotators/classify.py"
)
"""Lies in embeddings/<annotator>/F.parquet alone: a million rows have 2.6 GB, which decisions never read."""

_OPERATORS = {**CODES, **PROVENANCE, **FACES, **_CLASSES}
"""Columns of the annotators of S5 to S7."""

CAPTION_SCORES = _columns(
    Column("recaptions", pa.list_(CAPTION), "a captioner's captions, which join those of the row"),
    Column("align_zh", pa.list_(pa.float32()), "Chinese CLIP cosine of each caption in turn, null of those not raw"),
    Column("align_siglip", pa.list_(pa.float32()), "SigLIP 2 cosine of each caption in turn, null of those not raw"),
)
"""What annotators say of captions: it becomes part of the column ``captions`` (pipeline/store/caption_scores.py)."""

CAPTIONER = _columns(
    Column("image_type", pa.string(), "the captioner's Image Type"),
    Column("image_style", pa.string(), "the captioner's Image Style"),
    Column("watermarks", pa.list_(pa.string()), "the captioner's Watermark List"),
    Column(
        "abnormal",
        pa.bool_(),
        "synthetic rows: whether a glyph is damaged; else the captioner's Abnormal Element: QR codes, barcodes, mosaics",
    ),
)

_IN_SCORES_ONLY = ("thumbnail", *CAPTION_SCORES)
"""Columns that neither shards nor manifests hold: decisions look at them for a few rows."""

_MODEL_SCORES = _columns(
    Column("nsfw", pa.float32(), "probability of not-safe-for-work content, 0..1"),
    Column(
        "text_read", pa.float32(), "synthetic rows: share of the characters that a reader reads where they stand, 0..1"
    ),
    Column("text_read_clean", pa.float32(), "the same of the text in plain print: what the reader can at best"),
    Column("text_unverifiable", pa.bool_(), "whether the reader fails on plain print, too, and is no judge"),
    Column("ocr_score", pa.float32(), "mean confidence of the read lines, weighted by characters; null without text"),
    Column("align_zh_max", pa.float32(), "largest Chinese CLIP cosine of picture and a raw caption, -1..1"),
    Column("align_siglip_max", pa.float32(), "largest SigLIP 2 cosine of picture and a raw caption, -1..1"),
    Column("aesthetic", pa.float32(), "a linear head on the CLIP embedding; LAION's heads give about 1..10"),
)

DECIDED = _columns(
    Column("stage_from", pa.int8(), "first filtering stage it belongs to: real 1, synthetic text 4", True),
    Column("stage_to", pa.int8(), "last filtering stage it passes, 0 = rejected", True),
    Column("stopped_by", pa.string(), "operator that stopped it short of stage 7 (S2.clarity); null when none did"),
    Column("stopped_value", pa.float32(), "the value that operator saw"),
    Column("fails", pa.list_(pa.string()), "every operator that would have stopped it"),
    Column("duplicate_of", pa.string(), "id of the kept copy"),
    Column("watermark", pa.string(), "text of a watermark; null where none is known"),
    Column("subset", pa.string(), "S6: general, portrait, text"),
    Column("retrieved", pa.string(), "names of the retrievals that found it, joined with +; null for none"),
    Column(
        "quoted_read",
        pa.float32(),
        "share of the text that captions quote which stands in text, 0..1; null without quotations, and where no rule asks",
    ),
    Column(
        "contaminated_by", pa.string(), "what of an evaluation it repeats, file:number or picture; null for nothing"
    ),
    Column(
        "leaf_rank", pa.int32(), "rank in its taxonomy leaf, 1 = best; null where S1 to S6 stop it or it has no leaf"
    ),
    Column("repeats", pa.float32(), "expected draws per epoch; averages 1 within (task, language, level)"),
)

ABOUT_CAPTIONS = ("contaminated_by", "quoted_read")
"""Of these the ones that follow from captions and text (pipeline/decide/about_captions.py)."""

BEFORE_RULES = ("watermark", "subset", "retrieved", *ABOUT_CAPTIONS)
"""Of these the ones that are decided before the rules, which may use them; rules of S7 may use leaf_rank, too."""

_PLACE = _columns(
    Column("shard", pa.string(), "file name under dataset/data", True),
    Column("row_group", pa.int32(), "row group within the shard", True),
    Column("row", pa.int32(), "row within the row group", True),
)

_SPANS = _columns(
    Column("image_offset", pa.int64(), "byte of the shard's file at which image.bytes begin; null: read its row group"),
    Column("ref_spans", pa.list_(pa.int64()), "offset, length in the shard's file of each reference's bytes in turn"),
    Column("text_spans", pa.list_(pa.int64()), "of each valid caption in turn, then of each valid instruction"),
)
SPANS = tuple(_SPANS)
"""Columns that say where in the shard's file the bytes lie that training reads."""

COLUMNS: dict[str, Column] = {
    **IDENTITY,
    **CAPTION_FLAT,
    **TRAINABLE,
    **TEXT,
    **MEASURES,
    **_MODEL_SCORES,
    **_OPERATORS,
    **CAPTION_SCORES,
    **CAPTIONER,
    **DECIDED,
    **_PLACE,
    **_SPANS,
}
"""Every column of ours by name. Annotators' ``<name>_state`` columns are strings from STATES and come on top, and so
do the columns that annotators from outside declare."""

COLLECTED = tuple(IDENTITY) + tuple(CAPTION_FLAT) + tuple(TEXT) + ("abnormal",)
"""Columns of samples/F.parquet; TEXT and abnormal are filled only where they are exact (synthetic pictures), captions are counted there."""

NESTED = (
    *("image", "references", "ref_sizes", "parents", "captions", "instructions", "text_regions"),
    *("fonts", "colors", "effects", "quoted_box", "extra", "thumbnail"),
    *("watermarks", *CAPTION_SCORES),
)
"""Columns that no predicate can compare."""

_TRAINED_ON = ("ref_sizes", "quoted_box")
"""Those of them that the manifest has all the same: the order of training is made from it alone."""

_BY_ANNOTATORS = (*TEXT, *MEASURES, *_MODEL_SCORES, *_OPERATORS, *CAPTION_SCORES, *CAPTIONER)
_SCORED = tuple(n for n in (*CAPTION_FLAT, *TRAINABLE, *_BY_ANNOTATORS) if n not in _IN_SCORES_ONLY)

STORED = tuple(IDENTITY) + _SCORED
"""Columns of dataset/data/*.parquet, annotators' states and own columns on top. Decisions are not among them: a shard outlives them."""

MANIFEST = tuple(n for n in (*STORED, *DECIDED, *_PLACE, *_SPANS) if n not in NESTED or n in _TRAINED_ON)
"""Columns of dataset/manifest/*.parquet, annotators' states and own columns on top."""


FILLED_BY_ANNOTATORS = (*_BY_ANNOTATORS, "category", "domain")
"""What a source says of the last two counts more, as exact text does."""

RESERVED = frozenset(COLUMNS) - frozenset(FILLED_BY_ANNOTATORS) | {
    "fragment",
    "fragment_row",
    "aspect",
    "synthetic",
}
"""Names that no annotator's column may have: the pipeline fills these columns, or computes them on the way."""

STATE_SUFFIX = "_state"


def state_column(annotator: str) -> str:
    """Name of the column that says why an annotator's scores are null."""
    return f"{annotator}{STATE_SUFFIX}"


def arrow(columns: Iterable[str | Column], annotators: Iterable[str] = ()) -> pa.Schema:
    """Arrow schema of ``columns`` and of the state columns of ``annotators``, version in the metadata.

    A name stands for the column of this file; columns that annotators declare themselves are given whole.
    """
    given = [COLUMNS[c] if isinstance(c, str) else c for c in columns]
    fields = [pa.field(c.name, c.type, nullable=not c.required, metadata={"meaning": c.meaning}) for c in given]
    fields += [pa.field(state_column(a), pa.string()) for a in annotators]
    return pa.schema(fields, metadata={"glyphmill.schema": SCHEMA_VERSION})


def check_version(version: str, where: str) -> None:
    """Raise UserError when ``where`` was written with a newer major version than this code reads."""
    try:
        major = int(version.split(".")[0])
    except ValueError:
        raise UserError(f"{where}: schema version '{version}' is not of the form major.minor") from None
    if major > int(SCHEMA_VERSION.split(".")[0]):
        raise UserError(
            f"{where}: written with schema version {version}, this installation reads up to "
            f"{SCHEMA_VERSION.split('.')[0]}.x; upgrade glyphmill to read it"
        )
