"""``python -m pipeline add RUN CONFIG``: new sources join a finished run.

    run.yaml + sources of CONFIG that it lacks ──> RUN/added/00001.json, run.yaml ──> run_pipeline
                                                                                     (collects what is new only)

What was kept before outranks duplicates among the new rows, which go into shards of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from configs import UserError
from pipeline.config import PipelineConfig, fields_in, load_config, load_run_config
from pipeline.engine import run_config
from pipeline.engine.redecide import open_finished
from pipeline.engine.run import run_pipeline


def add_sources(path: Path, config: Path, overrides: Sequence[str], wait: bool = False) -> None:
    """Add to the run at ``path`` the sources of ``config`` that it does not have yet, and bring it to its end.

    Sources that it has, and all other fields that ``config`` names, must be as in run.yaml, but for those that only
    decide. Does what ``run`` does where nothing is new: an addition that was ended goes on. Raises UserError.
    """
    run = run_config.run_folder(path)
    wanted = run_config.resolve(load_config(config, overrides))
    if not run.config.exists():
        raise UserError(
            f"RUN '{path}': there is no run to add to (no run.yaml); python -m pipeline run {config} {path}"
        )
    there = load_run_config(run.config)
    names = [source.name for source in there.sources]
    new = [source.name for source in wanted.sources if source.name not in names]
    if new:
        open_finished(path, ())  # says how an unfinished one goes on
    joined = _joined(there, wanted, fields_in(config, overrides))
    run_pipeline(joined, path, wait, added=new)


def _joined(there: PipelineConfig, wanted: PipelineConfig, named: Sequence[str]) -> PipelineConfig:
    """``there`` with the fields of ``wanted`` that its file names; sources by name, new ones last."""
    of_wanted = {source.name: source for source in wanted.sources}
    sources = tuple({s.name: of_wanted.get(s.name, s) for s in (*there.sources, *wanted.sources)}.values())
    fields = {name: getattr(wanted, name) for name in named}
    return dataclasses.replace(there, **(fields | {"sources": sources}))
