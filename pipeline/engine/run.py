"""The main loop of the pipeline: list, collect, annotate, dedup, decide, balance, pack, account.

    run ─> check everything ─> lock ─> [list ─> collect ─> annotate ─> write_failures] ─> [decide ─> pack] ─> account
           (exit 2 so far)             once, fragment by fragment on Ray                   seconds, from files

Each step does only what no committed file holds yet: the same command again goes on, or ends at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from configs.files import remove_temporary
from configs.storage.spans import each
from pipeline import cluster
from pipeline.annotators.base import Annotator
from pipeline.config import PipelineConfig
from pipeline.decide import accounting
from pipeline.decide.rules import check_rules
from pipeline.engine import annotate, collect, download, list_sources, run_config
from pipeline.engine.ahead import batches
from pipeline.engine.erase import finish_removals
from pipeline.engine.retry import retry_reasons, write_retries
from pipeline.pack.publish import publish
from pipeline.progress import progress
from pipeline.sources import Source
from pipeline.store.commit import committed
from pipeline.store.failures import write_failures
from pipeline.store.ledger import PART, Fragment, read_fragment
from pipeline.store.lock import run_lock
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import planned_columns
from pipeline.store.timing import timed


def run_pipeline(
    config: PipelineConfig, path: Path, wait: bool = False, retry: str | None = None, added: Sequence[str] = ()
) -> None:
    """Bring the run at ``path`` to its end. Raises UserError before any work, RunFailed in the middle of it.

    ``retry``: reasons of failures separated by commas, or ``all``: what failed for them is tried again.
    ``added``: names of sources that join a finished run.
    """
    reasons = retry_reasons(retry) if retry else frozenset()
    run = run_config.run_folder(path)
    config = run_config.resolve(config)
    annotators = config.annotators()
    run_config.check_files(config, annotators)
    list_sources.check_sources(run, config.sources, again=bool(reasons))
    run_config.check_versions(run, annotators)
    check_rules(config.decide, planned_columns({a.name: a.columns for a in annotators}))
    if config.cluster.address != "local":
        cluster.connect(config.cluster)  # a wrong address is found before anything is written
    with run_lock(run.lock, wait):
        run_config.save_run_config(run, config, added)
        remove_temporary(run.path)
        if reasons:
            write_retries(run, config.sources, reasons, config.fragments)
        fragments = _list_and_collect(run, config)
        _annotate_fragments(run, config, annotators, fragments)
        finish_removals(run, config)
        dataset = publish(run, config)
        print(*accounting.summary(accounting.account(run)), sep="\n")
        print(f"{dataset.path}: {dataset.rows:,} samples, digest {dataset.digest}", flush=True)


def _list_and_collect(run: RunFolder, config: PipelineConfig) -> list[Fragment]:
    """All fragments. Those that are enough for all workers are collected while the next ones are listed; what must be
    downloaded waits for the end of the listing, so that one process does it."""
    sources = {source.name: source for source in config.sources}
    fragments: list[Fragment] = []
    distant: list[Fragment] = []
    done = committed(run.samples("x").parent)
    parts = list_sources.list_parts(run, config.sources, config.fragments)
    with contextlib.closing(batches(parts, PART)) as listed:
        for batch in listed:
            fragments += batch
            near: list[Fragment] = []
            for fragment in (f for f in batch if f.name not in done):
                (distant if _is_distant(run, sources[fragment.source], fragment) else near).append(fragment)
            _read(run, config, near)
    _download(run, config, distant)
    return fragments


def _is_distant(run: RunFolder, source: Source, fragment: Fragment) -> bool:
    """Whether something of the fragment must be downloaded."""
    if source.downloads != "some":
        return source.downloads
    return any(source.urls(entry) for entry in read_fragment(run.ledger(source.name), fragment))


def _read(run: RunFolder, config: PipelineConfig, fragments: Sequence[Fragment]) -> None:
    """samples/F.parquet of fragments that lie where workers can read them."""
    if not fragments:
        return
    with timed(run, "collect"):
        cluster.prepare(len(fragments), config.cluster)
        worker = _collecting(run, config, fragments)
        results = cluster.each(fragments, collect.STEP, collect.Collector, worker, config.cluster, cpus=0.95)
        _follow("collect", fragments, results)


def _download(run: RunFolder, config: PipelineConfig, fragments: Sequence[Fragment]) -> None:
    """By one process for the whole run: there it is counted what a host is asked."""
    if not fragments:
        return
    if not config.downloads.contact:
        print("downloads.contact is not set: whoever runs a site cannot reach you", flush=True)
    waves = download.waves(fragments)
    with timed(run, "collect"):
        cluster.prepare(len(waves), config.cluster)
        *collecting, languages = _collecting(run, config, fragments)
        worker = (*collecting, {s.name: s for s in config.sources}, config.downloads, languages)
        done = cluster.each(waves, "download", download.Downloader, worker, config.cluster, cpus=0.95, workers=1)
        _follow("download", fragments, (fragment for wave in done for fragment in wave.fragments))


def _collecting(run: RunFolder, config: PipelineConfig, fragments: Sequence[Fragment]) -> tuple[Any, ...]:
    """What a Collector of these fragments is made of."""
    sources = {f.source for f in fragments}
    readers = {s.name: s.reader() for s in config.sources if s.name in sources}
    return (run, readers, config.limits, config.guard, config.languages)


def _annotate_fragments(
    run: RunFolder, config: PipelineConfig, annotators: Sequence[Annotator], fragments: Sequence[Fragment]
) -> None:
    """scores/<annotator>/F.parquet for every annotator that can run and fragment that has none; then failures/F."""
    able = _able_annotators(annotators)
    done = [committed(run.scores(annotator.name, "x").parent) for annotator in able]
    left = [f for f in fragments if any(f.name not in names for names in done)]
    if left:
        with timed(run, "annotate"):
            steps = annotate.steps(run, able, config.limits, config.guard)
            cluster.prepare(len(left), config.cluster, max(step.gpus for step in steps))
            work = [annotate.FragmentWork(fragment) for fragment in left]
            _follow("annotate", left, (done.fragment for done in cluster.flow(work, steps, config.cluster)))
    # One that cannot run here any more has told of failures all the same.
    scored = {name: committed(run.scores(name, "x").parent) for name in annotate.names(annotators)}

    def close(fragment: Fragment) -> int:
        order = [name for name, there in scored.items() if fragment.name in there]
        return write_failures(run, fragment.name, order, fragment.attempt)

    for _ in each(close, fragments, run.path):
        pass


def _able_annotators(annotators: Sequence[Annotator]) -> list[Annotator]:
    """Those that can run here; says which columns stay null for the others."""
    able = []
    for annotator in annotators:
        reason = annotator.missing()
        if reason is None:
            able.append(annotator)
        else:
            print(
                f"annotator {annotator.name} is skipped: {reason}; null: {', '.join(column.name for column in annotator.columns)}",
                flush=True,
            )
    return able


def _follow(what: str, fragments: Sequence[Fragment], results: Iterable[Fragment]) -> None:
    with progress(what, sum(f.inputs for f in fragments)) as counter:
        for fragment in results:
            counter.add(fragment.inputs)
