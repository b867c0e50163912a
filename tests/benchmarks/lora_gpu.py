"""configs/train/lora.yaml on the released 20B in 8 bits, as a user would run it on one GPU: seconds a step, peak memory.

    python tests/benchmarks/lora_gpu.py PICTURES                        all of the base on the GPU, then 17 blocks on the host
    python tests/benchmarks/lora_gpu.py PICTURES --offload 17 --made    the latter alone, on a base made before

Makes a pipeline folder of the released width with random weights in --folder (57 GB: /dev/shm), runs
``python -m trainer fit`` on it to its end, checkpoint, a sample picture and export among it, and holds what the run says
of its memory against what its dry run planned. PICTURES: a plain folder of captioned pictures of about 1,024p.
A JSON object for each run.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from tests.benchmarks.loop_gpu import ROOT, make_base, released

WARM = 2  # steps that compile, or fill caches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--offload", type=int, nargs="+", default=[0, 17], metavar="N", help="blocks on the host")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm/lora_gpu"))
    parser.add_argument("--made", action="store_true", help="the base in --folder is there")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=value", help="of fit")
    parser.add_argument("--tiny", action="store_true", help="try the script on a CPU")
    args = parser.parse_args()
    if not args.made:
        shutil.rmtree(args.folder, ignore_errors=True)
        make_base(released(args.tiny), args.folder / "base", "cpu" if args.tiny else "cuda")
    for blocks in args.offload:
        print(json.dumps(_figures(args, blocks)), flush=True)


def _figures(args: argparse.Namespace, blocks: int) -> dict[str, Any]:
    out = args.folder / f"out-{blocks}"
    shutil.rmtree(out, ignore_errors=True)
    fields = {
        "phases.0.steps": args.steps,
        "checkpoint.every": args.steps,
        "samples.every": args.steps,
        "samples.steps": 2,
        "optimizer.offload_blocks": blocks,
    }
    command = [sys.executable, "-m", "trainer", "fit", "configs/train/lora.yaml", str(out), "--init"]
    command += [str(args.folder / "base"), "--data", str(args.pictures)]
    command += [part for field in [*(f"{k}={v}" for k, v in fields.items()), *args.set] for part in ("--set", field)]
    planned = subprocess.run([*command, "--dry-run"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    start = time.perf_counter()
    ended = subprocess.run(command, cwd=ROOT, check=False)
    seconds = time.perf_counter() - start
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    peak = re.search(r"([\d.]+) GB  peak", planned)
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
        "status": ended.returncode,
        "blocks_on_host": blocks,
        "planned_gb": float(peak[1]) if peak else None,
        "peak_gb": [line.get("gpu_peak_gb") for line in (lines[WARM], lines[-1])],
        "step_s": round(statistics.median(line["seconds"] for line in lines[WARM:]), 3),
        "image_tokens": lines[-1]["image_tokens"],
        "losses": [round(line["loss"], 4) for line in (lines[0], lines[-1])],
        "export": sorted(file.name for file in (out / "export").glob("*")),
        "total_s": round(seconds),
    }


if __name__ == "__main__":
    main()
