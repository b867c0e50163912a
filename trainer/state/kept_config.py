"""OUT/config.yaml of a training whose fields are fixed but for a few."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

import configs
from configs import UserError
from configs.files import replace_text


def keep_config(config: Any, identity: Mapping[str, str], out: Path, free: Collection[str]) -> None:
    """Write ``config`` and what else decides its numbers (``identity``), or raise UserError naming the field where ``out``
    was begun with another one. ``free``: fields that a resumed training may change."""
    path, now = out / "config.yaml", {**configs.to_plain(config), **identity}
    if path.exists() and (out / "checkpoints").exists():
        before = yaml.safe_load(path.read_text("utf-8"))
        changed = next((n for n, v in now.items() if n not in free and before.get(n) != v), None)
        if changed:
            raise UserError(f"OUT {out}: was started with another '{changed}'; put it back, or take a new OUT folder")
    replace_text(path, yaml.safe_dump(now, sort_keys=False, allow_unicode=True), durable=False)
