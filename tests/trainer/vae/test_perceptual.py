"""The perceptual loss, and its share of the whole."""

from pathlib import Path

import pytest
import torch

from configs import UserError
from trainer.vae.decoder_config import PerceptualConfig
from trainer.vae.perceptual import Perceptual, balanced


@pytest.fixture(scope="module")
def network() -> Perceptual:
    return Perceptual(PerceptualConfig())


def test_equal_pictures_are_at_no_distance_and_blur_is(network: Perceptual) -> None:
    sharp = (torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) > 0.5).float() * 2 - 1
    soft = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    assert network(sharp, sharp).tolist() == [0.0, 0.0]
    blurred = network(soft, sharp)
    assert (blurred > 0.1).all()
    assert network((sharp + 3 * soft) / 4, sharp).sum() < blurred.sum() * 1.5


def test_it_has_a_gradient_for_the_picture_alone(network: Perceptual) -> None:
    picture = torch.zeros(1, 3, 32, 32, requires_grad=True)
    network(picture, torch.ones(1, 3, 32, 32)).sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_the_share_is_what_it_says_whatever_the_scales(share: float) -> None:
    reconstruction = torch.tensor(0.02, requires_grad=True)
    perceptual = torch.tensor(7.0, requires_grad=True)
    total = balanced(reconstruction, perceptual, share)
    assert (total - reconstruction).item() / total.item() == pytest.approx(share)
    total.backward()
    assert reconstruction.grad == 1.0  # the factor has no gradient


def test_files_of_weights_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vgg16 takes torchvision's file by path"):
        PerceptualConfig("vgg16")
    file = tmp_path / "vgg16.pth"
    torch.save({"lin0": 1}, file)
    with pytest.raises(UserError, match=r"perceptual.linear': .* holds no weights of LPIPS"):
        Perceptual(PerceptualConfig("vgg16", str(file), str(file)))
