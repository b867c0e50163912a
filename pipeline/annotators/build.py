"""From the list ``annotate:`` to annotators that may run together: each name and each column only once."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence

from configs.errors import UserError
from configs.pictures import Limits
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig

_STEPS = ("collect", "decode")
"""Names in failures/ that are no annotators."""


def build(configs: Sequence[AnnotatorConfig], limits: Limits | None = None) -> list[Annotator]:
    """The annotators of a run, ready to travel to their workers.

    Raises UserError for a repeated name or column, or a column that cannot be filled.
    """
    made: list[Annotator] = []
    for index, config in enumerate(configs):
        annotator = config.make(limits or Limits())
        if not isinstance(annotator, Annotator):
            raise UserError(
                f"field 'annotate.{index}': {config.kind} made {annotator!r}, which is no annotator "
                "(pipeline/annotators/base.py)"
            )
        if problem := next(_problems(annotator, made), None):
            raise UserError(f"field 'annotate.{index}': {problem}")
        made.append(annotator)
    return made


def check(configs: Sequence[AnnotatorConfig], annotators: Sequence[Annotator]) -> None:
    """Raise UserError where scoring cannot begin here: a file is not there, or a required annotator cannot run.
    Deciding over what is scored asks for none of it. ``annotators``: what ``build`` made of ``configs``."""
    for index, (config, annotator) in enumerate(zip(configs, annotators, strict=True)):
        config.check(f"annotate.{index}")
        if config.required and (reason := annotator.missing()):
            raise UserError(f"field 'annotate.{index}.required': {annotator.name} cannot run here: {reason}")


def _problems(annotator: Annotator, others: Sequence[Annotator]) -> Iterator[str]:
    """What is wrong with an annotator beside ``others``, a sentence each."""
    name = getattr(annotator, "name", None)
    if not isinstance(name, str):
        yield f"{type(annotator).__name__} has no name, or none that is text"
        return
    for field in ("version", "input", "columns"):
        if not hasattr(annotator, field):
            yield f"{name} does not say its {field}"
            return
    if not isinstance(annotator.version, str):
        yield f"the version of {name} must be text, found {annotator.version!r}"
    if annotator.input not in ("pixels", "thumbnail", "bytes"):
        yield f"the input of {name} must be pixels, thumbnail or bytes, found {annotator.input!r}"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in _STEPS:
        yield f"'{name}' cannot be an annotator's name; letters, digits and '_', but not {' or '.join(_STEPS)}"
    if name in (other.name for other in others):
        yield f"the annotator '{name}' is given twice"
    taken = {column.name: other.name for other in others for column in other.columns}
    own = [column.name for column in (*annotator.columns, *annotator.aside)]
    for column in annotator.aside:
        if column.name in schema.RESERVED:
            yield f"{name} cannot keep '{column.name}' aside: the pipeline fills it; take another name"
    for column in annotator.columns:
        if column.name in taken:
            yield f"{name} fills the column '{column.name}', which {taken[column.name]} fills as well"
        if own.count(column.name) > 1:
            yield f"{name} repeats the column '{column.name}'"
        if problem := _column_problem(column):
            yield f"{name} cannot fill the column '{column.name}': {problem}"


def _column_problem(column: schema.Column) -> str | None:
    """Why an annotator cannot fill ``column``, or None."""
    if column.name in schema.FILLED_BY_ANNOTATORS:
        ours = schema.COLUMNS[column.name]
        return None if column == ours else f"pipeline/schema.py has it as {ours.type}: {ours.meaning}"
    if column.name in schema.RESERVED or column.name.endswith(schema.STATE_SUFFIX):
        return "the pipeline fills it; take another name"
    if not column.name.isidentifier() or keyword.iskeyword(column.name) or column.name in ("true", "false", "null"):
        return "a name that rules can use is letters, digits and '_'"
    return "an annotator's columns may be null, so 'required' cannot be set" if column.required else None
