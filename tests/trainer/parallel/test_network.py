"""What weights a rank has, of a folder and of one file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor

from configs import UserError, load
from model.checkpoint import iterate_transformer, load_transformer, transformer_config
from tests.model.folders import random_folder
from tests.model.test_single_file import scaled, weights, written
from trainer.config import FitConfig
from trainer.fit import fit
from trainer.parallel.network import open_network
from trainer.parallel.world import open_world
from trainer.start import Start


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_a_divided_network_has_the_weights_of_one_file(tmp_path: Path, precision: str) -> None:
    """In scaled fp8, as they come whole in another mode; of the folder, the shapes alone."""
    file = written(tmp_path / "x.safetensors", scaled("row", "scale_weight"), "model.diffusion_model.")
    networks = []
    for mode in ("single", "fsdp"):
        sets = (f"parallel.mode={mode}", f"weights={file}", f"precision={precision}", "device=cpu")
        config = load("configs/train/finetune.yaml", FitConfig, sets)
        world = open_world(config, torch.device("cpu"), transformer_config(random_folder()).num_attention_heads)
        networks.append(dict(open_network(config, random_folder(), world, None, Start()).model.named_parameters()))
    whole, divided = networks
    assert whole.keys() == divided.keys()
    for name, parameter in divided.items():
        assert isinstance(parameter, DTensor)
        assert torch.equal(parameter.to_local(), whole[name]), name
    changed = load_transformer(random_folder()).state_dict()
    assert any(not torch.equal(parameter.float(), changed[name]) for name, parameter in whole.items())


@pytest.mark.parametrize("by", ["number", "row", "columns"])
def test_a_part_of_a_weight_is_scaled_as_the_whole(tmp_path: Path, by: str) -> None:
    file = written(tmp_path / "x.safetensors", scaled(by, "weight_scale"))
    expected = load_transformer(random_folder(), torch.float32, weights=file).state_dict()
    shapes = {name: tensor.shape for name, tensor in expected.items()}

    def second_half(name: str) -> tuple[slice, ...]:
        return (slice(shapes[name][0] // 2, None),)

    parts = dict(iterate_transformer(random_folder(), file, shapes, second_half, torch.float32))
    assert parts.keys() == expected.keys()
    assert all(torch.equal(part, expected[name][second_half(name)]) for name, part in parts.items())


@pytest.mark.parametrize(("change", "message"), [("missing", "weights are missing"), ("shape", "has shape")])
def test_a_file_of_another_model_is_refused_before_anything_is_written(
    tmp_path: Path, all_tasks: Path, change: str, message: str
) -> None:
    tensors = weights()
    name = "transformer_blocks.0.attn.to_q.weight"
    tensors[name] = tensors[name][:-1].contiguous()
    if change == "missing":
        del tensors[name]
    save_file(tensors, tmp_path / "x.safetensors")
    sets = (f"weights={tmp_path / 'x.safetensors'}", "device=cpu", "phases.0.where=task == 't2i'")
    config = load("configs/train/finetune.yaml", FitConfig, sets)
    with pytest.raises(UserError, match=f"x.safetensors: .*{message}"):
        fit(config, tmp_path / "out", all_tasks, start=Start(random_folder()))
    assert not (tmp_path / "out").exists()
