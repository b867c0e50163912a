"""How batches are made ready."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadingConfig:
    """``cache_megabytes`` (10^6): latents kept in memory, and a quarter of it of conditions. ``ahead``: batches prepared
    beforehand. ``threads``: that decode pictures, beside the one that runs the encoders (chosen). ``captions``: rows
    whose texts are remembered; they are short, and reading them again is not (chosen)."""

    cache_megabytes: int = 1024
    ahead: int = 2
    threads: int = 4
    captions: int = 1_000_000

    def __post_init__(self) -> None:
        for name, least in (("cache_megabytes", 0), ("ahead", 1), ("threads", 1), ("captions", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"field '{name}': must be at least {least}, found {getattr(self, name)}")
