"""Which rows a takedown takes: what its list names, and all that was made of it.

    list ──ids, uris, hosts of the URL or where it led, licenses──> rows ──content──> scenes (parents), edit pairs (references),
                                                                      ^────────────────────────┘ until nothing is added

A rendering names the photographs in it by content (``photo:NAME@sha256``), an edit pair holds them as references.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
    """The tombstones to write, in ledger order; rows that have one already are not among them."""
    done = read_removals(run).ids
    inputs = [row for row in _inputs(run, asked) if row["id"] not in done]
    found = {row["id"]: (row, row["why"], False) for row in inputs if row["why"]}
    by_id = {row["id"]: row for row in inputs}
    children, contents = _made_of(run)
    new = list(found)
    while new:
        made = {child: id_ for id_ in new for key in (id_, *contents.get(id_, ())) for child in children.get(key, ())}
        new = [child for child in made if child not in found and child in by_id]
        found |= {child: (by_id[child], f"made of {made[child]}", True) for child in new}
    decided = _decided(run)
    return [_tombstone(row, why, followed, decided) for row, why, followed in found.values()]


def _tombstone(
    row: Mapping[str, Any], why: str, followed: bool, decided: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    stages = decided.get(row["id"], {})
    about = {name: row.get(name) for name in ("id", "uri", "source", "fragment")} | {"bytes": row.get("bytes") or 0}
    return about | {"why": why, "followed": followed} | {n: stages.get(n) for n in ("shard", "stage_from", "stage_to")}


def _inputs(run: RunFolder, asked: Asked) -> Iterator[dict[str, Any]]:
    """Every input with its fragment in samples/ and its bytes, where it has come so far, and ``why`` the list names it."""
    samples = {row["id"]: row | {"fragment": name} for name in fragment_names(run) for row in _samples(run, name)}
    for source in listed_sources(run.ledgers):
        for fragment in fragments(run.ledger(source), source):
            urls = _urls(run, fragment.name)
            for listed in read_fragment(run.ledger(source), fragment):
                row = {"id": listed["id"], "uri": listed["uri"], "source": source} | samples.get(listed["id"], {})
                yield row | {"why": asked.names(row, urls.get(row["id"], ()))}


def _samples(run: RunFolder, fragment: str) -> list[dict[str, Any]]:
    rows = read_table(run.samples(fragment), ["id", "license", "bytes_len"]).to_pylist()
    return [{"id": row["id"], "license": row["license"], "bytes": row["bytes_len"]} for row in rows]


def _urls(run: RunFolder, fragment: str) -> dict[str, list[str]]:
    """id -> the URLs that it was fetched from and where they led, those of its references among them."""
    found: dict[str, list[str]] = defaultdict(list)
    if run.downloads(fragment).exists():
        for row in read_table(run.downloads(fragment), ["id", "url", "final_url"]).to_pylist():
            found[row["id"]] += [url for url in (row["url"], row["final_url"]) if url]
    return found


def _made_of(run: RunFolder) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(content -> ids that were made of it, id -> names of its content): digests and what ``parents`` call photographs."""
    children: dict[str, list[str]] = defaultdict(list)
    contents: dict[str, list[str]] = {}
    for name in fragment_names(run):
        for row in read_table(run.samples(name), ["id", "sha256", "parents", "image", "references"]).to_pylist():
            data = row["image"]["bytes"] or b""
            contents[row["id"]] = [row["sha256"], row["sha256"][:_DIGITS], fingerprint_of(data)[:_DIGITS]]
            for parent in _parents(row):
                children[parent].append(row["id"])
    return children, contents


def _parents(row: Mapping[str, Any]) -> Iterator[str]:
    """What the row is made of: ids, digests of photographs, sha256 of references."""
    for parent in row["parents"] or ():
        yield parent
        if parent.startswith(_PHOTO):
            named, _, digest = parent.removeprefix(_PHOTO).rpartition("@")
            yield from (named, digest)
    for reference in row["references"] or ():
        yield hashlib.sha256(reference["bytes"] or b"").hexdigest()


def _decided(run: RunFolder) -> dict[str, dict[str, Any]]:
    """id -> its stages, and the shard that holds it."""
    rows: Sequence[dict[str, Any]] = read_table(
        run.decisions / "decisions.parquet", ["id", "stage_from", "stage_to"]
    ).to_pylist()
    shards: dict[str, str] = {}
    for path in sorted((run.dataset / "data").glob("*.parquet")):
        shards |= dict.fromkeys(read_table(path, ["id"])["id"].to_pylist(), path.name)
    return {row["id"]: row | {"shard": shards.get(row["id"])} for row in rows}
