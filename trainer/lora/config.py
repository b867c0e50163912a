"""Which linears get a low-rank update, of what size, on a base in how many bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_ATTENTION_AND_MLP = ("transformer_blocks.*.attn.*", "transformer_blocks.*.img_mlp.*", "transformer_blocks.*.txt_mlp.*")


@dataclass(frozen=True)
class LoraConfig:
    """Each target's weight becomes ``W + alpha / rank * B A``; W is frozen.

    ``targets``, ``exclude``: globs on names of linears, the whole name or its end behind a dot: ``to_q``,
    ``attn.to_*``, ``transformer_blocks.1?.*``. What feeds nothing (text query, output and MLP of the last block) is
    left out whatever they say. ``alpha``: null takes the rank, so that the update counts as it stands.
    ``dropout``: of what enters A. ``base_dtype`` of the blocks' frozen weights: ``bf16`` and ``fp32`` as they are,
    ``int8`` and ``fp8`` one byte each, the products still in the precision of the forward pass.
    """

    rank: int = 32
    alpha: float | None = None
    dropout: float = 0.0
    targets: tuple[str, ...] = _ATTENTION_AND_MLP
    exclude: tuple[str, ...] = ()
    base_dtype: Literal["fp32", "bf16", "int8", "fp8"] = "bf16"

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"field 'rank': must be at least 1, found {self.rank}")
        if self.alpha is not None and self.alpha <= 0:
            raise ValueError(f"field 'alpha': must be above 0, found {self.alpha}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"field 'dropout': must be within 0..1, found {self.dropout}")
        if not self.targets:
            raise ValueError("field 'targets': at least one pattern is expected")

    @property
    def scale(self) -> float:
        """What B A is multiplied by."""
        return self.scaled_by / self.rank

    @property
    def scaled_by(self) -> float:
        """Alpha as a number."""
        return float(self.rank if self.alpha is None else self.alpha)
