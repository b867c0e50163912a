"""Which of its pairs or prompts a step takes: a function of the seed and the step alone."""

from __future__ import annotations

import numpy as np


def rows_of(step: int, count: int, batch: int, seed: int) -> np.ndarray:
    """Numbers of the ``count`` pairs or prompts that a step takes: each once before any comes again, in an order that
    differs from one round to the next."""
    first, last = step * batch, (step + 1) * batch
    rounds = range(first // count, (last - 1) // count + 1)
    order = np.concatenate([np.random.Generator(np.random.PCG64([seed, n])).permutation(count) for n in rounds])
    return order[first - rounds[0] * count :][:batch]
