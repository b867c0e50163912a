"""Windows give what the whole gives, and are no larger than they should be."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.tiles import windows
from model.vae import ImageVAE, VAEConfig
from model.vae_layers import Decoder, Encoder, decoder_halo, encoder_halo
from tests.tolerance import rounding


@cache
def vae(blocks: int = 1) -> ImageVAE:
    """In double precision, so that what a seam spoils stands far above rounding."""
    torch.manual_seed(0)
    return ImageVAE(VAEConfig(base_dim=8, num_res_blocks=blocks)).eval().requires_grad_(False).double()


@given(st.integers(1, 400), st.integers(1, 100), st.integers(0, 20))
def test_tiles_cover_the_length_once_and_windows_stay_inside(length: int, tile: int, halo: int) -> None:
    cut = windows(length, tile, halo)
    assert [i for w in cut for i in range(w.start, w.stop)] == list(range(length))
    for w in cut:
        assert 0 < w.stop - w.start <= tile
        assert w.low == max(0, w.start - halo)
        assert w.high == min(length, w.stop + halo)


@pytest.mark.parametrize(("blocks", "height", "width"), [(1, 200, 264), (2, 264, 200), (2, 16, 400)])
def test_windows_give_what_the_whole_gives(
    monkeypatch: pytest.MonkeyPatch, blocks: int, height: int, width: int
) -> None:
    """At every pixel, so at the seams too."""
    model = vae(blocks)
    images, z = torch.rand(1, 3, height, width) * 2 - 1, torch.randn(1, 16, height // 8, width // 8).double()
    seen: dict[str, set[tuple[int, int]]] = {"encoder": set(), "decoder": set()}
    results = []
    for tile in (None, 96):
        monkeypatch.setattr(model, "tile", tile)
        for name, part in (("encoder", model.encoder), ("decoder", model.decoder)):
            local = type(part)._local

            def watched(x: Any, part: Any = part, local: Any = local, name: str = name) -> Any:
                seen[name].add(tuple(x.shape[-2:]))
                return local(part, x)

            monkeypatch.setattr(part, "_local", watched)
        results.append((torch.cat(model.posterior(images)), model.decode_raw(z)))
        if tile:
            assert max(max(s) for s in seen["encoder"]) <= tile + 16 * encoder_halo(blocks)
            assert max(max(s) for s in seen["decoder"]) <= tile // 4 + 2 * decoder_halo(blocks)
        for sizes in seen.values():
            sizes.clear()
    for whole, windowed in zip(*results, strict=True):
        # products of 3 x 3 pixels and 32 channels at most; about 11 + 8 blocks of them in a row
        error = rounding(9 * 32, float(whole.abs().max()), torch.float64, layers=11 + 8 * blocks)
        assert (windowed - whole).abs().max() < error


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_halos_are_as_wide_as_the_reach_and_hardly_wider(blocks: int) -> None:
    """By gradients: which inputs an output in the middle depends on."""
    encoder = Encoder(4, 8, (1, 1, 1, 1), blocks, 0.0, 3).double()
    x = torch.rand(1, 3, 8, 400, dtype=torch.float64, requires_grad=True)
    encoder._local(x)[..., 25].sum().backward()  # reads around pixels 200 .. 207
    assert x.grad is not None
    reached = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    reach = max(200 - int(reached.min()), int(reached.max()) - 207)
    assert 8 * (encoder_halo(blocks) - 1) < reach <= 8 * encoder_halo(blocks)
    decoder = Decoder(4, 4, (1, 1, 1, 1), blocks, 0.0, 3).double()
    y = torch.rand(1, 2, 4, 200, dtype=torch.float64, requires_grad=True)  # halved by the upsampler before
    decoder._local(y)[..., 400:404].sum().backward()  # around position 100
    assert y.grad is not None
    reached = y.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert max(100 - int(reached.min()), int(reached.max()) - 100) == decoder_halo(blocks)


def test_checkpointed_gradients_are_the_same_and_keep_less() -> None:
    model = ImageVAE(VAEConfig(base_dim=8, num_res_blocks=1))
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    gradients, kept = [], []
    for on in (False, True):
        model.checkpoint_gradients(on)
        model.zero_grad()
        saved: dict[int, int] = {}

        def keep(t: torch.Tensor, saved: dict[int, int] = saved) -> torch.Tensor:
            saved[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            loss = model.decode_raw(model.posterior(images)[0]).square().mean()
        kept.append(sum(saved.values()))
        loss.backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert kept[1] < 0.26 * kept[0]  # 0.28 if enlargements kept theirs
