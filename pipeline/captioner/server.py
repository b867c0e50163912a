"""A captioner behind an OpenAI-compatible server: vLLM, SGLang, or somebody's own.

    question ──JPEG in a data URL──> POST {server}/chat/completions ──> text, tokens of the prompt
               busy, broken or late: again after a pause, until the time of the picture is over

An answer counts only if the prompt had more tokens with the picture than without: servers have dropped pictures and
answered all the same.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from configs.errors import RunFailed
from pipeline.captioner.base import Question, Reply
from pipeline.captioner.picture import jpeg
from pipeline.tokens import count_tokens

_PAUSE, _LONGEST_PAUSE = 0.5, 20.0
"""Seconds before the second try, doubled for each further one; chosen."""

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same question may be answered."""

_THIS_PICTURE = frozenset({400, 413, 415, 422, 451})
"""Statuses that refuse one picture: too large, or against the server's rules."""

_HOPELESS = 8
"""A server that refused so many pictures, and has answered none, takes none at all; chosen."""

_SAFE = "nothing of this fragment was written, committed fragments are safe; the same command goes on"


@dataclass(frozen=True)
class ServerConfig:
    """``timeout_s``: of one picture, all its tries together. ``budget_tokens``: of prompts and answers of one worker."""

    url: str
    model: str
    key_file: str | None
    max_tokens: int
    connections: int
    timeout_s: float
    budget_tokens: int | None


class ServerCaptioner:
    """Asks a server; up to ``connections`` questions at once."""

    def __init__(self, config: ServerConfig) -> None:
        self._config, self._loop = config, asyncio.Runner()
        self._used = 0
        self._refused: int | None = 0  # pictures before the first that was answered, None from then on
        self._without: dict[str, int] = {}  # prompt -> its tokens without a picture
        key = Path(config.key_file).read_text(encoding="utf-8").strip() if config.key_file else ""
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        return self._loop.run(self._ask(questions))

    async def _ask(self, questions: Sequence[Question]) -> list[Reply]:
        turns = asyncio.Semaphore(self._config.connections)
        async with aiohttp.ClientSession(headers=self._headers, trust_env=False) as session:
            for common in {q.common for q in questions} - set(self._without):
                _, tokens = await self._post(session, [{"type": "text", "text": common}], 1)
                self._without[common] = tokens

            async def one(question: Question) -> Reply:
                async with turns:
                    return await self._answer(session, question)

            try:
                async with asyncio.TaskGroup() as group:  # the first error ends the others
                    tasks = [group.create_task(one(question)) for question in questions]
            except BaseExceptionGroup as failed:
                raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _answer(self, session: aiohttp.ClientSession, question: Question) -> Reply:
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg(question.pixels)).decode()
        picture = {"type": "image_url", "image_url": {"url": url}}
        content: list[dict[str, Any]] = [picture, {"type": "text", "text": question.prompt}]
        try:
            answer, tokens = await self._post(session, content, self._config.max_tokens)
        except _Refused as refused:
            self._count_refusal(str(refused))
            return Reply("", 0, str(refused))
        self._refused = None
        (own,) = count_tokens([question.prompt.removeprefix(question.common)])
        seen = _image_tokens(answer, tokens - self._without[question.common] - own)
        if seen <= 0:
            raise RunFailed(
                f"captioner: {self._config.model} at {self._config.url} answered without having seen the picture: its "
                f"prompt has {tokens} tokens with it, {tokens - seen} without; {_SAFE} with a model that sees"
            )
        return Reply(_text(answer), seen)

    async def _post(
        self, session: aiohttp.ClientSession, content: list[dict[str, Any]], max_tokens: int
    ) -> tuple[dict[str, Any], int]:
        """The server's answer and the tokens of the prompt. Raises _Refused, RunFailed."""
        self._check_budget()
        body: dict[str, Any] = {"model": self._config.model, "messages": [{"role": "user", "content": content}]}
        body |= {"max_tokens": max_tokens, "temperature": 0.0, "seed": 0}
        answer = await self._until_answered(session, body)
        usage = answer["usage"] if isinstance(answer.get("usage"), dict) else {}
        prompt = usage.get("prompt_tokens")
        if not isinstance(prompt, int):
            raise RunFailed(
                f"captioner: {self._config.url} does not say usage.prompt_tokens, so nobody knows whether the picture "
                f"reached the model; {_SAFE} with a server that does"
            )
        self._used += prompt + (usage.get("completion_tokens") or 0)
        return answer, prompt

    async def _until_answered(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> dict[str, Any]:
        started = asyncio.get_running_loop().time()
        pause, last = _PAUSE, "no answer"
        while (left := started + self._config.timeout_s - asyncio.get_running_loop().time()) > 0:
            try:
                async with session.post(
                    f"{self._config.url.rstrip('/')}/chat/completions",
                    json=body,
                    timeout=aiohttp.ClientTimeout(total=left),
                    allow_redirects=False,
                ) as response:
                    if response.status == 200:
                        answer = await response.json(content_type=None)
                        if isinstance(answer, dict) and isinstance(answer.get("choices"), list) and answer["choices"]:
                            return answer
                        last = "an answer without choices"
                    else:
                        last = f"status {response.status}: {(await response.text())[:200]}"
                        self._stop_for(response.status, last)
                    asked = response.headers.get("Retry-After", "")
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                last, asked = f"{type(error).__name__}: {error}", ""
            wait = float(asked) if asked.isdigit() else pause * random.uniform(0.5, 1.5)
            await asyncio.sleep(min(wait, left, _LONGEST_PAUSE))
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise RunFailed(
            f"captioner: {self._config.url} gave no answer within {self._config.timeout_s:g} s, the last try ended "
            f"with {last}; {_SAFE} when it works"
        )

    def _stop_for(self, status: int, what: str) -> None:
        if status in _THIS_PICTURE:
            raise _Refused(what)
        if status not in _AGAIN:
            raise RunFailed(f"captioner: {self._config.url} refuses: {what}; {_SAFE} when that is repaired")

    def _count_refusal(self, what: str) -> None:
        if self._refused is None:
            return
        self._refused += 1
        if self._refused >= _HOPELESS:
            raise RunFailed(
                f"captioner: {self._config.model} at {self._config.url} refused each of {self._refused} pictures, the last "
                f"one with {what}; {_SAFE} with a model that takes pictures"
            )

    def _check_budget(self) -> None:
        budget = self._config.budget_tokens
        if budget is not None and self._used >= budget:
            raise RunFailed(
                f"captioner: {self._used:,} tokens are used, budget_tokens allows {budget:,}; nothing of this fragment "
                "was written, committed fragments are safe; the same command goes on with as many again"
            )


class _Refused(Exception):
    """The server will not answer about this picture."""


def _image_tokens(answer: dict[str, Any], difference: int) -> int:
    """As the server counts them, where it does, else by what the picture added to the prompt."""
    details = answer["usage"].get("prompt_tokens_details")
    said = details.get("image_tokens") if isinstance(details, dict) else None
    return said if isinstance(said, int) else difference


def _text(answer: dict[str, Any]) -> str:
    choice = answer["choices"][0]
    message = choice.get("message") if isinstance(choice, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""
