"""Annotate: look at the pictures of a fragment and commit scores/<annotator>/F.parquet for each annotator.

    samples/F ─> PixelWorker: decode once ──> every annotator that wants pixels ──> scores/measure/F ...
                      └ thumbnails ─> ModelWorker: an annotator of thumbnails ──> scores/nsfw/F
                 ModelWorker: an annotator that decodes for itself ──> scores/ocr/F

Each box is a pool of workers, all at work at the same time on different fragments; between them travels
``FragmentWork``. Batches are formed inside a fragment, from its rows alone. A picture that failed in one
pool is skipped by the later ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from configs import RunFailed
from pipeline import schema
from pipeline.annotators.base import Annotator, Picture
from pipeline.cluster import Step
from pipeline.engine.annotate_jobs import DecodeJob, DecodeResult, ModelJob, known
from pipeline.parquet import read_table
from pipeline.sandbox.guard import SMALL, TOGETHER, Failed, Guard, GuardConfig
from pipeline.store.commit import read_failures, to_table, write_table
from pipeline.store.failures import Failure
from pipeline.store.ledger import Fragment
from pipeline.store.removed import read_removals
from pipeline.store.run_folder import RunFolder

if TYPE_CHECKING:
    import numpy as np

    from configs.pictures import Limits

_DECODE = "decode"
"""The name in failures/ of what all annotators share: the decode, and a crash of whatever looked at the pixels."""

HOPELESS = 8
"""An annotator that fails on every row of a fragment with at least so many stops the run. Chosen."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class FragmentWork:
    """A fragment on its way through the pools. ``thumbnails``: id of the sample -> edge in px -> uint8
    (edge, edge, 3). ``failures``: of the shared decode, not committed yet where no annotator of pixels runs."""

    fragment: Fragment
    thumbnails: Mapping[str, Mapping[int, np.ndarray]] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()

    @property
    def name(self) -> str:
        return self.fragment.name


def steps(run: RunFolder, annotators: Sequence[Annotator], limits: Limits, guard: GuardConfig) -> list[Step]:
    """The pools of the annotate step, sharing the CPUs evenly: whichever has work gets them from the kernel."""
    pixel = [a for a in annotators if a.input == "pixels"]
    thumbnail = [a for a in annotators if a.input == "thumbnail"]
    rest = [a for a in annotators if a.input == "bytes"]
    before = tuple(a.name for a in pixel)
    pools: list[tuple[str, Any, tuple[Any, ...], float]] = (
        [(_DECODE, PixelWorker, (run, pixel, thumbnail, limits, guard), 0.0)] if pixel or thumbnail else []
    )
    pools += [(a.name, ModelWorker, (run, a, before, a is thumbnail[-1], guard), a.gpus) for a in thumbnail]
    pools += [(a.name, ModelWorker, (run, a, before, True, guard), a.gpus) for a in rest]
    return [Step(name, worker, args, round(0.95 / len(pools), 3), gpus) for name, worker, args, gpus in pools]


