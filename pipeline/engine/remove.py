"""``python -m pipeline remove RUN --ids | --uris | --hosts | --licenses FILE``: a takedown.

    what the list names ──parents, references──> all that was made of it ──> tombstones in RUN/removed/ (it holds from here)
    ──> bytes blanked in samples/ ──> shards without the rows ──> receipt

A kill in the middle leaves tombstones without a receipt: ``run``, ``add``, ``pack`` and ``remove`` go on with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from configs import UserError
from pipeline.decide import accounting
from pipeline.engine import takedown
from pipeline.engine.erase import finish_removals
from pipeline.engine.redecide import open_finished
from pipeline.store.lock import run_lock
from pipeline.store.removed import Asked, By, normal, write_tombstones


def remove_rows(path: Path, by: By, file: Path, wait: bool = False) -> None:
    """Take down what the list in ``file``, one a line, names in the run at ``path``. Raises UserError."""
    asked = Asked(by, _read_list(by, file))
    run, config = open_finished(path, ())
    with run_lock(run.lock, wait):
        finish_removals(run, config)  # one that was ended
        rows = takedown.find(run, asked)
        if not rows:
            print(f"no input has one of these {by} now; what comes later with one of them is refused", flush=True)
        write_tombstones(run, asked, rows)
        finish_removals(run, config)
        print(*accounting.summary(accounting.account(run)), sep="\n")


def _read_list(by: By, file: Path) -> frozenset[str]:
    try:
        lines: Sequence[str] = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise UserError(f"--{by} '{file}': cannot be read: {reason}") from None
    found = frozenset(normal(by, line.strip()) for line in lines if line.strip())
    if not found:
        raise UserError(f"--{by} '{file}': names nothing; expected one of the {by} to remove a line")
    return found
