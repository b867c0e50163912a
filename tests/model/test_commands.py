"""The commands as a user types them: what they print and write, and how they fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.model.folders import SMALLER, TINY, random_folder


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def overrides() -> list[str]:
    return [word for item in SMALLER for word in ("--set", item)]


def test_a_new_folder_can_be_sampled_and_the_picture_says_how(tmp_path: Path) -> None:
    made = run("init", TINY, tmp_path / "new", "--seed", "3", *overrides())
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == f"wrote {tmp_path / 'new'} (random weights, seed 3)"
    out = tmp_path / "deep" / "x.png"
    done = run("sample", random_folder(), "--prompt", "字 “x”", "--seed", "7", "--steps", "2", "--width", "64",
               "--height", "32", "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Image.open(out) as picture:
        assert picture.size == (64, 32)
        text = dict(picture.text)
    digest = text.pop("model_digest")
    assert text == {"prompt": "字 “x”", "negative": " ", "seed": "7", "steps": "2", "cfg": "4.0"}
    assert len(digest) == 64
    assert [p.name for p in out.parent.iterdir()] == ["x.png"]


def test_describe_prints_tables_or_json() -> None:
    text = run("describe", "configs/model/qwen-image.yaml")
    assert text.returncode == 0, text.stderr
    assert "20,430,401,088" in text.stdout
    figures = json.loads(run("describe", TINY, "--json", "--set", "transformer.num_layers=8").stdout)
    assert figures["parameters"]["transformer"] > 18e6


BAD = [
    (["sample", "nowhere", "--prompt", "x", "--out", "x.png", "--width", "64", "--height", "64"], "nowhere: has no model_index.json"),
    (["sample", "nowhere", "--prompt", "x", "--out", "x.png", "--width", "60"], "size 60 x 1024"),
    (["sample", "nowhere", "--prompt", "x", "--out", "x.jpg"], "--out: x.jpg must end in .png"),
    (["init", TINY, "OUT", "--vae", "nowhere.safetensors"], "--vae: nowhere.safetensors does not exist"),
    (["init", TINY, "OUT", "--set", "transformer.layers=2"], "transformer.layers"),
    (["describe", TINY, "--set", "transformer.joint_attention_dim=64"], "transformer.joint_attention_dim is 64"),
    (["describe", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
    (["export", "nowhere", "OUT"], "nowhere: has neither base.json"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_input_is_one_line_and_status_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run(*[str(tmp_path / "out") if a == "OUT" else a for a in arguments])
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
