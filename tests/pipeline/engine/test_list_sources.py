"""Listing shows how far it is, ends with what the source remarked, and is done once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from configs import UserError, decode
from pipeline.config import PipelineConfig
from pipeline.engine import list_sources
from pipeline.sources import Entry, Reader, Remark, Source
from pipeline.store.ledger import FragmentsConfig
from pipeline.store.run_folder import RunFolder


@dataclass(frozen=True)
class Numbers(Source):
    """``count`` inputs; writes down every time they are asked for."""

    count: int
    journal: str | None = None

    paths = ("journal",)

    def entries(self, where: str, remark: Remark) -> Iterator[Entry]:
        if self.journal:
            with Path(self.journal).open("a") as journal:
                journal.write("listed\n")
        for i in range(self.count):
            yield Entry(str(i))
        remark(f"{where} ends at {self.count}")
        remark("nothing was left out")

    def reader(self) -> Reader:
        raise NotImplementedError


KIND = f"{__name__}:Numbers"


def test_a_long_listing_counts_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_sources, "EVERY", -1.0)
    journal = tmp_path / "journal"
    source = Numbers(KIND, "numbers", 5, str(journal))
    for _ in range(2):
        found = list_sources.list_sources(RunFolder(tmp_path), [source], FragmentsConfig(inputs=3))
        assert [(f.name, f.inputs) for f in found] == [("numbers-00000", 3), ("numbers-00001", 2)]
    assert journal.read_text() == "listed\n"
    assert capsys.readouterr().out.splitlines() == [
        *(f"listing numbers: {i} inputs so far" for i in range(1, 6)),
        "listed 5 inputs of numbers; sources.0 ends at 5; nothing was left out",
    ]


def test_a_source_without_inputs_is_an_error_and_leaves_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"field 'sources.0': source 'numbers' lists no inputs"):
        list_sources.list_sources(RunFolder(tmp_path), [Numbers(KIND, "numbers", 0)], FragmentsConfig())
    assert list(tmp_path.rglob("*.*")) == []


def test_paths_become_absolute_and_urls_stay() -> None:
    source = Numbers(KIND, "numbers", 1, "journal")
    assert source.absolute().journal == os.path.abspath("journal")
    assert Numbers(KIND, "numbers", 1, "s3://bucket/journal").absolute().journal == "s3://bucket/journal"
    assert Numbers(KIND, "numbers", 1).absolute() == Numbers(KIND, "numbers", 1)


def test_a_source_of_ones_own_stands_in_the_config() -> None:
    tree = {"sources": [{"kind": KIND, "name": "numbers", "count": 3}]}
    assert decode(tree, PipelineConfig, "config").sources == (Numbers(KIND, "numbers", 3),)
    with pytest.raises(
        UserError,
        match=r"sources\.0: no kind 'numbers'; allowed: folder, urls, webdataset, parquet, edits, synth, or package\.module:Class",
    ):
        decode({"sources": [{"kind": "numbers", "name": "n"}]}, PipelineConfig, "config")
