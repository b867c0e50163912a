"""``configs/model/*.yaml``: the whole model by parts. Read by ``configs.load(path, ModelConfig)``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model.mmdit import MMDiTConfig
from model.schedule import ScheduleConfig
from model.text_encoder import TextEncoderConfig
from model.vae import VAEConfig


@dataclass(frozen=True)
class VAESource:
    """Where a new folder's VAE comes from: a file of weights (``vae_weights.save_image_vae``), or random ones."""

    weights: str | None = None  # relative to the working directory; replaces ``shape`` by the file's own
    shape: VAEConfig = field(default_factory=VAEConfig)


@dataclass(frozen=True)
class ModelConfig:
    transformer: MMDiTConfig = field(default_factory=MMDiTConfig)
    vae: VAESource = field(default_factory=VAESource)
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    scheduler: ScheduleConfig = field(default_factory=ScheduleConfig)
    dtype: Literal["float32", "bfloat16"] = "float32"  # of the weights that `init` writes

    def __post_init__(self) -> None:
        if self.transformer.joint_attention_dim != self.text_encoder.hidden_size:
            raise ValueError(
                f"transformer.joint_attention_dim is {self.transformer.joint_attention_dim}; "
                f"it must equal text_encoder.hidden_size = {self.text_encoder.hidden_size}"
            )
        channels = self.vae.shape.z_dim * self.transformer.patch_size**2
        if self.transformer.in_channels != channels:
            raise ValueError(
                f"transformer.in_channels is {self.transformer.in_channels}; it must be {channels}, "
                "vae.shape.z_dim times the area of a patch"
            )
