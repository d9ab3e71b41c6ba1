"""Asking a server for answers online: many calls side by side, within the limits, tried again where that may help.

The key comes from OPENAI_API_KEY and goes nowhere but into the request; where a server repeats it, it is struck out.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime

import openai
import tenacity

from synthlib.asking.backends import Llm
from synthlib.asking.batches import list_batches
from synthlib.asking.calls import Answer, Question, make_answer, read_completion
from synthlib.asking.patience import Asking, BudgetError, CallError
from synthlib.asking.prices import bound_tokens, estimate_tokens, find_price
from synthlib.asking.provider import (
    describe,
    describe_refusal,
    is_unconnected,
    is_worth_another,
    open_client,
    redact,
    request_body,
    retry_after,
)
from synthlib.asking.rate import Gate
from synthlib.asking.store import Store
from synthlib.asking.writer import spare_bytes

__all__ = ["Asker", "BudgetError", "CallError"]

TRIES = 8  # sends of a call before the run ends
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between them, doubled each time, with jitter
MOST_PATIENCE = 600.0  # seconds; a server that asks for a longer wait ends the run


class _RetryError(Exception):
    """Worth another try, after so many seconds."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class Asker(Asking):
    """Asks one model questions, many at a time, and keeps every answer in a store.

    Raises
    ------
    ValueError
        max_usd is set and the price of the model is unknown, or batches are under way.
    """

    def __init__(self, settings: Llm, store: Store) -> None:
        super().__init__(settings, store, model=settings.model, width=settings.concurrency)
        self.price = find_price(settings)
        check_budget(settings, known=self.price is not None)
        limits = {name: getattr(settings, name) for name in ("requests_per_minute", "tokens_per_minute")}
        self.gate = Gate(settings.concurrency, **limits)
        if n_in_batches := sum(len(batch.keys) for batch in list_batches(store)):
            raise ValueError(
                f"{n_in_batches} calls were handed in as batches and are not taken in yet: set llm.mode to batch until "
                "they are, or they would be paid twice"
            )
        self._client: openai.AsyncOpenAI | None = None
        self._n_sent = 0
        self._freed = asyncio.Event()

    async def __aexit__(self, *details: object) -> None:
        if self._client is not None:
            await self._client.close()
        await super().__aexit__(*details)

    def _halt(self) -> None:
        self.gate.stop()

    def _room(self) -> int:
        return spare_bytes(self.settings.concurrency, max_tokens=self.settings.max_tokens)

    async def _answer(self, question: Question) -> Answer:
        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_RetryError),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=_wait,
            sleep=self.gate.sleep,
            reraise=True,
        )
        try:
            return await tries(self._send_within_limits, question)
        except _RetryError as error:
            raise CallError(f"no answer after {TRIES} tries: {error}. {self._kept()}") from None

    async def _send_within_limits(self, question: Question) -> Answer:
        messages, most = question.values["messages"], question.values["max_tokens"]
        await self.gate.enter(estimate_tokens(messages) + most)
        try:
            bound = self.price.cost(bound_tokens(messages), most) if self.price else 0.0
            await self._reserve(question, bound)
            self._n_sent += 1
            try:
                return await self._send(question)
            finally:
                self._n_sent -= 1
                self._freed.set()
        finally:
            self.gate.leave()

    async def _reserve(self, question: Question, bound: float) -> None:
        """Set aside what a call may cost; where that is too much, wait for what calls in flight leave over."""
        limits = {"max_usd": self.settings.max_usd, "max_calls": self.settings.max_calls}
        while limit := await self._writer.do(self.store.reserve, question, bound_usd=bound, **limits):
            if limit == "max_calls" or not self._n_sent:
                raise BudgetError(f"{say_limit(self.settings, self.store, limit, bound)}. {self._kept()}")
            self._freed.clear()
            waiting = asyncio.ensure_future(self._freed.wait())
            await asyncio.wait([waiting], timeout=1.0)  # another process may free something, too
            waiting.cancel()
            await self.gate.sleep(0.0)

    async def _send(self, question: Question) -> Answer:
        asked_at, started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                body = await self._post(question)
            content = read_completion(body)
        except openai.APIStatusError as error:
            refused = not is_worth_another(error.status_code, error.code)
            await self._give_up(question, describe_refusal(error), maybe_paid=False, refused=refused)
            raise self._refusal(error, started) from None
        except (openai.APIConnectionError, TimeoutError, ValueError) as error:
            reason, unconnected = describe(error), is_unconnected(error)
            await self._give_up(question, reason, maybe_paid=not unconnected)
            if unconnected and not self._n_answered:
                at = self.settings.base_url or "OpenAI"
                raise CallError(f"no server at {at} ({reason}): check llm.base_url. {self._kept()}") from None
            raise _RetryError(reason) from None
        except BaseException:
            await self._give_up(question, "interrupted", maybe_paid=True)
            raise
        times = {"seconds": time.monotonic() - started, "asked_at": asked_at}
        answer = make_answer(content, raw=body, price=self.price, **times)
        await self._writer.do(self.store.record, question.key, answer)
        self.gate.succeeded()
        return answer

    async def _give_up(self, question: Question, reason: str, *, maybe_paid: bool, refused: bool = False) -> None:
        await self._writer.do(self.store.give_up, question.key, maybe_paid=maybe_paid, error=reason, refused=refused)

    async def _post(self, question: Question) -> str:
        if self._client is None:
            self._client = open_client(self.settings)
        body = request_body(question, self.settings)
        return redact(await self._client.post("/chat/completions", cast_to=str, body=body))

    def _refusal(self, error: openai.APIStatusError, sent_at: float) -> Exception:
        """Return what to raise for an HTTP error: worth another try or not."""
        after, reason = retry_after(error.response.headers), describe_refusal(error)
        if error.status_code == 429:
            self.gate.refused(sent_at, min(after, MOST_PATIENCE))
        if after > MOST_PATIENCE:
            return CallError(f"the server asks to wait {after:.0f} seconds ({reason}). {self._kept()}")
        if is_worth_another(error.status_code, error.code):
            return _RetryError(reason, after)
        return CallError(f"the server refuses ({reason}): {advise(error.status_code, self.settings)}. {self._kept()}")


