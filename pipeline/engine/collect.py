"""Collect: read (or render) the inputs of one fragment, once, into samples/F.parquet.

ledger rows ──guarded child: source.read──> rows of schema.COLLECTED + failures ──> one file
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from configs import RunFailed
from pipeline import schema
from pipeline.sandbox.child import failed
from pipeline.sandbox.guard import SMALL, TOGETHER, Failed, Guard, GuardConfig
from pipeline.sources import Reader
from pipeline.store.commit import to_table, write_table
from pipeline.store.failures import REMOVED
from pipeline.store.ledger import Fragment, read_fragment
from pipeline.store.removed import read_removals
from pipeline.store.run_folder import RunFolder
from pipeline.tokens import LATIN, finish_captions

if TYPE_CHECKING:
    from configs.pictures import Limits

STEP = "collect"
"""The name of this step in failures/."""


@dataclass
class ReadJob:
    """Reads ledger rows in the child."""

    reader: Reader
    limits: Limits
    languages: Sequence[str]

    def setup(self) -> None:
        self.reader.setup()

    def run(self, items: list[dict[str, Any]]) -> list[dict[str, Any] | Failed]:
        return [self._one(entry) for entry in items]

    def _one(self, entry: dict[str, Any]) -> dict[str, Any] | Failed:
        try:
            row = self.reader.read(entry, self.limits)
            row |= {"id": entry["id"], "source": entry["source"], "uri": entry["uri"]}
            return row | finish_captions(row.get("captions") or (), self.languages)
        except RunFailed:
            raise
        except Exception as error:  # its neighbors need not be read again for it
            return failed(error)


class Collector:
    """A worker: turns a fragment of the ledger into its samples file. One child per source. ``languages``: those that
    captions in Latin letters are told apart as."""

    def __init__(
        self,
        run: RunFolder,
        readers: dict[str, Reader],
        limits: Limits,
        guard: GuardConfig,
        languages: Sequence[str] = LATIN,
    ) -> None:
        self._run = run
        self._removals = read_removals(run)
        self._guards = {name: Guard(ReadJob(reader, limits, languages), guard) for name, reader in readers.items()}

    def __call__(self, fragment: Fragment) -> Fragment:
        if not self._run.samples(fragment.name).exists():
            entries = read_fragment(self._run.ledger(fragment.source), fragment)
            self.commit(fragment, entries, entries)
        return fragment

    def commit(
        self, fragment: Fragment, entries: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write the samples of a fragment. ``entries``: its ledger rows; ``items``: the same as its reader wants them,
        asked for one by one."""
        rows, failures = self._read(fragment.source, entries, items)
        write_table(self._run.samples(fragment.name), to_table(rows, schema.arrow(schema.COLLECTED)), failures)

    def close(self) -> None:
        """End the children."""
        for guard in self._guards.values():
            guard.close()

    def _read(
        self, source: str, entries: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]]
    ) -> tuple[list[Any], list[dict[str, str]]]:
        rows, failures = [], []
        for entry, result in zip(entries, self._results(source, entries, items), strict=True):
            if isinstance(result, Failed):
                about = {"step": STEP, "error": result.error, "reason": result.reason}
                failures.append({"id": entry["id"], "uri": entry["uri"], **about})
            else:
                rows.append(result)
        return rows, failures

    def _results(
        self, source: str, entries: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]]
    ) -> Iterator[Any]:
        """What the reader makes of each entry; what was taken down is not read, or let go once its license is known."""
        refused = [self._removals.refuse(entry) for entry in entries]
        allowed = [index for index, why in enumerate(refused) if not why]
        large = [place for place, index in enumerate(allowed) if (entries[index]["bytes"] or 0) > SMALL]
        read = iter(self._guards[source].map(_Chosen(items, allowed), (TOGETHER,), large))
        for item, why in enumerate(refused):
            result = Failed(why, REMOVED) if why else next(read)
            if self._removals.asked and not isinstance(result, Failed):
                led_to = [d["final_url"] for d in items[item].get("downloads", ()) if d["final_url"]]
                late = self._removals.refuse(result, led_to)
                result = Failed(late, REMOVED) if late else result
            yield result


@dataclass(frozen=True)
class _Chosen(Sequence[Mapping[str, Any]]):
    """Some of ``items``, each asked for when it is needed."""

    items: Sequence[Mapping[str, Any]]
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        return (
            [self.items[i] for i in self.places[index]] if isinstance(index, slice) else self.items[self.places[index]]
        )
