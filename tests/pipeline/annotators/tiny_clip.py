"""Tiny models of both libraries with random weights, in the folders that real ones come in."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    BertTokenizer,
    ChineseCLIPConfig,
    ChineseCLIPImageProcessor,
    ChineseCLIPModel,
    ChineseCLIPProcessor,
    PreTrainedTokenizerFast,
)

WORDS = ["a", "cat", "on", "the", "table", "red", "rocket", "一", "只", "猫", "火", "箭", "咖", "啡"]

SIGLIP = {
    "embed_dim": 64,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {"image_size": 64, "timm_model_name": "test_vit", "timm_pool": "map", "timm_proj": "none"},
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 32,
        "width": 64,
        "heads": 2,
        "layers": 1,
        "no_causal_mask": True,
        "hf_tokenizer_name": "here",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "pool_type": "last",
    },
}
"""As ViT-B-16-SigLIP2 is written: a tower of timm's, a text tower without causal mask, the hub's tokenizer."""


def siglip(folder: Path) -> Path:
    """A folder as open_clip's ``save_for_hf`` writes it."""
    folder.mkdir(parents=True)
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    config = {"model_cfg": SIGLIP, "preprocess_cfg": {"size": 64, "mode": "RGB", **preprocess}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<pad>", "<unk>", "</s>", *WORDS])}, "<unk>"))
    words.normalizer, words.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    named = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **named).save_pretrained(folder)
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def chinese(folder: Path) -> Path:
    """A folder as transformers' ``save_pretrained`` writes it."""
    folder.mkdir(parents=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS]), encoding="utf-8")
    layers = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(1)
    config = ChineseCLIPConfig(
        text_config={**layers, "vocab_size": 32, "max_position_embeddings": 64},
        vision_config={**layers, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    ChineseCLIPModel(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    ChineseCLIPProcessor(
        ChineseCLIPImageProcessor(size=size, do_center_crop=False, crop_size=size),
        BertTokenizer(str(folder / "vocab.txt")),
    ).save_pretrained(folder)
    return folder
