"""The form that ``annotate:`` had before it was a list, so that runs made with it go on.

annotate: {run: [measure, ocr], require: [ocr], ocr: {min_score: 0.7}}      before
annotate: [{kind: measure}, {kind: ocr, required: true, min_score: 0.7}]    now
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from configs import UserError, parse_value

_DEFAULT_RUN = ("measure", "nsfw", "ocr")
_SETTINGS = re.compile(r"(annotate\.(run|require|measure|nsfw|ocr|verify)\b|plugins\b)")


def translate(tree: dict[str, Any], where: str) -> dict[str, Any]:
    """A config with ``annotate`` as a list; one that has it already is returned as it is.

    Raises UserError for annotators of one's own in the old form: their configs are not known.
    """
    if not _is_old(tree):
        return tree
    if tree.get("plugins"):
        raise UserError(f"{where}: field 'plugins': {_refusal(tree)}")
    return {**{name: value for name, value in tree.items() if name != "plugins"}, "annotate": _as_list(tree)}


def refuse(tree: dict[str, Any], where: str) -> dict[str, Any]:
    """The config as it is. Raises UserError that shows the list where it has the old form."""
    if _is_old(tree):
        field = "plugins" if "plugins" in tree else "annotate"
        raise UserError(f"{where}: field '{field}': {_refusal(tree)}")
    return tree


def refuse_setting(item: str) -> None:
    """Raise UserError for a ``--set`` that would have changed the old form, showing the list."""
    path, _, text = item.partition("=")
    value = parse_value(text, f"--set '{item}'")
    tree: dict[str, Any] = {}
    if path == "annotate" and isinstance(value, Mapping):
        tree = {"annotate": value}
    elif path == "annotate.run" and isinstance(value, list):
        tree = {"annotate": {"run": value}}
    elif path == "plugins" and isinstance(value, list):
        tree = {"annotate": {"run": []}, "plugins": value}
    elif not _SETTINGS.match(path):
        return
    if tree:
        raise UserError(f"--set '{item}': {_refusal(tree)}")
    raise UserError(
        f"--set '{item}': annotate is a list now; change an entry by its number: --set annotate.0.required=true"
    )


def _as_list(tree: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries that say what ``annotate`` and ``plugins`` of the old form said."""
    before = tree.get("annotate") or {}
    run, required, own = (before.get("run"), before.get("require"), tree.get("plugins"))
    entries: list[dict[str, Any]] = []
    for name in run if isinstance(run, list) else _DEFAULT_RUN:
        entry = {"kind": name} | ({"required": True} if isinstance(required, list) and name in required else {})
        settings = before.get(name)
        entries.append(entry | (settings if isinstance(settings, dict) else {}))
    return entries + [{"kind": f"{path}Config"} for path in (own if isinstance(own, list) else ())]


def _is_old(tree: Mapping[str, Any]) -> bool:
    return isinstance(tree.get("annotate"), dict) or "plugins" in tree


def _refusal(tree: Mapping[str, Any]) -> str:
    """One line with the list to write instead; a class of one's own is named by its config."""
    text = yaml.safe_dump(_as_list(tree), default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    own = " (of your own annotators the config is named, see CONTRIBUTING)" if tree.get("plugins") else ""
    return f"annotate is a list now{own}; write annotate: {text.strip()}"
