"""The last part of the page: where everything of a run lies, and what one would type next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from configs.storage import ObjectPath

_KNOWN = (
    ("run.yaml", "the resolved config"),
    ("ledger", "every input, written when it was listed"),
    ("samples", "bytes and identity of readable inputs"),
    ("scores", "what annotators measured and read"),
    ("failures", "inputs that could not be read or judged, with the error"),
    ("decisions", "stages, reasons, duplicates, repeats"),
    ("dataset", "the shards, their manifest and data card"),
    ("train", "checkpoints, metrics and samples of the training"),
    ("train/export", "the trained model as a diffusers folder"),
    ("summary.json", "the figures of the quickstart"),
)


@dataclass(frozen=True)
class Listed:
    """A file or folder of the run and the bytes in it."""

    name: str
    what: str
    size: int


def list_files(run: Path) -> list[Listed]:
    """What of ``_KNOWN`` is there."""
    return [Listed(name, what, _size(run / name)) for name, what in _KNOWN if (run / name).exists()]


def next_commands(run: Path) -> list[str]:
    """Commands that make sense with what is there."""
    folder = shlex.quote(str(run))
    dataset = shlex.quote(str(run / "dataset"))
    commands = [f"python -m pipeline decide {folder} --dry-run --set ...   # other thresholds: what would change"]
    if (run / "dataset").is_dir():
        commands.append(f"python -m pipeline inspect {dataset} --where \"text_level >= 3 and text_language == 'zh'\"")
        if not (run / "train").is_dir():
            train = shlex.quote(str(Path("runs", run.name) if isinstance(run, ObjectPath) else run / "train"))
            commands.append(f"python -m trainer fit configs/train/quickstart.yaml {train} --data {dataset}")
    if (run / "train" / "export").is_dir():
        export = shlex.quote(str(run / "train" / "export"))
        commands.append(f"python -m model sample {export} --prompt 'The text \"A\".' --out sample.png")
    return commands


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
