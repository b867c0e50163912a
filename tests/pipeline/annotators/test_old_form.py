"""The form that ``annotate:`` had before it was a list: runs go on with it, configs are shown the new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import UserError
from pipeline.annotators.measure import MeasureConfig
from pipeline.annotators.ocr import OcrConfig
from pipeline.config import load_config, load_run_config

OLD = """
sources: [{kind: folder, name: photos, path: /photos}]
annotate:
  run: [ocr, measure]
  require: [measure]
  measure: {reference_edge: 256}
  nsfw: {threads: 1}
  ocr: {detection_edge: 960, min_score: 0.5, min_score_lone: 0.98, threads: 1}
  verify: {lines: 8, ceiling: 0.5, threads: 1}
plugins: []
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    (tmp_path / "run.yaml").write_text(OLD)
    return tmp_path / "run.yaml"


def test_a_run_that_wrote_the_old_form_goes_on(old: Path) -> None:
    expected = (OcrConfig("ocr", min_score=0.5), MeasureConfig("measure", required=True, reference_edge=256))
    assert load_run_config(old).annotate == expected
    changed = load_run_config(old, ["annotate.1.required=false"])
    assert changed.annotate == (expected[0], MeasureConfig("measure", reference_edge=256))


def test_a_run_with_annotators_of_ones_own_says_what_to_write(old: Path) -> None:
    old.write_text(OLD.replace("plugins: []", "plugins: ['my.redness:Redness']"))
    with pytest.raises(
        UserError, match=r"of your own annotators the config is named.*kind: 'my.redness:RednessConfig'"
    ):
        load_run_config(old)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("annotate.run=[measure, verify]", "write annotate: [{kind: measure}, {kind: verify}]"),
        ("annotate={run: [ocr], ocr: {threads: 2}}", "write annotate: [{kind: ocr, threads: 2}]"),
        ("plugins=['my.redness:Redness']", "write annotate: [{kind: 'my.redness:RednessConfig'}]"),
        ("annotate.ocr.threads=2", "change an entry by its number: --set annotate.0.required=true"),
    ],
)
def test_a_setting_of_the_old_form_is_shown_the_new_one(tmp_path: Path, setting: str, said: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("sources: [{kind: folder, name: photos, path: /photos}]\nannotate: [{kind: measure}]\n")
    for read in (load_config, load_run_config):
        with pytest.raises(UserError) as caught:
            read(config, [setting])
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    assert load_config(config, ["annotate.0.reference_edge=256"]).annotate == (
        MeasureConfig("measure", reference_edge=256),
    )
