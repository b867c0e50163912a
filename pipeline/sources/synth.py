"""A recipe of ``synth``: its inputs are the indices 0..count-1, its pictures are rendered where they are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from configs.errors import RunFailed, UserError
from pipeline.quads import quad_height, text_area
from pipeline.sources.base import Reader, Remark, Source
from pipeline.store.ledger import Entry
from synth.sample import encode

if TYPE_CHECKING:
    from configs.pictures import Limits
    from synth import Recipe, Sample


@dataclass(frozen=True)
class SynthSource(Source):
    """``recipe``: a config of synth, changed by ``overrides`` (``a.b=value``). ``count``: pictures, indices from 0."""

    kind: Literal["synth"]
    recipe: str
    count: int
    overrides: tuple[str, ...] = ()

    synthetic = True

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"field 'count': must be at least 1, found {self.count}")

    def check(self, where: str) -> None:
        """Raise UserError when the recipe cannot be read or drawn."""
        try:
            self.load()
        except UserError as error:
            raise UserError(f"field '{where}.recipe': {error}") from None

    def entries(self, where: str, remark: Remark) -> Iterator[Entry]:
        """One input per index; the uri names the recipe's digest, which decides every pixel."""
        recipe = self.load()
        for index in range(self.count):
            yield Entry(f"{recipe.name}@{recipe.digest[:12]}/{index}", id=recipe.sample_id(index))

    def check_listed(self, where: str, first: Mapping[str, Any]) -> None:
        """Raise UserError when the recipe would draw other pictures than those that are listed."""
        if first["id"] != self.load().sample_id(0):
            raise UserError(
                f"field '{where}.recipe': '{self.recipe}' draws other pictures than when this run was listed (it, its "
                "fonts or versions changed); take a new RUN folder, or put back what it was"
            )

    def load(self) -> Recipe:
        """The recipe, read and tried at the first call. Raises UserError."""
        return self._recipe

    @classmethod
    def of(cls, recipe: Recipe, path: str, count: int, overrides: Sequence[str] = ()) -> SynthSource:
        """The source of a recipe that was read from ``path``; it has its name."""
        source = cls("synth", recipe.name, path, count, tuple(overrides))
        source.__dict__["_recipe"] = recipe
        return source

    @cached_property
    def _recipe(self) -> Recipe:
        from synth import Recipe

        return Recipe.load(self.recipe, self.overrides)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # a recipe is loaded where it is used

    def reader(self) -> Reader:
        return _SynthReader(self.load())


@dataclass(frozen=True)
class _SynthReader(Reader):
    """Renders one index. Two of one recipe are equal."""

    recipe: Recipe

    def setup(self) -> None:
        self.recipe.check()

    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        index = int(entry["uri"].rsplit("/", 1)[1])
        sample = self.recipe.render(index)
        if sample.id != entry["id"]:
            raise RunFailed(
                f"recipe {self.recipe.name}: this machine would draw other pictures than those listed in the ledger "
                f"({entry['uri']}): other fonts, corpora or versions. Committed fragments are safe; go on with what "
                "the run was started with, or start a new RUN folder"
            )
        return sample_row(sample)


def _pair_columns(sample: Sample) -> dict[str, Any]:
    """The picture before an edit, and the instruction that leads from it to ``image``."""
    if sample.reference is None:
        return {}
    data, form = encode(sample.reference)
    return {
        "references": [{"bytes": data, "path": f"{sample.id}-before.{form.lower()}"}],
        "ref_sizes": list(sample.reference.size),
        "instructions": [asdict(instruction) for instruction in sample.instructions],
    }


def sample_row(sample: Sample) -> dict[str, Any]:
    """A rendered sample as the columns of schema.COLLECTED; its text columns are exact."""
    data, form = sample.encode()
    lines = [r for r in sample.regions if r.level == "line"] or list(sample.regions)
    return {
        "id": sample.id,
        "origin": "synth",
        "image": {"bytes": data, "path": f"{sample.id}.{form.lower()}"},
        "width": sample.image.width,
        "height": sample.image.height,
        "orientation": 1,
        "format": form,
        "bytes_len": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "license": sample.license,
        "parents": list(sample.parents),
        "domain": sample.domain,
        "task": sample.task,
        **_pair_columns(sample),
        "captions": [asdict(caption) for caption in sample.captions],
        "recipe": sample.recipe,
        "strategy": sample.strategy,
        "medium": sample.medium,
        "fonts": list(sample.fonts),
        "colors": list(sample.colors),
        "effects": list(sample.effects),
        "pair": sample.pair,
        "missing_glyphs": "".join(character * count for character, count in sample.missing_glyphs.items()),
        "text": sample.text,
        "text_language": sample.text_language,
        "text_level": sample.text_level,
        "text_regions": [{**asdict(region), "quad": list(region.quad), "score": 1.0} for region in sample.regions],
        "abnormal": sample.abnormal,
        "text_chars": sum(not c.isspace() for c in sample.text),
        "text_area": text_area([r.quad for r in lines], sample.image.width, sample.image.height),
        "text_min_height": min((quad_height(r.quad, r.direction) for r in lines), default=None),
    }
