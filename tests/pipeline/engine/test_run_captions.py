"""A run with a captioner, CLIP and decontamination: what they say is in the dataset, and decides."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from configs import RunFailed, UserError
from pipeline.config import PipelineConfig, load_config
from pipeline.engine.redecide import decide_again
from pipeline.engine.run import run_pipeline
from tests.pipeline import commands
from tests.pipeline.annotators.tiny_clip import siglip
from tests.pipeline.captioner.server import GOOD, serving
from tests.pipeline.inline import work_inline

CONFIG = """
sources:
- {kind: folder, name: photos, path: HERE/photos, captions: HERE/captions.tsv}
fragments: {inputs: 8}
annotate:
- {kind: measure}
- {kind: clip, model: HERE/model}
- {kind: captioner, model: qwen, server: SERVER, languages: [en], connections: 1}
captions: {min_align_siglip: LEAST}
decontaminate: {prompts: [HERE/prompts.txt]}
cluster: {cpus: 1}
decide:
  rules:
  - {name: S1.contaminated, stage: 1, keep: contaminated_by is null}
  - {name: S4.quoted, stage: 4, keep: quoted_read >= 0.5}
  - {name: S5.abnormal, stage: 5, keep: not abnormal, if_null: pass}
"""
PROMPT = "a quiet bookstore with a sign that says read and a cup on the table with the word morning"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    commands.write_pictures(tmp_path / "photos", 4, edge=64)
    rows = ["000.png\ta cat", f"001.png\t{PROMPT.upper()}", "002.png\tun chat sur la table avec une pomme rouge"]
    (tmp_path / "captions.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "prompts.txt").write_text(f"a dog\n{PROMPT}\n", encoding="utf-8")
    siglip(tmp_path / "model")
    return tmp_path


def config(here: Path, server: str, least: str = "null") -> PipelineConfig:
    path = here / "config.yaml"
    path.write_text(CONFIG.replace("HERE", str(here)).replace("SERVER", server).replace("LEAST", least))
    return load_config(path)


def manifest(run: Path) -> pl.DataFrame:
    return pl.read_parquet(run / "dataset" / "manifest" / "*.parquet").sort("uri")


def test_what_they_say_is_in_the_dataset_and_decides(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_inline(monkeypatch)
    run = here / "run"
    with serving() as server:
        server.script = [GOOD, GOOD, GOOD.replace('"no"', '"yes"'), "I'm sorry, I can't."]
        run_pipeline(config(here, server.url), run)
    kept = manifest(run)
    assert kept["uri"].to_list() == ["000.png", "002.png", "003.png"]  # 001 repeats a prompt
    assert kept["stage_to"].to_list() == [7, 4, 7]
    assert kept["n_captions"].to_list() == [2, 2, 0]
    assert kept["caption_languages"].to_list() == ["en", "en+other", None]
    assert kept["image_type"].to_list() == ["photograph", "photograph", None]
    assert kept["align_siglip_max"].is_null().to_list() == [False, False, True]
    decided = pl.read_parquet(run / "decisions" / "decisions.parquet")
    assert decided["contaminated_by"].drop_nulls().to_list() == ["prompts.txt:2"]
    captions = {
        row["uri"]: [(c["text"], c["source"], c["invalid"]) for c in row["captions"]]
        for row in pq.read_table(run / "dataset" / "data", columns=["uri", "captions"]).to_pylist()
    }
    assert captions["000.png"] == [("a cat", "raw", None), ("A cat", "recaption", None)]
    assert captions["003.png"] == [("", "recaption", "S3.unreadable")]
    # Another address of the server is no other captioner, and a threshold is a matter of decisions.
    run_pipeline(config(here, "http://127.0.0.1:9/v1", least="1.0"), run)
    assert manifest(run)["n_captions"].to_list() == [1, 1, 0]
    (here / "prompts.txt").write_text("a dog in the park is running\n", encoding="utf-8")
    with pytest.raises(UserError, match="lack 1 of 4 rows that would now be kept"):  # the prompt is another one
        decide_again(run, [])


def test_an_outage_stops_the_run_and_the_same_command_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_inline(monkeypatch)
    with serving() as server:
        server.script = [GOOD, 401]
        with pytest.raises(RunFailed, match="refuses: status 401"):
            run_pipeline(config(here, server.url), here / "run")
        assert not list((here / "run" / "scores" / "captioner").glob("*.parquet"))
        run_pipeline(config(here, server.url), here / "run")
    assert len(manifest(here / "run")) == 3
