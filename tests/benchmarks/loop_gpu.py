"""The whole loop on one GPU, both encoders in it: MFU, tokens a step, the share of time that waits for data.

    python tests/benchmarks/loop_gpu.py DATASET                              all 60 layers: an H200
    python tests/benchmarks/loop_gpu.py DATASET --layers 20 --plan adafactor

Makes a pipeline folder of the released width with random weights in --folder (57 GB for all layers: /dev/shm), starts
``python -m trainer fit`` on it as any user would, with bf16 weights, the optimizer in the backward pass, compiled and
checkpointed blocks and nothing remembered of earlier epochs, and ends it after --steps, for a checkpoint of the 20B would
take a minute. DATASET: of the pipeline, or a plain folder of captioned pictures; about 1,024p.

    mfu   3 x forward FLOPs of the network (model/flops.py) / time / 989.4 TFLOP/s; what encoders compute does not count
    wait  ``data_seconds`` of metrics.jsonl over all seconds

``--tiny`` tries the script on a CPU. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

import configs
from model.checkpoint import save_schedule, save_transformer, write_index
from model.config import MMDiTConfig, ModelConfig
from model.flops import PEAK_FLOPS, TRAINING_FACTOR, forward_flops
from model.init import new_vae
from model.mmdit import MMDiT
from model.text_encoder import new_text_encoder, no_progress_bars
from model.tokenizer import write_tokenizer
from model.vae_weights import save_vae_folder
from tests.benchmarks.full_model import TINY, make_model

ROOT = Path(__file__).resolve().parents[2]
WARM = 4  # steps that compile


def main() -> None:
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("asked to end"))  # by way of ``finally``: fit goes with it
    base, out = args.folder / "base", args.folder / "out"
    for folder in (base, out):
        shutil.rmtree(folder, ignore_errors=True)
    config = released(args.tiny, args.layers, args.text_layers)
    start = time.perf_counter()
    make_base(config, base, args.device)
    print(f"base of {config.transformer.num_layers} layers in {time.perf_counter() - start:.0f} s", flush=True)
    lines = _fit(args, base, out)
    print(json.dumps(_figures(args, config.transformer, lines)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--layers", type=int, default=60)
    parser.add_argument("--text-layers", type=int, default=28)
    parser.add_argument("--plan", default="adamw8bit", choices=("adamw", "adamw8bit", "adafactor"))
    parser.add_argument("--checkpointing", default="full", choices=("none", "selective", "full"))
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--tokens", type=int, default=36864, help="image tokens of a step, on average")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=420, help="end after so many, however many steps were made")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm/loop_gpu"))
    parser.add_argument("--set", action="append", default=[], metavar="a.b=value", help="of fit")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    args.device = "cpu" if args.tiny else "cuda"
    return args


def released(tiny: bool, layers: int = 60, text_layers: int = 28) -> ModelConfig:
    """The released widths, or for ``tiny`` a small model that a CPU trains."""
    if tiny:
        small = configs.load(ROOT / "configs/model/tiny.yaml", ModelConfig)
        return replace(small, transformer=replace(TINY, joint_attention_dim=small.text_encoder.hidden_size))
    config = configs.load(ROOT / "configs/model/qwen-image.yaml", ModelConfig)
    return replace(
        config,
        transformer=replace(config.transformer, num_layers=layers),
        text_encoder=replace(config.text_encoder, num_hidden_layers=text_layers),
    )


def make_base(config: ModelConfig, base: Path, device: str) -> None:
    """A pipeline folder with random bf16 weights, made on ``device`` by a process that leaves nothing there."""
    made = multiprocessing.get_context("spawn").Process(target=_make_base, args=(config, base, device))
    made.start()
    made.join()
    if made.exitcode:
        sys.exit("the base could not be made")


def _make_base(config: ModelConfig, base: Path, device: str) -> None:
    model = make_model(config.transformer, torch.device(device))
    _save(model, base / "transformer")
    del model
    save_vae_folder(new_vae(config.vae.shape, 0).bfloat16(), base / "vae")
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device), no_progress_bars():
        new_text_encoder(config.text_encoder, 0).save_pretrained(base / "text_encoder")
    write_tokenizer(base / "tokenizer")
    save_schedule(config.scheduler, base)
    write_index(base, config.pipeline)


def _save(model: MMDiT, folder: Path) -> None:
    """A file for each block, several at once: 41 GB in seconds rather than minutes."""
    save_transformer({}, model.config, folder)
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    files: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in model.state_dict().items():
        parts = name.split(".")
        number = int(parts[1]) + 1 if parts[0] == "transformer_blocks" else 0
        files.setdefault(f"diffusion_pytorch_model-{number:05}.safetensors", {})[name] = tensor
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: save_file(item[1], folder / item[0]), files.items()))
    total = sum(t.nbytes for t in model.state_dict().values())
    index = {"metadata": {"total_size": total}, "weight_map": {n: file for file, ts in files.items() for n in ts}}
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))


def _fit(args: argparse.Namespace, base: Path, out: Path) -> list[dict[str, Any]]:
    """Lines of metrics of the steps after the first ones."""
    config = {
        "phases": [
            {
                "name": "loop",
                "steps": 100_000,
                "where": "width > 0",
                "resolutions": [args.resolution],
                "tokens": args.tokens,
            }
        ],
        "optimizer": {
            "plan": args.plan,
            "weights": "bf16",
            "in_backward": True,
            "lr": 2e-5,
            "warmup": 0,
            "schedule": "constant",
            "ema": None,
        },
        "parallel": {"mode": "single", "compile": not args.tiny, "checkpointing": args.checkpointing},
        "precision": "bf16",
        "checkpoint": {"every": 100_000},
        "loading": {"cache_megabytes": 0, "threads": 8},
    }
    path = args.folder / "fit.yaml"
    path.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "trainer", "fit", str(path), str(out), "--init", str(base)]
    command += ["--data", str(args.dataset), *(part for field in args.set for part in ("--set", field))]
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            while process.poll() is None and time.perf_counter() - start < args.seconds:
                if len(_lines(out)) >= args.steps:
                    break
                time.sleep(0.5)
        finally:
            process.send_signal(signal.SIGKILL)
    lines = _lines(out)
    if len(lines) <= WARM:
        sys.exit(f"fit made {len(lines)} steps in {time.perf_counter() - start:.0f} s, more than {WARM} are needed")
    print(f"first step after {time.perf_counter() - start - sum(_seconds(x) for x in lines[1:]):.0f} s", flush=True)
    for line in lines:
        print({k: line[k] for k in ("step", "loss", "image_tokens", "seconds", "data_seconds")})
    return lines[WARM:]


def _lines(out: Path) -> list[dict[str, Any]]:
    path = out / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _seconds(line: dict[str, Any]) -> float:
    return line["seconds"] + line["data_seconds"]


def _figures(args: argparse.Namespace, config: MMDiTConfig, lines: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = [_seconds(line) for line in lines]
    side = (args.resolution // 16) ** 2
    # A sample of the square's area; texts are short beside it and left out.
    flops = [TRAINING_FACTOR * line["image_tokens"] / side * forward_flops(config, side, 0) for line in lines]
    return {
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        "torch": torch.__version__,
        "layers": config.num_layers,
        "plan": args.plan,
        "checkpointing": args.checkpointing,
        "steps": len(lines),
        "tokens": round(statistics.mean(line["image_tokens"] for line in lines)),
        "step_s": round(statistics.median(seconds), 3),
        "slowest_s": round(max(seconds), 3),
        "mfu": round(sum(flops) / sum(seconds) / PEAK_FLOPS, 4),
        "peak_gb": lines[-1].get("gpu_peak_gb"),
        "wait": round(sum(line["data_seconds"] for line in lines) / sum(seconds), 4),
        "losses": [round(line["loss"], 4) for line in (lines[0], lines[-1])],
    }


if __name__ == "__main__":
    main()
