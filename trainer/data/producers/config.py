"""Who encodes pictures and texts, where, and in what they are stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.cluster import ClusterConfig

Storage = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class ProducersConfig:
    """The Ray actors of ``python -m trainer encode`` and of ``encode: live``.

    ``count``: of them, for each rank of a training; an encoding takes as many as the cluster has room for, at most. Each
    takes ``cpus`` and ``gpus`` of the cluster, which may be fractions; with 0 GPUs it encodes on the CPU. ``restarts``: how
    many dead ones a training replaces. ``shard_samples``: pictures, or rows with their texts, of a shard.
    ``batch_pixels``: of a call of the VAE, at most (one picture at least). ``storage``: dtype in shards; ``auto`` takes
    the encoders' own and loses nothing.
    """

    count: int = 2
    cpus: float = 1.0
    gpus: float = 0.0
    restarts: int = 16  # chosen
    shard_samples: int = 256  # chosen: about 130 MB of latents at 1,024 px in bf16
    batch_pixels: int = 4 * 1024 * 1024  # chosen
    storage: Storage = "auto"
    cluster: ClusterConfig = field(default_factory=ClusterConfig)

    def __post_init__(self) -> None:
        for name in ("count", "shard_samples", "batch_pixels"):
            if getattr(self, name) < 1:
                raise ValueError(f"field '{name}': must be at least 1, found {getattr(self, name)}")
        for name in ("cpus", "gpus", "restarts"):
            if getattr(self, name) < 0:
                raise ValueError(f"field '{name}': must be at least 0, found {getattr(self, name)}")
