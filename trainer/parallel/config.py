"""How a training is spread over processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.memory import Checkpointing

Mode = Literal["auto", "single", "ddp", "fsdp"]


@dataclass(frozen=True)
class ParallelConfig:
    """``mode``: ``single`` process; ``ddp`` copies the whole model to every process; ``fsdp`` (FSDP2) divides weights,
    gradients, optimizer and averages among them; ``auto`` takes ``single`` for one process, else ``fsdp``, or ``ddp``
    for an optimizer that needs whole matrices. ``tp``: processes that share one sample's heads (tensor parallel);
    each group of so many trains on the same samples. ``compile``: blocks by torch.compile, on padded shapes.
    ``checkpointing``: activations kept for the backward pass: all (``none``), the dear ones, or each block's input.
    """

    mode: Mode = "auto"
    tp: int = 1
    compile: bool = False
    checkpointing: Checkpointing = "none"

    def __post_init__(self) -> None:
        if self.tp < 1:
            raise ValueError(f"field 'tp': must be at least 1, found {self.tp}")
        if self.tp > 1 and self.mode in ("single", "ddp"):
            raise ValueError(f"field 'tp': {self.tp} needs mode fsdp or auto, found mode {self.mode}")