def check_budget(settings: Llm, *, known: bool) -> None:
    """Raise ValueError where max_usd is set and the price is not known."""
    if settings.max_usd is not None and not known:
        online = settings.mode == "online"
        raise ValueError(
            f"llm.max_usd is {settings.max_usd}, but the price of {settings.model!r} at {settings.base_url} is "
            f"unknown{'' if online else ' for batches'}: add it to params/prices.yaml (0 for a server of your own), or "
            "set max_usd to null"
        )


def say_limit(settings: Llm, store: Store, limit: str, bound: float) -> str:
    """Return what a limit is, what has been spent, and what to do."""
    spent, reached = store.totals(), f"llm.{limit} is {getattr(settings, limit)}"
    if find_price(settings) is None:
        return f"{reached}: {spent.sends} calls are made, cost unknown. Raise llm.{limit} to go on"
    return (
        f"{reached}: {spent.sends} calls have cost USD {spent.spent_usd:.4f} (and up to "
        f"{spent.lost_usd + spent.reserved_usd:.4f} in calls without an answer); the next may cost {bound:.4f}. "
        f"Raise llm.{limit} to go on"
    )


def advise(status: int, settings: Llm) -> str:
    """Return what to look at after an HTTP error that will not pass."""
    wanted = "check OPENAI_API_KEY, which the server does not know"
    if not os.environ.get("OPENAI_API_KEY"):
        wanted = "OPENAI_API_KEY is not set, and the server wants a key: put it there"
    return {
        401: wanted,
        403: "check what OPENAI_API_KEY may do",
        404: f"check that llm.model {settings.model!r} is one of the server's, and llm.base_url",
    }.get(status, "check llm.model, base_url and OPENAI_API_KEY")


def _wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds before another try: what the server asked for, and a random part that doubles."""
    asked = state.outcome.exception().after
    return asked + tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)
