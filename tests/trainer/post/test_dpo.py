"""DPO on a tiny network: it learns what is preferred, goes on where it was killed, refuses what does not fit."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from configs import RunFailed, UserError
from model.checkpoint import load_transformer
from trainer.lora.config import LoraConfig
from trainer.optim.config import OptimizerConfig
from trainer.post import dpo
from trainer.post.dpo import DpoConfig, train_dpo
from trainer.post.pairs_file import read_pairs, write_pairs
from trainer.state.config import CheckpointConfig


def config(**more: Any) -> DpoConfig:
    optimizer = OptimizerConfig(lr=2e-3, warmup=0, schedule="constant", ema=0.5, eps=1e-8)
    fields = {"steps": 12, "batch": 4, "optimizer": optimizer, "checkpoint": CheckpointConfig(every=5, keep=2)}
    return DpoConfig(**{**fields, "device": "cpu", "beta": 500.0, "precision": "fp32", **more})


def picture(color: tuple[int, int, int], size: tuple[int, int] = (32, 48)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def row(number: int, **more: Any) -> dict[str, Any]:
    """The darker picture is preferred."""
    about = {"id": str(number), "prompt": f'"{number}"', "text": str(number), "width": 32, "height": 48}
    chosen, rejected = picture((40, 30, 10 * number)), picture((220, 230, 10 * number))
    pictures = {name: {"bytes": data, "path": None} for name, data in (("chosen", chosen), ("rejected", rejected))}
    return about | pictures | {"scores": [1.0, 0.0], "seeds": [0, 1], "reader": "nobody"} | more


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pairs")
    write_pairs(out, [row(n) for n in range(6)], {})
    return out


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, pairs: Path, edit_base: Path) -> Path:
    out = tmp_path_factory.mktemp("dpo")
    train_dpo(config(), out, pairs, edit_base)
    return out


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_it_learns_what_is_preferred(trained: Path) -> None:
    lines = metrics(trained)
    assert lines[0]["loss"] == pytest.approx(np.log(2), rel=1e-4)  # policy and reference are the same yet
    assert lines[0]["margin"] == pytest.approx(0, abs=1e-6)
    assert lines[-1]["loss"] < 0.3
    assert lines[-1]["preferred"] == 1.0


def test_it_leaves_a_model(trained: Path, edit_base: Path) -> None:
    made, before = load_transformer(trained / "export"), load_transformer(edit_base)
    pairs = list(zip(made.parameters(), before.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in pairs)
    assert all(torch.isfinite(a).all() for a, _ in pairs)


def test_killed_it_goes_on_to_the_same_weights(
    trained: Path, pairs: Path, edit_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dpo._Dpo.step

    def dies(self: dpo._Dpo, step: int) -> dict[str, Any]:
        if step == 8:
            raise KeyboardInterrupt
        return whole(self, step)

    monkeypatch.setattr(dpo._Dpo, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        train_dpo(config(), tmp_path, pairs, edit_base)
    monkeypatch.undo()
    train_dpo(config(), tmp_path, pairs, edit_base)
    assert [line["loss"] for line in metrics(tmp_path)] == [line["loss"] for line in metrics(trained)]
    name = "export/transformer/diffusion_pytorch_model.safetensors"
    one, other = load_file(tmp_path / name), load_file(trained / name)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_micro_batches_change_nothing_but_rounding(trained: Path, pairs: Path, edit_base: Path, tmp_path: Path) -> None:
    train_dpo(config(steps=3, micro_batch=1), tmp_path, pairs, edit_base)
    assert [line["loss"] for line in metrics(tmp_path)] == pytest.approx(
        [line["loss"] for line in metrics(trained)[:3]], rel=1e-3, abs=1e-5
    )


def test_pairs_of_one_id_are_pairs_of_their_own(edit_base: Path, tmp_path: Path) -> None:
    """Datasets from elsewhere may name the prompt, which has several."""
    margins = []
    for name, ids in (("own", "012345"), ("one", "pppppp")):
        unlike = [{"bytes": picture((250 - 40 * n, 40 * n, 90)), "path": None} for n in range(6)]
        write_pairs(tmp_path / name, [row(n, chosen=unlike[n], id=ids[n]) for n in range(6)], {})
        train_dpo(config(steps=4), tmp_path / f"{name}.out", tmp_path / name, edit_base)
        margins.append([line["margin"] for line in metrics(tmp_path / f"{name}.out")][1:])
    assert margins[1] == pytest.approx(margins[0], rel=1e-6)


def test_an_adapter_learns_too_and_its_base_is_the_reference(pairs: Path, edit_base: Path, tmp_path: Path) -> None:
    lora = LoraConfig(rank=4, base_dtype="fp32")
    optimizer = OptimizerConfig(lr=2e-2, warmup=0, schedule="constant", ema=None, eps=1e-8)
    train_dpo(config(lora=lora, optimizer=optimizer), tmp_path, pairs, edit_base)
    lines = metrics(tmp_path)
    assert lines[0]["margin"] == pytest.approx(0, abs=1e-6)
    assert lines[-1]["loss"] < 0.5
    assert (tmp_path / "export" / "lora.safetensors").is_file()


def test_another_config_or_other_pairs_are_refused(trained: Path, pairs: Path, edit_base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="another 'beta'"):
        train_dpo(config(beta=2.0), trained, pairs, edit_base)
    write_pairs(tmp_path, [row(1)], {})
    with pytest.raises(UserError, match="another 'pairs'"):
        train_dpo(config(), trained, tmp_path, edit_base)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"chosen": {"bytes": b"GIF89a", "path": None}}, "picture of '3' cannot be decoded"),
        ({"rejected": {"bytes": picture((0, 0, 0), (64, 48)), "path": None}}, "64 x 48 px, its row says 32 x 48"),
        ({"width": 40}, "its row says 40 x 48"),
    ],
)
def test_a_picture_that_does_not_fit_is_named(
    wrong: dict[str, Any], message: str, edit_base: Path, tmp_path: Path
) -> None:
    write_pairs(tmp_path / "pairs", [row(3, **wrong)], {})
    with pytest.raises(UserError, match=message):
        train_dpo(config(steps=1), tmp_path / "out", tmp_path / "pairs", edit_base)


def test_weights_that_are_not_finite_end_it_in_one_line(pairs: Path, edit_base: Path, tmp_path: Path) -> None:
    optimizer = OptimizerConfig(lr=1e30, warmup=0, schedule="constant", clip=1e30, ema=None)
    with pytest.raises(RunFailed, match="not finite"):
        train_dpo(config(optimizer=optimizer), tmp_path, pairs, edit_base)


def test_what_is_no_preference_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no preference dataset"):
        read_pairs(tmp_path)
    write_pairs(tmp_path, [], {})
    with pytest.raises(UserError, match="holds no pairs"):
        read_pairs(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch": 0}, "batch: at least 1"),
        ({"beta": 0.0}, "beta"),
        ({"lora": LoraConfig(dropout=0.1)}, "lora.dropout"),
        ({"optimizer": OptimizerConfig(in_backward=True)}, "optimizer.in_backward"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**wrong)
