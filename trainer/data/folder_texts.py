"""Captions and instructions of a plain folder: read from the file beside the picture, judged as the pipeline judges them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.decide.captions import CaptionConfig, CaptionJudge
from pipeline.sources.base import Refused
from pipeline.sources.files import EMPTY, read_file
from trainer.data.folder_config import FolderConfig

_SUFFIXES = (".txt", ".caption")
"""Of text files, the first one that is there counts: the usual one, and the default of kohya's scripts."""
_MOST_BYTES = 1_000_000  # of a text file; chosen
# Whoever writes one word beside a picture means it; on a web page it is a placeholder.
_JUDGE = CaptionJudge(CaptionConfig(empty=()))
_WHY = {
    "S3.empty": "blank, only characters that nobody sees",
    "S3.invalid": "a captioner's apology or control token, which describes nothing",
}


def text_files(names: Sequence[str]) -> dict[str, str]:
    """Of the files in one folder: stem -> the file that holds its text. Suffixes may be in capitals."""
    found: dict[str, str] = {}
    for suffix in reversed(_SUFFIXES):
        found |= {Path(name).stem: name for name in names if Path(name).suffix.lower() == suffix}
    return found


def read_texts(path: Path, config: FolderConfig) -> tuple[tuple[str, ...], str | None]:
    """(texts, problem) of a text file."""
    try:
        text = read_file(os.fsencode(path), _MOST_BYTES).decode("utf-8-sig")
    except Refused as error:
        return (), None if str(error) == EMPTY else f"has a text file that cannot be taken: {error}"
    except UnicodeDecodeError:
        return (), f"has a {path.name} that is not UTF-8"
    parts = [text] if config.captions == "whole" else text.splitlines()
    return tuple(part.strip() for part in parts if part.strip()), None


def judged(texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The valid ones, and a reason for each of the others.

    How long a text may be is not asked: the network sees the first ``max_text_tokens`` of it.
    """
    verdicts = [_JUDGE.verdict({"text": text}) for text in texts]
    valid = tuple(text for text, verdict in zip(texts, verdicts, strict=True) if verdict is None)
    return valid, tuple(_WHY.get(verdict, verdict) for verdict in verdicts if verdict is not None)
