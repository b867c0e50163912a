"""Preference datasets of what a tiny model draws, by a person's scores and by the reader's."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from configs import RunFailed, UserError
from trainer.evaluate.reading.readings import load
from trainer.post.pairs import PairsConfig, make_pairs
from trainer.post.pairs_file import read_pairs
from trainer.post.prompts import PromptsConfig, load_prompts

CONFIG = PairsConfig(PromptsConfig(suites=("words",), count=3), pictures=3, one_line=True, steps=2, cfg=1.0, seed=7)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, edit_base: Path) -> Path:
    """By a person, who prefers the second of the first two prompts' pictures, and finds those of the third alike."""
    out, scores = tmp_path_factory.mktemp("pairs"), tmp_path_factory.mktemp("person") / "scores.csv"
    rows = [(f"{i}-{n}.png", 0.5 if i == 2 else [0.4, 1.0, 0.0][n]) for i in range(3) for n in range(3)]
    with scores.open("w", newline="") as file:
        csv.writer(file).writerows([("picture", "score"), *rows])
    make_pairs(CONFIG, edit_base, out, scores=scores, device="cpu")
    return out


def test_best_and_worst_become_pairs(scored: Path) -> None:
    table = pq.read_table(scored / "pairs.parquet").to_pylist()
    assert [row["id"] for row in table] == ["0", "1"]
    prompts = [json.loads(line) for line in (scored / "prompts.jsonl").read_text().splitlines()]
    for row in table:
        assert row["chosen"]["bytes"] == (scored / "pictures" / f"{row['id']}-1.png").read_bytes()
        assert row["rejected"]["path"] == f"{row['id']}-2.png"
        assert row["scores"] == [1.0, 0.0]
        number = int(row["id"])
        assert row["seeds"] == [7 + number + 3, 7 + number + 6]
        assert (row["prompt"], row["text"]) == (prompts[number]["prompt"], prompts[number]["text"])
    told = json.loads((scored / "pairs.json").read_text())
    assert (told["prompts"], told["pairs"], told["ties"]) == (3, 2, 1)
    assert told["digest"] == read_pairs(scored).digest


def test_a_pair_is_drawn_from_its_seeds(scored: Path, edit_base: Path) -> None:
    from model import QwenImage

    row = pq.read_table(scored / "pairs.parquet").to_pylist()[0]
    (again,) = QwenImage.load(edit_base).sample(
        row["prompt"], row["height"], row["width"], steps=2, cfg=1.0, seed=row["seeds"][0]
    )
    assert np.array_equal(np.asarray(again), load(scored / "pictures" / row["chosen"]["path"]))


def test_hugging_face_decodes_it(scored: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset(
        "parquet", data_files=str(scored / "pairs.parquet"), split="train", cache_dir=str(tmp_path)
    )
    assert found.cast_column("chosen", datasets.Image())[0]["chosen"].size == (found[0]["width"], found[0]["height"])


def test_a_reader_that_reads_nothing_in_noise_makes_no_pairs(edit_base: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, prompts=PromptsConfig(suites=("words",), count=1), pictures=2)
    with pytest.raises(RunFailed, match="none of 1 prompts has two pictures whose scores"):
        make_pairs(config, edit_base, tmp_path, device="cpu")
    assert len((tmp_path / "readings.jsonl").read_text().splitlines()) == 2


def test_prompts_of_a_recipe_are_what_it_trains_with() -> None:
    numbers = load_prompts(PromptsConfig(suites=("numbers",), count=40))
    from synth import Recipe

    assert len({item.text for item in numbers}) == 40
    assert not {item.text for item in numbers} & set(Recipe.load("configs/synth/glyphs.yaml").held_out())


GOOD = {"id": "a", "prompt": 'A sign: "EXIT"', "text": "EXIT", "width": 64, "height": 64}


def test_prompts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in (GOOD, GOOD | {"id": 2, "text": ["A", "B"]})))
    found = load_prompts(PromptsConfig(file=str(path)))
    assert [(item.id, item.text) for item in found] == [("a", "EXIT"), ("2", "A\nB")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], "line 1"),
        ([json.dumps({"id": 1})], "line 1: expected id, prompt, text"),
        ([json.dumps(GOOD | {"width": 65})], "multiples of 16"),
        ([json.dumps(GOOD | {"text": ""})], "text not empty"),
        ([json.dumps(GOOD), json.dumps(GOOD)], "line 2: a second prompt has the id 'a'"),
        ([json.dumps(GOOD | {"id": "../x"})], "names a file"),
        ([], "holds no prompts"),
    ],
)
def test_a_wrong_file_of_prompts_is_named(lines: list[str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=message):
        load_prompts(PromptsConfig(file=str(path)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture;score\n", "columns picture and score"),
        ("picture,score\n0-0.png,good\n", "numbers"),
        ("picture,score\n9-0.png,1\n", "'9-0.png' is no picture"),
    ],
)
def test_a_wrong_file_of_scores_is_named(
    text: str, message: str, scored: Path, edit_base: Path, tmp_path: Path
) -> None:
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises((UserError, RunFailed), match=message):
        make_pairs(CONFIG, edit_base, scored, scores=tmp_path / "scores.csv", device="cpu")
