"""Several trainings one after the other in the processes of one launch: ``python -m tests.trainer.parallel.run_fits JOBS.json``.

JOBS: a list of {"config", "set", "out", "data"}. One launch costs a dozen seconds, a small training a few.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from configs import command, load
from trainer.config import FitConfig
from trainer.fit import fit


def main(argv: list[str]) -> None:
    for job in json.loads(Path(argv[0]).read_text()):
        fit(load(job["config"], FitConfig, job["set"]), Path(job["out"]), Path(job["data"]))


if __name__ == "__main__":
    sys.exit(command(main))
