"""Download: fetch the pictures of many fragments at once, commit each fragment when its last URL has ended.

    a wave of fragments ──16 at a time──> URLs, all at the same time ──> spool (a temporary file for each fragment)
                                                   │                        └──collect.Collector──> samples/F
                                                   └──how each ended──> downloads/F

One slow host holds up its own fragment and no other. Bodies wait on disk, so that memory does not grow with them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from configs.storage import location
from pipeline.downloads.config import DownloadsConfig
from pipeline.downloads.reasons import NO_ROOM, NOT_MODIFIED
from pipeline.engine.collect import Collector
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import Reader, Source
from pipeline.store import downloads
from pipeline.store.commit import replace_table
from pipeline.store.failures import REMOVED
from pipeline.store.ledger import Fragment, read_fragment
from pipeline.store.removed import read_removals
from pipeline.store.run_folder import RunFolder
from pipeline.tokens import LATIN
from pipeline.watch import beat

if TYPE_CHECKING:
    from configs.pictures import Limits
    from pipeline.downloads.fetch import Download, Fetcher

_WAVE, _WINDOW = 64, 16
"""Fragments that a worker is given together, and that it works on at the same time; chosen."""
_MOST_BYTES = 2 * 10**9
"""Of the pictures of a fragment together; chosen: what collects, judges and packs a fragment holds all of them."""


@dataclass(frozen=True)
class Wave:
    """Fragments that one worker downloads together."""

    fragments: tuple[Fragment, ...]

    @property
    def name(self) -> str:
        return f"{self.fragments[0].name} and {len(self.fragments) - 1} more"


def waves(fragments: Sequence[Fragment]) -> list[Wave]:
    """The fragments in their order, cut into waves."""
    return [Wave(tuple(fragments[i : i + _WAVE])) for i in range(0, len(fragments), _WAVE)]


class Downloader:
    """A worker: turns waves of fragments into their samples and downloads files."""

    def __init__(
        self,
        run: RunFolder,
        readers: dict[str, Reader],
        limits: Limits,
        guard: GuardConfig,
        sources: dict[str, Source],
        config: DownloadsConfig,
        languages: Sequence[str] = LATIN,
    ) -> None:
        self._run, self._sources, self._config, self._limits = run, sources, config, limits
        self._removals = read_removals(run)
        self._collector = Collector(run, readers, limits, guard, languages)
        self._committer = ThreadPoolExecutor(1)  # one child at a time looks at pictures
        self._loop = asyncio.Runner()  # of all waves: connections, robots.txt and addresses are kept
        self._fetcher = self._loop.run(self._open())
        self._earlier = downloads.Earlier(RunFolder(location(config.previous))) if config.previous else None
        self._ended = self._total = 0

    def __call__(self, wave: Wave) -> Wave:
        self._ended, self._total = 0, sum(f.inputs for f in wave.fragments)
        try:
            self._loop.run(self._download(wave))
        except BaseExceptionGroup as group:  # the first error ended the others
            raise group.exceptions[0] from None
        return wave

    def close(self) -> None:
        """End the child and all connections."""
        self._collector.close()
        self._committer.shutdown()
        self._loop.run(self._fetcher.__aexit__(None, None, None))
        self._loop.close()

    async def _open(self) -> Fetcher:
        from pipeline.downloads.fetch import Fetcher

        return await Fetcher(self._config, self._limits.max_bytes).__aenter__()

    async def _download(self, wave: Wave) -> None:
        window = asyncio.Semaphore(_WINDOW)
        async with asyncio.TaskGroup() as group:
            for fragment in wave.fragments:
                await window.acquire()
                task = group.create_task(self._fragment(fragment))
                task.add_done_callback(lambda _: window.release())

    async def _fragment(self, fragment: Fragment) -> None:
        if self._run.samples(fragment.name).exists():
            return
        source = self._sources[fragment.source]
        entries = [self._unless_removed(row, source) for row in read_fragment(self._run.ledger(source.name), fragment)]
        with _Spool() as spool:
            urls = [source.urls(entry) for entry in entries]
            await asyncio.gather(*(self._fetch(url, spool) for url in {u: None for group in urls for u in group}))
            sizes = ((entry["bytes"] or 0) + spool.size(group) for entry, group in zip(entries, urls, strict=True))
            items = _Items([e | {"bytes": size} for e, size in zip(entries, sizes, strict=True)], urls, spool)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._committer, self._commit, fragment, items)

    def _unless_removed(self, entry: dict[str, Any], source: Source) -> dict[str, Any]:
        """The ledger row, refused where it was taken down: then nothing of it is fetched."""
        why = self._removals.refuse(entry, source.urls(entry)) if self._removals.asked else None
        return entry | {"refused": why, "reason": REMOVED} if why else entry

    async def _fetch(self, url: str, spool: _Spool) -> None:
        spool.put(url, await (self._changed(url, self._earlier) if self._earlier else self._fetcher.fetch(url)))
        self._ended += 1
        beat(self._ended, self._total)

    async def _changed(self, url: str, earlier: downloads.Earlier) -> Download:
        """As ``fetch``, with the bytes of the earlier run where the server says that they are the same."""
        known = earlier.find(url)
        if known is None:
            return await self._fetcher.fetch(url)
        found = await self._fetcher.fetch(url, {"ETag": known.etag, "Last-Modified": known.last_modified})
        if found.reason != NOT_MODIFIED:
            return found
        body = await asyncio.to_thread(earlier.body, known)
        if body is None:
            return await self._fetcher.fetch(url)
        # Not every server repeats in a 304 what it said of the bytes.
        etag, modified = found.etag or known.etag, found.last_modified or known.last_modified
        return dataclasses.replace(found, body=body, etag=etag, last_modified=modified)

    def _commit(self, fragment: Fragment, items: _Items) -> None:
        """Samples last: as long as they are not there, the fragment is not done."""
        replace_table(
            self._run.downloads(fragment.name), pa.Table.from_pylist(list(items.ends()), schema=downloads.SCHEMA)
        )
        self._collector.commit(fragment, items.entries, items)


class _Spool:
    """Downloads by URL, their bodies in one temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="glyphmill-")  # noqa: SIM115 - ``__exit__`` closes it
        self._ends: dict[str, tuple[dict[str, Any], int]] = {}

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, url: str, download: Download) -> None:
        """Take in how ``url`` ended; its body is let go where there is no room for it."""
        if self._file.seek(0, 2) + len(download.body) > _MOST_BYTES:
            full = f"the pictures of its fragment have more than {_MOST_BYTES / 10**9:g} GB; run --retry {NO_ROOM}"
            download = dataclasses.replace(download, reason=NO_ROOM, error=full, body=b"")
        end = {k: v for k, v in vars(download).items() if k != "body"}
        size = len(download.body)
        sha256 = hashlib.sha256(download.body).hexdigest() if size else None
        self._ends[url] = end | {"bytes": size or None, "sha256": sha256}, self._file.seek(0, 2)
        self._file.write(download.body)

    def end(self, url: str) -> dict[str, Any]:
        """All but the body."""
        return self._ends[url][0]

    def size(self, urls: Sequence[str]) -> int:
        """Bytes of the bodies."""
        return sum(self._ends[url][0]["bytes"] or 0 for url in urls)

    def whole(self, url: str) -> dict[str, Any]:
        """With the body."""
        end, start = self._ends[url]
        self._file.seek(start)
        return end | {"body": self._file.read(end["bytes"] or 0)}


@dataclass(frozen=True)
class _Items(Sequence[dict[str, Any]]):
    """Ledger rows with what was downloaded for them, read from the spool when they are asked for."""

    entries: Sequence[dict[str, Any]]
    urls: Sequence[Sequence[str]]
    spool: _Spool

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.entries[index] | {"downloads": [self.spool.whole(url) for url in self.urls[index]]}

    def ends(self) -> Iterator[Mapping[str, Any]]:
        """The rows of downloads/F."""
        for entry, urls in zip(self.entries, self.urls, strict=True):
            for place, url in enumerate(urls):
                yield {"id": entry["id"], "place": place} | self.spool.end(url)
            if not urls:
                about = {"url": entry["uri"], "reason": entry["reason"], "error": entry["refused"], "tries": 0}
                yield {"id": entry["id"], "place": 0} | about
