"""Where a training begins, as the command line says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from trainer.config import FitConfig


@dataclass(frozen=True)
class Start:
    """Where weights come from besides ``config.model``. ``init``: a pipeline folder. ``checkpoint``: of another
    training, with optimizer and averages; it comes first. ``lora``: a file of adapters to go on from."""

    init: Path | None = None
    checkpoint: Path | None = None
    lora: Path | None = None

    def named(self, config: FitConfig) -> FitConfig:
        """The config with the folder that its weights come from."""
        return config if self.init is None else dataclasses.replace(config, model=str(self.init.resolve()))

    def absolute(self) -> Start:
        """For processes that start in another folder."""
        return Start(*(path and path.absolute() for path in (self.init, self.checkpoint, self.lora)))

    def identity(self) -> dict[str, str]:
        """What of it decides the losses, as config.yaml notes it."""
        return {
            "from": str(self.checkpoint.resolve()) if self.checkpoint else "",
            "from_lora": str(self.lora.resolve()) if self.lora else "",
        }
