"""Workers that are killed from outside, or that stand still: the run ends well, or says what it stopped at."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from configs import RunFailed, decode
from pipeline import cluster
from pipeline.cluster import ClusterConfig
from pipeline.config import PipelineConfig
from pipeline.dataset import Dataset
from pipeline.engine import annotate, collect
from pipeline.engine.run import run_pipeline
from pipeline.pack import publish
from tests.pipeline import commands
from tests.pipeline.hooks import Hostages
from tests.pipeline.inline import work_inline
from tests.waiting import wait_until

STEPS = {"collect": collect, "pixel": annotate, "model": annotate, "pack": publish}
WORKERS = {"collect": "Collector", "pixel": "PixelWorker", "model": "ModelWorker", "pack": "ShardWriter"}


@pytest.fixture(scope="module", autouse=True)
def ray_session() -> Iterator[None]:
    cluster.connect(ClusterConfig(cpus=2))
    yield
    cluster.disconnect()


@contextmanager
def killer(folder: Path) -> Iterator[list[int]]:
    """Sends SIGKILL to every process that offers itself in ``folder``; yields the list of those it killed."""
    killed: list[int] = []
    done = threading.Event()

    def watch() -> None:
        seen: set[Path] = set()
        while not done.wait(0.05):
            for offer in set(folder.glob("[a-z]*")) - seen:
                seen.add(offer)
                killed.append(int(offer.read_text()))
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()


def test_a_worker_killed_at_every_step_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.write_pictures(tmp_path / "photos", 8, edge=48)
    kinds = [f"tests.pipeline.hooks:{name}Config" for name in ("Eyes", "Thumb", "Mates")]
    plain = {
        "sources": [{"kind": "folder", "name": "photos", "path": str(tmp_path / "photos")}],
        "fragments": {"inputs": 4},
        "annotate": [{"kind": kind} for kind in kinds],
    }
    config = decode(plain, PipelineConfig, "test")
    with pytest.MonkeyPatch.context() as patch:  # without Ray, which takes a minute of work for the same bytes
        work_inline(patch, guarded=True)
        run_pipeline(config, tmp_path / "undisturbed")

    offers = tmp_path / "offers"
    offers.mkdir()
    for name, module in STEPS.items():
        worker = getattr(module, WORKERS[name])
        monkeypatch.setattr(module, WORKERS[name], Hostages(name, worker, offers))
    capsys.readouterr()
    with killer(offers) as killed:
        run_pipeline(config, tmp_path / "disturbed")
    assert {offer.name.split("-")[0] for offer in offers.iterdir()} == set(STEPS)
    assert len(killed) >= len(STEPS)
    digests = [Dataset.open(tmp_path / run / "dataset").digest for run in ("undisturbed", "disturbed")]
    assert digests[0] == digests[1]
    assert commands.digest(tmp_path / "disturbed") == commands.digest(tmp_path / "undisturbed")
    output = capsys.readouterr().out
    for step in ("collect", "decode", "pack"):
        assert f"{step}: a worker died while it held " in output


@dataclass(frozen=True)
class Work:
    name: str


class Quick:
    """Does nothing, at once."""

    def __call__(self, work: Work) -> Work:
        return work


class Sleeper:
    """Sleeps for ever over the work named ``slow``; says where each work was done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, work: Work) -> Work:
        (self._folder / work.name).write_text(str(os.getpid()))
        if work.name == "slow":
            time.sleep(3600)
        return work


@pytest.mark.parametrize(("restarts", "retries", "times"), [(8, 1, "2 times"), (0, 3, "once")])
def test_a_worker_that_is_killed_on_every_retry_ends_the_run(
    tmp_path: Path, restarts: int, retries: int, times: str
) -> None:
    config = ClusterConfig(max_restarts=restarts, max_retries=retries)
    with (
        killer(tmp_path) as killed,
        pytest.raises(RunFailed, match=rf"score: the worker died {times} while it held photos-00007, .*same command"),
    ):
        list(cluster.each([Work("photos-00007")], "score", Hostages("score", Quick, tmp_path, 100), (), config))
    assert len(killed) == (1 if restarts == 0 else 1 + retries)


def test_work_that_stands_still_is_named_and_then_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ClusterConfig(stall_s=1, stall_stop_s=70)  # a worker may take most of it to start
    with pytest.raises(RunFailed, match=r"score: slow has made no progress for 7\d s; process \d+ on .* committed"):
        list(cluster.each([Work("slow"), Work("quick")], "score", Sleeper, (tmp_path,), config, cpus=0.5))
    assert (tmp_path / "quick").exists()  # nothing waits behind slow work while another worker is free
    pid = int((tmp_path / "slow").read_text())
    named = [line for line in capsys.readouterr().out.splitlines() if "slow has made no progress" in line]
    assert len(named) == 1
    assert re.search(rf"process {pid} on .* holds it, before its first row; the run stops after 70 s", named[0])
    wait_until(lambda: not psutil.pid_exists(pid))


class _Unable:
    def __init__(self) -> None:
        raise ModuleNotFoundError("No module named 'my_annotators'")


def test_a_worker_that_cannot_start_says_why() -> None:
    with pytest.raises(RunFailed, match=r"ocr: its worker cannot start: .*No module named 'my_annotators'"):
        list(cluster.each([Work("photos-00000")], "ocr", _Unable))
