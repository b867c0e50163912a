"""Captions and metadata by a vision-language model in one pass (report 3.2): in process, or any OpenAI-compatible server.

    picture ──prompt in each language──> model ──parse_answer──> recaptions, image_type, image_style, watermarks, abnormal

Its captions join those of the row, of source ``recaption``, or ``fused`` where the caption that came with the picture was
part of the question. An answer without a caption is one that is refused as S3.unreadable: the picture stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import pyarrow as pa

from configs.files import find_package, lacking
from configs.pictures import Limits, decode
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture
from pipeline.annotators.model_folder import absent, fingerprint, model_folder, told
from pipeline.captioner.answer import Answer, NoAnswer, parse_answer
from pipeline.captioner.base import Captioner, Question, Reply
from pipeline.captioner.picture import within
from pipeline.captioner.prompt import PromptLanguage, prompt
from pipeline.captioner.qwen import QwenCaptioner
from pipeline.schema import Column
from pipeline.tokens import finish_captions

_UNREADABLE = "S3.unreadable"
_MARKER = "config.json"
_FACTS = ("image_type", "image_style", "watermarks", "abnormal")


@dataclass(frozen=True, kw_only=True)
class CaptionerConfig(AnnotatorConfig):
    """``model``: of ``server`` its name there; without a server the folder of a Qwen2.5-VL, or its id on the Hugging Face
    hub where its files are in the cache. ``server``: base URL, such as http://localhost:8000/v1. ``key_file``: a file with
    the server's key.

    ``languages``: a caption in each; facts are taken from the first answer that has them. ``source``: ``fused`` shows
    the model the first raw caption, where there is one. ``max_pixels``: area to which larger pictures are shrunk.
    ``max_tokens``: of an answer. ``connections``: questions at once. ``timeout_s``: of one picture with all its tries;
    keep it below guard.seconds. ``budget_tokens``: of prompts and answers that a worker may use in one command.
    ``batch``, ``gpus``: in process, pictures at once and share of a GPU of each worker; 0 runs on CPUs.
    """

    kind: Literal["captioner"]
    model: str
    server: str | None = None
    key_file: str | None = None
    languages: tuple[PromptLanguage, ...] = ("en", "zh")
    source: Literal["recaption", "fused"] = "recaption"
    max_pixels: int = 1280 * 28 * 28  # 1,280 tokens of Qwen2.5-VL; chosen
    max_tokens: int = 1024
    connections: int = 16
    timeout_s: float = 100.0
    budget_tokens: int | None = None
    batch: int = 4
    gpus: float = 0.0

    files = ("key_file",)
    folders = ("model",)

    def __post_init__(self) -> None:
        for name in ("max_tokens", "connections", "batch", "budget_tokens"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name}: at least 1, found {value}")
        if self.max_pixels < 28 * 28 or self.timeout_s <= 0 or self.gpus < 0:
            raise ValueError("max_pixels: at least 784; timeout_s: above 0; gpus: at least 0")
        if not self.languages or len(set(self.languages)) < len(self.languages):
            raise ValueError("languages: en, zh or both, each once")
        if self.server and (urlsplit(self.server).scheme not in ("http", "https") or not urlsplit(self.server).netloc):
            raise ValueError(f"server: expected a URL such as http://localhost:8000/v1, found '{self.server}'")

    def make(self, limits: Limits) -> CaptionerAnnotator:
        return CaptionerAnnotator(self, limits)


class CaptionerAnnotator(Annotator):
    """Captions for every row that was not rendered by a recipe: those know what they show."""

    name = "captioner"
    input: ClassVar[Literal["bytes"]] = "bytes"
    nested = ("captions",)
    columns = (
        schema.COLUMNS["recaptions"],
        *schema.CAPTIONER.values(),
        Column(
            "captioner_image_tokens", pa.int32(), "tokens of the picture in the captioner's prompt; the fewest of all"
        ),
        Column("captioner_fault", pa.string(), "why an answer of the captioner was no caption; null where all were"),
    )

    def __init__(self, config: CaptionerConfig, limits: Limits | None = None) -> None:
        self.config, self.limits = config, limits or Limits()
        self.batch_widths = (config.connections if config.server else config.batch, 1)
        self.gpus = 0.0 if config.server else config.gpus
        local = not config.server and find_package("transformers") is not None
        self.folder = model_folder(config.model, _MARKER) if local else None
        of = fingerprint(self.folder) if self.folder else config.model
        # Another model is another captioner, and only an annotator with its config knows it.
        self.version = f"1-{config.source}-{of}"  # type: ignore[misc]
        self._captioner: Captioner | None = None

    def missing(self) -> str | None:
        if self.config.server:
            return None
        return lacking("torch", "transformers") or (None if self.folder else absent(self.config.model, _MARKER))

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        return row.get("recipe") is None

    def setup(self) -> None:
        config = self.config
        if config.server:
            from pipeline.captioner.server import ServerCaptioner, ServerConfig

            limits = (config.max_tokens, config.connections, config.timeout_s, config.budget_tokens)
            self._captioner = ServerCaptioner(ServerConfig(config.server, config.model, config.key_file, *limits))
        elif self.folder:
            with told(self.name, self.folder):
                self._captioner = QwenCaptioner(self.folder, "cuda" if config.gpus else "cpu", config.max_tokens)

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        assert self._captioner is not None
        questions = [question for picture in pictures for question in self._questions(picture.row)]
        replies = iter(self._captioner.ask(questions))
        return [self._row(picture.row, [next(replies) for _ in self.config.languages]) for picture in pictures]

    def _questions(self, row: Mapping[str, Any]) -> list[Question]:
        pixels = within(decode(row["image"]["bytes"], self.limits), self.config.max_pixels)
        raw = self._raw(row)
        return [Question(pixels, prompt(language, raw), prompt(language)) for language in self.config.languages]

    def _raw(self, row: Mapping[str, Any]) -> str | None:
        if self.config.source != "fused":
            return None
        texts = [c["text"] for c in row["captions"] or () if c["source"] == "raw" and not c.get("invalid")]
        return texts[0] if texts else None

    def _row(self, row: Mapping[str, Any], replies: Sequence[Reply]) -> dict[str, Any]:
        """The columns of a picture, from an answer in each language."""
        answers, faults = [], []
        source = "fused" if self._raw(row) else "recaption"
        captions: list[dict[str, Any]] = []
        for language, reply in zip(self.config.languages, replies, strict=True):
            try:
                answers.append(_parsed(reply))
                captions.append({"text": answers[-1].caption, "source": source})
            except NoAnswer as fault:
                faults.append(f"{language}: {fault}")
                captions.append({"text": "", "source": source, "invalid": _UNREADABLE})
        facts = {name: next((v for a in answers if (v := getattr(a, name)) is not None), None) for name in _FACTS}
        return {
            **facts,
            "recaptions": finish_captions(captions)["captions"],
            "captioner_image_tokens": min(reply.image_tokens for reply in replies),
            "captioner_fault": "; ".join(faults) or None,
        }


def _parsed(reply: Reply) -> Answer:
    if reply.fault:
        raise NoAnswer(reply.fault)
    return parse_answer(reply.text)
