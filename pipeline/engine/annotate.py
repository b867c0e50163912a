"""Annotate: look at the pictures of a fragment and commit scores/<annotator>/F.parquet for each annotator.

    samples/F ─> PixelWorker: decode once ──> every annotator that wants pixels ──> scores/measure/F ...
                      └ small copies ─> ModelWorker: an annotator that wants them ──> scores/nsfw/F
                 ModelWorker: an annotator that decodes for itself ──> scores/ocr/F

Each box is a pool of workers, all at work at the same time on different fragments; only the small
copies travel between them. Batches are formed inside a fragment, from its rows alone. What a picture
broke in an earlier box is not shown it again in a later one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from configs import RunFailed
from pipeline import schema
from pipeline.annotators.base import Annotator, Picture
from pipeline.cluster import Step
from pipeline.engine.annotate_jobs import DecodeResult, LookJob, ScoreJob, known
from pipeline.parquet import read_table
from pipeline.sandbox.guard import Failed, Guard, GuardConfig
from pipeline.store.commit import read_failures, to_table, write_table
from pipeline.store.failures import Failure
from pipeline.store.run_folder import RunFolder

if TYPE_CHECKING:
    from configs.pictures import Limits

DECODE = "decode"
"""The name in failures/ of what all annotators share: the decode, and a crash of whatever looked at the pixels."""

HOPELESS = 8
"""Rows of a fragment from which on an annotator that fails on every one of them stops the run (ours)."""

Rows = list[dict[str, Any]]


def steps(run: RunFolder, annotators: Sequence[Annotator], limits: Limits, guard: GuardConfig) -> list[Step]:
    """The pools of the annotate step, sharing the CPUs evenly: whichever has work gets them from the kernel."""
    pixel = [a for a in annotators if a.wants == "pixels"]
    small = [a for a in annotators if a.wants == "small"]
    rest = [a for a in annotators if a.wants == "bytes"]
    before = tuple(a.name for a in pixel)
    pools: list[tuple[Any, tuple[Any, ...]]] = (
        [(PixelWorker, (run, pixel, small, limits, guard))] if pixel or small else []
    )
    pools += [(ModelWorker, (run, a, before, a is small[-1], guard)) for a in small]
    pools += [(ModelWorker, (run, a, before, True, guard)) for a in rest]
    return [Step(worker, args, cpus=round(0.95 / len(pools), 3)) for worker, args in pools]


class PixelWorker:
    """A worker: the shared decode of a fragment."""

    def __init__(
        self, run: RunFolder, pixel: Sequence[Annotator], small: Sequence[Annotator], limits: Limits, guard: GuardConfig
    ) -> None:
        self._run, self._pixel, self._small = run, pixel, small
        self._limits, self._config = limits, guard
        self._guards: dict[tuple[str, ...], Guard] = {}

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        name = item["fragment"].name
        pixel = self._pixel if self._left(self._pixel, name) else ()
        small = self._left(self._small, name)
        if not pixel and not small:
            return item
        rows = read_rows(self._run, name)
        seen = rows if pixel else [row for row in rows if any(a.applies_to(known(row)) for a in small)]
        looks = list(self._guard(pixel, small).map(seen))
        failures = [f for row, look in zip(seen, looks, strict=True) if (f := _broken(row, look))]
        for annotator in pixel:
            _stop_when_hopeless(annotator, name, len(rows), failures)
            scores = [look.scores.get(annotator.name) if isinstance(look, DecodeResult) else None for look in looks]
            commit_scores(self._run, annotator, name, rows, scores, failures)
        if not small:
            return item
        copies = {
            row["id"]: look.small for row, look in zip(seen, looks, strict=True) if isinstance(look, DecodeResult)
        }
        return {**item, "small": copies, "broken": failures}

    def _left(self, annotators: Sequence[Annotator], fragment: str) -> list[Annotator]:
        return [a for a in annotators if not self._run.scores(a.name, fragment).exists()]

    def _guard(self, pixel: Sequence[Annotator], small: Sequence[Annotator]) -> Guard:
        """A resumed fragment may want only some of the work: its child does no more than that."""
        key = tuple(a.name for a in (*pixel, *small))
        if key not in self._guards:
            self._guards[key] = Guard(LookJob(pixel, small, self._limits), self._config)
        return self._guards[key]


class ModelWorker:
    """A worker: one annotator that wants small copies, or the bytes."""

    def __init__(
        self, run: RunFolder, annotator: Annotator, before: Sequence[str], last: bool, guard: GuardConfig
    ) -> None:
        self._run, self._annotator, self._before, self._last = run, annotator, before, last
        self._guard = Guard(ScoreJob(annotator), guard)

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        name = item["fragment"].name
        if self._run.scores(self._annotator.name, name).exists():
            return self._rest(item)
        rows = read_rows(self._run, name, self._annotator.nested)
        broken, failures = self._earlier(name, item)
        pictures = {i: p for i, row in enumerate(rows) if row["id"] not in broken and (p := self._picture(row, item))}
        results = dict(
            zip(pictures, self._guard.map(list(pictures.values()), self._annotator.batch_widths), strict=True)
        )
        own = [_failure(rows[i], self._annotator.name, r.error) for i, r in results.items() if isinstance(r, Failed)]
        _stop_when_hopeless(self._annotator, name, len(pictures), own)
        scores = [None if isinstance(r := results.get(i), Failed) else r for i in range(len(rows))]
        commit_scores(self._run, self._annotator, name, rows, scores, [*failures, *own], broken)
        return self._rest(item)

    def _rest(self, item: dict[str, Any]) -> dict[str, Any]:
        """What travels on: small copies only as far as somebody wants them."""
        return {"fragment": item["fragment"]} if self._last else item

    def _earlier(self, name: str, item: Mapping[str, Any]) -> tuple[set[str], list[Failure]]:
        """Ids that broke earlier, and those failures that no committed file holds yet."""
        committed = {f["id"] for b in self._before for f in read_failures(self._run.scores(b, name))}
        broken = item.get("broken", []) if self._annotator.wants == "small" else []
        fresh = [f for f in broken if f["id"] not in committed]
        return committed | {f["id"] for f in fresh}, fresh

    def _picture(self, row: Mapping[str, Any], item: Mapping[str, Any]) -> Picture | None:
        """What the annotator gets to see of the row; None when it does not apply."""
        about = known(row)
        if not self._annotator.applies_to(about):
            return None
        if self._annotator.wants == "bytes":
            return Picture({**about, **{name: row[name] for name in ("image", *self._annotator.nested)}})
        edge = self._annotator.small_edge
        return Picture(about, small={edge: item["small"][row["id"]][edge]})


def read_rows(run: RunFolder, fragment: str, nested: Sequence[str] = ()) -> Rows:
    """The samples of a fragment, without the nested columns that nobody asked for."""
    columns = [c for c in schema.COLLECTED if c in ("image", *nested) or c not in schema.NESTED]
    return read_table(run.samples(fragment), columns=columns).to_pylist()


def commit_scores(
    run: RunFolder,
    annotator: Annotator,
    fragment: str,
    rows: Rows,
    scores: Sequence[dict[str, Any] | None],
    failures: list[Failure],
    broken: set[str] = frozenset(),  # type: ignore[assignment]
) -> None:
    """Write the score file of a fragment: one row per sample, with the state that explains every null."""
    failed = {f["id"] for f in failures} | broken
    state = schema.state_column(annotator.name)
    table = [
        {"id": row["id"], state: _state(row, score, failed), **(score or {})}
        for row, score in zip(rows, scores, strict=True)
    ]
    arrow = schema.arrow(["id", *annotator.columns], [annotator.name])
    write_table(run.scores(annotator.name, fragment), to_table(table, arrow), failures, version=annotator.version)


def _state(row: Mapping[str, Any], score: dict[str, Any] | None, failed: set[str]) -> str:
    if row["id"] in failed:
        return "failed"
    return "not_applicable" if score is None else "ok"


def _broken(row: Mapping[str, Any], look: DecodeResult | Failed) -> Failure | None:
    if isinstance(look, Failed):
        return _failure(row, DECODE, look.error)
    return _failure(row, *look.broken) if look.broken else None


def _failure(row: Mapping[str, Any], step: str, error: str) -> Failure:
    return {"id": row["id"], "uri": row["uri"], "step": step, "error": error}


def _stop_when_hopeless(annotator: Annotator, fragment: str, rows: int, failures: Sequence[Failure]) -> None:
    """An annotator that fails on everything is broken itself; committing that would be for ever."""
    own = [f for f in failures if f["step"] == annotator.name]
    if len(own) == rows >= HOPELESS:
        raise RunFailed(
            f"annotator {annotator.name} failed on all {rows} pictures of {fragment}: {own[0]['error']}; nothing of it "
            "was written, committed fragments are safe; the same command goes on when it is repaired"
        )


def names(annotators: Sequence[Annotator]) -> Iterator[str]:
    """Annotators in the order in which failures are told: the shared decode first."""
    order = {"pixels": 0, "small": 1, "bytes": 2}
    yield from (a.name for a in sorted(annotators, key=lambda a: order[a.wants]))
