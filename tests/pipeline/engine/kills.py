"""An addition that is killed before any of its changes to the disk: ``python -m tests.pipeline.engine.kills RUN CONFIG SCRATCH [every]``.

Each life is a fork of this process (tests/pipeline/chaos/lives.py). It ends, without a word to anybody, before it links,
renames or removes a file for the n-th time. Without ``every``, each life goes on
where the last one ended, one change further than that one came; with it, each starts from RUN and another one brings
it to its end. Prints, as JSON, the number of kills and the digests that differ from those of an addition that nobody
killed.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from pipeline.engine.add import add_sources
from tests.pipeline import commands
from tests.pipeline.chaos.lives import Death, live


def main(run: str, config: str, scratch: str, how: str = "chained") -> None:
    whole, killed = Path(scratch) / "whole", Path(scratch) / "killed"
    shutil.copytree(run, whole)
    assert life(whole, config, None)
    expected, kills, wrong = commands.digest(whole), 0, []
    for number in range(1, 1000):
        if how == "every" or number == 1:
            shutil.rmtree(killed, ignore_errors=True)
            shutil.copytree(run, killed)
        ended = life(killed, config, number)
        kills += not ended
        if how == "every" and not ended:
            assert life(killed, config, None), f"change {number}"
        if (how == "every" or ended) and commands.digest(killed) != expected:
            wrong.append(number)
        if ended:
            break
    print(json.dumps({"kills": kills, "wrong": wrong}))


def life(run: Path, config: str, end_before: int | None) -> bool:
    """Whether an addition came to its end; it dies before its change ``end_before``."""
    return live(lambda: add_sources(run, Path(config), ()), Death(change=end_before) if end_before else None)


if __name__ == "__main__":
    main(*sys.argv[1:])
