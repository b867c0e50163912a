"""GRPO on a tiny network with a reward of our own: it rises, a killed training goes on, what teaches nothing is told."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import configs
from configs import RunFailed, UserError
from trainer.evaluate.base import Item
from trainer.post import grpo
from trainer.post.grpo import train_grpo
from trainer.post.grpo_config import GrpoConfig
from trainer.post.reward_models import HttpReward, Reward, Scorer, TextReward, weighted
from trainer.post.rollout import SamplerConfig
from trainer.post.rollout_actors import RolloutActors
from trainer.post.rollout_worker import Drawn

SMALL = (
    *("steps=10", "batch=12", "group=6", "device=cpu", "threads=1", "precision=fp32", "checkpoint={every: 4, keep: 2}"),
    *("prompts={suites: [glyphs], count: 6}", "sampler={steps: 4, window: [0, 3], a: 0.9, cfg: 1.0}", "kl=0.0"),
    'rewards=[{kind: "tests.trainer.post.test_grpo:Dark"}]',
    "optimizer={lr: 3.0e-3, warmup: 0, schedule: constant, ema: null, eps: 1.0e-8}",
)


@dataclass(frozen=True)
class Dark(Reward):
    """Darker pictures are worth more."""

    def open(self) -> Scorer:
        return lambda pictures, items: [1 - float(p.mean()) / 255 for p in pictures]


@dataclass(frozen=True)
class Always(Reward):
    def open(self) -> Scorer:
        return lambda pictures, items: [1.0] * len(pictures)


@dataclass(frozen=True)
class Breaks(Reward):
    def open(self) -> Scorer:
        def score(pictures: Sequence[np.ndarray], items: Sequence[Item]) -> list[float]:
            raise ZeroDivisionError("no light")

        return score


def config(*more: str) -> GrpoConfig:
    return configs.load("configs/train/grpo.yaml", GrpoConfig, [*SMALL, *more])


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, edit_base: Path) -> Path:
    out = tmp_path_factory.mktemp("grpo")
    train_grpo(config(), out, edit_base)
    return out


def test_what_is_rewarded_becomes_more_probable(trained: Path) -> None:
    rewards = [line["reward"] for line in metrics(trained)]
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.03
    assert metrics(trained)[0]["kl"] == pytest.approx(0, abs=1e-6)  # policy and reference are the same yet
    assert metrics(trained)[-1]["kl"] > 0


def test_killed_it_goes_on_to_the_same_weights(
    trained: Path, edit_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = grpo._Grpo.step

    def dies(self: grpo._Grpo, step: int) -> dict[str, Any]:
        if step == 6:
            raise KeyboardInterrupt
        return whole(self, step)

    monkeypatch.setattr(grpo._Grpo, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        train_grpo(config(), tmp_path, edit_base)
    monkeypatch.undo()
    train_grpo(config(), tmp_path, edit_base)
    assert [line["reward"] for line in metrics(tmp_path)] == [line["reward"] for line in metrics(trained)]
    name = "export/transformer/diffusion_pytorch_model.safetensors"
    one, other = load_file(tmp_path / name), load_file(trained / name)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_guidance_adapters_and_more_passes(edit_base: Path, tmp_path: Path) -> None:
    more = (
        "lora={rank: 2, base_dtype: fp32}",
        "sampler.cfg=2.0",
        "sampler.negative=''",
        "passes=2",
        "kl=0.1",
        "clip=1.0e-7",
    )
    train_grpo(config("steps=2", *more, "micro_batch=5"), tmp_path, edit_base)
    lines = metrics(tmp_path)
    assert lines[0]["clipped"] > 0  # the second pass has left what was drawn
    assert (tmp_path / "export" / "lora.safetensors").is_file()


def test_micro_batches_change_nothing_but_rounding(trained: Path, edit_base: Path, tmp_path: Path) -> None:
    train_grpo(config("steps=2", "micro_batch=5"), tmp_path, edit_base)
    assert [m["reward"] for m in metrics(tmp_path)] == pytest.approx(
        [m["reward"] for m in metrics(trained)[:2]], abs=1e-2
    )


def test_actors_draw_what_the_learner_would_and_one_that_is_killed_changes_nothing(
    edit_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ("steps=3", "micro_batch=6", "precision=fp32")
    train_grpo(config(*more), tmp_path / "alone", edit_base)
    draw, killed = RolloutActors.draw, list[int]()

    def kills(self: RolloutActors, step: int, *args: Any, **weights: Any) -> list[Drawn]:
        if step == 1:
            killed.extend(self.processes()[:1])
            os.kill(killed[0], signal.SIGKILL)
        return draw(self, step, *args, **weights)

    monkeypatch.setattr(RolloutActors, "draw", kills)
    train_grpo(config(*more, "workers={count: 2, cpus: 0.5, cluster: {cpus: 1}}"), tmp_path / "actors", edit_base)
    assert killed
    alone, actors = metrics(tmp_path / "alone"), metrics(tmp_path / "actors")
    for name in ("reward", "loss", "kl", "grad_norm"):
        assert [line[name] for line in actors] == pytest.approx([line[name] for line in alone], rel=1e-5, abs=1e-7)


def test_what_an_actor_cannot_do_ends_it_in_one_line(edit_base: Path, tmp_path: Path) -> None:
    rewards = 'rewards=[{kind: "tests.trainer.post.test_grpo:Breaks"}]'
    with pytest.raises(RunFailed, match=r"step 0: a rollout worker \(process .*no light"):
        train_grpo(config("workers={count: 1, cluster: {cpus: 1}}", rewards), tmp_path, edit_base)


def test_a_reward_that_is_always_the_same_is_told(
    edit_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpo, "_STUCK", 2)
    rewards = 'rewards=[{kind: "tests.trainer.post.test_grpo:Always"}]'
    train_grpo(config("steps=3", rewards, "batch=4", "group=2"), tmp_path, edit_base)
    assert "a reward that is always 1 is no reward" in capsys.readouterr().out
    assert [line["flat_groups"] for line in metrics(tmp_path)] == [2, 2, 2]


def test_a_reader_rewards_what_it_reads() -> None:
    from synth import Recipe

    sample = Recipe.load("configs/synth/glyphs.yaml").render(3)
    picture = np.asarray(sample.image)
    item = Item("0", "", *sample.image.size, (sample.text,))
    score = TextReward("text", one_line=True).open()
    assert score([picture, np.full_like(picture, 255)], [item, item]) == [1.0, 0.0]


ANSWERS: dict[str, Any] = {
    "/good": {"scores": [0.25, None]},
    "/few": {"scores": [0.5]},
    "/large": {"scores": [2, 0]},
    "/other": {"score": 1},
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert [item["text"] for item in asked["items"]] == ["A", "A"]
            self.send_response(200 if self.path in ANSWERS else 500)
            self.end_headers()
            self.wfile.write(json.dumps(ANSWERS.get(self.path)).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


def asked(url: str) -> list[float]:
    item, picture = Item("0", "", 16, 16, ("A",)), np.zeros((16, 16, 3), np.uint8)
    return HttpReward("http", url).open()([picture, picture], [item, item])


def test_a_server_rewards(server: str) -> None:
    first, second = asked(server + "/good")
    assert first == 0.25
    assert np.isnan(second)


@pytest.mark.parametrize("path", ["/few", "/large", "/other", "/gone"])
def test_a_server_that_answers_wrongly_ends_it_in_one_line(server: str, path: str) -> None:
    with pytest.raises(RunFailed, match="reward http"):
        asked(server + path)


def test_rewards_are_weighted() -> None:
    def both(pictures: Sequence[np.ndarray]) -> list[float]:
        return weighted([Dark("dark", weight=1.0), Always("always", weight=3.0)])(pictures, [])

    assert both([np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)]) == pytest.approx([1.0, 0.75])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("group=5", "group: at least 2 and a divisor"),
        ("rewards=[]", "rewards: at least one"),
        ("rewards=[{kind: http, url: x}]", "an http or https URL"),
        ("sampler.window=[0, 4]", "window"),
        ("sampler.window=[2, 2]", "window"),
        ("batch=120", "field 'batch'"),
    ],
)
def test_wrong_settings_are_named(more: str, message: str, edit_base: Path, tmp_path: Path) -> None:
    with pytest.raises((UserError, ValueError), match=message):
        train_grpo(config(more), tmp_path, edit_base)


def test_the_window_leaves_out_the_last_step() -> None:
    SamplerConfig(steps=4, window=(0, 3))
