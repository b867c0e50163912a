"""Who prepares a training's batches, as its config has it."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from configs import UserError
from trainer.config import FitConfig
from trainer.data.encoding import EncodingWork
from trainer.data.frozen import Frozen
from trainer.data.loader import InProcess, Producer
from trainer.data.producers.digest import encoder_digests
from trainer.data.producers.indices import unchecked
from trainer.data.producers.live import LiveProducers, ProducerSetup
from trainer.data.producers.store import check_store


def open_producer(config: FitConfig, frozen: Frozen, dtype: torch.dtype) -> Producer:
    """``frozen``: the encoders of this process, which are loaded only where it is they that encode."""
    digests = encoder_digests(frozen.base, config.max_text_tokens) if config.encoded else None
    if config.encode == "live":
        return LiveProducers(ProducerSetup(config, frozen.base, dtype, digests))
    return InProcess(config, EncodingWork(config, frozen, dtype, digests))


def check_encoding(config: FitConfig, base: Path | None, datasets: set[str], ranks: int) -> None:
    """Raise UserError for producers or a folder of encodings with which training cannot begin.

    ``base``: the pipeline folder, None where it is still to be made. ``datasets``: digests of those that may be trained on.
    """
    producers = config.producers
    local = config.encode == "live" and config.launch != "ray" and producers.cluster.address == "local"
    if local:
        cpus = producers.cluster.cpus or len(os.sched_getaffinity(0))
        _check_room("cpus", producers.count, producers.cpus, cpus)
        _check_room("gpus", producers.count, producers.gpus, torch.cuda.device_count())
    if local and producers.gpus and ranks > 1:
        raise UserError(
            "field 'producers.gpus': each of several ranks would start a Ray of its own, and all of these would take the "
            "same GPU; start one (ray start --head) and give producers.cluster.address: auto"
        )
    if config.encoded and base is not None:
        check_store(Path(config.encoded), datasets, encoder_digests(base, config.max_text_tokens))


def unchecked_remark(config: FitConfig) -> str | None:
    """What to tell of a folder of encodings from before there were checksums."""
    count = unchecked(Path(config.encoded)) if config.encoded else 0
    if not count:
        return None
    return (
        f"{config.encoded}: {count:,} latents and conditions were encoded before checksums were kept, and damage in them "
        "cannot be seen; python -m trainer encode into a new folder gives them some"
    )


def _check_room(field: str, count: int, each: float, there: int) -> None:
    """Raise UserError where a Ray of this training's own would wait for ever for more."""
    if count * each > there:
        raise UserError(
            f"field 'producers.count': {count} producers with producers.{field} {each:g} do not fit into the {there} "
            f"{field} that there are; take fewer of them, or a fraction"
        )
