"""The device that a command line names."""

from __future__ import annotations

import torch

from configs import UserError


def named_device(name: str | None) -> torch.device:
    """The named device, else CUDA where there is one. Raises UserError for one that this machine lacks."""
    there = torch.cuda.is_available()
    try:
        device = torch.device(name or ("cuda" if there else "cpu"))
    except RuntimeError:
        raise UserError(f"--device: '{name}' is no device; cpu, cuda or cuda:0 ... are") from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--device: '{name}'; cpu and cuda are supported")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--device: '{name}', but torch sees {torch.cuda.device_count()} such devices here")
    return device
