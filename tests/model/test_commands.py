"""The commands as a user types them: what they print and write, and how they fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from configs import command
from model.__main__ import main
from tests.model.folders import SMALLER, TINY, fresh_folder, random_folder
from tests.waiting import DEADLINE_S


def run(*arguments: str | Path) -> int:
    """In this process, as ``python -m model`` would: the exit status."""
    return command(main, [str(a) for a in arguments])


def overrides() -> list[str]:
    return [word for item in SMALLER for word in ("--set", item)]


def test_a_new_folder_has_the_same_bytes_for_the_same_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = tmp_path / "again"
    assert run("init", TINY, again, "--seed", "0", *overrides()) == 0
    assert capsys.readouterr() == (f"wrote {again} (random weights, seed 0)\n", "")
    files = [p.relative_to(fresh_folder()) for p in fresh_folder().rglob("*") if p.is_file()]
    assert len(files) > 10
    assert [f for f in files if (fresh_folder() / f).read_bytes() != (again / f).read_bytes()] == []
    assert run("init", TINY, again, *overrides()) == 2
    assert "not empty" in capsys.readouterr().err


def test_a_picture_says_how_it_was_made(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "x.png"
    settings = {"prompt": "字 “x”", "seed": "7", "steps": "2", "width": "64", "height": "32"}
    words = [word for name, value in settings.items() for word in (f"--{name}", value)]
    assert run("sample", random_folder(), *words, "--out", out) == 0
    with Image.open(out) as picture:
        assert picture.size == (64, 32)
        text = dict(picture.text)
    digest = text.pop("model_digest")
    assert text == {"prompt": "字 “x”", "negative": " ", "seed": "7", "steps": "2", "cfg": "4.0"}
    assert len(digest) == 64
    assert [p.name for p in out.parent.iterdir()] == ["x.png"]


def test_nothing_is_left_of_a_picture_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = ["sample", random_folder(), "--steps", "1", "--width", "32", "--height", "32"]
    (tmp_path / "file").touch()
    assert run(*start, "--prompt", "x", "--out", tmp_path / "file" / "x.png") == 2
    assert "file is no folder; remove or rename it" in capsys.readouterr().err
    for arguments, message in (
        (["--prompt", "\udcff"], "prompt '\\udcff': character 0 is half of a surrogate pair"),
        (["--prompt", "x", "--seed", str(2**64)], f"seed: {2**64}; it must be"),
        (["--prompt", "x", "--seed", "-1"], "seed: -1; it must be"),
    ):
        assert run(*start, *arguments, "--out", tmp_path / "x.png") == 2
        assert message in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_describe_prints_tables_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("describe", "configs/model/qwen-image.yaml") == 0
    assert "20,430,401,088" in capsys.readouterr().out
    plan = ["--optimizer", "muon", "--gpus", "2", "--samples", "3"]
    assert run("describe", TINY, "--json", "--set", "transformer.num_layers=8", *plan) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["parameters"]["transformer"] > 10e6
    assert [figures["memory"]["setting"][name] for name in ("optimizer", "gpus", "mode")] == ["muon", 2, "fsdp"]
    assert figures["memory"]["samples"] == 3


BAD = [
    (["sample", "nowhere", "--prompt", "x", "--out", "x.png", "--width", "64", "--height", "64"], "nowhere: has no model_index.json"),
    (["sample", "nowhere", "--prompt", "x", "--out", "x.png", "--width", "60"], "size 60 x 1024"),
    (["sample", "nowhere", "--prompt", "x", "--out", "x.png", "--device", "foo"], "--device: 'foo' is no device"),
    (["sample", "nowhere", "--prompt", "x", "--out", "x.png", "--device", "meta"], "--device: 'meta'; cpu and cuda"),
    (["sample", "nowhere", "--prompt", "x", "--out", "x.jpg"], "--out: x.jpg must end in .png"),
    (["init", TINY, "OUT", "--vae", "nowhere.safetensors"], "--vae: nowhere.safetensors does not exist"),
    (["init", TINY, "OUT", "--set", "transformer.layers=2"], "transformer.layers"),
    (["describe", TINY, "--set", "transformer.joint_attention_dim=64"], "transformer.joint_attention_dim is 64"),
    (["describe", TINY, "--set", "transformer.out_channels=8"], "transformer.out_channels is 8; with the VAE's z_dim"),
    (["describe", TINY, "--set", "text_encoder.num_key_value_heads=0"], "num_key_value_heads is 0"),
    (["describe", TINY, "--set", "text_encoder.vision.num_heads=3"], "hidden_size is 64; it must be a multiple of"),
    (["describe", TINY, "--set", "text_encoder.vision.fullatt_block_indexes=[2]"], "there are 2 blocks"),
    (["describe", TINY, "--set", "text_encoder.vision.window_size=100"], "window_size is 100"),
    (["describe", TINY, "--set", "scheduler.max_image_seq_len=256"], "base_image_seq_len is 256 and max"),
    (["describe", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
    (["describe", TINY, "--optimizer", "sgd"], "--optimizer: found 'sgd'; the trainer has adamw, muon, adamw8bit, adafactor"),
    (["describe", TINY, "--gpus", "0"], "--gpus: found 0; at least 1"),
    (["describe", TINY, "--gpus", "4", "--tp", "3"], "4 GPUs cannot be cut into groups of tp = 3"),
    (["describe", TINY, "--samples", "-1"], "--samples: found -1; at least 1"),
    (["export", "nowhere", "OUT"], "nowhere: has neither base.json"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(*[tmp_path / "out" if a == "OUT" else a for a in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_wrong_fields_are_told_without_importing_torch() -> None:
    code = (
        "import sys; from configs import command; from model.__main__ import main; "
        f"status = command(main, ['describe', {TINY!r}, '--set', 'vae.nothing=1']); "
        "sys.exit(status if 'torch' not in sys.modules else 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2, done.stderr
