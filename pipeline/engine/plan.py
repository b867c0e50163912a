"""``python -m pipeline plan``: what a run would do, what it has done, what is left. Runs nothing, writes nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from configs.storage.client import before_work
from pipeline.annotators.base import Annotator
from pipeline.config import PipelineConfig
from pipeline.dataset import INDEX
from pipeline.decide.rules import check_rules
from pipeline.engine import list_sources, run_config
from pipeline.engine.annotate import steps
from pipeline.sources import Source
from pipeline.store.commit import committed
from pipeline.store.ledger import Fragment, fragment_name, fragments, is_listed, slices
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import planned_columns


def plan(config: PipelineConfig, path: Path | None) -> str:
    """The plan as text. ``path``: the run, which need not exist; None plans from nothing. Raises UserError."""
    config = run_config.resolve(config)
    run = run_config.run_folder(path) if path else None
    annotators = config.annotators()
    run_config.check_files(config, annotators)
    check_rules(config.decide, planned_columns({a.name: a.columns for a in annotators}))
    if run:
        run_config.check_versions(run, annotators)
        list_sources.check_sources(run, config.sources)
    else:
        for index, source in enumerate(config.sources):
            with before_work(f"field 'sources.{index}':"):
                source.check(f"sources.{index}")
    listed = [_listed(config, i, run) for i in range(len(config.sources))]
    lines = ["sources", *(_source(s, f) for s, f in zip(config.sources, listed, strict=True))]
    lines += ["annotators", *(_annotator(a) for a in annotators)] if annotators else ["annotators: none"]
    lines += ["resources", *_resources(config, annotators)]
    lines += _left(run, annotators, [f for part in listed for f in part])
    return "\n".join(lines)


def _listed(config: PipelineConfig, index: int, run: RunFolder | None) -> list[Fragment]:
    """The fragments of a source: from its ledger, or as listing would make them now."""
    source = config.sources[index]
    if run and is_listed(run.ledger(source.name)):
        return fragments(run.ledger(source.name), source.name)
    cuts = slices(source.entries(f"sources.{index}", lambda line: None), config.fragments)
    return [Fragment(fragment_name(source.name, i), source.name, "", i, len(cut)) for i, cut in enumerate(cuts)]


def _source(source: Source, listed: Sequence[Fragment]) -> str:
    where = getattr(source, "path", None) or getattr(source, "recipe", "")
    inputs = sum(f.inputs for f in listed)
    return f"  {source.name:<14}{source.kind:<8}{inputs:>10,} inputs in {len(listed):,} fragments  {where}"


def _annotator(annotator: Annotator) -> str:
    missing = annotator.missing()
    what = f"skipped, {missing}; null: " if missing else ""
    edge = f"{annotator.thumbnail_edge} px copies"
    sees = {"pixels": "the shared decode", "thumbnail": edge, "bytes": "the file"}[annotator.input]
    names = [column.name for column in (*annotator.columns, *annotator.aside)]
    return f"  {annotator.name:<14}sees {sees:<18}{what}{', '.join(names)}"


def _resources(config: PipelineConfig, annotators: Sequence[Annotator]) -> list[str]:
    cluster, guard = config.cluster, config.guard
    cpus = f"{cluster.cpus or os.cpu_count()} CPUs" if cluster.address == "local" else "its CPUs"
    pools = steps(RunFolder(Path()), annotators, config.limits, guard) if annotators else []
    lines = [f"  cluster '{cluster.address}', {cpus}; annotate: {len(pools)} pools of workers that share them"]
    return [*lines, f"  a picture may take {guard.seconds:g} s and {guard.memory_mb:,} MB before it is given up"]


def _done(run: RunFolder, step: str, listed: Sequence[Fragment]) -> list[Fragment]:
    """Those that ``collect`` or an annotator has committed."""
    names = committed((run.samples("x") if step == "collect" else run.scores(step, "x")).parent)
    return [fragment for fragment in listed if fragment.name in names]


def _left(run: RunFolder | None, annotators: Sequence[Annotator], listed: Sequence[Fragment]) -> list[str]:
    able = [a for a in annotators if a.missing() is None]
    done = {step: _done(run, step, listed) if run else [] for step in ("collect", *(a.name for a in able))}
    total = sum(f.inputs for f in listed)
    lines = ["done and left"]
    for step, there in done.items():
        inputs = sum(f.inputs for f in there)
        lines.append(f"  {step:<14}{inputs:>10,} of {total:,} inputs done, {len(listed) - len(there):,} fragments left")
    packed = run is not None and (run.dataset / INDEX).exists()
    return [*lines, f"  {'dataset':<14}{'there' if packed else 'not there yet'}"]
