"""Blocks whose weights live on the host and come to the device for their forward and their backward pass.

    home (host, pinned) --side stream, one block ahead--> parameter (device) --computed, then emptied--> nothing
             ^                                                   |
             +---------------- after its update -----------------+

A parameter stays the same tensor on the device throughout: only its storage is emptied and filled, as FSDP2 does
with unsharded weights, so autograd, clipping and optimizers notice nothing. On a CPU the same code runs without a
stream, and reading an emptied weight fails there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from configs import UserError


def stored(parameter: Tensor) -> Tensor:
    """Where the weights can be read at any time: on the host for offloaded ones, else the parameter itself."""
    home: Tensor | None = getattr(parameter, "_home", None)
    return parameter if home is None else home


def home_device(parameter: Tensor) -> torch.device:
    """Where the weights live, and their optimizer's states with them."""
    return stored(parameter).device


@contextmanager
def opened(parameter: Tensor) -> Iterator[None]:
    """The weights on the device for the length of a change, which goes home afterwards."""
    home = stored(parameter)
    if home is parameter:
        yield
        return
    filled = _is_filled(parameter)
    if not filled:
        _fill(parameter)
    yield
    home.copy_(parameter.detach())
    if not filled:
        _empty(parameter)


def offload_blocks(model: nn.Module, count: int) -> OffloadedBlocks | None:
    """Move the first ``count`` of ``model.transformer_blocks`` to the host. UserError where there are fewer."""
    blocks = list(model.transformer_blocks)  # type: ignore[arg-type]
    if count > len(blocks):
        raise UserError(f"field 'optimizer.offload_blocks': the model has {len(blocks)} blocks, found {count}")
    return OffloadedBlocks(blocks[:count]) if count else None


class OffloadedBlocks:
    """Fetches each block before it is needed and the next one meanwhile; all others are empty.

    Works by module hooks, so a block's ``forward`` may be compiled and checkpointed, its ``__call__`` may not
    (``block.compile()`` would compile the hooks).
    """

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        self.blocks = blocks
        device = next(blocks[0].parameters()).device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._arrived: dict[int, Any] = {}  # block on the device: event of its arrival, None without streams
        for number, block in enumerate(blocks):
            for parameter in block.parameters():
                _leave(parameter)
            self._register(number, block)

    def _register(self, number: int, block: nn.Module) -> None:
        block.register_forward_pre_hook(lambda *_: self._need(number, number + 1))
        block.register_forward_hook(lambda _, inputs, outputs: self._leave_forward(number, inputs, outputs))
        block.register_state_dict_post_hook(_give_homes)
        block.register_load_state_dict_pre_hook(lambda *_: self._need(number, number))
        block.register_load_state_dict_post_hook(lambda *_: self._take_home(number))

    def _leave_forward(self, number: int, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Empty the block, and have it fetched when the backward pass reaches what it made.

        A module's own backward hooks would put nodes around its inputs, and gradients would add up in another order.
        """
        self._release(number)
        for output in outputs:
            if output.requires_grad and all(output is not x for x in inputs):  # the last block hands its text through
                output.register_hook(lambda _: self._need(number, number - 1))

    def _need(self, number: int, following: int) -> None:
        """This block is used now, that one next; every other one is emptied."""
        if following > number == 0:  # a new forward pass: what is left of the last step may be out of date
            self._release(0)
        for other in [n for n in self._arrived if n not in (number, following)]:
            self._release(other)
        self._fetch(number)
        event = self._arrived[number]
        if event is not None:
            torch.cuda.current_stream().wait_event(event)
        if 0 <= following < len(self.blocks):
            self._fetch(following)

    def _fetch(self, number: int) -> None:
        if number in self._arrived:
            return
        parameters = list(self.blocks[number].parameters())
        if self._stream is None:
            for parameter in parameters:
                _fill(parameter)
            self._arrived[number] = None
            return
        for parameter in parameters:
            _make_room(parameter)  # on the stream that computes, which is also the one that gives the room back
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream), torch.no_grad():
            for parameter in parameters:
                parameter.data.copy_(stored(parameter), non_blocking=True)
        self._arrived[number] = self._stream.record_event()

    def _release(self, number: int) -> None:
        event = self._arrived.pop(number, None)
        if event is not None:
            torch.cuda.current_stream().wait_event(event)
        for parameter in self.blocks[number].parameters():
            _empty(parameter)

    def _take_home(self, number: int) -> None:
        for parameter in self.blocks[number].parameters():
            stored(parameter).copy_(parameter.detach())
        self._release(number)


def _leave(parameter: Tensor) -> None:
    home = torch.empty(parameter.shape, dtype=parameter.dtype, pin_memory=parameter.is_cuda)
    home.copy_(parameter.detach())
    parameter._home = home  # type: ignore[attr-defined]
    parameter.data = torch.empty_like(parameter.data)  # storage of its own: a file's cannot be emptied
    _empty(parameter)


def _is_filled(parameter: Tensor) -> bool:
    return parameter.untyped_storage().size() > 0


def _make_room(parameter: Tensor) -> None:
    parameter.untyped_storage().resize_(parameter.numel() * parameter.element_size())


def _fill(parameter: Tensor) -> None:
    _make_room(parameter)
    parameter.data.copy_(stored(parameter))


def _empty(parameter: Tensor) -> None:
    parameter.untyped_storage().resize_(0)


def _give_homes(block: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    for name, parameter in block.named_parameters():
        state[prefix + name] = stored(parameter)
