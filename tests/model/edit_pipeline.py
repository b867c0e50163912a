"""diffusers' edit pipelines as the weights were trained.

transformers 5 works out the (frame, row, column) positions of vision tokens only when it is told the
tokens' types. diffusers 0.42.1 does not tell it, so its conditions differ from those that the weights
were trained with. ``pipeline`` adds the types.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from model.checkpoint import pipeline_of

IMAGE_PAD_ID = 151655


@cache
def pipeline(folder: Path) -> Any:
    """The pipeline that ``folder`` names, told of token types."""
    import diffusers

    pipe = getattr(diffusers, pipeline_of(folder)).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    forward = pipe.text_encoder.model.forward

    def told(input_ids: Any, **kwargs: Any) -> Any:
        return forward(input_ids=input_ids, **{**kwargs, "mm_token_type_ids": (input_ids == IMAGE_PAD_ID).int()})

    pipe.text_encoder.model.forward = told
    return pipe
