"""Small pictures are handed over together; what happens to one of them is its own affair. Without Ray."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.pictures import Limits
from pipeline.engine.collect import Collector
from pipeline.parquet import read_table
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import Entry, Reader, Refused, picture_row
from pipeline.store.commit import read_failures
from pipeline.store.ledger import FragmentsConfig, fragments, write_ledger
from pipeline.store.run_folder import RunFolder
from tests.pipeline.hooks import obey
from tests.pipeline.hostile import encode, picture

PNG = encode(picture(16, 12, seed=1), "PNG")


class Journal(Reader):
    """Writes down what it is asked for, and obeys it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        with self.path.open("a") as journal:
            journal.write(entry["uri"] + "\n")
        if "refused" in entry["uri"]:
            raise Refused("no good", "incomplete")
        obey(entry["uri"])
        return picture_row(PNG, limits) | {"origin": "x", "license": "unknown"}


def test_a_failure_costs_its_input_and_a_crash_one_more_look_at_its_neighbors(tmp_path: Path) -> None:
    names = [f"{number:02d}" for number in range(40)]
    names[3], names[20], names[25] = "03-refused", "20-raise", "25-sigsegv"
    run, journal = RunFolder(tmp_path), tmp_path / "journal"
    entries = [Entry(name, 10**6 if name == "36" else 10) for name in names]
    write_ledger(run.ledger("s"), "s", entries, FragmentsConfig())
    worker = Collector(run, {"s": Journal(journal)}, Limits(), GuardConfig(retries=0))
    (fragment,) = fragments(run.ledger("s"), "s")
    worker(fragment)
    worker.close()
    failures = {f["uri"]: (f["reason"], f["error"]) for f in read_failures(run.samples(fragment.name))}
    assert failures == {
        "03-refused": ("incomplete", "no good"),
        "20-raise": ("error", "ValueError: no good: 20-raise"),
        "25-sigsegv": ("crash", "crashed: SIGSEGV"),
    }
    assert read_table(run.samples(fragment.name), ["uri"])["uri"].to_pylist() == [n for n in names if n not in failures]
    asked = journal.read_text().split()
    assert [asked.count(name) for name in names[:16]] == [1] * 16  # the refusal was one answer of sixteen
    assert {name for name in names if asked.count(name) == 2} == set(names[16:26])
