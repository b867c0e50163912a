"""Prompts, with or without reference pictures, to condition tensors: Qwen2.5-VL's last hidden state, unpadded.

    prompt -------template--> ids --------+
                                          +--> language model --> hidden states --prefix dropped--> (n, d)
    references --vision tower--> tokens --+

``templates.py`` says what is kept. The language model is causal, so prompts of unlike lengths
share a call by padding on the right: what follows cannot change a token. The vision tower takes any
number of pictures end to end and pads nothing.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor

from configs import UserError
from model.config import Quoted
from model.joint import PADDING_LIMIT
from model.reference_sizes import VISION_AREA
from model.references import fitted, image_processor
from model.templates import Style, around
from model.text_encoder import load_text_encoder
from model.tokenizer import SPECIAL, load_tokenizer, read_quoted, spelled

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH_TOKENS = 8192  # chosen: tokens of one call of the language model
TooLong = Literal["error", "cut"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Turn:
    """One templated prompt: ids with the vision tokens' places, what to drop, and what the vision tower reads."""

    ids: list[int]
    dropped: int
    pixels: Tensor | None  # (patches, C): of all its references
    grids: Tensor | None  # (references, 3): frames, rows and columns of patches


class Conditioner:
    """Tokenizer, image processor and frozen Qwen2.5-VL.

    A prompt whose kept tokens, vision tokens not counted, exceed ``max_tokens`` is a UserError, or is
    cut there with a warning when ``too_long`` is "cut", as the released pipeline cuts: the closing
    tokens go first. ``style`` says how references are announced, ``vision_area`` (px) at what size
    the vision tower sees them (None: as released for that style), ``folder`` where the image
    processor's settings are, ``quoted`` how quoted text is read (``model/config.py``).
    """

    def __init__(
        self,
        tokenizer: Any,
        encoder: Any,
        max_tokens: int = 512,
        too_long: TooLong = "error",
        style: Style = "multi",
        vision_area: int | None = None,
        folder: Path | None = None,
        quoted: Quoted = "tokens",
    ) -> None:
        if too_long not in get_args(TooLong):
            raise UserError(f"too_long: '{too_long}'; {' or '.join(get_args(TooLong))} is allowed")
        if max_tokens < 1:
            raise UserError(f"max_tokens: {max_tokens}; at least 1 is needed")
        self.tokenizer, self.encoder, self.folder, self.quoted = tokenizer, encoder, folder, quoted
        self.max_tokens, self.too_long = max_tokens, too_long
        self.style: Style = style
        self.vision_area = vision_area or VISION_AREA[style]

    @classmethod
    def load(
        cls,
        folder: str | Path,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        max_tokens: int = 512,
        too_long: TooLong = "error",
        style: Style = "multi",
        vision_area: int | None = None,
    ) -> Conditioner:
        """From a pipeline folder with ``tokenizer/`` and ``text_encoder/``; ``dtype`` None keeps the stored one."""
        folder = Path(folder)
        for part in ("tokenizer", "text_encoder"):
            if not (folder / part).is_dir():
                raise UserError(f"{folder}: has no folder {part}/; a diffusers folder of Qwen-Image is needed")
        tokenizer, quoted = load_tokenizer(folder / "tokenizer"), read_quoted(folder / "tokenizer")
        encoder: Any = load_text_encoder(folder / "text_encoder", dtype)
        return cls(tokenizer, encoder.to(device), max_tokens, too_long, style, vision_area, folder, quoted)

    @property
    def dim(self) -> int:
        return self.encoder.config.text_config.hidden_size

    def to(self, device: torch.device | str) -> Conditioner:
        self.encoder.to(device)
        return self

    def lengths(self, prompts: Sequence[str]) -> list[int]:
        """Number of condition tokens each prompt will have without references; runs the tokenizer alone."""
        return [len(turn.ids) - turn.dropped for turn in self._turns(prompts, None, self.vision_area)]

    @torch.no_grad()
    def encode(
        self,
        prompts: Sequence[str],
        references: Sequence[Sequence[Image]] | None = None,
        vision_area: int | None = None,
    ) -> list[Tensor]:
        """One (n_i, d) tensor per prompt, on the encoder's device, in its dtype; ``references[i]`` may be empty.

        ``vision_area``: px at which the vision tower sees each of them, instead of the conditioner's own.
        """
        turns = self._turns(prompts, references, vision_area or self.vision_area)
        out: dict[int, Tensor] = {}
        for seeing in (False, True):
            which = [i for i, turn in enumerate(turns) if (turn.grids is not None) == seeing]
            for part in _batches([len(turns[i].ids) for i in which]):
                chosen = [which[j] for j in part]
                hidden = self._hidden([turns[i] for i in chosen])
                for row, i in enumerate(chosen):  # a view would keep the whole batch alive
                    out[i] = hidden[row, turns[i].dropped : len(turns[i].ids)].clone()
        return [out[i] for i in range(len(turns))]

    def _hidden(self, turns: Sequence[_Turn]) -> Tensor:
        """(B, S, d), after the final norm. The vocabulary head is not needed."""
        longest = max(len(turn.ids) for turn in turns)
        padding = self.tokenizer.pad_token_id
        ids = torch.tensor([turn.ids + [padding] * (longest - len(turn.ids)) for turn in turns])
        ids = ids.to(self.encoder.device)
        pixels = [turn.pixels for turn in turns if turn.pixels is not None]
        if not pixels:
            return self.encoder.model.language_model(input_ids=ids, use_cache=False).last_hidden_state
        grids = torch.cat([turn.grids for turn in turns if turn.grids is not None])
        # Without the token types transformers 5 gives vision tokens the positions of text.
        return self.encoder.model(
            input_ids=ids,
            pixel_values=torch.cat(pixels).to(ids.device),
            image_grid_thw=grids.to(ids.device),
            mm_token_type_ids=(ids == self._image_pad).int(),
            use_cache=False,
        ).last_hidden_state

    def _turns(self, prompts: Sequence[str], references: Sequence[Sequence[Image]] | None, area: int) -> list[_Turn]:
        pictures = references if references is not None else [()] * len(prompts)
        if len(pictures) != len(prompts):
            raise UserError(f"references: {len(pictures)} lists for {len(prompts)} prompts; give one each")
        for prompt in prompts:
            _check_text(prompt)
        if not prompts:
            return []
        around_ = [around(len(images), self.style) for images in pictures]
        lines, drops = self._ids(prompts, around_), [dropped for _, _, dropped in around_]
        return [self._turn(*turn, area) for turn in zip(prompts, lines, drops, pictures, strict=True)]

    def _ids(self, prompts: Sequence[str], around_: Sequence[tuple[str, str, int]]) -> list[list[int]]:
        """Of the templated prompts. What a prompt says is text, the names of control tokens too: a caption ends no turn
        and holds no picture's place."""
        texts = [before + prompt + after for prompt, (before, after, _) in zip(prompts, around_, strict=True)]
        lines = self.tokenizer(texts).input_ids
        for i, prompt in enumerate(prompts):
            said = self._said(prompt)
            if said is not None:
                before, after = self.tokenizer(list(around_[i][:2])).input_ids
                lines[i] = [*before, *said, *after]
        return lines

    def _said(self, prompt: str) -> list[int] | None:
        """Of a prompt that is read apart from its template; None for one that may be read with it."""
        if self.quoted == "characters":
            return spelled(self._literal, prompt)
        if any(name in prompt for name in SPECIAL):
            return self._literal(prompt, split_special_tokens=True).input_ids
        return None

    def _turn(self, prompt: str, ids: list[int], dropped: int, images: Sequence[Image], area: int) -> _Turn:
        if not images:
            return _Turn(self._fitted(prompt, ids, dropped), dropped, None, None)
        if self.style == "single" and len(images) > 1:
            raise UserError(f"prompt '{_start(prompt)}' has {len(images)} references; this model's template takes one")
        seen = [fitted(image, area) for image in images]
        inputs = self.image_processor(images=seen, return_tensors="pt")
        grids = inputs["image_grid_thw"]
        counts = (grids.prod(1) // self.image_processor.merge_size**2).tolist()
        places = iter(counts)
        ids = [t for i in ids for t in ([i] * next(places) if i == self._image_pad else [i])]
        return _Turn(self._fitted(prompt, ids, dropped + sum(counts)), dropped, inputs["pixel_values"], grids)

    def _fitted(self, prompt: str, ids: list[int], uncounted: int) -> list[int]:
        kept = len(ids) - uncounted
        if kept <= self.max_tokens:
            return ids
        if self.too_long == "error":
            raise UserError(
                f"prompt '{_start(prompt)}' has {kept} tokens; at most {self.max_tokens} are allowed: shorten it, or raise "
                "max_tokens"
            )
        log.warning("prompt '%s' has %d tokens and is cut after %d", _start(prompt), kept, self.max_tokens)
        return ids[: uncounted + self.max_tokens]

    @cached_property
    def image_processor(self) -> Any:
        """Made when the first reference comes: it wants torchvision."""
        return image_processor(self.folder, self.encoder.config.vision_config)

    @cached_property
    def _literal(self) -> Any:
        """A tokenizer of its own: the option not to know control tokens stays with the object, and threads share ours."""
        return copy.deepcopy(self.tokenizer)

    @property
    def _image_pad(self) -> int:
        return self.encoder.config.image_token_id


def _check_text(prompt: str) -> None:
    if not isinstance(prompt, str):
        raise UserError(f"prompt: expected text, found {type(prompt).__name__}")
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"prompt {_start(prompt)!a}: character {error.start} is half of a surrogate pair") from None


def _start(prompt: str) -> str:
    return prompt[:40] + ("..." if len(prompt) > 40 else "")


def _batches(lengths: Sequence[int]) -> Iterable[list[int]]:
    """Indices from short to long, cut where padding or BATCH_TOKENS would be exceeded."""
    part: list[int] = []
    total = 0
    for i in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        padded = (len(part) + 1) * lengths[i]
        if part and (padded > BATCH_TOKENS or padded > PADDING_LIMIT * (total + lengths[i])):
            yield part
            part, total = [], 0
        part.append(i)
        total += lengths[i]
    if part:
        yield part
