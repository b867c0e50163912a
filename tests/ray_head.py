"""A Ray head of the test's own: started as a user starts one, stopped without touching any other.

``ray stop`` ends every Ray on the machine; here the head runs with ``--block``, so that all its
processes are its children, and they alone are ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import DEADLINE_S

RAY = str(Path(sys.executable).with_name("ray"))


@dataclass(frozen=True)
class Head:
    """``address``: the job server's URL; ``cluster``: host:port that nodes and drivers join; ``environment``: what a client
    of this head needs; ``folder``: its temporary files."""

    address: str
    cluster: str
    environment: dict[str, str]
    folder: Path

    def ray(
        self, *arguments: str, cwd: Path | None = None, timeout: float = DEADLINE_S
    ) -> subprocess.CompletedProcess[str]:
        """Run ``ray ARGUMENTS`` against this head and return what it printed."""
        return subprocess.run(
            [RAY, *arguments],
            cwd=cwd,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )


@contextlib.contextmanager
def ray_head(num_cpus: int = 2) -> Iterator[Head]:
    """Start a head on free ports, wait until its job server answers, and stop exactly it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gm", dir="/tmp"))  # short: unix sockets allow 107 bytes
    dashboard, port = _free_port(), _free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment |= {"RAY_ADDRESS": f"http://127.0.0.1:{dashboard}", "RAY_AUTH_MODE": "disabled"}
    environment["RAY_worker_niceness"] = "0"  # as in tests/conftest.py
    # the venv's python must be the one that jobs find
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    arguments = ["start", "--head", "--block", "--port", str(port), "--num-cpus", str(num_cpus)]
    arguments += ["--dashboard-host", "127.0.0.1", "--dashboard-port", str(dashboard), "--temp-dir", str(folder)]
    arguments += ["--object-store-memory", str(300_000_000), "--disable-usage-stats"]
    arguments += ["--dashboard-agent-listen-port", str(_free_port()), "--metrics-export-port", str(_free_port())]
    with (folder / "head.log").open("w") as log:
        head = subprocess.Popen(
            [RAY, *arguments],
            env={k: v for k, v in environment.items() if k != "RAY_ADDRESS"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for_jobs_server(dashboard, head, folder / "head.log")
        yield Head(f"http://127.0.0.1:{dashboard}", f"127.0.0.1:{port}", environment, folder)
    finally:
        _end(head)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def ray_node(head: Head, num_cpus: int = 1, without: Sequence[Path] = (), **variables: str) -> Iterator[int]:
    """A second node of ``head``'s cluster, with a raylet and an object store of its own; gives its process id.

    ``without``: folders that are empty there, in a mount namespace of its own. ``variables``: of its environment.
    """
    arguments = ["start", "--address", head.cluster, "--block", "--num-cpus", str(num_cpus), "--disable-usage-stats"]
    arguments += ["--object-store-memory", str(300_000_000), "--dashboard-agent-listen-port", str(_free_port())]
    arguments += ["--resources", '{"second": 1}']
    environment = {k: v for k, v in head.environment.items() if k != "RAY_ADDRESS"} | variables
    hiding = "; ".join(["set -e", *(f"mount -t tmpfs none {folder}" for folder in without), 'exec "$@"'])
    apart = ["unshare", "-m", "--propagation", "private", "sh", "-c", hiding, "sh"] if without else []
    command = [*apart, RAY, *arguments]
    node = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not any("raylet" in p.name() for p in psutil.Process(node.pid).children(recursive=True)):
            if node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the second Ray node did not come up")
            time.sleep(0.5)
        yield node.pid
    finally:
        _end(node)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_jobs_server(port: int, head: subprocess.Popen[bytes], log: Path, seconds: float = DEADLINE_S) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if head.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/version", timeout=2)
            return
        time.sleep(0.5)
    raise RuntimeError(f"the Ray head did not come up: {log.read_text()[-2000:]}")


def _end(head: subprocess.Popen[bytes]) -> None:
    """End the head and every process that it started; Ray's own shutdown takes 20 s and leaves some behind."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [psutil.Process(head.pid), *psutil.Process(head.pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)
    head.wait()
