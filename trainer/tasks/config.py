"""What the network learns to predict, and how often without its caption."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectiveConfig:
    """Rectified flow. ``sigma_mean``, ``sigma_std``: of the logit-normal (chosen).

    ``dropout``: of the caption or instruction, per sample (rate from the successor's report), replaced by the encoded
    ``empty`` prompt. A dropped instruction keeps its references' vision tokens unless ``dropout_keeps_references`` is
    false; what the VAE sees of the references stays either way. ``unmasked_weight``: of the loss where a sample's mask
    is black.
    """

    sigma_mean: float = 0.0
    sigma_std: float = 1.0
    dropout: float = 0.1
    empty: str = ""
    dropout_keeps_references: bool = True
    unmasked_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.sigma_std <= 0:
            raise ValueError(f"field 'sigma_std': must be above 0, found {self.sigma_std}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"field 'dropout': must be within 0..1, found {self.dropout}")
        if not 0 <= self.unmasked_weight <= 1:
            raise ValueError(f"field 'unmasked_weight': must be within 0..1, found {self.unmasked_weight}")
