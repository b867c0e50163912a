"""VAE and Qwen2.5-VL of a pipeline folder: loaded when they are first needed, on the device while they are at work.

share   they stay on the device beside the network
leave   host ──at_work──> device ──afterwards──> host, so that a step has their memory
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from model.checkpoint import reference_style
from model.condition import Conditioner
from model.precision import widen
from model.vae import ImageVAE
from model.vae_weights import load_vae_folder


class Frozen:
    """The encoders of ``base``. ``leaves``: they wait on the host between uses. ``tell``: takes a line for the user."""

    def __init__(
        self,
        base: Path,
        device: torch.device,
        max_text_tokens: int,
        leaves: bool = False,
        tell: Callable[[str], None] = print,
    ) -> None:
        self.base, self.device, self.max_text_tokens, self.leaves = base, device, max_text_tokens, leaves
        self._tell = tell
        self._vae: ImageVAE | None = None
        self._conditioner: Conditioner | None = None
        self._at_work = 0 if leaves else 1
        self._there: list[nn.Module] = []
        self._lock = threading.RLock()  # the loader's thread and the one that draws samples both ask

    @property
    def vae(self) -> ImageVAE:
        with self._lock:
            if self._vae is None:
                self._vae = load_vae_folder(self.base).eval().requires_grad_(False)
                self._widen(self._vae)
            self._move(self._vae)
            return self._vae

    @property
    def conditioner(self) -> Conditioner:
        with self._lock:
            if self._conditioner is None:
                self._conditioner = Conditioner.load(
                    self.base, max_tokens=self.max_text_tokens, too_long="cut", style=reference_style(self.base)
                )
                self._widen(self._conditioner.encoder)
            self._move(self._conditioner.encoder)
            return self._conditioner

    @property
    def loaded(self) -> tuple[str, ...]:
        """Which of the two were needed so far."""
        parts = {"vae": self._vae, "text_encoder": self._conditioner}
        return tuple(name for name, part in parts.items() if part is not None)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside, what is asked for comes to the device; at the end all of it leaves, where it leaves at all."""
        with self._lock:
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1
                for module in list(self._there) if not self._at_work else ():
                    self._move(module)

    def _move(self, module: nn.Module) -> None:
        if self._at_work and module not in self._there:
            module.to(self.device)
            self._there.append(module)
        elif not self._at_work and module in self._there:
            module.to("cpu")
            self._there.remove(module)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # the allocator would keep their memory from the step

    def _widen(self, module: nn.Module) -> None:
        widened = widen(self.device, module)
        if widened:
            self._tell(f"{self.base}: {widened}")
