"""``python -m synth``: render a dataset, preview a recipe, list its fonts, count its characters."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import configs
from configs.errors import UserError, command

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig
    from synth.recipe import Recipe

GENERAL = "configs/synth/pure.yaml"
PICTURES = (".png", ".jpg", ".webp")  # suffixes of a contact sheet


def main(argv: list[str]) -> int:
    """Parse and run one subcommand."""
    args = parser().parse_args(argv)
    args.run(args)
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m synth", description="Pictures of text with exact geometry.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    dataset = commands.add_parser("render", help="a synthetic dataset: shards, manifest, data card")
    dataset.add_argument("config", help="configs/synth/*.yaml")
    dataset.add_argument("out", type=Path, help="the dataset's folder")
    dataset.add_argument("--count", type=_positive, required=True, help="samples, indices from 0")
    _overridable(dataset, render)

    sheet = commands.add_parser("preview", help="a contact sheet of the first samples of one or several recipes")
    sheet.add_argument("config", nargs="+", help="configs/synth/*.yaml; of several, samples are shown in turn")
    sheet.add_argument("out", type=Path, help=f"the picture to write, {', '.join(PICTURES)}")
    sheet.add_argument("--count", type=_positive, default=48, help="samples of each recipe (default 48)")
    sheet.add_argument("--columns", type=_positive, default=8, help="samples in a row (default 8)")
    sheet.add_argument(
        "--from", type=_whole, default=0, dest="first", metavar="INDEX", help="the first index (default 0)"
    )
    sheet.add_argument("--seed", type=_whole, help="another seed than the recipe's")
    sheet.add_argument("--family", action="append", default=[], help="of a recipe of templates: only this family")
    sheet.add_argument("--width", type=_positive, help="scale the samples into rows of this width, px, without labels")
    sheet.add_argument("--boxes", action="store_true", help="draw the regions: glyph, word, line, paragraph")
    _overridable(sheet, preview)

    fonts = commands.add_parser("fonts", help="the fonts of a recipe: coverage and licenses")
    fonts.add_argument("config", nargs="?", default=GENERAL, help=f"configs/synth/*.yaml (default {GENERAL})")
    fonts.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    _overridable(fonts, list_fonts)

    photographs = commands.add_parser(
        "photographs", help="bring the photographs of {collection: free} from Debian's packages"
    )
    photographs.add_argument(
        "--license",
        action="append",
        default=[],
        metavar="SPDX",
        help="also those under this license, such as CC-BY-SA-4.0",
    )
    photographs.set_defaults(run=bring_photographs)

    cover = commands.add_parser("coverage", help="how often a recipe draws each of the 8,105 characters")
    cover.add_argument("config", nargs="?", default=GENERAL, help=f"configs/synth/*.yaml (default {GENERAL})")
    cover.add_argument(
        "--count", type=_positive, default=10_000, help="samples whose texts are counted (default 10,000)"
    )
    cover.add_argument("--plot", type=Path, metavar="OUT", help="write the long tail as a plot, .svg")
    _overridable(cover, coverage)
    return top


def render(args: argparse.Namespace) -> None:
    """Run the pipeline with the recipe as its one source, and keep the dataset it makes.

    The run lies beside it as OUT.run until it is done: killed, the same command goes on from there.
    """
    from pipeline.sandbox.guard import started_ahead

    # Few pictures are drawn and measured in less time than their processes take to start.
    with started_ahead(_DRAWING if args.count <= _FEW else {}):
        _render(args)


def _render(args: argparse.Namespace) -> None:
    from pipeline.annotators.measure import MeasureConfig
    from pipeline.config import PipelineConfig
    from pipeline.dataset import Dataset
    from pipeline.engine.run import run_pipeline
    from pipeline.engine.run_config import check_absolute
    from pipeline.sandbox.guard import started_ahead
    from pipeline.sources import SynthSource
    from synth.recipe import Recipe

    check_absolute(str(args.out), "OUT")
    recipe, out = Recipe.open(args.config, args.set), args.out.absolute()
    if _is_there(out, recipe, args.count):
        print(f"{args.out}: is there already, {args.count:,} samples of recipe {recipe.name}")
        return
    source = SynthSource.of(recipe, args.config, args.count, args.set)
    config = PipelineConfig(sources=(source,), annotate=(MeasureConfig("measure"),))
    _check(recipe, args, config)
    run = out.with_name(f"{out.name}.run")
    with started_ahead(_MEASURING if args.count <= _FEW else {}):
        run_pipeline(config, run)
    if out.exists():
        out.rmdir()  # empty: _is_there refuses anything else
    (run / "dataset").rename(out)
    shutil.rmtree(run)
    missing_glyphs = Dataset.open(out).manifest(["missing_glyphs"])["missing_glyphs"].to_pylist()
    _report(recipe, Counter("".join(filter(None, missing_glyphs))))
    print(f"{args.out}: done; look at it with: python -m pipeline inspect {args.out}")


_FEW = 512
"""Two fragments of the default size, which are worked on without Ray (``ClusterConfig.small``)."""

_DRAWING = {
    "pipeline.engine.collect": ("synth.recipe", "synth.content.rare:dictionary", "synth.corpus.words:frequencies")
}
_MEASURING = {"pipeline.engine.annotate_jobs": ("pipeline.annotators.measure", "cv2", "imagehash")}
"""What the children that draw and measure import and load."""


def _check(recipe: Recipe, args: argparse.Namespace, config: PipelineConfig) -> None:
    """Raise UserError when the recipe cannot be drawn. Few pictures are drawn by the child that tried it."""
    from pipeline.engine.collect import ReadJob
    from pipeline.sandbox.guard import load_ahead

    try:
        if args.count <= _FEW:
            load_ahead(ReadJob(config.sources[0].reader(), config.limits, config.languages), config.guard)
        else:
            recipe.check()
    except UserError as error:
        raise UserError(f"config {args.config}: {error}") from None


def _is_there(out: Path, recipe: Recipe, count: int) -> bool:
    """Whether ``out`` holds exactly these samples. Raises UserError when it holds anything else."""
    from pipeline.dataset import INDEX, Dataset

    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if (out / INDEX).exists():
        ids = Dataset.open(out).manifest(["id"])["id"].to_pylist()
        if set(ids) == {recipe.sample_id(index) for index in range(count)}:
            return True
    raise UserError(f"OUT: {out} exists and holds something else; name a folder that does not exist")


def preview(args: argparse.Namespace) -> None:
    """Write a contact sheet of one or several recipes and report what is on it."""
    from synth.preview import filled_sheet, preview_sheet
    from synth.recipe import Recipe

    if args.out.suffix.lower() not in PICTURES:
        raise UserError(f"OUT: expected a name ending in {', '.join(PICTURES)}, found '{args.out}'")
    if not args.out.parent.is_dir():
        raise UserError(f"OUT: the folder {args.out.parent} does not exist")
    recipes = [Recipe.load(config, [*args.set, *_shown(args)]) for config in args.config]
    samples = [recipe.render(index) for index in range(args.first, args.first + args.count) for recipe in recipes]
    if args.width:
        sheet = filled_sheet(samples, args.width, args.columns, args.boxes)
    else:
        sheet = preview_sheet(samples, args.columns, args.boxes, labels=True)
    sheet.save(args.out, quality=85)
    names = ", ".join(recipe.name for recipe in recipes)
    print(f"{args.out}: {len(samples)} samples of recipe {names}, {sheet.width}x{sheet.height} px")
    print(f"{sum(sample.discarded for sample in samples)} texts were discarded because they could not be shown whole")
    for number, recipe in enumerate(recipes):
        missing_glyphs: Counter[str] = Counter()
        for sample in samples[number :: len(recipes)]:
            missing_glyphs.update(sample.missing_glyphs)
        _report(recipe, missing_glyphs)


def _shown(args: argparse.Namespace) -> list[str]:
    """The overrides that preview's own options stand for."""
    seed = [] if args.seed is None else [f"seed={args.seed}"]
    weights = ", ".join(f"{family}: 1" for family in args.family)
    return [*seed, *([f"strategy.families={{{weights}}}"] if weights else [])]


