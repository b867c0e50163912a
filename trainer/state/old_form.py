"""Reading checkpoints of the first form, which one process wrote:

step-000500/   base.json, model.safetensors, ema.safetensors, optimizer.pt, step.json
"""

from __future__ import annotations

from pathlib import Path

import torch

from model.files import load_weights
from model.mmdit import MMDiT
from trainer.optim.ema import EMA
from trainer.optim.optimizer import OptimizerGroup


def restore_old(checkpoint: Path, model: MMDiT, average: EMA, optimizer: OptimizerGroup) -> None:
    """Fill everything in place, in one process. Raises UserError (a ValueError) or torch's errors for a damaged one."""
    averaged, weights = (_loaded(checkpoint, stem, model) for stem in ("ema", "model"))
    with torch.no_grad():
        for name, parameter in model.state_dict().items():
            parameter.copy_(weights[name])
        for name, mean in average.weights.items():
            mean.copy_(averaged[name])
    device = next(model.parameters()).device
    optimizer.load_state_dict(torch.load(checkpoint / "optimizer.pt", map_location=device, weights_only=True))


def _loaded(checkpoint: Path, stem: str, like: MMDiT) -> dict[str, torch.Tensor]:
    """The tensors of one set of weights; load_weights checks names and shapes against a model on meta."""
    with torch.device("meta"):
        model = MMDiT(like.config)
    load_weights(model, checkpoint, stem)
    return model.state_dict()
