"""VAE weights between the 2-D form used here, diffusers' 3-D folders, and one small file.

diffusers folder (3-D) --from_3d--> ImageVAE (2-D) --to_3d--> diffusers folder
                                         |  ^
                                         v  |
                       one safetensors file, 2-D, config in its metadata
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from configs import UserError
from model.files import check_dtype, iterate_tensors, read_config, save_weights, write_config, write_tensors
from model.vae import ImageVAE, VAEConfig

if TYPE_CHECKING:
    from diffusers import AutoencoderKLQwenImage

_CLASS = "AutoencoderKLQwenImage"
_FORMAT = "glyphmill-image-vae-1"


def _from_3d(name: str, tensor: Tensor) -> Tensor:
    """One tensor of diffusers' state dict in 2-D: the last temporal slice of a convolution, (C, 1, 1) of a norm."""
    if tensor.ndim == 5:
        return tensor[:, :, -1].contiguous()
    return tensor.reshape(-1, 1, 1) if name.endswith(".gamma") else tensor


def to_3d(vae: ImageVAE, base: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """2-D -> diffusers' state dict, exact for images.

    The other temporal slices and the temporal convolutions come from ``base``, the 3-D weights this
    VAE was made from; without it they are zero, and the result is good for single images only.
    """
    full = dict(base) if base else _time_convolutions(vae)
    for name, tensor in vae.state_dict().items():
        tensor = tensor.detach().contiguous()
        if tensor.ndim == 4 and not _is_2d(name):
            o, i, h, w = tensor.shape
            whole = base[name].clone() if base else tensor.new_zeros(o, i, h, h, w)  # all kernels are cubes
            whole[:, :, -1] = tensor
            full[name] = whole
        elif name.endswith(".gamma") and ".attentions." not in name:
            full[name] = tensor.unsqueeze(-1)
        else:
            full[name] = tensor
    return full


def load_vae_folder(folder: str | Path) -> ImageVAE:
    """An ImageVAE from a diffusers VAE folder, or from a pipeline folder with ``vae/`` in it."""
    folder = Path(folder)
    folder = folder if (folder / "config.json").is_file() else folder / "vae"
    with torch.device("meta"):
        vae = ImageVAE(read_config(folder / "config.json", VAEConfig, _CLASS))
    flat = ((n, _from_3d(n, t)) for n, t in iterate_tensors(folder) if ".time_conv." not in n)
    return _filled(vae, dict(flat), str(folder))


def save_vae_folder(vae: ImageVAE, folder: str | Path, base: dict[str, Tensor] | None = None) -> None:
    """Write a folder that ``AutoencoderKLQwenImage.from_pretrained`` loads; ``base`` as in ``to_3d``."""
    folder = Path(folder)
    write_config(folder / "config.json", vae.config, _CLASS)
    save_weights(to_3d(vae, base), folder)


def save_image_vae(vae: ImageVAE, path: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """One safetensors file of 2-D weights in ``dtype``, with the config (latents_mean, latents_std) as metadata."""
    weights = {name: tensor.to(dtype) for name, tensor in vae.state_dict().items()}
    write_tensors(Path(path), weights, {"format": _FORMAT, "config": json.dumps(dataclasses.asdict(vae.config))})


def load_image_vae(path: str | Path) -> ImageVAE:
    """Read ``save_image_vae``'s file, as float32. UserError when it is missing or something else."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: cannot be read as a VAE file: {error}") from None
    if metadata.get("format") != _FORMAT:
        raise UserError(f"{path}: format is {metadata.get('format')!r}; a file of format {_FORMAT!r} is needed")
    tree = json.loads(metadata["config"])
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in tree.items()}
    with torch.device("meta"):
        vae = ImageVAE(VAEConfig(**fields))
    return _filled(vae, tensors, str(path)).float()


def to_diffusers(vae: ImageVAE) -> AutoencoderKLQwenImage:
    """The same VAE as diffusers' class (which must be installed), exact for images."""
    from diffusers import AutoencoderKLQwenImage

    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(vae.config).items()}
    other: Any = AutoencoderKLQwenImage(**plain)
    other.load_state_dict(to_3d(vae))
    return other.eval()


def _filled(vae: ImageVAE, tensors: dict[str, Tensor], where: str) -> ImageVAE:
    expected = vae.state_dict()
    wrong = sorted(set(expected) ^ set(tensors))
    if wrong:
        kind = "missing" if wrong[0] in expected else "unexpected"
        raise UserError(f"{where}: {len(wrong)} weights do not fit the config, the first is {kind}: '{wrong[0]}'")
    for name, tensor in tensors.items():
        check_dtype(where, name, tensor)
        if tensor.shape != expected[name].shape:
            shapes = f"{list(tensor.shape)}, the config makes it {list(expected[name].shape)}"
            raise UserError(f"{where}: weight '{name}' has shape {shapes} (2-D form)")
    stored = sorted({str(tensor.dtype) for tensor in tensors.values()})
    if len(stored) > 1:
        raise UserError(f"{where}: its weights are of {' and '.join(stored)}; one dtype is needed")
    vae.load_state_dict(tensors, assign=True)
    return vae.to(memory_format=torch.channels_last)


def _is_2d(name: str) -> bool:
    """Convolutions that are two-dimensional in diffusers too."""
    return any(part in name for part in (".resample.", ".to_qkv.", ".attentions.0.proj."))


def _time_convolutions(vae: ImageVAE) -> dict[str, Tensor]:
    """Zero weights for the temporal convolutions that diffusers' class has beside some resamplers."""
    names = [n.removesuffix(".resample.1.weight") for n in vae.state_dict() if n.endswith(".resample.1.weight")]
    down, up = (sorted(n for n in names if n.startswith(side)) for side in ("encoder", "decoder"))
    down.sort(key=lambda n: int(n.split(".")[2]))
    up.sort(key=lambda n: int(n.split(".")[2]))
    flags = vae.config.temperal_downsample
    state = {}
    temporal = [(n, 1) for n, on in zip(down, flags, strict=True) if on]
    temporal += [(n, 2) for n, on in zip(up, reversed(flags), strict=True) if on]
    for name, factor in temporal:
        like = vae.get_parameter(f"{name}.resample.1.weight")
        c = like.shape[1]
        state[f"{name}.time_conv.weight"] = like.new_zeros(factor * c, c, 3, 1, 1).detach()
        state[f"{name}.time_conv.bias"] = like.new_zeros(factor * c).detach()
    return state
