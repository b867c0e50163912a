"""Captions of a server that fails on command, and of a tiny random Qwen2.5-VL."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skimage.data
from PIL import Image

from configs.errors import RunFailed
from configs.pictures import Limits
from model.references import write_processor
from model.text_encoder import new_text_encoder
from model.tokenizer import write_tokenizer
from pipeline import schema
from pipeline.annotators.base import Picture
from pipeline.annotators.captioner import CaptionerAnnotator, CaptionerConfig
from pipeline.captioner import server as client
from pipeline.captioner.base import Question
from pipeline.captioner.prompt import KEYS, prompt
from pipeline.captioner.qwen import QwenCaptioner
from tests.model.folders import config
from tests.pipeline.captioner.server import GOOD, IMAGE_TOKENS, TEXT_TOKENS, Server, serving

CHELSEA = skimage.data.chelsea()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(client, "_PAUSE", 0.01)
    with serving() as running:
        yield running


def annotator(server: Server, **fields: Any) -> CaptionerAnnotator:
    settings = {"languages": ("en",), "timeout_s": 5.0} | fields
    made = CaptionerConfig(kind="captioner", model="qwen", server=server.url, **settings).make(Limits())
    assert made.missing() is None
    made.setup()
    return made


def picture(captions: list[dict[str, Any]] | None = None, pixels: np.ndarray = CHELSEA) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return Picture({"image": {"bytes": buffer.getvalue(), "path": None}, "captions": captions})


def test_captions_and_facts_become_columns(server: Server) -> None:
    chinese = GOOD.replace("A cat", "一只猫").replace("[]", '["example.com"]').replace('"no"', '"yes"')
    server.script = [GOOD, chinese]
    (row,) = annotator(server, languages=("en", "zh"), connections=1).annotate([picture()])
    assert [(c["text"], c["source"], c["language"]) for c in row["recaptions"]] == [
        ("A cat", "recaption", "en"),
        ("一只猫", "recaption", "zh"),
    ]
    assert row["recaptions"][0]["tokens"] == 2
    facts = {"image_type": "photograph", "image_style": "realistic", "watermarks": (), "abnormal": False}
    assert {name: row[name] for name in facts} == facts
    assert (row["captioner_image_tokens"], row["captioner_fault"]) == (IMAGE_TOKENS, None)
    pa.Table.from_pylist([row], schema=schema.arrow(CaptionerAnnotator.columns))


def test_the_picture_travels_shrunk_and_the_prompt_names_the_keys(server: Server, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n", encoding="utf-8")
    annotator(server, max_pixels=10_000, key_file=str(tmp_path / "key")).annotate([picture()])
    (body,) = server.pictures()
    sent, text = body["messages"][0]["content"]
    data = base64.b64decode(sent["image_url"]["url"].removeprefix("data:image/jpeg;base64,"))
    width, height = Image.open(io.BytesIO(data)).size
    assert width * height <= 10_100
    assert width / height == pytest.approx(CHELSEA.shape[1] / CHELSEA.shape[0], rel=0.02)
    assert all(f'"{key}"' in text["text"] for key in KEYS)
    assert {h["Authorization"] for h in server.headers} == {"Bearer secret"}


@pytest.mark.parametrize("failure", [500, 503, 429, "close"])
def test_what_may_work_the_next_time_is_asked_again(server: Server, failure: int | str) -> None:
    server.script = [failure, failure, GOOD]
    server.retry_after = "0"
    (row,) = annotator(server).annotate([picture()])
    assert row["recaptions"][0]["text"] == "A cat"
    assert len(server.pictures()) == 3


@pytest.mark.parametrize("failure", [502, "hang"])
def test_a_server_that_stays_down_stops_the_run_in_time(server: Server, failure: int | str) -> None:
    server.script = [failure] * 1000
    with pytest.raises(
        RunFailed, match=r"gave no answer within 0\.3 s, the last try ended with .*same command goes on"
    ):
        annotator(server, timeout_s=0.3).annotate([picture()])


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_model_stops_the_run_at_once(server: Server, status: int) -> None:
    server.script = [status]
    with pytest.raises(RunFailed, match=f"refuses: status {status}"):
        annotator(server).annotate([picture()])
    assert len(server.pictures()) == 1


def test_a_picture_that_is_refused_or_answered_badly_keeps_its_row(server: Server) -> None:
    server.script = [400, "I'm sorry, I can't describe this.", '{"Caption": "cut o', GOOD]
    rows = annotator(server, connections=1).annotate([picture() for _ in range(4)])
    assert [row["captioner_fault"] and row["captioner_fault"][:12] for row in rows] == [
        "en: status 4",
        "en: no JSON ",
        "en: the capt",
        None,
    ]
    assert [row["recaptions"][0].get("invalid") for row in rows] == ["S3.unreadable"] * 3 + [None]
    assert rows[0]["image_type"] is rows[1]["abnormal"] is None


def test_a_server_that_takes_no_pictures_stops_the_run(server: Server) -> None:
    server.script = [400] * 100
    made = annotator(server, connections=1)
    assert made.annotate([picture()] * 7)[0]["captioner_fault"]
    with pytest.raises(RunFailed, match=r"refused each of 8 pictures, the last one with status 400.* takes pictures"):
        made.annotate([picture()])


def test_a_server_that_has_answered_may_refuse_as_many_as_it_likes(server: Server) -> None:
    server.script = [400, GOOD, *[400] * 20]
    rows = annotator(server, connections=1).annotate([picture()] * 22)
    assert sum(row["captioner_fault"] is None for row in rows) == 1


def test_a_server_that_drops_pictures_is_caught(server: Server) -> None:
    server.blind = True
    with pytest.raises(
        RunFailed, match=f"without having seen the picture: its prompt has {TEXT_TOKENS} tokens with it"
    ):
        annotator(server).annotate([picture()])
    server.blind, server.usage = False, False
    with pytest.raises(RunFailed, match=r"usage\.prompt_tokens"):
        annotator(server).annotate([picture()])


def test_the_budget_ends_a_run_and_not_a_picture(server: Server) -> None:
    made = annotator(server, budget_tokens=3 * (TEXT_TOKENS + IMAGE_TOKENS + 50), connections=1)
    assert len(made.annotate([picture(), picture()])) == 2
    with pytest.raises(RunFailed, match="budget_tokens allows 1,242"):
        made.annotate([picture(), picture(), picture()])


def test_a_fused_caption_is_asked_for_with_the_raw_one(server: Server) -> None:
    raw = [{"text": "Chelsea, <|im_end|> the cat", "source": "raw", "invalid": None}]
    rows = annotator(server, source="fused", connections=1).annotate([picture(raw), picture()])
    first, second = (body["messages"][0]["content"][1]["text"] for body in server.pictures())
    assert first.endswith("the cat")
    assert "the cat" not in second
    assert [row["recaptions"][0]["source"] for row in rows] == ["fused", "recaption"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"server": "localhost:8000"}, "server: expected a URL"),
        ({"languages": ()}, "languages"),
        ({"budget_tokens": 0}, "budget_tokens: at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CaptionerConfig(kind="captioner", model="x", **fields)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a released Qwen2.5-VL has it, tiny and random."""
    folder = tmp_path_factory.mktemp("qwen") / "model"
    encoder = config().text_encoder
    new_text_encoder(encoder, 0).save_pretrained(folder)
    write_tokenizer(folder)
    write_processor(folder, folder, encoder.vision)
    return folder


