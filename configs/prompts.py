"""What every prompt of Qwen-Image has beside its words, for those who count tokens without the network's code."""

from __future__ import annotations

CLOSING_TOKENS = 5
"""Tokens of the template after the prompt: ``<|im_end|>``, a newline, ``<|im_start|>``, ``assistant``, a newline. The
network sees them, so a limit on hidden states counts them."""
