"""``python -m trainer evaluate CKPT OUT``: sample the suites' prompts at fixed seeds, read them, score them.

    CKPT ──> trained  ──sample──> pictures ──Reader──> text ─┐
             untrained ─sample──> pictures ──Reader──> text ─┼─> evaluation.json, <suite>.png, a table
    recipe ──────────────────> clean pictures ─Reader─> text ┘   (the reader's ceiling)

"Untrained" is the same network with the fresh weights that ``model init`` gives it, so the difference
is what training did.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from configs import UserError
from configs.files import replace_picture, replace_text
from trainer.evaluate.score import Score, is_exact, score
from trainer.evaluate.sheet import draw_sheet
from trainer.evaluate.suites import Item, make_suite

if TYPE_CHECKING:
    from model import QwenImage
    from pipeline.ocr.reader import Reader


@dataclass(frozen=True)
class EvaluateConfig:
    """``configs/train/evaluate.yaml``. Limits are numbers of texts; glyphs are always all of the recipe's."""

    recipe: str
    numbers: int = 120
    words: int = 40
    lines: int = 20
    steps: int = 20
    cfg: float = 3.0
    negative: str = ""  # what conditions were dropped to in training
    seed: int = 0  # of the first picture of a suite; they count up

    def __post_init__(self) -> None:
        for name in ("numbers", "words", "lines", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, found {getattr(self, name)}")

    def limit(self, suite: str) -> int:
        """Texts of a suite; of glyphs, and of one that ``make_suite`` will refuse, any."""
        return int(getattr(self, suite, 1)) if suite != "glyphs" else 1


@dataclass(frozen=True)
class Result:
    """One suite: its items, and what was read in the pictures before and after training and in the clean ones."""

    items: list[Item]
    read: dict[str, list[str]]  # before, after, ceiling
    pictures: list[np.ndarray]  # after

    def scores(self) -> dict[str, Score]:
        wanted = [item.text for item in self.items]
        return {name: score(wanted, texts) for name, texts in self.read.items()}


def evaluate(checkpoint: Path, out: Path, suites: Sequence[str], config: EvaluateConfig) -> dict[str, Any]:
    """Run ``suites`` and return what stands in ``out/evaluation.json``. Raises UserError before any work."""
    from model import QwenImage
    from pipeline.ocr.reader import Reader

    chosen = {name: make_suite(name, config.recipe, config.limit(name)) for name in suites}
    folder = _find_model(checkpoint)
    trained, reader = QwenImage.load(folder), Reader()
    untrained = without_training(trained)
    results = {}
    for name, items in chosen.items():
        if not items:
            print(f"evaluate: {config.recipe} has nothing for the suite '{name}'")
            continue
        results[name] = _run_suite(items, trained, untrained, reader, config)
    report = _as_report(results, config, folder)
    write(results, report, out)
    print(table(results))
    return report


def _find_model(checkpoint: Path) -> Path:
    """The diffusers folder in a training's output (``export/``), or the folder itself."""
    for folder in (checkpoint, checkpoint / "export"):
        if (folder / "model_index.json").is_file():
            return folder
    raise UserError(
        f"{checkpoint}: holds no model; give a diffusers folder, or the output of `trainer fit` with export/"
    )


def without_training(trained: QwenImage) -> QwenImage:
    """The same parts around a transformer with fresh weights."""
    from model import QwenImage
    from model.init import new_transformer

    fresh = new_transformer(trained.transformer.config, seed=0).eval()
    return QwenImage(fresh, trained.vae, trained.conditioner, trained.schedule)


def _run_suite(
    items: list[Item], trained: QwenImage, untrained: QwenImage, reader: Reader, config: EvaluateConfig
) -> Result:
    """Sample and read one suite with both models, and read its clean renderings."""
    after = sample(trained, items, config)
    pictures = {"before": sample(untrained, items, config), "after": after, "ceiling": [i.clean for i in items]}
    return Result(items, {name: [read(reader, p) for p in made] for name, made in pictures.items()}, after)


def sample(model: QwenImage, items: Sequence[Item], config: EvaluateConfig) -> list[np.ndarray]:
    """One picture (H, W, 3) uint8 per item."""
    images = model.sample(
        [item.prompt for item in items],
        height=[item.height for item in items],
        width=[item.width for item in items],
        steps=config.steps,
        cfg=config.cfg,
        negative=config.negative,
        seed=config.seed,
    )
    return [np.asarray(image) for image in images]


def read(reader: Reader, picture: np.ndarray) -> str:
    """A picture of one line or less is given to the recognizer whole: the detector misses lone small glyphs."""
    return reader.read_line(picture)[0]


def _as_report(results: dict[str, Result], config: EvaluateConfig, folder: Path) -> dict[str, Any]:
    """The content of evaluation.json."""
    suites = {}
    for name, result in results.items():
        rows = [
            {"text": item.text, "prompt": item.prompt, **{k: texts[i] for k, texts in result.read.items()}}
            for i, item in enumerate(result.items)
        ]
        scores = {k: dataclasses.asdict(s) for k, s in result.scores().items()}
        held_out = all(item.held_out for item in result.items)
        suites[name] = {"count": len(rows), "held_out": held_out, **scores, "sheet": f"{name}.png", "items": rows}
    return {"model": str(folder), "sampling": dataclasses.asdict(config), "suites": suites}


def write(results: dict[str, Result], report: dict[str, Any], out: Path) -> None:
    replace_text(out / "evaluation.json", json.dumps(report, ensure_ascii=False, indent=1) + "\n", durable=False)
    for name, result in results.items():
        wanted, found = [item.text for item in result.items], result.read["after"]
        exact = [is_exact(w, r) for w, r in zip(wanted, found, strict=True)]
        replace_picture(out / f"{name}.png", draw_sheet(result.pictures, wanted, found, exact))


def table(results: dict[str, Result]) -> str:
    """Lines for a terminal: texts read exactly and character accuracy, before, after, and on clean renderings."""
    lines = [
        f"{'suite':<9}{'texts':>6}   {'exact: before':>13}{'after':>8}{'ceiling':>9}   {'characters: before':>18}{'after':>8}{'ceiling':>9}"
    ]
    for name, result in results.items():
        s = result.scores()
        exact, characters = (
            [getattr(s[k], m) for k in ("before", "after", "ceiling")] for m in ("exact", "characters")
        )
        e, c = ([f"{v:.1%}" for v in values] for values in (exact, characters))
        note = "" if result.items[0].held_out else "   (texts of the training data)"
        lines.append(
            f"{name:<9}{len(result.items):>6}   {e[0]:>13}{e[1]:>8}{e[2]:>9}   {c[0]:>18}{c[1]:>8}{c[2]:>9}{note}"
        )
    return "\n".join(lines)
