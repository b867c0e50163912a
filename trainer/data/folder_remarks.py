"""What the user is told of a plain folder: what is in it, and by reason what is left out. The dry run says the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainer.data.folder_config import FolderConfig
from trainer.data.folder_files import Picture
from trainer.data.folder_item import Scan
from trainer.data.folder_scan import few

_REASONS = 12  # that are told one by one; chosen
_NO_TEXT = " (put it into a .txt beside the picture, or give 'caption' for all in a YAML of folders)"


def remarks_on(
    folder: Path, config: FolderConfig, found: Scan, read: Sequence[Picture], problems: Sequence[tuple[str, str]]
) -> list[str]:
    """A line each. ``problems``: (uri, why) of what is left out."""
    lines = [*_counts(config, found, read), *_left_out(problems), *_refused(found), *found.told]
    if found.strays:
        lines.append(f"{len(found.strays):,} files belong to no picture: {few(found.strays)}")
    return [f"{folder}: {line}" for line in lines]


def _counts(config: FolderConfig, found: Scan, read: Sequence[Picture]) -> Iterator[str]:
    texts, edits = sum(len(p.item.texts) for p in read), sum(bool(p.item.references) for p in read)
    kind = "regularization pictures" if config.regularization else "pictures"
    masks = sum(p.item.mask is not None for p in read)
    yield f"{len(read):,} {kind} with {texts:,} texts, {edits:,} to edit, {masks:,} with a mask"
    repeats = sorted({p.item.repeats for p in read})
    if any(r != 1 for r in repeats):
        yield f"repeats are {few([f'{r:g}' for r in repeats])}"
    if found.named:
        yield f"{found.named:,} pictures have no text: the name of their subfolder is their caption"
    whole = [p.item.uri for p in read if p.quotes]
    if whole:
        yield (
            f"{len(whole):,} pictures have captions that quote text: {few(whole)}; where it stands is not known, so "
            "nothing of them is cut"
        )
    paired = {p.item.path.parent for p in read if p.item.references}
    alone = [p.item.uri for p in read if not p.item.references and p.item.path.parent in paired]
    if alone:
        yield f"{len(alone):,} pictures have no reference where others do: {few(alone)}; their texts are taken for captions"
    white = [p.item.uri for p in read if p.white_mask]
    if white:
        yield f"{len(white):,} masks are white all over (as transparency is) and change nothing: {few(white)}"


def _left_out(problems: Sequence[tuple[str, str]]) -> Iterator[str]:
    why: dict[str, list[str]] = defaultdict(list)
    for uri, problem in problems:
        why[problem].append(uri)
    for problem in list(why)[:_REASONS]:
        remedy = _NO_TEXT if problem == "has no caption" else ""
        yield f"{len(why[problem]):,} left out: {few(why[problem])}: {problem}{remedy}"
    others = [uri for problem in list(why)[_REASONS:] for uri in why[problem]]
    if others:
        yield f"{len(others):,} left out: {few(others)}: for {len(why) - _REASONS:,} other reasons"


def _refused(found: Scan) -> Iterator[str]:
    """Texts of pictures that have others, or the folder's."""
    why: dict[str, list[str]] = defaultdict(list)
    for item in found.items:
        for reason in item.refused if not item.problem else ():
            why[reason].append(item.uri)
    for reason, uris in why.items():
        yield f"{len(uris):,} texts left out, of {few(list(dict.fromkeys(uris)))}: {reason}"
