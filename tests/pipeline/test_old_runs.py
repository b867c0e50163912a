"""A run and a dataset of the first version still open: tests/data/run-v1.tar.xz, made by the code before the house.

Three inputs of a folder, one of them broken, and three renderings, scored by ``measure``; the config has the form of
that time (``annotate: {run: [measure]}``), the synthetic rows the column ``lacked``.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from configs import UserError
from pipeline import Dataset, scan
from tests.pipeline import commands

ARCHIVE = Path(__file__).parents[1] / "data" / "run-v1.tar.xz"
DIGEST = "1a041ae6c50472d69f7ba358f1c7d4b4d66195f6f00c907edd7da282b25ad54c"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "run-v1"


def test_the_dataset_reads_under_the_names_of_today(run: Path) -> None:
    dataset = Dataset.open(run / "dataset")
    assert (dataset.digest, dataset.rows, dataset.about["schema_version"]) == (DIGEST, 5, "1.1")
    table = dataset.manifest()
    assert "lacked" not in table.column_names
    synthetic = dataset.manifest(["id", "missing_glyphs"], where="recipe is not null and missing_glyphs == ''")
    assert len(synthetic) == 3
    assert scan(run / "dataset").select("missing_glyphs").collect()["missing_glyphs"].null_count() == 2
    rows = dataset.read([0, 4])
    assert all("missing_glyphs" in row and "lacked" not in row for row in rows)
    assert dataset.read([4, 0], ["missing_glyphs", "id"])[1] == {k: rows[0][k] for k in ("missing_glyphs", "id")}
    with pytest.raises(UserError, match="column 'lacked' in 'lacked is null' is called 'missing_glyphs' now"):
        dataset.manifest(where="lacked is null")


def test_what_its_manifest_lacks_is_worked_out_of_its_shards(run: Path) -> None:
    dataset = Dataset.open(run / "dataset")
    names = ["n_captions", "text_tokens", "quoted_box", "n_instructions", "ref_sizes", "image_offset"]
    table = dataset.manifest(names, where="text_tokens > 0").to_pydict()
    samples = dataset.read(range(5))
    valid = [[c for c in s["captions"] or () if not c["invalid"]] for s in samples]
    longest = [max(c["tokens"] for c in texts) + 5 for texts in valid if texts]
    assert table["text_tokens"] == longest
    assert table["n_instructions"] == [0] * len(longest)
    assert table["ref_sizes"] == table["image_offset"] == [None] * len(longest)
    assert sum(box is not None for box in table["quoted_box"]) == 3  # the renderings
    assert [p.image for p in dataset.read_pictures([4, 0])] == [samples[i]["image"]["bytes"] for i in (4, 0)]
    assert dataset.read_texts([0, 4]) == [(tuple(c["text"] for c in valid[i]), ()) for i in (0, 4)]
    _, _, told = dataset.reading_costs()
    assert not told.any()


def test_inspect_and_report_show_it(run: Path) -> None:
    shown = commands.run_inline("inspect", run, "--out", run / "gallery.html")
    assert "5 samples" in shown
    commands.run_inline("report", run)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "6 inputs from photos, glyphs" in page
    assert "3 of them rendered" in page


def test_it_is_decided_again_over_its_shards(run: Path) -> None:
    dark = "decide.rules.0.keep=luma < 0.01"
    assert "no sample would change its stages" in commands.run_inline("decide", run, "--dry-run")
    preview = commands.run_inline("decide", run, "--dry-run", "--set", dark)
    assert "kept: 5 now, 5 then" in preview
    assert "only to S1 by S2.luma (now to S7)" in preview
    assert Dataset.open(run / "dataset").digest == DIGEST
    commands.run_inline("decide", run, "--set", dark)
    dataset = Dataset.open(run / "dataset")
    assert sorted(dataset.manifest(["stage_to"])["stage_to"].to_pylist()) == [1, 1, 7, 7, 7]
    assert dataset.about["schema_version"] == "1.7"
    assert dataset.manifest(["missing_glyphs"])["missing_glyphs"].null_count == 2
    assert "missing_glyphs" in dataset.read([0])[0]
