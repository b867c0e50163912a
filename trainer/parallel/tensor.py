"""Tensor parallel by heads (Megatron's scheme): which layer of a block is divided how.

    to_q, to_k, to_v, add_*      by outputs: each rank has heads / tp of them ──attention──┐
    to_out, to_add_out           by inputs: the ranks' parts are summed  <─────────────────┘
    MLP up / down                by outputs / by inputs
    modulations (a third of the parameters)   by outputs, which are then gathered: they are a row per sample

The streams between the blocks are whole on every rank. Weights of the q and k norms are whole, too, but each rank's
gradient has seen its own heads only: ``shared_by_heads`` names them, and their gradients are to be summed.
"""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.distributed.tensor.parallel.style import ParallelStyle

from model.mmdit import Block, MMDiT

_BY_OUTPUTS = (
    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj")),
    *(f"{stream}_mlp.net.0.proj" for stream in ("img", "txt")),
)
_BY_INPUTS = ("attn.to_out.0", "attn.to_add_out", "img_mlp.net.2", "txt_mlp.net.2")
_GATHERED = ("img_mod.1", "txt_mod.1")
_NORMS = ("norm_q", "norm_k", "norm_added_q", "norm_added_k")


def divide_heads(model: MMDiT, mesh: DeviceMesh) -> None:
    """Divide every block of ``model`` over ``mesh``, in place; its parameters may be on meta."""
    plan: dict[str, ParallelStyle] = {
        **{name: ColwiseParallel() for name in _BY_OUTPUTS},
        **{name: RowwiseParallel() for name in _BY_INPUTS},
        **{name: ColwiseParallel(output_layouts=Replicate()) for name in _GATHERED},
    }
    for block in model.transformer_blocks:
        parallelize_module(block, mesh, plan)
        assert isinstance(block, Block)
        block.attn.heads //= mesh.size()
    parallelize_module(model, mesh, {"norm_out.linear": ColwiseParallel(output_layouts=Replicate())})


def shared_by_heads(model: nn.Module) -> list[nn.Parameter]:
    """Whole parameters whose gradient is a sum over heads, so over the ranks that divide them."""
    return [p for name, p in model.named_parameters() if name.split(".")[-2] in _NORMS and p.requires_grad]
