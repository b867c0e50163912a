"""Who reads: PaddleOCR in this process, or a vision-language model behind an OpenAI-compatible server.

picture ──_Paddle──> lines in reading order        ``paddle``
        ──_Server──> the answer's lines            a URL
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from configs import RunFailed, UserError
from pipeline.captioner.base import Question
from pipeline.captioner.picture import within
from pipeline.captioner.server import ServerCaptioner, ServerConfig
from pipeline.ocr import weights
from pipeline.ocr.reader import Reader
from trainer.evaluate.config import Server

_ASKED = (
    "Read all text in this picture. Reply with the text only, line by line as it is written, nothing else. "
    "Do not translate, do not correct, do not repeat. Reply with nothing if there is no text."
)
_KEPT = "pictures and what was read so far are kept; the same command goes on"


@dataclass(frozen=True)
class Seen:
    """``lines``: None where the reader could not read this picture, for the reason in ``fault``."""

    lines: tuple[str, ...] | None
    fault: str = ""


class PictureReader(Protocol):
    """Raises RunFailed where it cannot read any more."""

    def read(self, pictures: Sequence[np.ndarray], one_line: bool) -> list[Seen]:
        """uint8 (H, W, 3) pictures; ``one_line``: each is one line or glyph as a whole."""
        ...


@dataclass(frozen=True)
class ReaderSpec:
    """``where``: paddle or a URL. Travels between processes; ``open`` makes the reader."""

    where: str
    server: Server

    @property
    def key(self) -> str:
        """What readings are kept under: another reader's are read anew."""
        if self.where == "paddle":
            return f"paddle PP-OCRv6 small, rapidocr {importlib.metadata.version('rapidocr')}"
        return f"{self.server.model} at {self.where}"

    def check(self) -> None:
        """Raise UserError for what is no reader, or one that is not installed."""
        if self.where == "paddle":
            reason = weights.missing()
            if reason:
                raise UserError(f"--reader paddle: {reason}; see README, installation")
        elif not self.where.startswith(("http://", "https://")):
            raise UserError(f"--reader: '{self.where}'; paddle, or the URL of an OpenAI-compatible server, is needed")

    def open(self) -> PictureReader:
        return _Paddle() if self.where == "paddle" else _Server(self.where, self.server)


class _Paddle:
    def __init__(self) -> None:
        self._reader = Reader()

    def read(self, pictures: Sequence[np.ndarray], one_line: bool) -> list[Seen]:
        return [self._read(picture, one_line) for picture in pictures]

    def _read(self, picture: np.ndarray, one_line: bool) -> Seen:
        try:
            if one_line:
                text = self._reader.read_line(picture)[0]
                return Seen((text,) if text else ())
            return Seen(tuple(line.text for line in self._reader.read(picture)))
        except RunFailed:
            raise
        except Exception as error:  # native code of the reader: one picture that it fails on is one picture
            return Seen(None, f"{type(error).__name__}: {error}"[:200])


class _Server:
    def __init__(self, url: str, config: Server) -> None:
        plain = {name: value for name, value in asdict(config).items() if name != "pixels"}
        self._url, self._pixels = url, config.pixels
        self._captioner = ServerCaptioner(ServerConfig(url=url, budget_tokens=None, **plain))

    def read(self, pictures: Sequence[np.ndarray], one_line: bool) -> list[Seen]:
        questions = [Question(within(picture, self._pixels), _ASKED, _ASKED) for picture in pictures]
        try:
            replies = self._captioner.ask(questions)
        except RunFailed as error:  # its own words are about a run of the pipeline
            why = str(error).removeprefix("captioner: ").split("; ")[0]
            raise RunFailed(f"reader: {why}; {_KEPT}") from None
        return [
            Seen(None, reply.fault)
            if reply.fault
            else Seen(tuple(filter(None, map(str.strip, reply.text.splitlines()))))
            for reply in replies
        ]
