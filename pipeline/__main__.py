"""``python -m pipeline``: from sources to a dataset, and what one wants to know on the way."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from configs import command, load


def main(argv: list[str]) -> int | None:
    """Parse the command line and run the command it names; its status is the exit status."""
    arguments = _parser().parse_args(argv)
    return arguments.run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    from pipeline.config import PipelineConfig
    from pipeline.engine.run import run_pipeline

    run_pipeline(load(arguments.config, PipelineConfig, arguments.set), arguments.folder, arguments.wait)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline", description="Raw pictures and fonts in, balanced shards out."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _command(commands, "run", _run, "everything up to RUN/dataset; run again, it resumes")
    run.add_argument("config", type=Path, metavar="CONFIG")
    run.add_argument("folder", type=Path, metavar="RUN")
    _settings(run)
    return parser


def _command(commands, name, function, text):
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=function)
    return parser


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=value", help="override a field of the config"
    )
    parser.add_argument("--wait", action="store_true", help="wait when another process holds the run")


if __name__ == "__main__":
    sys.exit(command(main))