def coverage(args: argparse.Namespace) -> None:
    """Count the characters of the first ``count`` texts by level of the table of 8,105."""
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from synth.coverage import count_characters, plot, rows, tables

    if args.plot and args.plot.suffix.lower() != ".svg":
        raise UserError(f"--plot: expected a name ending in .svg, found '{args.plot}'")
    if args.plot and not args.plot.parent.is_dir():
        raise UserError(f"--plot: the folder {args.plot.parent} does not exist")
    recipe = _recipe(args)
    texts, missing_glyphs = [], Counter[str]()
    for index in track(range(args.count), "drawing texts", console=Console(stderr=True), transient=True):
        text, without = recipe.text(index)
        texts.append(text)
        missing_glyphs.update(without)
    counts = count_characters(texts)
    table = Table("level", "characters", "drawn", "fraction", "rarest", "median", "commonest", box=None)
    levels = rows(counts, tables())
    for row in levels:
        numbers = (
            row.characters,
            row.seen,
            f"{row.seen / row.characters:.1%}",
            row.min_count,
            row.median,
            row.max_count,
        )
        table.add_row(str(row.level), *(n if isinstance(n, str) else f"{n:,}" for n in numbers))
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    seen, all_ = sum(row.seen for row in levels), sum(row.characters for row in levels)
    print(
        f"{args.count:,} texts of recipe {recipe.name}: {seen:,} of {all_:,} characters; {counts.total():,} occurrences"
    )
    _report(recipe, missing_glyphs)
    if args.plot:
        args.plot.write_text(plot(counts, tables(), f"recipe {recipe.name}, {args.count:,} texts"), "utf-8")
        print(f"{args.plot}: the long tail")


