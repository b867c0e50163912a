"""From pictures to a manifest whose rows know what was found: the annotators of S5 to S7 in one run, then retrieval."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_image

from configs import UserError, decode
from pipeline.config import PipelineConfig, load_config
from pipeline.engine.redecide import decide_again
from pipeline.engine.remove import remove_rows
from pipeline.engine.run import run_pipeline
from pipeline.report import write_report
from pipeline.retrieve.run import retrieve
from pipeline.store.retrieved import retrievals
from pipeline.store.run_folder import RunFolder
from tests.pipeline.annotators.signing import signed
from tests.pipeline.inline import work_inline

CAT = skimage.data.chelsea()
CAPTIONS = {
    "coffee.jpg": "a cup of black coffee",
    "cat.jpg": "a cat looks up",
    "china.jpg": "a temple with a black roof",
}


def jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        work_inline(patch)
        yield patch


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch) -> Path:
    """The shipped config over six photographs, less what reads text and judges decency."""
    folder = tmp_path_factory.mktemp("retrieve")
    pictures = {
        "astronaut.jpg": jpeg(skimage.data.astronaut()),
        "cat.jpg": jpeg(CAT),
        "china.jpg": jpeg(load_sample_image("china.jpg")),
        "coffee.jpg": jpeg(skimage.data.coffee()),
        "made.jpg": signed(jpeg(load_sample_image("flower.jpg")), "image/jpeg", "trainedAlgorithmicMedia"),
        "rocket.jpg": jpeg(skimage.data.rocket()),
    }
    (folder / "photos").mkdir()
    for name, data in pictures.items():
        (folder / "photos" / name).write_bytes(data)
    (folder / "captions.tsv").write_text("".join(f"{name}\t{text}\n" for name, text in CAPTIONS.items()))
    settings = [
        f"sources.0.path={folder / 'photos'}",
        f"sources.0.captions={folder / 'captions.tsv'}",
        "fragments.inputs=4",
        "annotate=[{kind: measure}, {kind: codes}, {kind: provenance}, {kind: faces}, {kind: classify}]",
    ]
    config = load_config(Path("configs/pipeline/full.yaml"), settings)
    run_pipeline(config, folder / "run")
    return folder / "run"


def manifest(run: Path) -> dict[str, dict]:
    rows = pl.read_parquet(run / "dataset/manifest/*.parquet")
    return {row["uri"]: row for row in rows.iter_rows(named=True)}


def test_the_manifest_tells_what_each_picture_is(run: Path) -> None:
    rows = manifest(run)
    assert rows["astronaut.jpg"]["subset"] == "portrait"
    assert rows["astronaut.jpg"]["faces"] == 1
    assert {rows[name]["subset"] for name in ("cat.jpg", "china.jpg", "coffee.jpg")} == {"general"}
    assert rows["coffee.jpg"]["category"] == "food/drinks"
    assert rows["cat.jpg"]["category"] == "animals/cats"
    assert {row["codes"] for row in rows.values()} == {0}
    assert {row["watermark"] for row in rows.values()} == {None}
    assert "made.jpg" not in rows, "AI-made pictures are stopped at S1"
    assert "embedding" not in next(iter(rows.values()))
    decisions = pl.read_parquet(run / "decisions/decisions.parquet")
    assert decisions.filter(pl.col("stopped_by") == "S1.generated").height == 1


def test_what_was_found_is_a_column_after_the_next_decision(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = tmp_path / "cat.png"
    Image.fromarray(CAT[20:, 20:][:, ::-1]).save(query)
    retrieve(run, "cats", 1, images=[query])
    retrieve(run, "black", 10, text="black")
    told = capsys.readouterr().out
    assert "cat.jpg" in told
    assert "retrieved == 'cats'" in told
    page = (run / "retrieved/black.html").read_text()
    assert page.index("a cup of black coffee") < page.index("a temple with a black roof"), "the most about it first"
    decide_again(run, [])
    found = {uri: row["retrieved"] for uri, row in manifest(run).items() if row["retrieved"]}
    assert found == {"cat.jpg": "cats", "coffee.jpg": "black", "china.jpg": "black"}
    retrieve(run, "black", 1, text="black cup")
    retrieve(run, "pets", 1, images=[query])
    decide_again(run, ["decide.rules.0={name: S1.wanted, stage: 1, keep: retrieved is not null or bytes_len > 0}"])
    found = {uri: row["retrieved"] for uri, row in manifest(run).items() if row["retrieved"]}
    assert found == {"cat.jpg": "cats+pets", "coffee.jpg": "black"}


def test_the_report_shows_what_passes_and_what_fails(run: Path) -> None:
    page = write_report(run).read_text()
    part = page[page.index("S1.generated</h3>") :]
    part = part[: part.index("</article>")]
    stopped, passed = part.split("passed it")
    assert "made.jpg" in stopped
    assert ".jpg" in passed
    assert "made.jpg" not in passed


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "a b", "top": 1, "text": "cat"}, "--name 'a b'"),
        ({"name": "a", "top": 0, "text": "cat"}, "--top 0"),
        ({"name": "a", "top": 1, "text": " "}, "--text ' '"),
        ({"name": "a", "top": 1, "images": [Path("no.jpg")]}, "--image 'no.jpg': No such file"),
        ({"name": "a", "top": 1, "images": [Path("README.md")]}, "--image 'README.md'"),
    ],
)
def test_wrong_questions_are_one_line(run: Path, settings: dict, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        retrieve(run, **settings)
    assert "\n" not in str(caught.value)
    assert "a" not in retrievals(RunFolder(run))


def test_what_was_taken_down_is_not_found(run: Path, tmp_path: Path) -> None:
    (tmp_path / "uris").write_text("cat.jpg\n")
    remove_rows(run, "uris", tmp_path / "uris")
    query = tmp_path / "cat.png"
    Image.fromarray(CAT).save(query)
    retrieve(run, "gone", 1, images=[query])
    retrieve(run, "gone_too", 9, text="cat")
    found = retrievals(RunFolder(run))
    assert len(found["gone"]) == 1
    samples = pl.read_parquet(run / "samples/*.parquet", columns=["id", "uri"])
    assert samples.filter(pl.col("id") == found["gone"][0])["uri"].to_list() != ["cat.jpg"]
    assert found["gone_too"] == []


def test_a_run_without_embeddings_says_what_to_add(tmp_path: Path, patched: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(jpeg(CAT))
    source = {"kind": "folder", "name": "photos", "path": str(tmp_path / "photos")}
    config = decode({"sources": [source], "annotate": [{"kind": "measure"}]}, PipelineConfig, "test")
    run_pipeline(config, tmp_path / "run")
    with pytest.raises(UserError, match=r"add \{kind: classify\}"):
        retrieve(tmp_path / "run", "cats", 1, images=[tmp_path / "photos/cat.jpg"])