class PixelWorker:
    """A worker: the shared decode of a fragment."""

    def __init__(
        self,
        run: RunFolder,
        pixel: Sequence[Annotator],
        thumbnail: Sequence[Annotator],
        limits: Limits,
        guard: GuardConfig,
    ) -> None:
        self._run, self._pixel, self._thumbnail = run, pixel, thumbnail
        self._limits, self._config = limits, guard
        self._guards: dict[tuple[str, ...], Guard] = {}
        self._gone = read_removals(run).ids

    def __call__(self, work: FragmentWork) -> FragmentWork:
        name = work.name
        pixel = self._pixel if self._left(self._pixel, name) else ()
        thumbnail = self._left(self._thumbnail, name)
        if not pixel and not thumbnail:
            return work
        rows = _read_rows(self._run, name, (*_SCALARS, "image"))
        there = [row for row in rows if row["id"] not in self._gone]  # a takedown blanked the others
        seen = there if pixel else [row for row in there if any(a.applies_to(known(row)) for a in thumbnail)]
        large = [place for place, row in enumerate(seen) if row["bytes_len"] > SMALL]
        looked = self._guard(pixel, thumbnail).map(seen, (TOGETHER,), large)
        results = {row["id"]: result for row, result in zip(seen, looked, strict=True)}
        failures = [f for row in seen if (f := _broken(row, results[row["id"]]))]
        for annotator in pixel:
            _stop_when_hopeless(annotator, name, len(seen), failures)
            each = [results.get(row["id"]) for row in rows]
            scores = [r.scores.get(annotator.name) if isinstance(r, DecodeResult) else None for r in each]
            commit_scores(self._run, annotator, name, rows, scores, failures)
        if not thumbnail:
            return work
        thumbnails = {id_: r.thumbnails for id_, r in results.items() if isinstance(r, DecodeResult)}
        return replace(work, thumbnails=thumbnails, failures=tuple(failures))

    def close(self) -> None:
        """End the children."""
        for guard in self._guards.values():
            guard.close()

    def _left(self, annotators: Sequence[Annotator], fragment: str) -> list[Annotator]:
        return [a for a in annotators if not self._run.scores(a.name, fragment).exists()]

    def _guard(self, pixel: Sequence[Annotator], thumbnail: Sequence[Annotator]) -> Guard:
        """A child for just these annotators: a resumed fragment may need only some of them."""
        key = tuple(a.name for a in (*pixel, *thumbnail))
        if key not in self._guards:
            self._guards[key] = Guard(DecodeJob(pixel, thumbnail, self._limits), self._config)
        return self._guards[key]


class ModelWorker:
    """A worker: one annotator of thumbnails, or of bytes."""

    def __init__(
        self, run: RunFolder, annotator: Annotator, before: Sequence[str], last: bool, guard: GuardConfig
    ) -> None:
        self._run, self._annotator, self._before, self._last = run, annotator, before, last
        self._guard = Guard(ModelJob(annotator), guard)
        self._gone = read_removals(run).ids

    def __call__(self, work: FragmentWork) -> FragmentWork:
        name = work.name
        if self._run.scores(self._annotator.name, name).exists():
            return self._rest(work)
        rows = _read_rows(self._run, name)
        broken, failures = self._earlier(work)
        pictures = self._pictures(rows, broken, work)
        results = dict(
            zip(pictures, self._guard.map(list(pictures.values()), self._annotator.batch_widths), strict=True)
        )
        own = [_own_failure(rows[i], self._annotator, r) for i, r in results.items() if isinstance(r, Failed)]
        _stop_when_hopeless(self._annotator, name, len(pictures), own)
        scores = [None if isinstance(r := results.get(i), Failed) else r for i in range(len(rows))]
        commit_scores(self._run, self._annotator, name, rows, scores, [*failures, *own], broken)
        return self._rest(work)

    def close(self) -> None:
        """End the child."""
        self._guard.close()

    def _rest(self, work: FragmentWork) -> FragmentWork:
        """What travels on: thumbnails only as far as a later pool uses them."""
        return FragmentWork(work.fragment) if self._last else work

    def _earlier(self, work: FragmentWork) -> tuple[set[str], list[Failure]]:
        """Ids that failed earlier, and those failures that no committed file holds yet."""
        committed = {f["id"] for b in self._before for f in read_failures(self._run.scores(b, work.name))}
        broken = work.failures if self._annotator.input == "thumbnail" else ()
        fresh = [f for f in broken if f["id"] not in committed]
        return committed | {f["id"] for f in fresh}, fresh

    def _pictures(self, rows: Rows, broken: set[str], work: FragmentWork) -> dict[int, Picture]:
        """What the annotator gets to see, by the number of the row: not what it does not apply to, nor what was broken
        or taken down."""
        left_out = broken | self._gone
        about = {i: known(row) for i, row in enumerate(rows) if row["id"] not in left_out}
        about = {i: row for i, row in about.items() if self._annotator.applies_to(row)}
        if self._annotator.input == "thumbnail":
            edge = self._annotator.thumbnail_edge
            return {i: Picture(row, thumbnails={edge: work.thumbnails[row["id"]][edge]}) for i, row in about.items()}
        large = _read_rows(self._run, work.name, ("image", *self._annotator.nested), list(about)) if about else []
        return {i: Picture({**row, **more}) for (i, row), more in zip(about.items(), large, strict=True)}