def _report(recipe: Recipe, missing_glyphs: Counter[str]) -> None:
    """Which characters no font had, and what was wrong with the user's corpora."""
    if missing_glyphs:
        shown = " ".join(f"{character} (U+{ord(character):04X}) {n}" for character, n in missing_glyphs.most_common(20))
        print(f"{missing_glyphs.total()} of the discarded had a character that no font draws: {shown}")
    for line in filter(None, (corpus.summary() for corpus in recipe.corpora.values())):
        print(line)
    photos = getattr(recipe.drawer, "photos", None)  # strategies that draw no photographs have none
    if photos and photos.summary:
        print(photos.summary)


def bring_photographs(args: argparse.Namespace) -> None:
    """Take the listed photographs out of Debian's packages and count what is there."""
    from synth.photo_install import CREDITS, install
    from synth.photo_list import FOLDER, check_licenses, listed

    try:
        check_licenses(args.license)
    except ValueError as error:
        raise UserError(f"--license: {error}") from None
    for line in install(args.license):
        print(line)
    there = [photograph for package, photograph in listed(args.license) if package.file(photograph)]
    marked = sum(bool(photograph.subjects) for photograph in there)
    seen = sum(photograph.kind in ("wall", "board", "street") for photograph in there)
    total = sum(1 for _ in listed(args.license))
    print(
        f"photographs: {len(there)} of {total} are there, {seen} of a wall, board or street, {marked} with marked subjects; "
        f"authors and licenses: {FOLDER / CREDITS}"
    )


def list_fonts(args: argparse.Namespace) -> None:
    """Print one row per face: how it looks, its license, how many characters of each set it draws."""
    from rich.console import Console
    from rich.table import Table

    from synth.fonts.catalog import catalog, charsets, default_cache
    from synth.fonts.source import find_all
    from synth.recipe import RecipeConfig

    config = configs.load(args.config, RecipeConfig, args.set)
    fonts, skipped = find_all(config.fonts)
    cards = catalog(fonts, default_cache())
    if args.json:
        rows = [asdict(card) | {"style": font.source.style} for card, font in zip(cards, fonts, strict=True)]
        print(json.dumps({"fonts": rows, "left": [{"file": str(f.path), "reason": f.reason} for f in skipped]}))
        return
    table = Table("family", "style", "face", "weights", "vertical", "license", "embedding", *charsets(), box=None)
    for card, font in zip(cards, fonts, strict=True):
        weights = "one" if card.weights is None else f"{card.weights[0]}..{card.weights[1]}"
        name = f"{card.family} {card.subfamily}".strip()
        counts = [str(drawn) for drawn, _ in card.coverage.values()]
        about = (name, font.source.style or "", str(card.face), weights, "yes" if card.vertical else "")
        table.add_row(*about, card.license, card.embedding, *counts)
    table.add_row("of", *[""] * 6, *(str(len(characters)) for characters in charsets().values()))
    Console(width=None if sys.stdout.isatty() else 170).print(table)
    print(f"{len({card.family for card in cards})} families, {len(cards)} faces")
    for one in skipped:
        print(f"left out: {one.path}: {one.reason}")


def _overridable(sub: argparse.ArgumentParser, run: object) -> None:
    sub.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="override a field of the config")
    sub.set_defaults(run=run)


def _recipe(args: argparse.Namespace) -> Recipe:
    from synth.recipe import Recipe

    return Recipe.load(args.config, args.set)


def _whole(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 on, found '{text}'")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, found '{text}'")
    return int(text)


if __name__ == "__main__":
    sys.exit(command(main))
