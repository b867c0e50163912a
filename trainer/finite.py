"""The guard between gradients and weights: what is not finite goes no further."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torch import Tensor, nn

from configs import RunFailed
from trainer.config import NonFiniteConfig
from trainer.optim.backward import BlockNotFinite
from trainer.optim.local import local
from trainer.optim.offload import stored
from trainer.parallel.world import World

_NAMED = 8
"""Samples named in the message (chosen)."""


class FiniteGuard:
    """Counts steps in a row that were not finite. ``names``: ids of manifest rows; ``saved``: whether there is a
    checkpoint. All ranks decide alike."""

    def __init__(
        self,
        config: NonFiniteConfig,
        names: Callable[[Sequence[int]], list[str]],
        world: World,
        saved: Callable[[], bool],
    ) -> None:
        self.config, self.names, self.world, self.saved, self.in_a_row = config, names, world, saved, 0
        self._told_zero = False

    def passes(
        self, step: int, losses: Sequence[float], norm: float, rows: Sequence[int], sigmas: Sequence[float]
    ) -> bool:
        """Whether the step may change weights. Raises RunFailed (rank 0) where it may not and the policy
        does not skip it.

        ``losses``, ``rows``, ``sigmas``: of the global batch. ``norm``: of the gradient.
        """
        bad = _not_finite(losses)
        if not bad and math.isfinite(norm):
            self.in_a_row = 0
            if norm == 0.0:
                self._tell_zero(step)
            return True
        self.in_a_row += 1
        what = "the loss" if bad else "the gradient's norm"
        told = f"step {step}: {what} is not finite; {self._samples(bad or range(len(rows)), rows, sigmas)}"
        if self.config.policy == "stop" or self.in_a_row > self.config.limit:
            kept = "the last checkpoint is good" if self.saved() else "there is no checkpoint yet"
            self.world.stop(
                f"{told}; no weight was changed by it and {kept}: look at these samples, lower optimizer.lr, or skip such "
                "steps with on_nonfinite.policy=skip"
            )
        self.world.tell(f"{told}; the step is skipped, {self.in_a_row} in a row of at most {self.config.limit}")
        return False

    def _tell_zero(self, step: int) -> None:
        """Once."""
        if not self._told_zero:
            self._told_zero = True
            self.world.tell(
                f"step {step}: the gradient is exactly 0, so nothing is learned from this step. A LoRA on fresh weights never "
                "learns, their modulations close every block: start it from a trained folder (--init); else look at masks "
                "(objective.unmasked_weight)"
            )

    @contextlib.contextmanager
    def naming(self, step: int, losses: Tensor, rows: Sequence[int], sigmas: Sequence[float]) -> Iterator[None]:
        """Around the backward passes of ``step``: says of which samples a block's gradient was not finite.

        ``losses``: (N,), a rank's own samples', zeros elsewhere. Raises RunFailed (rank 0).
        """
        try:
            yield
        except BlockNotFinite as error:  # its norm is of all ranks, so all come here together
            told, _ = self.world.gather(losses, flag=False)
            bad = _not_finite(told)
            self.world.stop(
                f"step {step}: {error}; {self._samples(bad or range(len(rows)), rows, sigmas)}; blocks behind it may have "
                "moved already (optimizer.in_backward), so nothing is saved: look at these samples, lower optimizer.lr, "
                f"and {'go on from the last checkpoint' if self.saved() else 'begin again: there is no checkpoint yet'}"
            )

    def _samples(self, places: Sequence[int], rows: Sequence[int], sigmas: Sequence[float]) -> str:
        chosen = list(places)[:_NAMED]
        ids = self.names([rows[i] for i in chosen])
        listed = ", ".join(f"{name} (sigma {sigmas[i]:.4f})" for i, name in zip(chosen, ids, strict=True))
        more = f" and {len(places) - len(chosen)} more" if len(places) > len(chosen) else ""
        return f"samples {listed}{more}"


def check_finite(model: nn.Module, base: Path, weights: str | None) -> None:
    """Raise RunFailed naming a weight, or a scale of one in eight bits, that is not finite as it came from ``base`` (or the
    file ``weights``): every sample's loss would be called so, and no sample is to blame."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        part = local(stored(tensor).detach())
        if part.dtype.is_floating_point and part.element_size() > 1 and not part.isfinite().all():
            raise RunFailed(
                f"{weights or base}: weight '{name}' is not finite; nothing was trained: take a file that is whole"
            )


def _not_finite(losses: Sequence[float]) -> list[int]:
    return [i for i, loss in enumerate(losses) if not math.isfinite(loss)]
