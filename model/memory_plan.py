"""Whether a training fits on a card: the parts of ``memory.py`` added up, for ``model describe`` and ``fit --dry-run``.

Not counted: CUDA's and NCCL's own buffers, the allocator's fragments, and what encoders need while they work.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch.nn import Module

from model.config import MMDiTConfig
from model.memory import BF16, FP32, Parameters, Setting, activation_bytes

CARD_BYTES = 80 * 10**9  # an "80 GB" H100 has 85.5e9: the difference covers what is not counted

# Bytes a weight that trainer/optim's updates hold at once beside weights, gradient and states, operation by operation as
# on a CPU; measured, a test agrees. A GPU's kernels hold less.
UPDATE_BYTES = {
    "adamw": {"fp32": 12, "bf16": 24},
    "adamw8bit": {"fp32": 24, "bf16": 32},
    "adafactor": {"fp32": 8, "bf16": 20},
}
_WORDS = {
    "weights": "weights, {weights}",
    "gradients": "gradients, {gradients}",
    "optimizer": "optimizer states, {optimizer}",
    "average": "averaged weights, fp32",
    "in_flight": "in flight: {in_flight}",
    "update": "the optimizer's work on one parameter",
    "activations": "activations, checkpointing {checkpointing}",
    "passing": "gradients on their way through a block",
    "encoders": "VAE and text encoder",
}


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes on each GPU, the ``peak`` their sum, and ``host``: bytes of the machine's memory for each GPU."""

    weights: int
    gradients: int
    optimizer: int
    average: int
    in_flight: int
    update: int
    activations: int
    passing: int
    encoders: int
    host: int

    @property
    def state(self) -> int:
        """What there is whatever the batch."""
        return self.weights + self.gradients + self.optimizer + self.average + self.in_flight + self.update

    @property
    def peak(self) -> int:
        return self.state + self.activations + self.passing + self.encoders

    def fits(self, card: int = CARD_BYTES) -> bool:
        return self.peak <= card


def plan_memory(
    model: Module,
    config: MMDiTConfig,
    setting: Setting,
    image_tokens: int,
    text_tokens: int,
    alike: bool = False,
    encoder_bytes: int = 0,
) -> MemoryPlan:
    """The plan of a training of ``model``, which may be on the meta device.

    ``image_tokens`` (references included) and ``text_tokens``: of the largest micro-batch of a GPU; ``alike``: its
    samples have the same lengths. ``encoder_bytes``: of VAE and text encoder, counted where ``setting.encoders``.
    """
    parameters = Parameters(model, setting)
    trained, away = parameters.trained, parameters.away
    near = [name for name in trained if name not in away]
    unit, tokens = setting.product_bytes, image_tokens + text_tokens
    shape = (config, image_tokens, text_tokens, unit, setting.checkpointing, alike, setting.tp, setting.autocast)
    on_host = FP32 * parameters.count(trained) if setting.average == "host" else 0
    on_host += setting.weight_bytes * parameters.count(away)
    on_host += sum(parameters.states(name) for name in trained if name in away)
    return MemoryPlan(
        weights=setting.weight_bytes * parameters.count(name for name in parameters.every if name not in away),
        gradients=_gradients(parameters),
        optimizer=sum(parameters.states(name) for name in near),
        average=FP32 * parameters.count(near) if setting.average == "device" else 0,
        in_flight=_in_flight(parameters),
        update=_update(parameters),
        activations=activation_bytes(*shape),
        passing=6 * unit * tokens * config.dim,
        encoders=encoder_bytes if setting.encoders else 0,
        host=on_host + (FP32 * parameters.count(away & set(trained)) if setting.average == "device" else 0),
    )


def _gradients(parameters: Parameters) -> int:
    """In the weights' dtype; in the backward pass those of one block, or of the layers outside, at a time."""
    setting, trained = parameters.setting, set(parameters.trained)
    if not setting.in_backward:
        return setting.weight_bytes * parameters.count(trained)
    outside = [name for name in trained if not name.startswith("transformer_blocks.")]
    block = trained.intersection(parameters.block())
    return setting.weight_bytes * (parameters.count(block) + parameters.count(outside))


def _in_flight(parameters: Parameters) -> int:
    """Weights and gradients that exist for the length of a block's work, at the worst moment."""
    setting, unit = parameters.setting, parameters.setting.product_bytes
    block = parameters.unsharded(parameters.block())
    outside = [name for name in parameters.every if not name.startswith("transformer_blocks.")]
    if setting.mode == "fsdp":  # the block at work and the next one; gradients in the products' dtype, then in fp32
        return unit * (2 * block + parameters.unsharded(outside)) + (unit + FP32) * block
    fetched = setting.weight_bytes * block * min(2, setting.offload_blocks)
    if setting.autocast:  # a bf16 copy of every weight, from the forward pass on
        return fetched + BF16 * parameters.unsharded(parameters.every)
    if setting.weights == "bf16" and setting.products == "fp32":  # widened by each layer (trainer/optim/weights.py)
        at_once = block if setting.checkpointing == "full" else parameters.unsharded(parameters.every)
        return fetched + FP32 * at_once
    return fetched


def _update(parameters: Parameters) -> int:
    """fp32 copies of one parameter while its update is computed; torch's fused AdamW and Muon's stacks do without.

    States of an offloaded block come to the device for it.
    """
    setting = parameters.setting
    if setting.optimizer == "muon" or (setting.optimizer == "adamw" and not _steps_itself(setting)):
        return 0
    largest = max(parameters.trained, key=parameters.mine)
    states = parameters.states(largest) if setting.offload_blocks else 0
    return UPDATE_BYTES[setting.optimizer][setting.weights] * parameters.mine(largest) + states


def _steps_itself(setting: Setting) -> bool:
    return setting.weights == "bf16" or setting.in_backward or setting.offload_blocks > 0


def format_plan(plan: MemoryPlan, setting: Setting, card: int = CARD_BYTES) -> list[str]:
    """Lines for a terminal: each part in GB (10^9), the peak, and whether it fits on a card of ``card`` bytes."""
    words = {
        "weights": setting.weights,
        "gradients": f"{setting.weights}, one block's" if setting.in_backward else setting.weights,
        "optimizer": setting.optimizer,
        "in_flight": _flight_words(setting),
        "checkpointing": setting.checkpointing,
    }
    parts = [(field.name, getattr(plan, field.name)) for field in fields(plan) if field.name in _WORDS]
    lines = [_line(_WORDS[name].format(**words), size) for name, size in parts if size]
    answer = "yes" if plan.fits(card) else f"no, {(plan.peak - card) / 1e9:.1f} GB too much"
    lines.append(_line("peak", plan.peak) + f"; fits on a card of {card / 1e9:.0f} GB: {answer}")
    if plan.host:
        lines.append(_line("in the machine's memory, for each GPU", plan.host))
    return [f"memory on {_gpus(setting)}:", *lines]


def _line(words: str, size: int) -> str:
    return f"    {words:<52}{size / 1e9:8.1f} GB"


def _flight_words(setting: Setting) -> str:
    if setting.mode == "fsdp":
        return "two blocks unsharded, one's gradients"
    return "bf16 copies of the weights" if setting.autocast else "weights of the block at work"


def _gpus(setting: Setting) -> str:
    tp = f", tensor parallel by {setting.tp}" if setting.tp > 1 else ""
    return "one GPU" if setting.gpus == 1 else f"each of {setting.gpus:,} GPUs ({setting.mode}{tp})"
