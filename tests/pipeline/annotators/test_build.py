"""Which annotators run is a matter of the config; each travels to its worker and loads quickly."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from configs import UserError, decode, to_plain
from configs.pictures import Limits
from pipeline import schema
from pipeline.annotators import DEFAULT, Annotator, AnnotatorConfig, Picture, build, check, ocr
from pipeline.annotators.clip import ClipConfig
from pipeline.config import PipelineConfig

KINDS = ["measure", "nsfw", "ocr", "verify", "codes", "provenance", "faces", "classify"]


def decoded(*entries: dict[str, object]) -> PipelineConfig:
    source = {"kind": "folder", "name": "photos", "path": "photos"}
    return decode({"sources": [source], "annotate": list(entries)}, PipelineConfig, "test")


def test_the_default_runs_everything_that_works_offline() -> None:
    made = build(DEFAULT, Limits(max_pixels=1000))
    assert [a.name for a in made] == ["measure", "nsfw", "ocr"]
    assert [a.missing() for a in made] == [None] * 3
    made = decoded(*({"kind": kind} for kind in KINDS)).annotators()
    assert [a.name for a in made] == KINDS
    for annotator in pickle.loads(pickle.dumps(made)):
        assert {c.name for c in annotator.columns} <= set(schema.COLUMNS)
    columns = [c.name for a in made for c in a.columns]
    assert len(set(columns)) == len(columns)


def test_settings_reach_their_annotator() -> None:
    config = decoded({"kind": "ocr", "min_score": 0.9}, {"kind": "measure", "reference_edge": 256})
    reader, measure = config.annotators()
    assert reader.config.min_score == 0.9  # type: ignore[attr-defined]
    assert measure.config.reference_edge == 256  # type: ignore[attr-defined]
    assert decode(to_plain(config), PipelineConfig, "again") == config


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{"kind": "measur"}], "annotate.0: no kind 'measur'; allowed: measure, nsfw, ocr, verify, "),
        ([{"kind": "ocr"}, {"kind": "ocr"}], "field 'annotate.1': the annotator 'ocr' is given twice"),
        ([{"kind": "measure", "reference_edge": 8}], "reference_edge: at least 64 px, found 8"),
        ([{"kind": "ocr", "min_scor": 1}], "unknown field 'annotate.0.min_scor'; did you mean min_score"),
        ([{"reference_edge": 512}], "field 'annotate.0"),
    ],
)
def test_wrong_settings_are_one_line(entries: list[dict[str, object]], said: str) -> None:
    with pytest.raises(UserError) as caught:
        decoded(*entries).annotators()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_required_model_that_is_missing_stops_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "missing", lambda: "it is not here")
    assert [a.name for a in build(DEFAULT)] == ["measure", "nsfw", "ocr"]
    config = decoded({"kind": "measure"}, {"kind": "ocr", "required": True})
    with pytest.raises(UserError, match=r"field 'annotate.1.required': ocr cannot run here: it is not here"):
        check(config.annotate, config.annotators())


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"kind": "captioner", "model": "x", "key_file": "no/such/file"}, "key_file"),
        ({"kind": "clip", "model": "x", "aesthetics": "no.safetensors"}, "aesthetics"),
        ({"kind": "faces", "cascade": "no.xml"}, "cascade"),
    ],
)
def test_a_file_that_is_not_there_stops_before_any_work(entry: dict[str, object], field: str) -> None:
    config = decoded({"kind": "measure"}, entry)
    with pytest.raises(UserError, match=rf"field 'annotate\.1\.{field}': 'no.*' is no file"):
        check(config.annotate, config.annotators())


def test_paths_are_absolute_and_names_of_models_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    here, named = (ClipConfig(kind="clip", model=m, aesthetics="a").absolute() for m in ("mine", "timm/SigLIP"))
    assert (here.model, here.aesthetics) == (str(tmp_path / "mine"), str(tmp_path / "a"))
    assert named.model == "timm/SigLIP"


class Own(Annotator):
    """An annotator from outside; ``columns`` are set by each test."""

    name = "own"
    version = "1"
    input = "bytes"

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return []


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (schema.Column("clarity", pa.string(), "mine"), "pipeline/schema.py has it as float: see pipeline"),
        (schema.Column("width", pa.int32(), "mine"), "the pipeline fills it; take another name"),
        (schema.Column("aspect", pa.string(), "mine"), "the pipeline fills it; take another name"),
        (schema.Column("my_state", pa.string(), "mine"), "the pipeline fills it; take another name"),
        (schema.Column("my-score", pa.float32(), "mine"), "a name that rules can use is letters, digits and '_'"),
        (schema.Column("in", pa.float32(), "mine"), "a name that rules can use"),
        (schema.Column("my_score", pa.float32(), "mine", required=True), "columns may be null"),
    ],
)
def test_a_column_that_cannot_be_filled_is_one_line(column: schema.Column, said: str) -> None:
    @dataclass(frozen=True)
    class OwnConfig(AnnotatorConfig):
        def make(self, limits: Limits) -> Annotator:
            own = Own()
            own.columns = (column,)  # type: ignore[misc]
            return own

    with pytest.raises(UserError, match=f"field 'annotate.0': own cannot fill the column '{column.name}': ") as caught:
        build([OwnConfig("own")])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", None, "has no name"),
        ("version", 2, "the version of own must be text, found 2"),
        ("input", "pixel", "the input of own must be pixels, thumbnail or bytes, found 'pixel'"),
    ],
)
def test_an_annotator_that_does_not_say_what_it_is_is_one_line(field: str, value: object, said: str) -> None:
    @dataclass(frozen=True)
    class OwnConfig(AnnotatorConfig):
        def make(self, limits: Limits) -> Annotator:
            own = Own()
            own.columns = ()  # type: ignore[misc]
            setattr(own, field, value)
            return own

    with pytest.raises(UserError, match=r"field 'annotate\.0': ") as caught:
        build([OwnConfig("own")])
    assert said in str(caught.value)


def test_importing_the_annotators_loads_no_model_library() -> None:
    heavy = ("torch", "onnxruntime", "paddleocr", "cv2", "scipy", "imagehash", "polars", "ray")
    code = f"import sys, pipeline.annotators; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