_SCALARS = tuple(c for c in schema.COLLECTED if c not in schema.NESTED)


def _read_rows(
    run: RunFolder, fragment: str, columns: Sequence[str] = _SCALARS, places: Sequence[int] | None = None
) -> Rows:
    """``columns`` of the samples of a fragment, of all or of those at ``places``."""
    table = read_table(run.samples(fragment), columns=list(columns))
    if places is None:
        return table.to_pylist()
    return [row for place in places for row in table.slice(place, 1).to_pylist()]  # take() fails above 2 GiB


def commit_scores(
    run: RunFolder,
    annotator: Annotator,
    fragment: str,
    rows: Rows,
    scores: Sequence[dict[str, Any] | None],
    failures: list[Failure],
    broken: set[str] = frozenset(),  # type: ignore[assignment]
) -> None:
    """Write the score file of a fragment: one row per sample, with the state that explains every null.

    What is kept aside is written before it: a fragment counts as scored from then on.
    """
    failed = {f["id"] for f in failures} | broken
    state = schema.state_column(annotator.name)
    aside = [column.name for column in annotator.aside]
    table = [
        {"id": row["id"], state: _state(row, score, failed), **_without(score or {}, aside)}
        for row, score in zip(rows, scores, strict=True)
    ]
    kept = [{"id": row["id"], **{n: (s or {}).get(n) for n in aside}} for row, s in zip(rows, scores, strict=True)]
    try:
        committed = to_table(table, schema.arrow(["id", *annotator.columns], [annotator.name]))
        beside = to_table(kept, schema.arrow(["id", *annotator.aside]))
    except (KeyError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise RunFailed(
            f"annotator {annotator.name}: what it gave for {fragment} does not fit its columns: {error.args[0]}; "
            "nothing of it was written, committed fragments are safe; the same command goes on when it is repaired"
        ) from None
    if aside:  # there may be one of scores that were deleted so that the pictures are scored again
        run.embeddings(annotator.name, fragment).unlink(missing_ok=True)
        write_table(run.embeddings(annotator.name, fragment), beside, [], version=annotator.version)
    write_table(run.scores(annotator.name, fragment), committed, failures, version=annotator.version)


def _without(score: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in score.items() if name not in names}


def _state(row: Mapping[str, Any], score: dict[str, Any] | None, failed: set[str]) -> str:
    if row["id"] in failed:
        return "failed"
    return "not_applicable" if score is None else "ok"


def _broken(row: Mapping[str, Any], result: DecodeResult | Failed) -> Failure | None:
    if isinstance(result, Failed):
        return _failure(row, _DECODE, result.error, result.reason)
    return _failure(row, *result.broken, "annotator") if result.broken else None


def _own_failure(row: Mapping[str, Any], annotator: Annotator, failed: Failed) -> Failure:
    return _failure(row, annotator.name, failed.error, "annotator" if failed.reason == "error" else failed.reason)


def _failure(row: Mapping[str, Any], step: str, error: str, reason: str) -> Failure:
    return {"id": row["id"], "uri": row["uri"], "step": step, "error": error, "reason": reason}


def _stop_when_hopeless(annotator: Annotator, fragment: str, rows: int, failures: Sequence[Failure]) -> None:
    """An annotator that fails on everything is broken itself, and what is committed is never computed again."""
    own = [f for f in failures if f["step"] == annotator.name]
    if len(own) == rows >= HOPELESS:
        raise RunFailed(
            f"annotator {annotator.name} failed on all {rows} pictures of {fragment}: {own[0]['error']}; nothing of it "
            "was written, committed fragments are safe; the same command goes on when it is repaired"
        )


def names(annotators: Sequence[Annotator]) -> Iterator[str]:
    """Names in the order in which annotators see a picture: of several failures the first one counts."""
    order = {"pixels": 0, "thumbnail": 1, "bytes": 2}
    yield from (a.name for a in sorted(annotators, key=lambda a: order[a.input]))
