"""``python -m pipeline``: from sources to a dataset, and what one wants to know on the way."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from configs import command
from configs.storage import use_storage
from configs.storage.arguments import add_storage, local, place, refuse_storage, use_given_storage

if TYPE_CHECKING:
    from pipeline.store.removed import By

_LISTS: dict[By, str] = {
    "ids": "ids of samples, one a line",
    "uris": "where they came from, one a line",
    "hosts": "hosts that they came from, or were redirected to; a domain stands for all below it",
    "licenses": "licenses, also as a part of an expression",
}
"""By what ``remove`` names rows."""


def main(argv: list[str]) -> int | None:
    """Parse the command line and run the command it names."""
    arguments = _parser().parse_args(argv)
    use_given_storage(getattr(arguments, "storage", None))
    return arguments.function(arguments)


def _run(arguments: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.engine.run import run_pipeline

    config = load_config(arguments.config, arguments.set)
    use_storage(config.storage)
    run_pipeline(config, arguments.folder, arguments.wait, arguments.retry)


def _plan(arguments: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.engine.plan import plan

    config = load_config(arguments.config, arguments.set)
    use_storage(config.storage)
    print(plan(config, arguments.folder))


def _decide(arguments: argparse.Namespace) -> None:
    from pipeline.engine.redecide import decide_again

    refuse_storage(arguments.set)
    decide_again(arguments.folder, arguments.set, arguments.dry_run, arguments.wait)


def _pack(arguments: argparse.Namespace) -> None:
    from pipeline.engine.redecide import pack_again

    refuse_storage(arguments.set)
    pack_again(arguments.folder, arguments.set, arguments.wait)


def _add(arguments: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.engine.add import add_sources

    use_storage(load_config(arguments.config, arguments.set).storage)
    add_sources(arguments.folder, arguments.config, arguments.set, arguments.wait)


def _remove(arguments: argparse.Namespace) -> None:
    from pipeline.engine.remove import remove_rows

    by: By
    by, file = next((name, getattr(arguments, name)) for name in _LISTS if getattr(arguments, name))
    remove_rows(arguments.folder, by, file, arguments.wait)


def _retrieve(arguments: argparse.Namespace) -> None:
    from pipeline.retrieve.run import retrieve

    retrieve(arguments.folder, arguments.name, arguments.top, arguments.text, arguments.image or (), arguments.wait)


def _export(arguments: argparse.Namespace) -> None:
    from pipeline.pack.export import export_webdataset

    export_webdataset(arguments.dataset, arguments.out, arguments.where, arguments.megabytes)


def _inspect(arguments: argparse.Namespace) -> None:
    from pipeline.report.inspect import inspect_dataset

    inspect_dataset(arguments.dataset, arguments.where, arguments.limit, arguments.out)


def _report(arguments: argparse.Namespace) -> None:
    from pipeline.report.build import write_report

    print(f"report: {write_report(arguments.folder, arguments.train)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline", description="Raw pictures and fonts in, balanced shards out."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = _command(commands, "run", _run, "everything up to RUN/dataset; run again, it resumes")
    run.add_argument("config", type=Path, metavar="CONFIG")
    _run_folder(run)
    _set(run)
    _wait(run)
    retry = "try again what failed for these reasons (see failures/), or for any"
    run.add_argument("--retry", metavar="REASON[,REASON]|all", help=retry)

    plan = _command(commands, "plan", _plan, "what a run would do, what is done, what is left; runs nothing")
    plan.add_argument("config", type=Path, metavar="CONFIG")
    _run_folder(plan, nargs="?")
    _set(plan)

    decide = _command(commands, "decide", _decide, "new thresholds or balance on stored scores, over the same shards")
    _run_folder(decide)
    _set(decide)
    decide.add_argument("--dry-run", action="store_true", help="show what would change; write nothing")
    _wait(decide)
    add_storage(decide)

    pack = _command(commands, "pack", _pack, "decide and repack where shards lack kept rows")
    _run_folder(pack)
    _set(pack)
    _wait(pack)
    add_storage(pack)

    add = _command(commands, "add", _add, "new sources join a finished run; what it holds stays as it is")
    _run_folder(add)
    add.add_argument("config", type=Path, metavar="CONFIG")
    _set(add)
    _wait(add)

    remove = _command(commands, "remove", _remove, "take down rows, and all that was made of them, for good")
    _run_folder(remove)
    lists = remove.add_mutually_exclusive_group(required=True)
    for name, text in _LISTS.items():
        lists.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    _wait(remove)
    add_storage(remove)

    find = _command(commands, "retrieve", _retrieve, "find rows by words or by pictures, for the next decide to use")
    _run_folder(find)
    query = find.add_mutually_exclusive_group(required=True)
    query.add_argument("--text", metavar="WORDS", help="rows whose captions or read text hold all of these words")
    query.add_argument(
        "--image", type=local, nargs="+", metavar="FILE", help="rows that look like any of these pictures"
    )
    find.add_argument("--top", type=int, default=100, metavar="K", help="how many rows, the best ones (%(default)s)")
    find.add_argument("--name", required=True, metavar="N", help="what the column retrieved will hold for them")
    _wait(find)
    add_storage(find)

    export = _command(commands, "export", _export, "a dataset as tars of WebDataset")
    export.add_argument("dataset", type=place, metavar="DATASET", help="a dataset, or a run that has one")
    export.add_argument("out", type=local, metavar="OUT", help="a folder that is not there yet")
    export.add_argument("--where", metavar="EXPR", help="only samples for which this is true, e.g. 'stage_to >= 4'")
    export.add_argument("--megabytes", type=int, default=1000, help="of a tar, at most about (%(default)s)")
    add_storage(export)

    inspect = _command(commands, "inspect", _inspect, "what is in a dataset, and a gallery with the boxes drawn")
    inspect.add_argument("dataset", type=place, metavar="DATASET", help="a dataset, or a run that has one")
    inspect.add_argument("--where", metavar="EXPR", help="only samples for which this is true, e.g. 'text_level >= 2'")
    inspect.add_argument(
        "--limit",
        type=int,
        default=240,
        help="samples in the gallery, which turns pages: thousands are fine (%(default)s)",
    )
    inspect.add_argument("--out", type=place, metavar="FILE", help="the gallery; by default DATASET.html")
    add_storage(inspect)

    report = _command(commands, "report", _report, "RUN/report.html: funnel, reasons, coverage, balance, training")
    _run_folder(report)
    report.add_argument(
        "--train", type=place, metavar="OUT", help="a training on the run's dataset; by default RUN/train"
    )
    add_storage(report)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
    parser.set_defaults(function=function)
    return parser


def _run_folder(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    parser.add_argument("folder", type=place, metavar="RUN", nargs=nargs, help="folder of the run")


def _set(parser: argparse.ArgumentParser) -> None:
    text = "override a field of the config; may be repeated"
    parser.add_argument("--set", action="append", default=[], metavar="a.b=value", help=text)


def _wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait while another process holds the run")


if __name__ == "__main__":
    sys.exit(command(main))
