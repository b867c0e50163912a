"""Commands in forks of one process that has imported what they import: that alone takes a training a dozen seconds.

    test ──Command(["trainer", "fit", ...])──> server ──fork──> the module, as ``python -m`` runs it

The command runs from its ``__main__`` on in a process of its own, which may be killed; only its interpreter is not started
anew. The server starts with the first command of a test process and ends with that process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

_PIPELINE = ("pipeline.engine.run", "pipeline.sandbox.child", "polars", "pyarrow.dataset")
_TRAINER = (
    *("trainer.fit", "torch._dynamo", "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl"),
    *("diffusers.models.autoencoders.autoencoder_kl_qwenimage", "polars", "pyarrow.dataset"),
)
_IMPORTS = {"pipeline": _PIPELINE, "synth": (*_PIPELINE, "synth.recipe"), "trainer": _TRAINER}
"""By the package of a command: what it imports sooner or later."""


class Command(subprocess.Popen[str]):
    """``python -m MODULE ARGUMENTS...``, with what ``subprocess.Popen`` has to read it, wait for it and end it."""

    def __init__(self, command: Sequence[str | Path], imports: str | None = None, **settings: Any) -> None:
        """``imports``: the package whose commands it imports like; its own, where it is one of ours."""
        self._command = [str(word) for word in command]
        self._imports = _IMPORTS[imports or self._command[0].split(".")[0]]
        super().__init__(["python", "-m", *self._command], text=True, **settings)

    def _execute_child(self, *arguments: Any) -> None:
        """In the place of ``Popen``'s own: the server forks, with these files for input, output and errors."""
        cwd, env, pipes = arguments[5], arguments[6], arguments[10:16]
        files = [number if given == -1 else given for number, given in enumerate((pipes[0], pipes[3], pipes[5]))]
        where = {"cwd": str(cwd or Path.cwd()), "env": dict(os.environ if env is None else env)}
        try:
            self.pid = _server().ask({"command": self._command, "imports": self._imports} | where, files)
            self._pidfd = os.pidfd_open(self.pid)  # before it is waited for, the number cannot become another's
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _try_wait(self, flags: int) -> tuple[int, int]:
        """As ``os.waitpid`` answers of a child; this one is the server's."""
        if not select.select([self._pidfd], [], [], 0 if flags & os.WNOHANG else None)[0]:
            return 0, 0
        os.close(self._pidfd)
        return self.pid, _server().ask({"ended": self.pid}, [])

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        with self._waitpid_lock:  # type: ignore[attr-defined]
            if self.returncode is None and _deadstate is None:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined]
        return self.returncode


def run(
    command: Sequence[str | Path], imports: str | None = None, check: bool = False, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run`` does, its output captured."""
    timeout = settings.pop("timeout", 240)
    with Command(command, imports, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    assert not check or process.returncode == 0, errors
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


class _Server:
    """The test's side. One question at a time, answered by one number."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            command = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def ask(self, question: dict[str, Any], files: list[int]) -> int:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(question).encode()], files)
            answer = self._socket.recv(1 << 10)
        assert answer, "the server of forks has ended"
        return int(answer)


@cache
def _server() -> _Server:
    return _Server()


def _load_tokenizer() -> None:
    """That of every folder which a test makes: it takes a second and a half, most of what a tiny training is."""
    from model.tokenizer import load_tokenizer, write_tokenizer

    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(folder)
        load_tokenizer(Path(folder))


def _serve(questions: socket.socket) -> None:
    """Answer until the test process has ended; in a fork, run its command."""
    while True:
        data, files, _, _ = socket.recv_fds(questions, 1 << 18, 3)
        if not data:
            return
        asked = json.loads(data)
        if "ended" in asked:
            questions.send(str(os.waitpid(asked["ended"], 0)[1]).encode())
            continue
        if missing := set(asked["imports"]) - set(sys.modules):
            for name in missing:
                importlib.import_module(name)
            if "model.tokenizer" in sys.modules:
                _load_tokenizer()
            gc.collect()
            gc.freeze()  # the collector of a fork need not walk through all of it
        if pid := os.fork():
            questions.send(str(pid).encode())
            for file in files:
                os.close(file)
            continue
        questions.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.environ.clear()
        os.environ.update(asked["env"])
        os.chdir(asked["cwd"])
        sys.path[:1] = [asked["cwd"], *filter(None, asked["env"].get("PYTHONPATH", "").split(os.pathsep))]
        module, *arguments = asked["command"]
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return


if __name__ == "__main__":
    with contextlib.closing(socket.socket(fileno=int(sys.argv[1]))) as asking:
        _serve(asking)
