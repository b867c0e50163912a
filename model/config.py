"""The shape of every part: ``configs/model/*.yaml``, read by ``configs.load(path, ModelConfig)``.

Standard library only, so that a wrong config is reported before torch is imported. The fields have the
names of diffusers' config files; every default is the released Qwen-Image's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class MMDiTConfig:
    """Shape of the network; field names as in diffusers' ``transformer/config.json``. Defaults: the released model."""

    num_layers: int = 60
    num_attention_heads: int = 24
    attention_head_dim: int = 128
    joint_attention_dim: int = 3584
    in_channels: int = 64
    out_channels: int = 16
    patch_size: int = 2
    axes_dims_rope: tuple[int, int, int] = (16, 56, 56)
    zero_cond_t: bool = False

    def __post_init__(self) -> None:
        _positive(self, "num_layers", "num_attention_heads", "attention_head_dim", "joint_attention_dim")
        _positive(self, "in_channels", "out_channels", "patch_size")
        axes = self.axes_dims_rope
        if len(axes) != 3 or sum(axes) != self.attention_head_dim or any(d < 2 or d % 2 for d in axes):
            raise ValueError(
                f"axes_dims_rope is {list(self.axes_dims_rope)}; it must be three even numbers "
                f"with the sum attention_head_dim = {self.attention_head_dim}"
            )

    @property
    def dim(self) -> int:
        return self.num_attention_heads * self.attention_head_dim


# The released checkpoint's vae/config.json.
_QWEN_MEAN = (
    *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
    *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
)
_QWEN_STD = (
    *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
    *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
)


@dataclass(frozen=True)
class VAEConfig:
    """Field names as in diffusers' ``vae/config.json``; defaults: the released model."""

    base_dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    attn_scales: tuple[float, ...] = ()
    temperal_downsample: tuple[bool, ...] = (False, True, True)
    dropout: float = 0.0
    input_channels: int = 3
    latents_mean: tuple[float, ...] = _QWEN_MEAN
    latents_std: tuple[float, ...] = _QWEN_STD

    def __post_init__(self) -> None:
        if self.attn_scales:
            raise ValueError(f"attn_scales is {list(self.attn_scales)}; no released checkpoint has any: leave it empty")
        _positive(self, "base_dim", "z_dim", "num_res_blocks")
        if min(self.dim_mult, default=1) < 1:
            raise ValueError(f"dim_mult is {list(self.dim_mult)}; every number must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be at least 0 and below 1")
        if self.input_channels != 3:
            raise ValueError(f"input_channels is {self.input_channels}; pictures have 3 here")
        if len(self.dim_mult) != 4 or len(self.temperal_downsample) != 3:
            raise ValueError(
                f"dim_mult is {list(self.dim_mult)}; four levels make the eightfold reduction, found otherwise"
            )
        if len(self.latents_mean) != self.z_dim or len(self.latents_std) != self.z_dim:
            raise ValueError(
                f"latents_mean and latents_std have {len(self.latents_mean)} and {len(self.latents_std)} numbers; "
                f"both need z_dim = {self.z_dim}"
            )
        if min(self.latents_std) <= 0:
            raise ValueError(f"latents_std holds {min(self.latents_std)}; every number must be positive")


@dataclass(frozen=True)
class VisionConfig:
    """The vision tower (report, table 1; the intermediate size is the checkpoint's)."""

    depth: int = 32
    hidden_size: int = 1280
    intermediate_size: int = 3420
    num_heads: int = 16
    fullatt_block_indexes: tuple[int, ...] = (7, 15, 23, 31)
    patch_size: int = 14
    spatial_merge_size: int = 2
    temporal_patch_size: int = 2
    window_size: int = 112

    def __post_init__(self) -> None:
        _positive(self, "depth", "hidden_size", "intermediate_size", "num_heads")
        _positive(self, "patch_size", "spatial_merge_size", "temporal_patch_size", "window_size")
        if self.hidden_size % (4 * self.num_heads):  # each head rotates rows and columns, in pairs
            raise ValueError(
                f"hidden_size is {self.hidden_size}; it must be a multiple of 4 * num_heads = {4 * self.num_heads}"
            )
        if any(not 0 <= i < self.depth for i in self.fullatt_block_indexes):
            raise ValueError(
                f"fullatt_block_indexes is {list(self.fullatt_block_indexes)}; there are {self.depth} blocks"
            )
        window = self.patch_size * self.spatial_merge_size
        if self.window_size % window:
            raise ValueError(
                f"window_size is {self.window_size}; a multiple of patch_size * spatial_merge_size = {window} is needed"
            )


