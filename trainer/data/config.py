"""How batches are made ready."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadingConfig:
    """``cache_megabytes``: latents and conditions kept in memory. ``ahead``: batches prepared beforehand."""

    cache_megabytes: int = 1024
    ahead: int = 2

    def __post_init__(self) -> None:
        if self.cache_megabytes < 0 or self.ahead < 1:
            raise ValueError(
                f"fields 'cache_megabytes', 'ahead': at least 0 and 1, found {self.cache_megabytes}, {self.ahead}"
            )
