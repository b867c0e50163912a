"""The pipeline as a Ray job on a real head: killed, a source file edited, submitted again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import commands
from tests.ray_head import Head, ray_head
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
sources: [{kind: folder, name: photos, path: PHOTOS}]
fragments: {inputs: 4}
annotate:
- {kind: "tests.pipeline.hooks:EyesConfig"}
- {kind: "tests.pipeline.hooks:MatesConfig"}
"""


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with ray_head() as started:
        yield started


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the working tree to edit, with what a checkout has and an upload must not have."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    copy = tmp_path / "checkout"
    for name in tracked.decode().split("\0"):
        if name and (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    for ignored in (".venv/lib/huge", "runs/old/huge"):
        (copy / ignored).parent.mkdir(parents=True)
        with (copy / ignored).open("wb") as file:
            file.truncate(800 << 20)  # Ray refuses an upload of more than 500 MB
    return copy


def test_a_killed_job_resumes_after_a_source_file_was_edited(head: Head, checkout: Path, tmp_path: Path) -> None:
    commands.write_pictures(tmp_path / "photos", 32)
    config, run = tmp_path / "config.yaml", tmp_path / "run"
    config.write_text(CONFIG.replace("PHOTOS", str(tmp_path / "photos")))
    submit = ("job", "submit", "--working-dir", ".", "--submission-id")
    command = ("--", "python", "-m", "pipeline", "run", str(config))

    begun = head.ray(*submit, "first", "--no-wait", *command, str(run), cwd=checkout)
    assert begun.returncode == 0, begun.stdout + begun.stderr
    wait_until(lambda: len(commands.committed(run, "scores/mates")) >= 1)
    _kill_driver(run)
    early = {p: p.stat().st_mtime_ns for p in run.rglob("*.parquet")}
    assert 1 <= len(commands.committed(run, "scores/mates")) < 8

    edited = checkout / "pipeline" / "quads.py"
    edited.write_text(edited.read_text() + "\n# edited between two submissions\n")
    ended = head.ray(*submit, "second", *command, str(run), cwd=checkout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "listed" not in ended.stdout
    assert "annotate" in ended.stdout
    assert all(p.stat().st_mtime_ns == at for p, at in early.items() if p.exists())
    assert commands.table(run, "scores/mates")["mates_state"].to_list() == ["ok"] * 32

    refused = head.ray(*submit, "third", *command, "run", cwd=checkout)
    assert refused.returncode != 0
    assert "error: RUN 'run': inside a Ray job" in refused.stdout
    assert "exit code 2" in refused.stdout


def _kill_driver(run: Path) -> None:
    """SIGKILL to the entrypoint that holds the run; the job's supervisor stays."""
    os.kill(json.loads((run / "lock").read_text())["pid"], signal.SIGKILL)
