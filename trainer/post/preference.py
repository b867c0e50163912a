"""Diffusion-DPO on flow matching (FACTS 3; arXiv 2311.12908).

    D = |v(x_chosen) - v_chosen|^2 - |v(x_rejected) - v_rejected|^2        the same noise and sigma for both pictures
    loss = -log sigmoid(-beta (D_policy - D_reference))

|.|^2 is the mean over a picture's tokens and channels, as in training, so beta does not depend on the picture's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Preference:
    """(B,) each. ``margin``: D_reference - D_policy: by how much more than the reference the policy prefers the chosen
    picture; it has learnt a pair where that is above 0."""

    loss: Tensor
    margin: Tensor


def preference(policy: Tensor, reference: Tensor, beta: float) -> Preference:
    """``policy``, ``reference``: (2 B,) flow losses, of the chosen pictures first, then of the rejected ones."""
    (chosen, rejected), (before_chosen, before_rejected) = policy.chunk(2), reference.chunk(2)
    margin = (before_chosen - before_rejected) - (chosen - rejected)
    return Preference(-F.logsigmoid(beta * margin), margin)
