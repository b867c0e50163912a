"""``configs/train/edit.yaml`` on a dataset of ``configs/synth/edit.yaml``, as it stands but for fewer steps."""

from __future__ import annotations

import json
from pathlib import Path

import diffusers
from PIL import Image

from configs import command
from model.__main__ import main
from tests import forked


def test_a_tiny_edit_model_is_trained_exported_and_edits(edits: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fewer = ["phases.0.steps=3", "optimizer.warmup=0", "samples.steps=1", "validation.samples=2", "threads=1"]
    fewer += ["validation.where=id < '4'"]  # of forty rows a sixteenth may be none
    overrides = [part for text in fewer for part in ("--set", text)]
    arguments = ["trainer", "fit", "configs/train/edit.yaml", str(out), "--data", str(edits), *overrides]
    told = forked.run(arguments, check=True)
    assert "rows are not trained on" in told.stdout
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert sum(line["samples_by_task"]["ti2i"] for line in lines) > 20
    assert "validation_loss" in lines[-1]
    (row,) = json.loads((out / "phases.json").read_text())
    assert row["steps"] == 3
    with Image.open(out / "samples.png") as sheet:
        assert sheet.width > 3 * 80  # reference, edit and target
    pipe = diffusers.QwenImageEditPlusPipeline.from_pretrained(out / "export")
    assert pipe.processor is not None
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.png")
    edit = ["--image", str(tmp_path / "a.png"), "--reference-area", "9216", "--vision-area", "9216", "--steps", "1"]
    made = tmp_path / "made.png"
    assert command(main, ["sample", str(out / "export"), "--prompt", "make it blue", "--out", str(made), *edit]) == 0
    with Image.open(made) as picture:
        assert picture.size == (96, 96)  # of 4 : 3, in multiples of 32
