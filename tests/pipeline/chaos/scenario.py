"""Runs whose drivers die again and again, two at a time now and then, on a disk or in a bucket; then one comes to its end.

seed ──> inputs, place, deaths ──lives──> the files of the run == those of one that nobody killed
                                          inputs == kept + stopped + failed
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.storage import use_storage
from pipeline.config import load_config
from pipeline.decide import accounting
from pipeline.engine.run import run_pipeline
from pipeline.store.failures import current_failures
from pipeline.store.run_folder import RunFolder
from tests.pipeline import commands
from tests.pipeline.chaos.lives import Death, begin, end, live, told_apart
from tests.pipeline.hostile import encode, picture

CONFIG = """
sources: [{kind: folder, name: photos, path: PHOTOS}]
fragments: {inputs: 3}
annotate:
- {kind: measure}
- {kind: "tests.pipeline.hooks:SaboteurConfig"}
guard: {seconds: 20, memory_mb: 250, retries: 0}
decide: {rules: [{name: S1.luma, stage: 1, keep: luma < 0.5}]}
"""
INPUTS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "hostile": ("sigsegv.png", "eat.png", "raise.png"),
    "slow": ("hang.png", "sigsegv.png"),
}
"""Kind -> names of pictures that do to whoever looks at them what they say."""
_LIVES = 6
"""That may die in a scenario; the one after them is left to come to its end."""


@dataclass(frozen=True)
class Place:
    """Where a run of a kind of inputs lies, and what it is to end in."""

    config: Path
    folder: Path
    storage: Any = None

    def run(self) -> None:
        """Bring it to its end in this process, once no other one holds it."""
        if self.storage:
            use_storage(self.storage)
        run_pipeline(load_config(self.config), self.folder, wait=True)

    def told(self) -> dict[str, Any]:
        """digest: of each file; sums: of the account; failures: uri -> error."""
        if self.storage:
            use_storage(self.storage)
        run = RunFolder(self.folder)
        sums = accounting.total(accounting.account(run))
        failures = {failure["uri"]: failure["error"] for failure in current_failures(run).values()}
        about = {"sums": vars(sums) | {"reasons": dict(sums.reasons)}, "failures": failures}
        return about | {"digest": commands.digest(self.folder)}


@dataclass
class Tally:
    """What happened in scenarios."""

    scenarios: int = 0
    kills: int = 0
    lives: int = 0
    pairs: int = 0


def write_inputs(folder: Path) -> dict[str, Path]:
    """Kind of inputs -> config of a run over them."""
    configs = {}
    for kind, hostile in INPUTS.items():
        photos = folder / kind
        commands.write_pictures(photos, 7, edge=48)
        shutil.copy(photos / "000.png", photos / "copy.png")
        (photos / "broken.jpg").write_bytes(encode(picture(48, 48, 1), "JPEG")[:200])
        for index, name in enumerate(hostile):
            (photos / name).write_bytes(encode(picture(48, 48, 70 + index), "PNG"))
        configs[kind] = folder / f"{kind}.yaml"
        configs[kind].write_text(CONFIG.replace("PHOTOS", str(photos)))
    return configs


def undisturbed(configs: Mapping[str, Path], folder: Path) -> dict[str, dict[str, Any]]:
    """Kind of inputs -> what is told of a run that nobody killed."""
    found = {}
    for kind, config in configs.items():
        place = Place(config, folder / f"whole-{kind}")
        assert live(place.run)
        found[kind] = told_apart(place.told)
    return found


def endure(seed: int, place: Place, expected: Mapping[str, Any], tally: Tally) -> None:
    """One scenario. Raises AssertionError where it ends in anything else than ``expected``."""
    lot = random.Random(seed)
    tally.scenarios += 1
    for number in range(_LIVES + 1):
        death = _death(lot) if number < _LIVES else None
        drivers = [begin(place.run, death)]
        if lot.random() < 0.2:  # another one on the same run, which waits for its turn and takes over
            drivers.append(begin(place.run, _death(lot) if number < _LIVES else None))
            tally.pairs += 1
        ended = [end(pid) for pid in drivers]
        tally.lives += len(ended)
        tally.kills += ended.count(False)
        if any(ended):
            break
    told = told_apart(place.told)
    assert told["failures"] == expected["failures"], f"seed {seed}"
    assert told["digest"] == expected["digest"], f"seed {seed}: {_differing(told['digest'], expected['digest'])}"
    sums = told["sums"]
    assert sums == expected["sums"], f"seed {seed}"
    assert sums["inputs"] == sums["kept"] + sums["stopped"] + sums["failed"], f"seed {seed}: {sums}"


def _death(lot: random.Random) -> Death:
    return Death(change=lot.randint(1, 40)) if lot.random() < 0.75 else Death(after=lot.uniform(0.0, 1.0))


def _differing(found: Mapping[str, str], expected: Mapping[str, str]) -> str:
    return ", ".join(sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name)))


def kind_of(seed: int) -> str:
    """Mostly what dies at once; an endless wait costs ``guard.seconds`` each time."""
    return "slow" if seed % 50 == 24 else "hostile" if seed % 5 == 4 else "plain"


def run_seeds(
    seeds: range, folder: Path, bucket: Callable[[], tuple[Path, Any]], progress: Callable[[Tally], object]
) -> Tally:
    """Scenarios of ``seeds``, every fourth in a bucket. ``bucket``: gives an empty one and how to reach it."""
    configs = write_inputs(folder / "inputs")
    expected, tally = undisturbed(configs, folder), Tally()
    for seed in seeds:
        kind, here = kind_of(seed), folder / f"seed-{seed}"
        away, storage = bucket() if seed % 4 == 3 else (here, None)
        endure(seed, Place(configs[kind], away / "run" if storage else here, storage), expected[kind], tally)
        shutil.rmtree(here, ignore_errors=True)
        progress(tally)
    return tally
