"""What a training starts from: a pipeline folder, or a model that is to be made with fresh weights."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import configs
from configs import UserError
from model.checkpoint import check_folder, pipeline_of, reference_style, style_of, transformer_config
from model.config import MMDiTConfig, ModelConfig
from model.describe import encoder_bytes
from model.export import base_of, step_folder
from model.init import init_folder
from model.templates import Style
from trainer.config import FitConfig
from trainer.start import Start


@dataclass(frozen=True)
class Base:
    """``found``: the folder, or what is to be made. Files are read when something is asked for, and once."""

    found: Path | ModelConfig

    @classmethod
    def find(cls, config: FitConfig, start: Start) -> Base:
        """``start``'s checkpoint or folder, else what ``config.model`` names. Raises UserError where there is none."""
        if start.checkpoint is not None:
            return cls(check_folder(base_of(step_folder(start.checkpoint))))
        if start.init is not None:
            return cls(check_folder(start.init))
        if config.model is None:
            raise UserError(
                "field 'model': names no weights; give --init FOLDER (a diffusers folder), --from CHECKPOINT, or "
                "--set model=configs/model/NAME.yaml for fresh ones"
            )
        path = Path(config.model)
        if path.is_dir():
            return cls(check_folder(path))
        if path.suffix not in (".yaml", ".yml"):
            raise UserError(f"field 'model': expected a YAML under configs/model or a diffusers folder, found '{path}'")
        return cls(configs.load(path, ModelConfig))

    @cached_property
    def pipeline(self) -> str:
        """Name of the diffusers pipeline."""
        return pipeline_of(self.found) if isinstance(self.found, Path) else self.found.pipeline

    @cached_property
    def style(self) -> Style:
        """How it is told of references."""
        return reference_style(self.found) if isinstance(self.found, Path) else style_of(self.found.pipeline)

    @cached_property
    def shape(self) -> MMDiTConfig:
        """The network's."""
        return transformer_config(self.found) if isinstance(self.found, Path) else self.found.transformer

    @cached_property
    def encoder_bytes(self) -> int:
        """Of VAE and text encoder, as their files have them."""
        if isinstance(self.found, ModelConfig):
            return encoder_bytes(self.found)
        parts = (self.found / "vae", self.found / "text_encoder")
        return sum(path.stat().st_size for part in parts for path in part.glob("*.safetensors"))

    def existing(self, out: Path) -> Path | None:
        """The pipeline folder, None where it is still to be made in ``out``."""
        base = self.found if isinstance(self.found, Path) else out / "base"
        return base if (base / "model_index.json").exists() else None

    def folder(self, out: Path, seed: int) -> Path:
        """The pipeline folder: the one that was found, or ``out``/base with fresh weights."""
        base = self.existing(out)
        if base is None:
            assert isinstance(self.found, ModelConfig)
            base = out / "base"
            shutil.rmtree(base, ignore_errors=True)  # half written by a killed process
            init_folder(self.found, base, seed)
        return base
