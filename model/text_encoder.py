"""Qwen2.5-VL as condition encoder: its shape as a config, a fresh one with random weights.

The released model uses the 7B weights, frozen. The tiny configs use the same class with random
weights, frozen too: random features of the prompt are enough to learn a small vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from configs import UserError
from model.config import TextEncoderConfig
from model.files import check_dtype, iterate_tensors, read_json

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration


def transformers_config(config: TextEncoderConfig) -> Any:
    """The ``Qwen2_5_VLConfig`` that transformers builds the model from."""
    from transformers import Qwen2_5_VLConfig

    vision = config.vision
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": config.vocab_size,
            "hidden_size": config.hidden_size,
            "intermediate_size": config.intermediate_size,
            "num_hidden_layers": config.num_hidden_layers,
            "num_attention_heads": config.num_attention_heads,
            "num_key_value_heads": config.num_key_value_heads,
            "max_position_embeddings": 128000,
            "rms_norm_eps": 1e-6,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": list(config.mrope_section),
            },
        },
        vision_config={
            "depth": vision.depth,
            "hidden_size": vision.hidden_size,
            "intermediate_size": vision.intermediate_size,
            "num_heads": vision.num_heads,
            "fullatt_block_indexes": list(vision.fullatt_block_indexes),
            "patch_size": vision.patch_size,
            "spatial_merge_size": vision.spatial_merge_size,
            "temporal_patch_size": vision.temporal_patch_size,
            "window_size": vision.window_size,
            "out_hidden_size": config.hidden_size,
            "tokens_per_second": 2,
        },
        tie_word_embeddings=config.tie_word_embeddings,
    )


def new_text_encoder(config: TextEncoderConfig, seed: int) -> Qwen2_5_VLForConditionalGeneration:
    """A fresh encoder with transformers' own initialization, the same for the same seed."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Qwen2_5_VLForConditionalGeneration(transformers_config(config))
    return encoder.eval().requires_grad_(False)


def load_text_encoder(folder: Path, dtype: torch.dtype | None = None) -> Qwen2_5_VLForConditionalGeneration:
    """The encoder of ``folder``, frozen; ``dtype`` None keeps the stored one. UserError where it cannot be loaded."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import Qwen2_5_VLForConditionalGeneration

    kind = read_json(folder / "config.json").get("model_type")
    if kind != "qwen2_5_vl":
        raise UserError(f"{folder / 'config.json'}: model_type is {kind!r}; qwen2_5_vl is needed")
    for name, tensor in iterate_tensors(folder, "model"):  # the files are memory-mapped: no weight is read here
        check_dtype(folder, name, tensor)
    try:
        with no_progress_bars():
            loaded: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(
                folder, dtype=dtype or "auto", output_loading_info=True
            )
    except (
        OSError,
        ValueError,
        TypeError,
        AttributeError,
        RuntimeError,
        SafetensorError,
        StrictDataclassError,
    ) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{folder}: cannot be loaded as Qwen2.5-VL: {reason[0]}") from None
    encoder, report = loaded
    for kind in ("missing", "unexpected"):  # transformers would fill the one with random numbers and skip the other
        names = sorted(report[f"{kind}_keys"])
        if names:
            raise UserError(f"{folder}: {len(names)} weights are {kind}, the first is '{names[0]}'")
    return encoder.eval().requires_grad_(False)


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """transformers draws a bar for every file it reads or writes; our progress bars are enough."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
