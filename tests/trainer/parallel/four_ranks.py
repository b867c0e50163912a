"""As rank 0 of four that are not there: what each parameter's norm is taken of. Prints a JSON object."""

from __future__ import annotations

import json
from types import SimpleNamespace

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

from model.config import MMDiTConfig
from model.mmdit import MMDiT
from trainer.optim.local import local
from trainer.parallel.gradients import gradient_norm
from trainer.parallel.network import divide
from trainer.parallel.tensor import divide_heads

SIZES = {"num_layers": 1, "num_attention_heads": 4, "attention_head_dim": 16, "joint_attention_dim": 32}


def main() -> None:
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=4)
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    world = SimpleNamespace(size=4, device=torch.device("cpu"), data=mesh["data"], tensor=mesh["tensor"])
    with torch.device("meta"):
        model = MMDiT(MMDiTConfig(**SIZES, axes_dims_rope=(4, 6, 6)))
    divide_heads(model, world.tensor)
    divide(model, world, None)
    model.to_empty(device="cpu")
    squares = {}
    for name, parameter in model.named_parameters():
        parameter.grad = torch.ones_like(parameter)
        local(parameter.grad).fill_(1.0)
        squares[name] = (4 * float(gradient_norm([parameter], world)) ** 2, parameter.numel())
        parameter.grad = None
    print(json.dumps(squares))


if __name__ == "__main__":
    main()
