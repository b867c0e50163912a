"""Commands of the model: describe, init, sample, merge, export."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from configs import UserError, command, load
from model.config import ModelConfig
from model.latents import tokens_of
from model.memory import OPTIMIZERS, Setting


def main(argv: list[str]) -> int | None:
    args = _parser().parse_args(argv)
    return args.run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    describe = commands.add_parser("describe", help="parameters, FLOPs per sample, memory of a training")
    _config_arguments(describe)
    describe.add_argument("--optimizer", default="adamw", metavar="|".join(OPTIMIZERS), help="default: adamw")
    describe.add_argument("--weights", default="fp32", choices=("fp32", "bf16"), help="as stored (default: fp32)")
    describe.add_argument("--in-backward", action="store_true", help="step each block in the backward pass")
    describe.add_argument("--offload-blocks", type=int, default=0, metavar="N", help="blocks that live on the host")
    describe.add_argument("--average", default="device", choices=("none", "device", "host"), help="averaged weights")
    describe.add_argument("--encoders", action="store_true", help="VAE and text encoder stay on the GPU")
    describe.add_argument("--gpus", type=int, default=1, metavar="N", help="fully sharded over N (default: 1)")
    describe.add_argument("--tp", type=int, default=1, metavar="N", help="of them N in tensor parallel (default: 1)")
    describe.add_argument("--samples", type=int, default=1, metavar="N", help="in a GPU's micro-batch (default: 1)")
    describe.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    describe.set_defaults(run=_describe)

    init = commands.add_parser("init", help="a pipeline folder with random weights")
    _config_arguments(init)
    init.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    init.add_argument("--seed", type=int, default=0)
    init.add_argument("--vae", metavar="FILE", help="VAE weights instead of the config's vae.weights")
    init.set_defaults(run=_init)

    sample = commands.add_parser("sample", help="make a picture")
    sample.add_argument("checkpoint", type=Path, metavar="CKPT", help="pipeline folder")
    sample.add_argument("--prompt", required=True)
    sample.add_argument("--negative", default=" ", help="negative prompt (default: one space)")
    sample.add_argument("--out", type=Path, required=True, metavar="X.png")
    sample.add_argument(
        "--image", type=Path, action="append", default=[], metavar="REF", help="a picture to edit; again for more"
    )
    sample.add_argument(
        "--reference-area", type=int, default=1024 * 1024, metavar="PX", help="size at which the VAE sees references"
    )
    sample.add_argument(
        "--vision-area", type=int, metavar="PX", help="size at which the vision tower sees them; default: as released"
    )
    _weights_arguments(sample)
    sample.add_argument("--width", type=int, help="default: 1024, or the last reference's aspect ratio")
    sample.add_argument("--height", type=int)
    sample.add_argument("--steps", type=int, default=50)
    sample.add_argument("--max-tokens", type=int, default=512, metavar="N", help="of the prompt (default: 512)")
    sample.add_argument("--cfg", type=float, default=4.0, help="guidance scale; 1 or less turns it off")
    sample.add_argument("--seed", type=int, default=0)
    sample.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: as stored")
    sample.add_argument("--device", help="default: cuda where there is one, else cpu")
    sample.set_defaults(run=_sample)

    merge = commands.add_parser("merge", help="a pipeline folder of other weights: a single file's, LoRA merged")
    merge.add_argument("folder", type=Path, metavar="FOLDER", help="pipeline folder of the same model")
    merge.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    _weights_arguments(merge)
    merge.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: as stored, fp8 as bfloat16")
    merge.set_defaults(run=_merge)

    export = commands.add_parser("export", help="a training checkpoint as a pipeline folder")
    export.add_argument("checkpoint", type=Path, metavar="CKPT", help="checkpoint, or the output folder of `fit`")
    export.add_argument("out", type=Path, metavar="OUT")
    export.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), help="of the weights; default: the base's"
    )
    export.add_argument("--merge", action="store_true", help="of a LoRA training: a whole folder with the LoRA merged")
    export.set_defaults(run=_export)
    return parser


def _config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="configs/model/*.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=value", help="override a field")


def _weights_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="one .safetensors file (ComfyUI's, fp8 too) for the transformer"
    )
    parser.add_argument(
        "--lora", action="append", default=[], metavar="FILE[:WEIGHT]", help="LoRA to add; again for more"
    )


def _load_config(path: Path, overrides: Sequence[str]) -> ModelConfig:
    return load(path, ModelConfig, overrides)


def _describe(args: argparse.Namespace) -> None:
    if args.optimizer not in OPTIMIZERS:
        raise UserError(f"--optimizer: found '{args.optimizer}'; the trainer has {', '.join(OPTIMIZERS)}")
    for name in ("gpus", "samples", "tp"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name}: found {getattr(args, name)}; at least 1 is needed")
    config = _load_config(args.config, args.set)
    from model.describe import describe  # imports torch: a wrong config is reported before
    from model.describe_tables import format_figures

    figures = describe(config, _setting(args), args.samples)
    print(json.dumps(figures) if args.json else format_figures(figures))


def _setting(args: argparse.Namespace) -> Setting:
    try:
        return Setting(
            optimizer=args.optimizer,
            weights=args.weights,
            in_backward=args.in_backward,
            offload_blocks=args.offload_blocks,
            average=args.average,
            mode="fsdp" if args.gpus > 1 else "single",
            gpus=args.gpus,
            tp=args.tp,
            encoders=args.encoders,
        )
    except ValueError as error:
        raise UserError(str(error)) from None


def _init(args: argparse.Namespace) -> None:
    config = _load_config(args.config, args.set)
    from model.init import init_folder

    init_folder(config, args.out, args.seed, args.vae)
    print(f"wrote {args.out} (random weights, seed {args.seed})")


def _sample(args: argparse.Namespace) -> None:
    try:
        tokens_of(args.height or 1024, args.width or 1024)
    except ValueError as error:
        raise UserError(str(error)) from None
    if args.out.suffix.lower() != ".png":
        raise UserError(f"--out: {args.out} must end in .png")
    from model.sample_command import sample_to_file

    sample_to_file(args)


def _merge(args: argparse.Namespace) -> None:
    if not args.lora and not args.weights:
        raise UserError("merge: nothing to merge; give --lora FILE[:WEIGHT] or --weights FILE")
    from model.lora_merge import lora_file, merge_folder

    merge_folder(args.folder, args.out, [lora_file(text) for text in args.lora], args.weights, args.dtype)
    print(f"wrote {args.out}; it loads with diffusers.QwenImagePipeline.from_pretrained")


def _export(args: argparse.Namespace) -> None:
    import torch

    from model.export import check_whole, export

    check_whole(args.checkpoint)
    export(args.checkpoint, args.out, getattr(torch, args.dtype) if args.dtype else None, args.merge)
    print(f"wrote {args.out}; it loads with diffusers.QwenImagePipeline.from_pretrained")


if __name__ == "__main__":
    sys.exit(command(main))
