"""What ends a rank is told by one rank, whoever meets it; the others are quiet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

from configs import UserError
from tests.waiting import DEADLINE_S
from trainer.parallel.lost import exchange_failed

RANK = """
import os, signal, sys, time
import torch, torch.distributed as dist
from configs import RunFailed, UserError, command
from trainer.parallel.lost import naming_the_lost
import torch.distributed.checkpoint  # before the clock runs

def main(argv):
    rank, what = int(argv[0]), argv[2]
    dist.init_process_group("gloo", init_method="file://" + argv[1], rank=rank, world_size=3)
    with naming_the_lost():
        dist.barrier()
        if what == "one" and rank == 1:
            raise RunFailed("sample 7 is damaged")
        if what == "first" and rank == 0:
            raise UserError("field 'seed': another one")
        if what == "all":
            raise UserError("field 'data': nothing there")
        if what == "killed" and rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "sigterm" and rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if what == "own" and rank == 1:
            raise RuntimeError("out of memory")
        dist.all_reduce(torch.ones(3))

sys.exit(command(main))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("one", "stopped: sample 7 is damaged"),
        ("first", "error: field 'seed': another one"),
        ("all", "error: field 'data': nothing there"),
        ("killed", "stopped: rank 1 of 3 is gone"),
        ("own", "stopped: rank 1 of 3 is gone"),
        ("sigterm", "stopped: asked to end"),
    ],
)
def test_one_rank_tells(tmp_path: Path, what: str, told: str) -> None:
    start = [sys.executable, "-c", RANK]
    ranks = [
        subprocess.Popen([*start, str(rank), str(tmp_path / "store"), what], stderr=subprocess.PIPE, text=True)
        for rank in range(3)
    ]
    lines = [line for rank in ranks for line in rank.communicate(timeout=DEADLINE_S)[1].splitlines()]
    ours = [line for line in lines if line.startswith(("error: ", "stopped: "))]
    assert len(ours) == 1, lines
    assert ours[0].startswith(told)
    assert all(rank.returncode != 0 for rank in ranks)
    assert any("RuntimeError: out of memory" in line for line in lines) == (what == "own")


def test_only_the_words_of_an_exchange_count_as_its_failure() -> None:
    assert exchange_failed(RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [::1]:7"))
    assert exchange_failed(dist.DistNetworkError("broken pipe"))
    assert not exchange_failed(RuntimeError("CUDA out of memory"))
    assert not exchange_failed(UserError("field 'lr'"))