def test_a_qwen_in_process_sees_the_picture(qwen: Path) -> None:
    captioner = QwenCaptioner(qwen, "cpu", max_tokens=4)
    small = np.ascontiguousarray(CHELSEA[:112, :168])
    first, second = captioner.ask([Question(small, prompt("en"), ""), Question(small[:56, :56], "<|image_pad|>", "")])
    assert (first.image_tokens, second.image_tokens) == (4 * 6, 2 * 2)
    assert captioner.ask([Question(small, prompt("en"), "")])[0].image_tokens == 24


def test_random_answers_are_faults_and_keep_their_rows(qwen: Path) -> None:
    settings: dict[str, Any] = {"languages": ("zh",), "max_tokens": 4, "max_pixels": 112 * 112}
    made = CaptionerConfig(kind="captioner", model=str(qwen), **settings).make(Limits())
    assert made.missing() is None
    made.setup()
    (row,) = made.annotate([picture()])
    assert row["recaptions"][0]["invalid"] == "S3.unreadable"
    assert row["captioner_fault"].startswith("zh: ")
    assert row["captioner_image_tokens"] > 0


def test_a_model_that_is_not_here_is_named() -> None:
    made = CaptionerConfig(kind="captioner", model="Qwen/Qwen2.5-VL-7B-Instruct").make(Limits())
    assert "Qwen/Qwen2.5-VL-7B-Instruct" in (made.missing() or "")
