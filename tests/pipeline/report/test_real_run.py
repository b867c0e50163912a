"""The report of a run that the engine itself made of a hostile folder: every input has its place on the page."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from configs import decode, to_plain
from pipeline.annotators.measure import MeasureAnnotator
from pipeline.config import PipelineConfig
from pipeline.engine import annotate, list_sources
from pipeline.engine.collect import Collector
from pipeline.report import write_report
from pipeline.report.tables import read_run
from pipeline.store.failures import write_failures
from pipeline.store.run_folder import RunFolder
from tests.chromium import visit
from tests.pipeline import hostile
from tests.pipeline.report.fixture_run import publish_without_ray


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[bytes, hostile.Expectation]]:
    """A run by the engine's own workers, one after the other in this process, and what must become of its photos."""
    folder = tmp_path_factory.mktemp("real")
    expected = hostile.build(folder / "photos")
    plain = {
        "sources": [
            {"kind": "folder", "name": "photos", "path": str(folder / "photos")},
            {"kind": "synth", "name": "pure", "recipe": "configs/synth/pure.yaml", "count": 6},
        ],
        "decide": {
            "rules": [{"name": "S2.clarity", "stage": 2, "keep": "clarity >= 50", "applies_to": "recipe is null"}]
        },
    }
    config = decode(plain, PipelineConfig, "test")
    run = RunFolder(folder / "run")
    run.path.mkdir()
    run.config.write_text(yaml.safe_dump(to_plain(config), allow_unicode=True))
    readers = {source.name: source.reader() for source in config.sources}
    collector = Collector(run, readers, config.limits, config.guard)
    measure = [MeasureAnnotator()]
    pools = [step.worker(*step.args) for step in annotate.steps(run, measure, config.limits, config.guard)]
    for fragment in list_sources.list_sources(run, config.sources, config.fragments):
        collector(fragment)
        for worker in pools:
            worker(annotate.FragmentWork(fragment))
        write_failures(run, fragment.name, ["measure"])
    publish_without_ray(run, config)
    return run.path, expected


def test_every_input_has_its_place(real: tuple[Path, dict[bytes, hostile.Expectation]]) -> None:
    path, expected = real
    tables = read_run(path)
    broken = sum(isinstance(e, hostile.Broken) for e in expected.values())
    assert dict(tables.inputs.select("source", "inputs").iter_rows()) == {"photos": len(expected), "pure": 6}
    assert (len(tables.failures), tables.failures["synthetic"].any()) == (broken, False)
    assert len(tables.rows) + broken == len(expected) + 6
    script = """
    return {
      sums: document.getElementById("sums").textContent,
      names: [...document.querySelectorAll("#samples-real figcaption b")].map((e) => e.textContent),
      failed: [...document.querySelectorAll("#failures td:last-child")].map((e) => Number(e.textContent)),
      sizes: [...document.querySelectorAll("#samples-real img")].map((e) => [e.width >= e.height, e.naturalWidth >= e.naturalHeight]),
      unseen: document.querySelectorAll(".missing").length,
    };
    """
    seen = visit(write_report(path), script)
    assert f"{len(expected) + 6} inputs" in seen.result["sums"]
    assert f"{broken} failed" in seen.result["sums"]
    assert sum(seen.result["failed"]) == broken
    assert len(seen.result["names"]) == 12
    assert all(declared == shown for declared, shown in seen.result["sizes"])  # upright, whatever EXIF says
    assert seen.result["unseen"] == 0
    assert seen.console == []
