"""Asking a language model: every question once, every answer kept, within the limits. Imports openai, alone to do so.

The key comes from OPENAI_API_KEY and goes nowhere but into the request; where a server repeats it, it is struck out.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import openai
import tenacity

from synthlib.backends import Llm
from synthlib.calls import Answer, Kind, question_key
from synthlib.prices import bound_tokens, estimate_tokens, load_price
from synthlib.rate import Gate, StoppedError
from synthlib.store import Store

TRIES = 8  # sends of a call before the run ends
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between them, doubled each time, with jitter
MOST_PATIENCE = 600.0  # seconds; a server that asks for a longer wait ends the run
SHORTEST_KEY = 12  # characters; shorter ones, such as EMPTY for a local server, are no secrets
_RETRIED = (408, 409, 429)  # and all from 500
_NEVER_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout")


class CallError(RuntimeError):
    """The run cannot go on; what has come back is kept, and the same run goes on from there."""


class BudgetError(CallError):
    """max_usd or max_calls is reached."""


class _RetryError(Exception):
    """Worth another try, after so many seconds."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class Asker:
    """Asks one model questions, many at a time, and keeps every answer in a store.

    Raises
    ------
    ValueError
        max_usd is set and the price of the model is unknown.
    """

    def __init__(self, settings: Llm, store: Store) -> None:
        self.settings, self.store = settings, store
        self.price = load_price(settings.model, settings.base_url)
        if settings.max_usd is not None and self.price is None:
            raise ValueError(
                f"llm.max_usd is {settings.max_usd}, but the price of {settings.model!r} at {settings.base_url} is "
                "unknown: add it to params/prices.yaml (0 for a server of your own), or set max_usd to null"
            )
        limits = {name: getattr(settings, name) for name in ("requests_per_minute", "tokens_per_minute")}
        self.gate = Gate(settings.concurrency, **limits)
        self.error: BaseException | None = None
        self._client: openai.AsyncOpenAI | None = None
        self._n_sent = self._n_answered = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()

    async def stop(self, error: BaseException) -> None:
        """Send nothing more; calls in flight are waited for and kept. The first error is the one to raise."""
        if self.error is None or isinstance(self.error, StoppedError):
            self.error = error
        await self.gate.stop()

    async def ask(self, messages: Sequence[dict[str, str]], *, replicate: str) -> tuple[Answer, bool]:
        """Return the answer to messages, and whether it was asked for now rather than found in the store.

        Parameters
        ----------
        messages : sequence of dict
            role and content.
        replicate : str
            Tells apart questions that are asked in the same words for different texts.

        Raises
        ------
        CallError
            The server refuses for good or does not answer, or (BudgetError) a limit is reached.
        StoppedError
            :meth:`stop` was called before it was sent.
        OSError
            The store cannot be written.
        """
        s = self.settings
        question = {"model": s.model, "messages": list(messages), "replicate": replicate}
        question |= {"temperature": s.temperature, "max_tokens": s.max_tokens}
        if answer := self.store.find(question_key(question)):
            return answer, False
        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_RetryError),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=_wait,
            sleep=self.gate.sleep,
            reraise=True,
        )
        try:
            return await tries(self._send_within_limits, question), True
        except _RetryError as error:
            raise CallError(f"no answer after {TRIES} tries: {error}. {self._kept()}") from None

    async def _send_within_limits(self, question: dict[str, Any]) -> Answer:
        messages, most = question["messages"], question["max_tokens"]
        await self.gate.enter(estimate_tokens(messages) + most)
        try:
            bound = self.price.cost(bound_tokens(messages), most) if self.price else 0.0
            await self._reserve(question, bound)
            self._n_sent += 1
            try:
                return await self._send(question)
            finally:
                self._n_sent -= 1
        finally:
            await self.gate.leave()

    async def _reserve(self, question: dict[str, Any], bound: float) -> None:
        """Set aside what a call may cost; where that is too much, wait for what calls in flight leave over."""
        limits = {"max_usd": self.settings.max_usd, "max_calls": self.settings.max_calls}
        while limit := self.store.reserve(question, bound_usd=bound, **limits):
            if limit == "max_calls" or not self._n_sent:
                spent = self.store.totals()
                raise BudgetError(
                    f"llm.{limit} is {limits[limit]}: {spent.sends} calls have cost USD {spent.spent_usd:.4f} (and up "
                    f"to {spent.lost_usd + spent.reserved_usd:.4f} in calls without an answer); the next may cost "
                    f"{bound:.4f}. Raise llm.{limit} to go on. {self._kept()}"
                )
            await self.gate.sleep(0.05)

    async def _send(self, question: dict[str, Any]) -> Answer:
        key = question_key(question)
        asked_at, started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                body = await self._post(question)
            content = _parse(body)
        except openai.APIStatusError as error:
            self.store.give_up(key, maybe_paid=False)
            raise self._refusal(error, started) from None
        except (openai.APIConnectionError, TimeoutError, ValueError) as error:
            cause = error.__cause__ or error
            unsent = type(cause).__name__ in _NEVER_SENT
            self.store.give_up(key, maybe_paid=not unsent)
            if type(cause).__name__ == "ConnectError" and not self._n_answered:
                at = self.settings.base_url or "OpenAI"
                raise CallError(f"no server at {at} ({_redact(str(cause))}): check base_url. {self._kept()}") from None
            raise _RetryError(f"{type(cause).__name__}: {_redact(str(cause))}") from None
        except BaseException:
            self.store.give_up(key, maybe_paid=True)
            raise
        answer = self._answer(content, body, seconds=time.monotonic() - started, asked_at=asked_at)
        self.store.record(key, answer)
        self._n_answered += 1
        self.gate.succeeded()
        return answer

    async def _post(self, question: dict[str, Any]) -> str:
        if self._client is None:
            self._client = _open_client(self.settings)
        most = "max_completion_tokens" if self.settings.base_url is None else "max_tokens"
        sampling = {most: question["max_tokens"]}
        if question["temperature"] is not None:
            sampling["temperature"] = question["temperature"]
        reply = await self._client.chat.completions.with_raw_response.create(
            model=question["model"], messages=question["messages"], **sampling
        )
        return _redact(reply.text() if callable(reply.text) else reply.text)

    def _answer(self, content: dict[str, Any], body: str, *, seconds: float, asked_at: str) -> Answer:
        choice = (content["choices"] or [{}])[0]
        message, usage = choice.get("message") or {}, content.get("usage") or {}
        counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
        said = message.get("content")
        text = said.encode("utf-8", "replace").decode().strip() if isinstance(said, str) else ""
        return Answer(
            text=text,
            kind=_kind(choice.get("finish_reason"), message.get("refusal"), text),
            finish_reason=choice.get("finish_reason"),
            prompt_tokens=counts[0],
            answer_tokens=counts[1],
            cost_usd=None if self.price is None or None in counts else self.price.cost(*counts),
            seconds=round(seconds, 3),
            served_by=content.get("model"),
            asked_at=asked_at,
            raw=body,
        )

    def _refusal(self, error: openai.APIStatusError, sent_at: float) -> Exception:
        """Return what to raise for an HTTP error: worth another try or not."""
        status, after = error.status_code, _retry_after(error.response.headers)
        reason = _redact(error.message)
        if status == 429:
            self.gate.refused(sent_at, min(after, MOST_PATIENCE))
        if after > MOST_PATIENCE:
            return CallError(f"the server asks to wait {after:.0f} seconds ({reason}). {self._kept()}")
        if (status in _RETRIED or status >= 500) and error.code != "insufficient_quota":
            return _RetryError(reason, after)
        return CallError(f"the server refuses ({reason}): check llm.model, base_url and OPENAI_API_KEY. {self._kept()}")

    def _kept(self) -> str:
        return f"{self._n_answered} answers of this run are kept in {self.store.path.name}; run again to go on"


