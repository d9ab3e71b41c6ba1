"""Asking a causal language model that runs here, from a folder on disk: questions are gathered, answered together."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from synthlib.asking.backends import Local
from synthlib.asking.calls import Answer, Question, make_answer, read_completion
from synthlib.asking.local_model import LocalModel, Reply
from synthlib.asking.patience import AskingInBulk
from synthlib.asking.prices import FREE
from synthlib.asking.store import Store
from synthlib.asking.writer import spare_bytes


class LocalAsker(AskingInBulk):
    """Asks a model that is loaded into this process.

    Questions of like length are answered together. What is drawn for a question depends on its key alone, so the same
    question gets the same answer whatever is answered beside it, up to the rounding of sums.

    Parameters
    ----------
    say : callable
        Told how many texts of those gathered are written.

    Raises
    ------
    ValueError, FileNotFoundError
        See :class:`synthlib.asking.local_model.LocalModel`.
    """

    def __init__(self, settings: Local, store: Store, *, say: Callable[[str], None]) -> None:
        self.model = LocalModel(settings)
        super().__init__(settings, store, model=self.model.name)
        self._say = say

    def _room(self) -> int:
        return spare_bytes(self.settings.batch_size, max_tokens=self.settings.max_tokens)

    async def _answer_all(self, gathered: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        prompts = [self.model.encode(question.values["messages"]) for question, _ in gathered]
        order = sorted(range(len(gathered)), key=lambda i: -len(prompts[i]))  # the longest first: no room is seen early
        started, n_tokens = time.monotonic(), 0
        for first in range(0, len(order), self.settings.batch_size):
            if self.error is not None:
                break
            chosen = order[first : first + self.settings.batch_size]
            n_tokens += await self._answer_together([gathered[i] for i in chosen], [prompts[i] for i in chosen])
            speed = n_tokens / (time.monotonic() - started)
            self._say(f"{first + len(chosen)} of {len(order)} written, {speed:,.0f} tokens per second")

    async def _answer_together(
        self, asked: Sequence[tuple[Question, asyncio.Future[Answer]]], prompts: list[list[int]]
    ) -> int:
        limits = {"bound_usd": 0.0, "max_usd": None, "max_calls": None}
        reserving = (self._writer.do(self.store.reserve, question, **limits) for question, _ in asked)
        await asyncio.gather(*reserving)
        asked_at, started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        keys = [question.key for question, _ in asked]
        replies = await asyncio.to_thread(self.model.write, prompts, keys)
        seconds = time.monotonic() - started
        answers = [self._make(reply, seconds=seconds, asked_at=asked_at) for reply in replies]
        recording = zip(keys, answers, strict=True)
        await asyncio.gather(*(self._writer.do(self.store.record, key, answer) for key, answer in recording))
        for (_, future), answer in zip(asked, answers, strict=True):
            if not future.done():
                future.set_result(answer)
        return sum(reply.answer_tokens for reply in replies)

    def _make(self, reply: Reply, *, seconds: float, asked_at: str) -> Answer:
        message = {"role": "assistant", "content": reply.text}
        usage = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.answer_tokens}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
        body = {"object": "chat.completion", "model": self.model.name, "choices": [choice], "usage": usage}
        raw = json.dumps(body)
        return make_answer(read_completion(raw), raw=raw, price=FREE, seconds=seconds, asked_at=asked_at)
