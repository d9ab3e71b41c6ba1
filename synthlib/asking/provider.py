"""Speaking to a server through the openai package: the client, what a request says, and what its errors mean."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import openai

from synthlib.asking.backends import Llm
from synthlib.asking.calls import Question
from synthlib.asking.patience import CallError

SHORTEST_KEY = 12  # characters; shorter ones, such as EMPTY for a local server, are no secrets
_RETRIED = (408, 409, 429)  # and all from 500


def open_client(settings: Llm) -> openai.AsyncOpenAI:
    """Return a client that tries everything once; the key comes from OPENAI_API_KEY.

    It moves bytes with aiohttp, which takes half the processor time of the default.

    Raises
    ------
    CallError
        No key is set, and the address is OpenAI's own.
    """
    key = os.environ.get("OPENAI_API_KEY")
    if not key and settings.base_url is None:
        raise CallError("OPENAI_API_KEY is not set; put the key there, or name a server of your own as llm.base_url")
    return openai.AsyncOpenAI(
        api_key=key or "none",
        base_url=settings.base_url,
        timeout=settings.timeout_seconds,
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(timeout=settings.timeout_seconds),
    )


def request_body(question: Question, settings: Llm) -> dict[str, Any]:
    """Return the body of the request that puts a question; the replicate stays here."""
    values = question.values
    most = "max_completion_tokens" if settings.base_url is None else "max_tokens"
    body = {"model": values["model"], "messages": values["messages"], most: values["max_tokens"]}
    return body | {name: values[name] for name in ("temperature", "top_p") if values.get(name) is not None}


def is_worth_another(status: int, code: str | None) -> bool:
    """Return whether a call that was refused may pass later."""
    return (status in _RETRIED or status >= 500) and code != "insufficient_quota"


def _trace(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def describe(error: BaseException) -> str:
    """Return the name of what went wrong with a connection, and what it says, without the key."""
    *_, cause = _trace(error)
    return f"{type(cause).__name__}: {redact(str(cause))}"


def describe_refusal(error: openai.APIStatusError) -> str:
    """Return what a server says against a request, without the key; its whole reply where it names no reason."""
    message = error.message
    if error.body is None or message == f"Error code: {error.status_code}":
        message = f"{message}: {error.response.text[:300]}"
    return redact(message)


def is_unconnected(error: BaseException) -> bool:
    """Return whether a call failed before there was a connection: nothing can have been paid."""
    return any(
        isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) for cause in _trace(error)
    )


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait: retry-after-ms, or Retry-After as a number or a date; else 0."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, (parsedate_to_datetime(headers.get("retry-after", "")) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def redact(text: str) -> str:
    """Return text without the key, which some servers repeat in their errors."""
    key = os.environ.get("OPENAI_API_KEY")
    return text.replace(key, "[key]") if key and len(key) >= SHORTEST_KEY else text
