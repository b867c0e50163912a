"""What would end badly does not begin."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from configs import UserError, load
from trainer.config import FitConfig
from trainer.fit import fit
from trainer.start import Start

WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


def refused(config: FitConfig, out: Path, data: Path, start: Start | None = None) -> str:
    with pytest.raises(UserError) as caught:
        fit(config, out, data, start=start)
    assert not out.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def base(edit_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(edit_base, tmp_path / "base"))


@pytest.mark.parametrize("part", ["vae", "tokenizer", "text_encoder", "scheduler"])
def test_a_base_without_a_part(base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path, part: str) -> None:
    shutil.rmtree(base / part)
    told = refused(load(tasks_config, FitConfig), tmp_path / "out", tasks_data, Start(init=base))
    assert part in told


def test_a_base_whose_weights_do_not_fit(base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    weights = load_file(base / WEIGHTS)
    name = "transformer_blocks.0.attn.to_q.weight"
    save_file({n: w for n, w in weights.items() if n != name}, base / WEIGHTS)
    told = refused(load(tasks_config, FitConfig), tmp_path / "out", tasks_data, Start(init=base))
    assert f"the first is '{name}'" in told
    (base / WEIGHTS).write_bytes((base / WEIGHTS).read_bytes()[:5000])
    told = refused(load(tasks_config, FitConfig), tmp_path / "out", tasks_data, Start(init=base))
    assert "not a whole safetensors file" in told


def test_a_base_inside_of_what_the_end_replaces(
    edit_base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    export = Path(shutil.copytree(edit_base, tmp_path / "out" / "export"))
    with pytest.raises(UserError, match="which the end of this training replaces; name another OUT"):
        fit(load(tasks_config, FitConfig), tmp_path / "out", tasks_data, start=Start(init=export))
    assert (export / WEIGHTS).exists()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["export"]


def test_references_for_a_base_that_takes_none(
    base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    index = base / "model_index.json"
    index.write_text(index.read_text().replace("QwenImageEditPlusPipeline", "QwenImagePipeline"))
    told = refused(load(tasks_config, FitConfig), tmp_path / "out", tasks_data, Start(init=base))
    assert told.startswith("phase mixed: trains i2i and ti2i, and the base is a QwenImagePipeline")
    assert "phases.0.where: task == 't2i'" in told


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (Start(init=Path("nowhere")), "nowhere: has no model_index.json"),
        (Start(checkpoint=Path("nowhere")), "nowhere: has neither base.json nor checkpoints/step-"),
        (Start(lora=Path("nowhere.safetensors")), "--lora: the config trains all weights"),
    ],
)
def test_a_start_that_is_none(tasks_config: Path, tasks_data: Path, tmp_path: Path, start: Start, message: str) -> None:
    assert message in refused(load(tasks_config, FitConfig), tmp_path / "out", tasks_data, start)


def test_samples_whose_reference_is_no_picture(tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    samples = f"samples={{prompts: [cat], size: [32, 32], references: [[{tmp_path / 'a.png'}]]}}"
    told = refused(load(tasks_config, FitConfig, [samples]), tmp_path / "out", tasks_data)
    assert told.startswith("field 'samples.references'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimizer.offload_blocks=99", "field 'optimizer.offload_blocks': the model has 2 blocks, found 99"),
        ("checkpoint.best={metric: lss}", "field 'checkpoint.best.metric': expected one of loss"),
        ("checkpoint.best={metric: validation_loss}", "validation_loss needs validation"),
        ("weights=/nowhere.safetensors", "/nowhere.safetensors"),
        ("monitor={wandb: x}", "field 'monitor.wandb'"),
    ],
)
def test_what_would_be_found_out_hours_later(
    tasks_config: Path, tasks_data: Path, tmp_path: Path, change: str, message: str
) -> None:
    assert message in refused(load(tasks_config, FitConfig, [change]), tmp_path / "out", tasks_data)
