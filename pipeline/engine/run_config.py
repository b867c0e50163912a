"""What a run was started with, and whether it may go on with what is asked now.

The first command fixes sources, limits, fragments and annotators, because committed fragments were made with them
(``FROZEN_FIELDS``). Everything else is a function of committed files and may change.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

import configs
from configs import UserError
from configs.files import replace_text
from configs.storage import ObjectPath, location
from configs.storage.client import before_work
from pipeline.annotators import check
from pipeline.annotators.base import Annotator, AnnotatorConfig
from pipeline.cluster import in_job
from pipeline.config import FROZEN_FIELDS, PipelineConfig, load_run_config
from pipeline.sources import Source
from pipeline.store.additions import write_addition
from pipeline.store.commit import metadata
from pipeline.store.run_folder import RunFolder

MISSING = "nothing"

_FREE = ("required", "gpus", "server", "key_file", "connections", "timeout_s", "budget_tokens")
"""Settings of annotators that say how scores are computed, not what they are: they may change in a run."""


def resolve(config: PipelineConfig) -> PipelineConfig:
    """The config with absolute paths, so that it means the same wherever it is read again.

    Raises UserError for a relative path inside a Ray job: its working directory is a throw-away copy.
    """
    sources = tuple(_absolute(source, f"sources.{i}") for i, source in enumerate(config.sources))
    downloads = config.downloads
    if downloads.previous:
        check_absolute(downloads.previous, "field 'downloads.previous'")
        previous = location(downloads.previous)
        downloads = dataclasses.replace(
            downloads, previous=str(previous) if isinstance(previous, ObjectPath) else os.path.abspath(previous)
        )
    decontaminate = dataclasses.replace(
        config.decontaminate,
        prompts=tuple(_absolute_path(p, "field 'decontaminate.prompts'") for p in config.decontaminate.prompts),
        pictures=tuple(_absolute_path(p, "field 'decontaminate.pictures'") for p in config.decontaminate.pictures),
    )
    annotate = tuple(_absolute_annotator(entry, f"annotate.{i}") for i, entry in enumerate(config.annotate))
    return dataclasses.replace(
        config, sources=sources, downloads=downloads, decontaminate=decontaminate, annotate=annotate
    )


def check_files(config: PipelineConfig, annotators: Sequence[Annotator]) -> None:
    """Raise UserError where a file or folder that a run begins with is not there, or a required annotator cannot run.
    ``annotators``: those of ``config``."""
    previous = config.downloads.previous
    if previous and not location(previous).is_dir():
        raise UserError(f"field 'downloads.previous': expected the folder of a run, found '{previous}'")
    check(config.annotate, annotators)
    config.decontaminate.check()


def _absolute_path(path: str, what: str) -> str:
    check_absolute(path, what)
    return os.path.abspath(path)


def run_folder(path: Path) -> RunFolder:
    """The run at ``path``, absolute. Raises UserError for a relative path inside a Ray job, or a file."""
    path = location(path)
    check_absolute(str(path), "RUN")
    if isinstance(path, ObjectPath):
        with before_work("RUN"):
            path.is_dir()  # whether the bucket is there and lets us in
        return RunFolder(path)
    if path.exists() and not path.is_dir():
        raise UserError(f"RUN '{path}': expected a folder, found a file")
    return RunFolder(path.absolute())


def check_absolute(path: str, what: str) -> None:
    """Raise UserError when a path would point into the throw-away working directory of a Ray job."""
    if in_job() and not os.path.isabs(path) and "://" not in path:
        raise UserError(
            f"{what} '{path}': inside a Ray job the working directory is a throw-away copy; "
            "expected an absolute path or a URL"
        )


def save_run_config(run: RunFolder, config: PipelineConfig, added: Sequence[str] = ()) -> None:
    """Write run.yaml, or check that ``config`` agrees with it in all frozen fields. Raises UserError.

    ``added``: names of sources that join those of run.yaml, behind them.
    """
    plain = configs.to_plain(config)
    if run.config.exists():
        before = configs.to_plain(resolve(load_run_config(run.config)))
        refuse_changes(run, before, plain | {"sources": [s for s in plain["sources"] if s["name"] not in added]})
        if before == plain:
            return
        if added:
            write_addition(run, added, [source["name"] for source in before["sources"]])
    run.path.mkdir(parents=True, exist_ok=True)
    replace_text(run.config, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120))


def refuse_changes(run: RunFolder, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise UserError naming the first frozen field in which two plain configs differ; annotators may be added."""
    for name in FROZEN_FIELDS:
        compare = _annotator_differences if name == "annotate" else _differences
        for path, old, new in compare(before.get(name), now.get(name), name):
            raise UserError(
                f"field '{path}': {run.path} was started with {_show(old)}, found {_show(new)}; what is collected and "
                f"scored there does not change: take a new RUN folder, or put {_show(old)} back: "
                f"{run.config} holds what the run goes by, and can be the CONFIG"
            )


def _annotator_differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """As ``_differences``, of the entries of ``annotate``: their order and ``_FREE`` settings are free, and those that
    were added only add files."""
    places = {entry["kind"]: index for index, entry in enumerate(new)}
    for entry in old:
        kind = entry["kind"]
        if kind not in places:
            yield path, entry, MISSING
        else:
            free = dict.fromkeys(_FREE)
            yield from _differences(entry | free, new[places[kind]] | free, f"{path}.{places[kind]}")


def check_versions(run: RunFolder, annotators: Sequence[Annotator]) -> None:
    """Raise UserError when scores of this run were computed by another version of an annotator."""
    for annotator in annotators:
        if annotator.missing():  # it scores nothing, and without its weights it cannot say its version
            continue
        folder = run.scores(annotator.name, "x").parent
        first = next(iter(sorted(folder.glob("*.parquet"))), None) if folder.is_dir() else None
        found = metadata(first).get(b"glyphmill.version", b"").decode() if first else annotator.version
        if found != annotator.version:
            raise UserError(
                f"annotator {annotator.name}: {folder} holds scores of version {found}, this installation computes "
                f"version {annotator.version}; take a new RUN folder, or delete {folder} to score again"
            )


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """(path, old, new) of every leaf in which two trees of plain data differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from _differences(old.get(key, MISSING), new.get(key, MISSING), f"{path}.{key}")
    elif isinstance(old, list) and isinstance(new, list):
        for i in range(max(len(old), len(new))):
            pair = [side[i] if i < len(side) else MISSING for side in (old, new)]
            yield from _differences(pair[0], pair[1], f"{path}.{i}")
    elif old != new:
        yield path, old, new


def _absolute(source: Source, where: str) -> Any:
    for name in source.paths:
        if path := getattr(source, name):
            check_absolute(path, f"field '{where}.{name}'")
    return source.absolute()


def _absolute_annotator(entry: AnnotatorConfig, where: str) -> Any:
    for name in entry.files:
        if path := getattr(entry, name):
            check_absolute(path, f"field '{where}.{name}'")
    return entry.absolute()


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