@dataclass(frozen=True)
class TextEncoderConfig:
    """The language model; defaults: Qwen2.5-VL 7B. ``hidden_size`` is the transformer's ``joint_attention_dim``."""

    hidden_size: int = 3584
    intermediate_size: int = 18944
    num_hidden_layers: int = 28
    num_attention_heads: int = 28
    num_key_value_heads: int = 4
    vocab_size: int = 152064
    tie_word_embeddings: bool = False
    mrope_section: tuple[int, int, int] = (16, 24, 24)
    vision: VisionConfig = field(default_factory=VisionConfig)

    def __post_init__(self) -> None:
        _positive(self, "hidden_size", "intermediate_size", "num_hidden_layers")
        _positive(self, "num_attention_heads", "num_key_value_heads")
        if self.hidden_size % self.num_attention_heads or self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads is {self.num_attention_heads}; it must divide hidden_size = {self.hidden_size} "
                f"and be a multiple of num_key_value_heads = {self.num_key_value_heads}"
            )
        if len(self.mrope_section) != 3 or min(self.mrope_section) < 1:
            raise ValueError(f"mrope_section is {list(self.mrope_section)}; three positive numbers are needed")
        if 2 * sum(self.mrope_section) != self.hidden_size // self.num_attention_heads:
            raise ValueError(
                f"mrope_section is {list(self.mrope_section)}; its sum must be half of the head size "
                f"{self.hidden_size // self.num_attention_heads}"
            )
        if self.vocab_size < 151_657:
            raise ValueError(f"vocab_size is {self.vocab_size}; the tokenizer has 151657 ids")


@dataclass(frozen=True)
class ScheduleConfig:
    """The released checkpoint's ``scheduler_config.json``. FLUX's 1.15 / 4096 are wrong for this model."""

    base_shift: float = 0.5
    max_shift: float = 0.9
    base_image_seq_len: int = 256
    max_image_seq_len: int = 8192
    shift_terminal: float = 0.02

    def __post_init__(self) -> None:
        if not 0 < self.base_image_seq_len < self.max_image_seq_len:
            raise ValueError(
                f"base_image_seq_len is {self.base_image_seq_len} and max_image_seq_len {self.max_image_seq_len}; "
                "the first must be positive and below the second"
            )
        if not 0 <= self.shift_terminal < 1:
            raise ValueError(f"shift_terminal is {self.shift_terminal}; it must be at least 0 and below 1")


@dataclass(frozen=True)
class VAESource:
    """Where a new folder's VAE comes from: a file of weights (``vae_weights.save_image_vae``), or random ones."""

    weights: str | None = None  # relative to the working directory, else to the repository
    shape: VAEConfig = field(default_factory=VAEConfig)


# Which of diffusers' classes a folder is for; the edit pipelines' folders hold an image processor too.
Pipeline = Literal["QwenImagePipeline", "QwenImageEditPipeline", "QwenImageEditPlusPipeline"]


Quoted = Literal["tokens", "characters"]
"""How a prompt's quoted text is read: by the tokenizer's own words, as Qwen-Image does it, or one character after the
other, as LongCat-Image does it, so that a line nobody has seen is made of known parts."""


@dataclass(frozen=True)
class ModelConfig:
    pipeline: Pipeline = "QwenImagePipeline"
    transformer: MMDiTConfig = field(default_factory=MMDiTConfig)
    vae: VAESource = field(default_factory=VAESource)
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    scheduler: ScheduleConfig = field(default_factory=ScheduleConfig)
    quoted: Quoted = "tokens"
    dtype: Literal["float32", "bfloat16"] = "float32"  # of the weights that `init` writes

    def __post_init__(self) -> None:
        if self.transformer.joint_attention_dim != self.text_encoder.hidden_size:
            raise ValueError(
                f"transformer.joint_attention_dim is {self.transformer.joint_attention_dim}; "
                f"it must equal text_encoder.hidden_size = {self.text_encoder.hidden_size}"
            )
        misfit = channel_misfit(self.transformer, self.vae.shape.z_dim)
        if misfit:
            raise ValueError(f"transformer.{misfit}")


def channel_misfit(transformer: MMDiTConfig, z_dim: int) -> str | None:
    """What of the transformer does not fit latents of ``z_dim`` channels in patches of 2 x 2, as a sentence."""
    for name, right in (("patch_size", 2), ("out_channels", z_dim), ("in_channels", 4 * z_dim)):
        if getattr(transformer, name) != right:
            return f"{name} is {getattr(transformer, name)}; with the VAE's z_dim = {z_dim} it must be {right}"
    return None


def _positive(config: object, *names: str) -> None:
    for name in names:
        if getattr(config, name) < 1:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be at least 1")
