"""``python -m trainer``: train on a dataset, and see what came of it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from configs import UserError, command, load
from configs.storage import use_storage
from configs.storage.arguments import local, place
from trainer.parallel.torchrun import refuse_torchrun, told_once


def main(argv: list[str]) -> int | None:
    """Parse the command line and run the command it names; its status is the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.run is not _fit or arguments.dry_run:
        what = "fit --dry-run" if arguments.run is _fit else argv[0]
        refuse_torchrun(f"{what} is for one process, and torchrun has started this one: give it without torchrun")
    return arguments.run(arguments)


def _fit(arguments: argparse.Namespace) -> None:
    from trainer.config import FitConfig
    from trainer.start import Start

    with told_once():
        config = load(arguments.config, FitConfig, arguments.set)
        use_storage(config.storage)
    start = Start(arguments.init, getattr(arguments, "from"), arguments.lora)
    if arguments.dry_run:
        from trainer.dry_run import dry_run

        dry_run(config, arguments.out, arguments.data, start, arguments.gpus)
        return
    from trainer.launch import launch

    launch(config, arguments.out, arguments.data, arguments.wait, start)


def _encode(arguments: argparse.Namespace) -> None:
    from trainer.config import FitConfig

    config = load(arguments.config, FitConfig, arguments.set)
    use_storage(config.storage)
    from trainer.data.producers.encode import encode  # imports torch: a wrong config is reported before
    from trainer.start import Start

    encode(config, arguments.dataset, arguments.out, arguments.wait, Start(arguments.init))


def _vae(arguments: argparse.Namespace) -> None:
    from trainer.vae.config import VAETrainConfig
    from trainer.vae.decoder_config import DecoderConfig

    if arguments.init is not None:
        decoder = load(arguments.config, DecoderConfig, arguments.set)
        from trainer.vae.decoder import train_decoder  # imports torch: a wrong config is reported before

        train_decoder(decoder, arguments.init, arguments.out)
        return
    try:
        config = load(arguments.config, VAETrainConfig, arguments.set)
    except UserError:
        if _is(arguments, DecoderConfig):
            raise UserError(
                f"config {arguments.config}: trains the decoder of a released VAE; name it: --init VAE"
            ) from None
        raise
    from trainer.vae.train import train_vae  # imports torch: a wrong config is reported before

    train_vae(config, arguments.out)


def _is(arguments: argparse.Namespace, kind: type) -> bool:
    """Whether the config is one of this kind."""
    try:
        load(arguments.config, kind, arguments.set)
    except UserError:
        return False
    return True


def _evaluate(arguments: argparse.Namespace) -> None:
    from trainer.evaluate.config import EvaluateConfig

    config = load(arguments.config, EvaluateConfig, [*_prompts(arguments), *arguments.set])
    from trainer.evaluate.run import Asked, evaluate  # imports torch: a wrong config is reported before

    checkpoint = None if str(arguments.checkpoint) == "-" else arguments.checkpoint
    suites = tuple(arguments.suite.split(","))
    asked = Asked(checkpoint, suites, arguments.pictures, arguments.reader, arguments.device, arguments.dtype)
    evaluate(asked, arguments.out, config)


def _prompts(arguments: argparse.Namespace) -> list[str]:
    """--prompts as an override of the config: it is of the one suite that takes such files."""
    if arguments.prompts is None:
        return []
    named = [name for name in arguments.suite.split(",") if name in ("long_text", "cvtg")]
    if len(named) != 1:
        found = " and ".join(named) or "none"
        raise UserError(
            f"--prompts: is for one of the suites long_text and cvtg, found {found}; for both give --set prompts.long_text=PATH "
            "--set prompts.cvtg=PATH"
        )
    return [f"prompts.{named[0]}={json.dumps(str(arguments.prompts))}"]


def _pairs(arguments: argparse.Namespace) -> None:
    from trainer.post.pairs import PairsConfig, make_pairs

    config = load(arguments.config, PairsConfig, arguments.set)
    about = (arguments.reader, arguments.scores, arguments.device, arguments.dtype)
    make_pairs(config, arguments.checkpoint, arguments.out, *about)


def _dpo(arguments: argparse.Namespace) -> None:
    from trainer.post.dpo import DpoConfig, train_dpo

    train_dpo(load(arguments.config, DpoConfig, arguments.set), arguments.out, arguments.pairs, arguments.init)


def _grpo(arguments: argparse.Namespace) -> None:
    from trainer.post.grpo import train_grpo
    from trainer.post.grpo_config import GrpoConfig

    train_grpo(load(arguments.config, GrpoConfig, arguments.set), arguments.out, arguments.init)


