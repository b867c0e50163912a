"""OUT/config.yaml: what a training was started with, and which of it a resumed one may change.

Whatever changes what step t trains on, from which weights or by which rule, is fixed. Where it runs, how it is cut,
what is kept and shown, and how long the last phase lasts may change.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

import configs
from configs import UserError
from configs.files import replace_text
from configs.load import parse_yaml
from configs.renamed import renamed_fields
from trainer.config import FitConfig
from trainer.data.producers.config import ProducersConfig
from trainer.fingerprint import fingerprint

_FREE = frozenset(
    {
        *("loading", "checkpoint", "samples", "monitor", "parallel", "launch", "num_workers", "on_nonfinite"),
        *("max_micro_batch_tokens", "device", "threads", "encode", "encoded", "encoders", "grow", "storage"),
    }
)
"""Fields that a resumed training may change."""
_FREE_WITHIN = {
    "optimizer": frozenset({"ema_device", "offload_blocks"}),
    "producers": frozenset(f.name for f in dataclasses.fields(ProducersConfig)) - {"storage"},
}
"""And of these fields, the ones that say where something lies or who works at it."""
_NOTED = ("model", "from", "from_lora")
"""Where it began: noted, and not needed again once there is a checkpoint, which names its base."""


def save_config(config: FitConfig, identity: dict[str, str], out: Path, done: int) -> None:
    """Write config.yaml, or check that ``out`` was started with the same but for what may change.

    ``identity``: what else the losses depend on (``dataset``: digest of what the first phase began with, later ones are
    in datasets.json; ``base``: fingerprint of the pipeline folder; ``from``: a checkpoint). ``done``: steps.
    Raises UserError naming what differs.
    """
    path = out / "config.yaml"
    now = {**configs.to_plain(config), **identity}
    if done:  # until there is a checkpoint nothing is gone on with
        before = _stored(path, identity)
        if before["base"] not in (
            "",
            now["base"],
        ):  # unknown where an earlier version began, or the base was to be made
            raise UserError(
                f"OUT {out}: the files of the pipeline folder that it began with are others now; put them back, or take a "
                "new OUT folder (with --from, it goes on from a checkpoint of this one)"
            )
        changed = _changed(before, now, done)
        if changed:
            raise UserError(
                f"OUT {out}: was started with another '{changed}'; a resumed training would not be the one that was "
                "started: take a new OUT folder (with --from, it goes on from a checkpoint of this one), or put the "
                "field back"
            )
        now |= {name: before[name] for name in _NOTED}
    replace_text(path, yaml.safe_dump(now, sort_keys=False, allow_unicode=True), durable=False)


def _stored(path: Path, identity: dict[str, str]) -> dict[str, Any]:
    """config.yaml with today's names, and defaults for fields that it was written without."""
    try:
        tree = parse_yaml(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); {_REMEDY}") from None
    if not isinstance(tree, dict) or "phases" not in tree:
        raise UserError(f"{path}: is damaged: the fields of a training are expected; {_REMEDY}")
    names = renamed_fields(FitConfig)
    fields = {names.get(name, name): value for name, value in tree.items()}
    beside = {name: fields.pop(name, "") for name in identity}
    return {**configs.to_plain(configs.decode(fields, FitConfig, str(path))), **beside}


_REMEDY = "put back the config that this training was started with, or take a new OUT folder"


def _changed(before: dict[str, Any], now: dict[str, Any], done: int) -> str | None:
    """The first field that differs and may not."""
    for name, value in now.items():
        if name == "phases":
            found = _changed_phase(before["phases"], value, done)
            if found:
                return found
        elif name == "validation":
            if _where(before[name]) != _where(value):
                return "validation.where"
        elif name == "model":
            if not (value is None or _same_model(value, before, now)):
                return name  # where none is named, its own checkpoints name the base
        elif name not in _FREE and name not in _NOTED and name != "base":
            found = _different(name, before.get(name), value)
            if found:
                return found
    return None


def _same_model(value: str, before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether ``value`` names what the training began with, also where that lies elsewhere by now."""
    if Path(value).resolve() == Path(before["model"] or "").resolve():
        return True
    return Path(value).is_dir() and fingerprint(Path(value), now["weights"]) == before["base"]


def _different(name: str, before: Any, now: Any) -> str | None:
    """The field itself, or the first one within it that may not differ."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return name if before != now else None
    free = _FREE_WITHIN.get(name, frozenset())
    return next((f"{name}.{key}" for key in now if key not in free and before.get(key) != now[key]), None)


def _where(validation: dict[str, Any] | None) -> str | None:
    """The rows that are not trained on."""
    return validation["where"] if validation else None


def _changed_phase(before: list[dict[str, Any]], now: list[dict[str, Any]], done: int) -> str | None:
    """The last phase may last longer, or end earlier than it would have, and phases may follow it."""
    if len(now) < len(before):
        return "phases"
    for index, (old, new) in enumerate(zip(before, now, strict=False)):
        last = index == len(before) - 1
        different = [name for name in new if old.get(name) != new[name]]
        if different and not (last and different == ["steps"]):
            return f"phases.{index}.{different[0]}"
        ramps = any(share.get("end") is not None for share in new["mixture"])
        if different and (ramps or sum(phase["steps"] for phase in now[: index + 1]) < done):
            return f"phases.{index}.steps"  # a ramp is spread over the steps of its phase
    return None
