"""Which rows a takedown takes: what its list names, and all that was made of it.

    list ──ids, uris, hosts of the URL or where it led, licenses──> rows ──content──> scenes (parents), edit pairs (references),
                                                                      ^────────────────────────┘ until nothing is added

A rendering names the photographs in it by content (``photo:NAME@sha256``), an edit pair holds them as references.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.parquet import read_table
from pipeline.store.ledger import fragments, listed_sources, read_fragment
from pipeline.store.removed import Asked, read_removals
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import fragment_names
from synth.photos import fingerprint_of

_PHOTO = "photo:"
_DIGITS = 12
"""Of the digest that stands in ``parents``."""


def find(run: RunFolder, asked: Asked) -> list[dict[str, Any]]:
    """The tombstones to write; rows that have one already are not among them. In memory are these rows and what was
    made of others, never all inputs."""
    done = read_removals(run).ids
    found: dict[str, dict[str, Any]] = {}
    for row in _named(run, asked):
        if row["id"] not in done and (row["fragment"] or row["id"] not in found):  # a retry may have brought it
            found[row["id"]] = row
    children = _made_of(run)
    new = list(found.values())
    while new:
        made = {
            child["id"]: (child, row["id"]) for row in new for k in _content(run, row) for child in children.get(k, ())
        }
        new = [_row(child, f"made of {origin}", True) for child, origin in made.values()]
        new = [row for row in new if row["id"] not in done and row["id"] not in found]
        found |= {row["id"]: row for row in new}
    return _with_stages(run, found)


def _row(row: Mapping[str, Any], why: str, followed: bool) -> dict[str, Any]:
    """A tombstone, but for what was decided."""
    about = {name: row.get(name) for name in ("id", "uri", "source", "fragment")}
    return about | {"bytes": row.get("bytes_len") or 0, "why": why, "followed": followed}


def _named(run: RunFolder, asked: Asked) -> Iterator[dict[str, Any]]:
    """The inputs that the list names, once for each fragment that they are in."""
    for source in listed_sources(run.ledgers):
        for fragment in fragments(run.ledger(source), source):
            urls, samples = _urls(run, fragment.name), _samples(run, fragment.name)
            for listed in read_fragment(run.ledger(source), fragment):
                row = {"id": listed["id"], "uri": listed["uri"], "source": source} | samples.get(listed["id"], {})
                if why := asked.names(row, urls.get(row["id"], ())):
                    yield _row(row, why, False)


def _samples(run: RunFolder, fragment: str) -> dict[str, dict[str, Any]]:
    """id -> license, length and fragment of the samples of a fragment."""
    rows = read_table(run.samples(fragment), ["id", "license", "bytes_len"]).to_pylist()
    return {row["id"]: row | {"fragment": fragment} for row in rows}


def _urls(run: RunFolder, fragment: str) -> dict[str, list[str]]:
    """id -> the URLs that it was fetched from and where they led, those of its references among them."""
    found: dict[str, list[str]] = defaultdict(list)
    if run.downloads(fragment).exists():
        for row in read_table(run.downloads(fragment), ["id", "url", "final_url"]).to_pylist():
            found[row["id"]] += [url for url in (row["url"], row["final_url"]) if url]
    return found


def _made_of(run: RunFolder) -> dict[str, list[dict[str, Any]]]:
    """Name of a content -> the samples that were made of it: ids, digests, what ``parents`` call photographs."""
    children: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in fragment_names(run):
        columns = ["id", "uri", "source", "bytes_len", "parents", "references"]
        for row in read_table(run.samples(name), columns).to_pylist():
            child = {k: row[k] for k in columns[:4]} | {"fragment": name}
            for parent in set(_parents(row)):
                children[parent].append(child)
    return children


def _parents(row: Mapping[str, Any]) -> Iterator[str]:
    """What the row is made of: ids, digests of photographs, sha256 of references. Fonts and corpora are no pictures."""
    for parent in row["parents"] or ():
        if parent.startswith(_PHOTO):
            named, _, digest = parent.removeprefix(_PHOTO).rpartition("@")
            yield from (named, digest)
        elif ":" not in parent:
            yield parent
    for reference in row["references"] or ():
        yield hashlib.sha256(reference["bytes"] or b"").hexdigest()


def _content(run: RunFolder, row: Mapping[str, Any]) -> tuple[str, ...]:
    """All names by which others may say that they were made of this row."""
    return (row["id"], *(_contents(run, row["fragment"])[row["id"]] if row["fragment"] else ()))


@lru_cache(maxsize=4)  # rows come fragment by fragment
def _contents(run: RunFolder, fragment: str) -> dict[str, tuple[str, ...]]:
    """id -> digests of the picture's bytes, of each sample of a fragment."""
    found: dict[str, tuple[str, ...]] = {}
    for row in read_table(run.samples(fragment), ["id", "sha256", "image"]).to_pylist():
        fingerprint = fingerprint_of(row["image"]["bytes"] or b"")
        found[row["id"]] = (row["sha256"], row["sha256"][:_DIGITS], fingerprint[:_DIGITS])
    return found


def _with_stages(run: RunFolder, found: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with what was decided of them and the shard that holds them; null where nothing was, or none does."""
    rows = {id_: row | {"shard": None, "stage_from": None, "stage_to": None} for id_, row in found.items()}
    wanted = pa.array(list(rows), pa.string())
    decided = read_table(run.decisions / "decisions.parquet", ["id", "stage_from", "stage_to"])
    for row in decided.filter(pc.is_in(decided["id"], wanted)).to_pylist():
        rows[row["id"]] |= row
    for path in sorted((run.dataset / "data").glob("*.parquet")):
        ids = read_table(path, ["id"])["id"]
        for id_ in ids.filter(pc.is_in(ids, wanted)).to_pylist():
            rows[id_]["shard"] = path.name
    return list(rows.values())
