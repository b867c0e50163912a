"""The shipped configs for fine-tuning hold what their components read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.load import decode
from trainer.lora.config import LoraConfig
from trainer.monitor.config import SamplesConfig
from trainer.optim.config import OptimizerConfig
from trainer.order.curriculum import Phase


def shipped(name: str) -> dict[str, Any]:
    return yaml.safe_load(Path(f"configs/train/{name}.yaml").read_text("utf-8"))


@pytest.mark.parametrize(("name", "rate"), [("lora", 1e-4), ("finetune", 1e-5)])
def test_phases_optimizer_and_samples(name: str, rate: float) -> None:
    tree = shipped(name)
    (phase,) = (decode(p, Phase, name) for p in tree["phases"])
    assert phase.resolutions == (1024,)
    assert phase.tokens >= 4096  # a picture of 1,024 x 1,024 px is in it
    assert decode(tree["optimizer"], OptimizerConfig, name).lr == rate
    assert decode(tree["samples"], SamplesConfig, name).size == (1024, 1024)


def test_the_lora_section() -> None:
    config = decode(shipped("lora")["lora"], LoraConfig, "lora")
    assert config.base_dtype == "int8"
    assert config.scale == 1
    assert "lora" not in shipped("finetune")
