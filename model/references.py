"""Reference pictures of an edit, as the two encoders want them.

    picture --about 384^2 or 1024^2--> vision tower of Qwen2.5-VL   what it shows
            --about 1024^2-----------> VAE                          what it looks like

Filters are those of the released edit pipelines; ``reference_sizes.py`` has the sizes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL.Image import Resampling
from torch import Tensor

from configs import UserError
from configs.pictures import to_rgb
from model.reference_sizes import LONGEST_EDGE, SHORTEST_EDGE, fitted_size
from model.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from PIL.Image import Image

# transformers' own upper limit is smaller and would shrink 1024^2.
_LIMITS = {"shortest_edge": SHORTEST_EDGE, "longest_edge": LONGEST_EDGE}


def fitted(image: Image, area: int) -> Image:
    """An RGB copy of ``fitted_size``, Lanczos. What is transparent stands on white, 16 bits become 8."""
    return to_rgb(image).resize(fitted_size(*image.size, area), Resampling.LANCZOS)


def pixels(image: Image) -> Tensor:
    """(1, 3, H, W) uint8, as ``ImageVAE.encode`` takes it."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)[None]


def image_processor(folder: Path | None, vision: Any) -> Any:
    """Qwen2.5-VL's image processor of a pipeline folder, or the released one where the folder has none.

    ``vision``: a ``VisionConfig``, ours or transformers'.
    """
    from transformers import Qwen2VLImageProcessor

    if folder is not None and (folder / "processor").is_dir():
        try:
            return Qwen2VLImageProcessor.from_pretrained(folder / "processor")
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{folder}/processor: cannot be loaded: {str(error).splitlines()[0]}") from None
    patch = {"patch_size": vision.patch_size, "temporal_patch_size": vision.temporal_patch_size}
    return Qwen2VLImageProcessor(size=dict(_LIMITS), merge_size=vision.spatial_merge_size, **patch)


def write_processor(folder: Path, tokenizer: Path, vision: Any) -> None:
    """``folder`` as the edit pipelines load it: image processor and tokenizer together."""
    from transformers import Qwen2VLProcessor, Qwen2VLVideoProcessor

    Qwen2VLProcessor(
        image_processor=image_processor(None, vision),
        tokenizer=load_tokenizer(tokenizer),
        video_processor=Qwen2VLVideoProcessor(),
    ).save_pretrained(folder)
