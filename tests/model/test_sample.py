"""Sampling against diffusers.QwenImagePipeline on a folder that we wrote, compared before rounding to 8 bits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from configs import RunFailed, UserError
from model import QwenImage
from model.condition import Conditioner
from model.sample import draw_noise, guide
from tests.model.folders import fresh_folder, random_folder

PROMPTS = ['a red "8"', 'The background is white, and the black text is "你好".']


@cache
def ours() -> QwenImage:
    return QwenImage.load(random_folder())


@cache
def theirs() -> Any:
    from diffusers import QwenImagePipeline

    pipeline = QwenImagePipeline.from_pretrained(random_folder())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def diffusers_pictures(prompts: list[str], seeds: list[int], cfg: float, height: int = 64, width: int = 96) -> Any:
    negative = {"negative_prompt": [" "] * len(prompts)} if cfg > 1 else {}
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    call = theirs()
    return call(
        prompts, true_cfg_scale=cfg, height=height, width=width, num_inference_steps=6, generator=generators,
        output_type="pt", **negative,
    ).images  # fmt: skip


@pytest.mark.parametrize("cfg", [4.0, 1.0])
def test_pictures_equal_the_diffusers_pipelines(cfg: float) -> None:
    expected = diffusers_pictures(PROMPTS, [5, 6], cfg)
    pictures = torch.stack(ours().sample_tensor(PROMPTS, 64, 96, steps=6, cfg=cfg, seed=[5, 6]))
    assert expected.std() > 0.05  # a picture, not one color
    assert (expected[0] - expected[1]).abs().max() > 0.01
    assert (pictures - expected).abs().max() <= 1e-4


def test_sizes_and_prompts_mix_without_touching_each_other() -> None:
    heights, widths, prompts = [64, 32, 64], [64, 96, 64], [*PROMPTS, PROMPTS[0]]
    together = ours().sample_tensor(prompts, heights, widths, steps=4, seed=[1, 2, 3])
    for prompt, height, width, seed, expected in zip(prompts, heights, widths, (1, 2, 3), together, strict=True):
        (alone,) = ours().sample_tensor(prompt, height, width, steps=4, seed=seed)
        assert expected.shape == (3, height, width)
        assert (alone - expected).abs().max() < 1e-4


def test_small_batches_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ours().sample_tensor(PROMPTS * 2, 32, 32, steps=3)
    monkeypatch.setattr("model.sample.BATCH_TOKENS", 40)
    monkeypatch.setattr("model.qwen_image.DECODE_PIXELS", 32 * 32)
    counted: list[int] = []
    small = ours().sample_tensor(PROMPTS * 2, 32, 32, steps=3, progress=counted.append)
    assert all((a - b).abs().max() < 1e-4 for a, b in zip(small, expected, strict=True))
    assert sum(counted) == 4 * 3 * 4  # samples, steps, tokens of each


def test_a_fresh_model_samples_without_nan() -> None:
    """Its prediction is exactly zero, where the guidance's rescaling divides zero by zero."""
    (picture,) = QwenImage.load(fresh_folder()).sample("x", 32, 32, steps=2)
    assert np.asarray(picture).shape == (32, 32, 3)
    assert torch.equal(guide(torch.zeros(1, 4), torch.zeros(1, 4), 4.0), torch.zeros(1, 4))


def test_guidance_keeps_the_norm_of_the_conditional_prediction() -> None:
    cond, negative = torch.randn(5, 64), torch.randn(5, 64)
    guided = guide(cond, negative, 3.0)
    assert torch.allclose(guided.norm(dim=-1), cond.norm(dim=-1), rtol=1e-5)
    direction = negative + 3 * (cond - negative)
    assert torch.allclose(torch.nn.functional.cosine_similarity(guided, direction), torch.ones(5))
    assert torch.allclose(guide(cond, negative, 1.0), cond, atol=1e-5)


def test_noise_depends_on_the_seed_alone() -> None:
    assert torch.equal(draw_noise(3, 2, 4), draw_noise(3, 2, 4))
    assert not torch.equal(draw_noise(3, 2, 4), draw_noise(4, 2, 4))
    seeds = ours().sample_tensor(["x", "x"], 32, 32, steps=2, seed=7)
    (second,) = ours().sample_tensor("x", 32, 32, steps=2, seed=8)
    assert (seeds[1] - second).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 60, "width": 64}, "64 x 60"),
        ({"height": [64], "width": 64}, "1 heights and 2 widths for 2 prompts"),
        ({"seed": [1]}, "1 seeds for 2 prompts"),
        ({"steps": 0}, "steps: 0"),
        ({"seed": [0, 2**64]}, "seed: 18446744073709551616"),
        ({"negative": None}, "prompt: expected text, found NoneType"),
        ({"negative": ["a", "b"]}, "prompt: expected text, found list"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ours().sample_tensor(PROMPTS, **{"height": 32, "width": 32, "steps": 1, **arguments})


def test_numbers_of_numpy_will_do() -> None:
    one, two = np.int64(32), np.array([3, 4])
    expected = ours().sample_tensor(PROMPTS, 32, 32, steps=1, seed=3)
    for seed in (two, np.int64(3)):
        found = ours().sample_tensor(PROMPTS, one, [one, one], steps=1, seed=seed)  # type: ignore[arg-type]
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_damaged_weight_makes_no_black_picture() -> None:
    model = QwenImage.load(random_folder())
    with torch.no_grad():
        model.transformer.proj_out.bias[0] = torch.nan
    with pytest.raises(RunFailed, match="not finite"):
        model.sample("x", 32, 32, steps=1)


@pytest.mark.parametrize(
    ("fields", "named"), [({"too_long": "trim"}, "too_long: 'trim'"), ({"max_tokens": 0}, "at least 1")]
)
def test_a_conditioner_that_cannot_be_is_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        Conditioner.load(random_folder(), **fields)
