"""All suites, by name."""

from __future__ import annotations

from collections.abc import Sequence

from configs import UserError
from trainer.evaluate.base import Suite
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.suites.chinese_word import ChineseWord
from trainer.evaluate.suites.cvtg import Cvtg
from trainer.evaluate.suites.dense import Dense
from trainer.evaluate.suites.edit import Edit
from trainer.evaluate.suites.long_text import LongText
from trainer.evaluate.suites.loss import Loss
from trainer.evaluate.suites.quality import Quality
from trainer.evaluate.suites.recipe import Glyphs, Lines, Numbers, Words
from trainer.evaluate.suites.vae import Vae

_ALL: tuple[type[Suite], ...] = (
    *(Glyphs, Numbers, Words, Lines, ChineseWord, LongText, Cvtg, Dense),
    *(Vae, Quality, Edit, Loss),
)
_SUITES = {suite.name: suite for suite in _ALL}


def open_suites(names: Sequence[str], config: EvaluateConfig) -> list[Suite]:
    """Raises UserError for an unknown suite, or one that is named twice."""
    unknown = next((name for name in names if name not in _SUITES), None)
    if unknown is not None:
        raise UserError(f"--suite: unknown suite '{unknown}'; allowed: {', '.join(_SUITES)}")
    if len(set(names)) < len(names):
        raise UserError("--suite: a suite is named twice")
    return [_SUITES[name](config) for name in names]
