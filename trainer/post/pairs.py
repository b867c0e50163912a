"""``python -m trainer pairs CKPT OUT``: what a model draws best and worst for each prompt becomes a preference dataset.

    prompts x seeds ──draw──> OUT/pictures ──read, or a person's scores──> best and worst ──> OUT/pairs.parquet
                                              └──> OUT/readings.jsonl

Killed, it goes on: what was drawn and read is not drawn and read again.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from configs import RunFailed, UserError
from configs.files import replace_text
from model.device import named_device
from trainer.evaluate.base import Item, Subject
from trainer.evaluate.config import EvaluateConfig, Server
from trainer.evaluate.drawing.draw import Sampling, Shot, draw, shots
from trainer.evaluate.drawing.model import find_model
from trainer.evaluate.reading.readers import ReaderSpec
from trainer.evaluate.reading.readings import Readings, ToRead
from trainer.post.choose import best_and_worst
from trainer.post.pairs_file import write_pairs
from trainer.post.prompts import PromptsConfig, load_prompts
from trainer.post.rewards import read_share
from trainer.state.held import held


@dataclass(frozen=True)
class PairsConfig:
    """``configs/train/pairs.yaml``. ``pictures``: of each prompt, from ``seed`` on. ``pairs``: of each prompt, at most: the
    best picture with the worst, the second best with the second worst, and so on. ``margin``: of the scores of a pair, at
    least. ``one_line``: each picture is read as one line as a whole, which small ones need. Drawing as ``evaluate``."""

    prompts: PromptsConfig = field(default_factory=PromptsConfig)
    pictures: int = 4
    pairs: int = 1
    margin: float = 0.25
    one_line: bool = False
    steps: int = 50
    cfg: float = 4.0
    negative: str = " "
    seed: int = 0
    gpus: int = 0
    readers: int = 1
    server: Server = field(default_factory=Server)

    def __post_init__(self) -> None:
        if self.pictures < 2:
            raise ValueError(f"pictures: at least 2 of each prompt, found {self.pictures}")
        if not 1 <= self.pairs <= self.pictures // 2:
            raise ValueError(f"pairs: 1 to half of pictures = {self.pictures}, found {self.pairs}")
        if not 0 <= self.margin <= 1:
            raise ValueError(f"margin: of scores within 0..1, found {self.margin}")
        self.drawing()  # checks the fields that it takes

    def drawing(self) -> EvaluateConfig:
        """The same as ``evaluate`` wants it."""
        same = {name: getattr(self, name) for name in ("steps", "cfg", "negative", "seed", "gpus", "readers", "server")}
        return EvaluateConfig(per_prompt=self.pictures, **same)


def make_pairs(
    config: PairsConfig,
    checkpoint: Path,
    out: Path,
    reader: str = "paddle",
    scores: Path | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> dict[str, Any]:
    """Draw, score and choose; returns what stands in ``out/pairs.json``. ``scores``: a person's, a CSV of ``picture``
    (a file's name in OUT/pictures) and ``score``; then nothing is read.

    Raises UserError before any work, RunFailed where the model draws nothing, the reader dies, or no prompt has a pair.
    """
    spec = ReaderSpec(reader, config.server)
    given = _given(scores) if scores else None
    if given is None:
        spec.check()
    items = load_prompts(config.prompts)
    with held(out, False):
        chosen_device = "cuda" if config.gpus and device is None else str(named_device(device))
        subject = Subject(checkpoint, find_model(checkpoint, out), chosen_device, dtype)
        drawn = _drawn(config, items, subject, out)
        lines = [json.dumps({"id": i.id, "prompt": i.prompt, "text": i.text}, ensure_ascii=False) for i in items]
        replace_text(out / "prompts.jsonl", "\n".join(lines) + "\n", durable=False)
        found = _looked_up(given, drawn, scores) if given is not None else _read(config, items, drawn, spec, out)
        return _write(config, items, drawn, found, out, str(scores) if scores else spec.key)


def _drawn(config: PairsConfig, items: Sequence[Item], subject: Subject, out: Path) -> list[list[Shot | None]]:
    """Of each item its pictures, None for one that is not finite."""
    drawing = config.drawing()
    sampling = Sampling.of(drawing, subject)
    wanted = shots(items, "sample", out / "pictures", [()] * len(items), drawing, sampling)
    lost = set(draw(wanted, sampling, config.gpus, "pairs"))
    if lost:
        print(f"pairs: {len(lost):,} pictures came out with numbers that are not finite and are left out")
    kept = [None if shot.path in lost else shot for shot in wanted]
    return [kept[i : i + config.pictures] for i in range(0, len(kept), config.pictures)]


def _read(
    config: PairsConfig, items: Sequence[Item], drawn: Sequence[Sequence[Shot | None]], spec: ReaderSpec, out: Path
) -> list[list[float | None]]:
    """Scores by the reader; None where it failed on a picture."""
    jobs = [ToRead(shot.path, None, config.one_line) for group in drawn for shot in group if shot]
    seen = iter(Readings(out / "readings.jsonl", spec, config.readers).read(jobs, "pairs"))
    scores: list[list[float | None]] = []
    for item, group in zip(items, drawn, strict=True):
        lines = [next(seen).lines if shot else None for shot in group]
        scores.append([None if found is None else read_share(item.text, "".join(found)) for found in lines])
    return scores


def _given(path: Path) -> dict[str, float]:
    """A person's scores by file name."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            if lacking := {"picture", "score"} - {*(table.fieldnames or ())}:
                raise KeyError(*lacking)
            rows = list(table)
        return {row["picture"]: float(row["score"]) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"--scores {path}: a CSV with the columns picture and score (numbers) is expected ({error})"
        ) from None


def _looked_up(
    given: Mapping[str, float], drawn: Sequence[Sequence[Shot | None]], path: Path | None
) -> list[list[float | None]]:
    names = {shot.path.name for group in drawn for shot in group if shot}
    unknown = next((name for name in given if name not in names), None)
    if unknown is not None:
        raise UserError(f"--scores {path}: '{unknown}' is no picture of OUT/pictures")
    return [[given.get(shot.path.name) if shot else None for shot in group] for group in drawn]


def _write(
    config: PairsConfig,
    items: Sequence[Item],
    drawn: Sequence[Sequence[Shot | None]],
    scores: Sequence[Sequence[float | None]],
    out: Path,
    reader: str,
) -> dict[str, Any]:
    rows, ends = list[dict[str, Any]](), Counter[str]()
    for item, group, found in zip(items, drawn, scores, strict=True):
        chosen = best_and_worst(found, config.margin, config.pairs)
        ends["paired" if chosen else "ties" if sum(s is not None for s in found) > 1 else "without two scores"] += 1
        for number, places in enumerate(chosen):
            row = _row(item, [group[place] for place in places], [found[place] for place in places], reader)
            rows.append(row | {"id": f"{item.id}#{number}"} if number else row)
    if not rows:
        raise RunFailed(
            f"pairs: none of {len(items):,} prompts has two pictures whose scores are {config.margin:g} apart: draw more "
            "of each (pictures), lower margin, or take prompts that the model draws well at times"
        )
    means = {n: sum(row["scores"][k] for row in rows) / len(rows) for k, n in enumerate(("chosen", "rejected"))}
    about = {"prompts": len(items), **ends, "pairs": len(rows), "mean_score": means, "reader": reader}
    write_pairs(out, rows, about)
    print(
        f"{out / 'pairs.parquet'}: {len(rows):,} pairs of {len(items):,} prompts, mean scores {means['chosen']:.3f} and "
        f"{means['rejected']:.3f}; {ends['ties']:,} tie, {ends['without two scores']:,} have no two scores"
    )
    return about


def _row(item: Item, pair: Sequence[Shot | None], scores: Sequence[float | None], reader: str) -> dict[str, Any]:
    """``pair``, ``scores``: of the chosen one first."""
    shown = [shot for shot in pair if shot]
    pictures = [{"bytes": shot.path.read_bytes(), "path": shot.path.name} for shot in shown]
    about = {"id": item.id, "prompt": item.prompt, "text": item.text, "width": item.width, "height": item.height}
    both = {"chosen": pictures[0], "rejected": pictures[1]}
    return about | both | {"scores": list(scores), "seeds": [shot.seed for shot in shown], "reader": reader}
