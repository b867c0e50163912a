"""On a CPU without kernels for bfloat16 nothing is multiplied in it, whatever is stored or asked for."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from configs import command
from model import QwenImage, precision
from model.__main__ import main
from tests.products import NoBfloat16

SAMPLE = ["--prompt", "x", "--steps", "2", "--width", "32", "--height", "32"]


def test_a_bf16_folder_is_sampled_in_float32_and_the_memory_told(
    poor: None, narrow: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), NoBfloat16() as watch:
        model = QwenImage.load(narrow)
        model.sample("x", 32, 32, steps=2)
    assert watch.saw("mm", "conv", "scaled_dot_product")
    parts = (model.transformer, model.vae, model.conditioner.encoder)
    bytes_ = sum(p.nbytes for part in parts for p in part.parameters())
    (told,) = [r.getMessage() for r in caplog.records]
    assert f"they take {bytes_ / 1e9:.3f} GB instead of {bytes_ / 2e9:.3f} GB" in told
    assert "no bf16 kernels" in told
    assert "\n" not in told


def test_the_sample_command_takes_float32_for_the_bfloat16_it_is_asked_for(
    poor: None, narrow: Path, tmp_path: Path
) -> None:
    for folder, dtype in ((narrow, []), (narrow, ["--dtype", "bfloat16"])):
        with NoBfloat16() as watch:
            assert command(main, ["sample", str(folder), *SAMPLE, *dtype, "--out", str(tmp_path / "x.png")]) == 0
        assert watch.saw("mm", "conv", "scaled_dot_product")


def test_with_kernels_a_bf16_folder_stays_as_it_is(
    narrow: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(precision, "cpu_multiplies_bf16", lambda: True)
    model = QwenImage.load(narrow)
    assert {p.dtype for p in model.transformer.parameters()} == {torch.bfloat16}
    assert caplog.records == []
    with NoBfloat16(), pytest.raises(AssertionError, match="of bfloat16 on the CPU"):  # the watch can fail
        model.sample("x", 32, 32, steps=2)


def test_only_a_cpu_without_kernels_gets_another_dtype(poor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    bf16, fp16 = torch.bfloat16, torch.float16
    assert precision.product_dtype(bf16, "cpu") == torch.float32
    assert precision.product_dtype(bf16, "cuda") == bf16
    assert precision.product_dtype(fp16, "cpu") == fp16
    assert precision.product_dtype(None, "cpu") is None
    monkeypatch.setattr(precision, "cpu_multiplies_bf16", lambda: True)
    assert precision.product_dtype(bf16, "cpu") == bf16


X86, ARM = "x86_64", "aarch64"
MACHINES = {  # machine, oneDNN's answer, ATen's capability, the CPU's units -> are products fast?
    "AMX": (X86, True, "AVX512", {"amx_bf16": True}, True),
    "Zen 4": (X86, True, "AVX512", {"avx512_bf16": True}, True),
    "AVX-512 without bf16, which oneDNN emulates": (X86, True, "AVX512", {}, False),
    "AVX2": (X86, False, "AVX2", {}, False),
    "AMX held to AVX2 by ONEDNN_MAX_CPU_ISA": (X86, False, "AVX512", {"amx_bf16": True}, False),
    "AMX held to AVX2 by ATEN_CPU_CAPABILITY": (X86, True, "AVX2", {"amx_bf16": True}, False),
    "Arm with bf16": (ARM, True, "DEFAULT", {"bf16": True}, True),
    "Arm without": (ARM, False, "DEFAULT", {}, False),
}


@pytest.mark.parametrize(("machine", "told", "capability", "units", "fast"), MACHINES.values(), ids=list(MACHINES))
def test_units_are_known_on_every_machine(
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    told: bool,
    capability: str,
    units: dict[str, bool],
    fast: bool,
) -> None:
    monkeypatch.setattr(precision.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: told, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    assert precision.cpu_multiplies_bf16() is fast


def test_a_torch_without_onednn_has_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())
    assert precision.cpu_multiplies_bf16() is False