def _open_client(settings: Llm) -> openai.AsyncOpenAI:
    key = os.environ.get("OPENAI_API_KEY")
    if not key and settings.base_url is None:
        raise CallError("OPENAI_API_KEY is not set; put the key there, or name a server of your own as llm.base_url")
    return openai.AsyncOpenAI(
        api_key=key or "none", base_url=settings.base_url, timeout=settings.timeout_seconds, max_retries=0
    )


def _parse(body: str) -> dict[str, Any]:
    content = json.loads(body)
    if not isinstance(content, dict) or not isinstance(content.get("choices"), list):
        raise ValueError(f"the reply has no choices: {body[:200]!r}")
    return content


def _kind(finish_reason: str | None, refusal: str | None, text: str) -> Kind:
    if refusal or finish_reason == "content_filter":
        return "refusal"
    if finish_reason == "length":
        return "cut_off"
    return "text" if text else "empty"


def _wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds before another try: what the server asked for, and a random part that doubles."""
    asked = state.outcome.exception().after
    return asked + tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)


def _retry_after(headers: Any) -> float:
    """Return the seconds that a Retry-After header asks for, as a number or a date; 0 without one."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value)) if value else 0.0
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _redact(text: str) -> str:
    key = os.environ.get("OPENAI_API_KEY")
    return text.replace(key, "[key]") if key and len(key) >= SHORTEST_KEY else text
