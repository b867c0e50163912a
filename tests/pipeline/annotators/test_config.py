"""Which annotators run is a matter of the config; each travels to its worker and loads quickly."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from configs import UserError, decode
from pipeline import schema
from pipeline.annotators import ANNOTATORS, AnnotateConfig, build, ocr
from pipeline.decode import Limits


def test_the_default_runs_everything_that_works_offline() -> None:
    made = build(AnnotateConfig(), Limits(max_pixels=1000))
    assert [a.name for a in made] == ["measure", "nsfw", "ocr"]
    assert [a.missing() for a in made] == [None] * 3
    made = build(AnnotateConfig(run=tuple(ANNOTATORS)))
    assert {a.name: type(a) for a in made} == ANNOTATORS
    for annotator in pickle.loads(pickle.dumps(made)):
        assert set(annotator.columns) <= set(schema.COLUMNS)
    columns = [c for a in made for c in a.columns]
    assert len(set(columns)) == len(columns)


def test_settings_reach_their_annotator() -> None:
    tree = {"run": ["ocr", "measure"], "ocr": {"min_score": 0.9}, "measure": {"reference_edge": 256}}
    reader, measure = build(decode(tree, AnnotateConfig, "test"))
    assert reader.config.min_score == 0.9  # type: ignore[attr-defined]
    assert measure.config.reference_edge == 256  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"run": ["measur"]}, "run: no annotator 'measur'; allowed: measure, nsfw, ocr"),
        ({"run": ["ocr", "ocr"]}, "run: 'ocr' stands twice"),
        ({"run": ["ocr"], "require": ["nsfw"]}, "require: no annotator 'nsfw'; allowed: ocr"),
        ({"measure": {"reference_edge": 8}}, "reference_edge: at least 64 px, found 8"),
        ({"ocr": {"min_scor": 1}}, "unknown field 'ocr.min_scor'; did you mean min_score"),
    ],
)
def test_wrong_settings_are_one_line(tree: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        decode(tree, AnnotateConfig, "test")
    assert said in str(caught.value)


def test_a_required_model_that_is_missing_stops_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "missing", lambda: "it is not here")
    assert [a.name for a in build(AnnotateConfig())] == ["measure", "nsfw", "ocr"]
    with pytest.raises(UserError, match="ocr cannot run here: it is not here"):
        build(AnnotateConfig(require=("ocr",)))


def test_importing_the_annotators_loads_no_model_library() -> None:
    heavy = ("torch", "onnxruntime", "paddleocr", "cv2", "scipy", "imagehash", "polars", "ray")
    code = f"import sys, pipeline.annotators; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