def _quickstart(arguments: argparse.Namespace) -> None:
    from trainer.quickstart import quickstart

    quickstart(arguments.out, arguments.images)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Train Qwen-Image in curriculum order.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fit = _command(commands, "fit", _fit, "train on a dataset; run again, it goes on")
    fit.add_argument("config", type=Path, metavar="CONFIG")
    fit.add_argument("out", type=local, metavar="OUT")
    fit.add_argument(
        "--data",
        type=place,
        required=True,
        metavar="DATASET",
        help="a packed dataset, or pictures: a folder, or a YAML of folders",
    )
    fit.add_argument("--init", type=Path, metavar="FOLDER", help="a diffusers folder to start from, instead of 'model'")
    fit.add_argument("--from", type=Path, metavar="CHECKPOINT", help="start with weights, optimizer and averages of it")
    fit.add_argument("--lora", type=Path, metavar="FILE", help="go on from a LoRA; the config says lora: {...}")
    fit.add_argument("--dry-run", action="store_true", help="print what would be trained on, phase by phase")

    fit.add_argument(
        "--gpus", type=int, metavar="N", help="with --dry-run: plan memory for so many GPUs (default: parallel.tp)"
    )
    fit.add_argument("--wait", action="store_true", help="wait while another process trains into OUT")

    encode = _command(commands, "encode", _encode, "encode beforehand what a training will read; run again, it goes on")
    encode.add_argument("config", type=Path, metavar="CONFIG", help="of the training")
    encode.add_argument(
        "dataset", type=place, metavar="DATASET", help="a packed dataset, or pictures: a folder, or a YAML of folders"
    )
    encode.add_argument("out", type=local, metavar="OUT", help="name it as 'encoded' in the training's config")
    encode.add_argument("--init", type=Path, metavar="FOLDER", help="a diffusers folder with the encoders")
    encode.add_argument("--wait", action="store_true", help="wait while another process encodes into OUT")

    vae = _command(commands, "vae", _vae, "train the decoder of a VAE, or the tiny VAE from scratch")
    vae.add_argument("config", type=Path, metavar="CONFIG")
    vae.add_argument("out", type=local, metavar="OUT")
    vae.add_argument(
        "--init",
        type=Path,
        metavar="VAE",
        help="a diffusers folder or a file of this command, whose decoder is trained",
    )

    evaluate = _command(commands, "evaluate", _evaluate, "score what a model draws; run again, it goes on")
    evaluate.add_argument(
        "checkpoint",
        type=Path,
        metavar="CKPT",
        help="output of fit, a checkpoint, a diffusers folder; '-' for --pictures",
    )
    evaluate.add_argument("out", type=local, metavar="OUT")
    evaluate.add_argument(
        "--suite",
        default="glyphs,numbers,words,lines",
        help="of glyphs, numbers, words, lines (default), chinese_word, long_text, cvtg, dense, vae, quality, edit, loss",
    )
    evaluate.add_argument("--prompts", type=Path, metavar="PATH", help="prompt file or folder of long_text or cvtg")
    evaluate.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="score <prompt_id>[-<n>].png in it instead of drawing"
    )
    evaluate.add_argument("--reader", default="paddle", help="paddle, or the URL of an OpenAI-compatible server")
    evaluate.add_argument("--device", help="cpu, cuda, cuda:1 ...; default: a GPU where there is one")
    evaluate.add_argument("--dtype", help="float32, bfloat16 or float16; default: as stored")
    evaluate.add_argument("--config", type=Path, default=Path("configs/train/evaluate.yaml"))

    pairs = _command(
        commands, "pairs", _pairs, "make a preference dataset of what a model draws; run again, it goes on"
    )
    pairs.add_argument("checkpoint", type=Path, metavar="CKPT", help="as for evaluate")
    pairs.add_argument("out", type=local, metavar="OUT")
    pairs.add_argument("--reader", default="paddle", help="paddle, or the URL of an OpenAI-compatible server")
    pairs.add_argument("--scores", type=Path, metavar="FILE", help="a person's scores: a CSV of picture and score")
    pairs.add_argument("--device", help="cpu, cuda, cuda:1 ...; default: a GPU where there is one")
    pairs.add_argument("--dtype", help="float32, bfloat16 or float16; default: as stored")
    pairs.add_argument("--config", type=Path, default=Path("configs/train/pairs.yaml"))

    dpo = _command(commands, "dpo", _dpo, "train on a preference dataset; run again, it goes on")
    dpo.add_argument("config", type=Path, metavar="CONFIG")
    dpo.add_argument("out", type=local, metavar="OUT")
    dpo.add_argument("--pairs", type=Path, required=True, metavar="DATASET", help="of `trainer pairs`")
    dpo.add_argument("--init", type=Path, required=True, metavar="FOLDER", help="the diffusers folder to start from")

    grpo = _command(commands, "grpo", _grpo, "train on rewards of what the model draws; run again, it goes on")
    grpo.add_argument("config", type=Path, metavar="CONFIG")
    grpo.add_argument("out", type=local, metavar="OUT")
    grpo.add_argument("--init", type=Path, required=True, metavar="FOLDER", help="the diffusers folder to start from")

    quickstart = commands.add_parser("quickstart", help="the whole way on real pictures, as `make quickstart` runs it")
    quickstart.set_defaults(run=_quickstart)
    quickstart.add_argument("out", type=local, nargs="?", default=Path("runs/quickstart"), metavar="OUT")
    quickstart.add_argument("--images", type=Path, help="a folder of your own pictures")
    return parser


def _command(commands: argparse._SubParsersAction, name: str, run: object, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=value", help="override a field of the config"
    )
    return parser


if __name__ == "__main__":
    sys.exit(command(main))
