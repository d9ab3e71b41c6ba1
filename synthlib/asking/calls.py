"""One call of a language model: the question, its key, its answer, and the line of JSON in which both travel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from synthlib.asking.backends import Asked
    from synthlib.asking.prices import Price

VERSION = 1  # of exported lines

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

Kind = Literal["text", "refusal", "empty", "cut_off", "off_format"]


@dataclass(frozen=True)
class Question:
    """What is put to a model.

    Attributes
    ----------
    values : dict
        Everything that decides the answer: model, messages, sampling parameters and replicate.
    text : str
        The same as JSON; equal questions have equal text.
    key : str
        The sha256 of ``text``.
    """

    values: dict[str, Any]
    text: str
    key: str

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the question that has these values.

        Examples
        --------
        >>> Question.of({"model": "m", "replicate": "a"}) == Question.of({"replicate": "a", "model": "m"})
        True
        """
        text = _CANONICAL.encode(values)
        return cls(values, text, hashlib.sha256(text.encode()).hexdigest())


def make_question(settings: Asked, messages: Sequence[dict[str, str]], *, model: str, replicate: str) -> Question:
    """Return the question that messages are under a model's settings; ``replicate`` tells apart equal ones."""
    values = {"model": model, "messages": list(messages), "replicate": replicate}
    values |= {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
    if settings.top_p is not None:
        values["top_p"] = settings.top_p
    return Question.of(values)


@dataclass(frozen=True)
class Answer:
    """What came back for a question.

    Attributes
    ----------
    text : str
        Without white space at its ends; empty where there is none.
    kind : str
        text, or what is wrong: refusal, empty, cut_off (at max_tokens), off_format (not as asked; in the store it is a
        text, since the setting decides what can be read).
    finish_reason : str or None
        As the server gave it.
    prompt_tokens, answer_tokens : int or None
        Usage as the server counted it.
    cost_usd : float or None
        None where price or usage is unknown.
    seconds : float
        From sending to the whole answer; of a batch, from handing it in to its end.
    served_by : str or None
        The model's name as the server gave it.
    asked_at : str
        Time of sending, ISO 8601, UTC.
    raw : str
        The body of the server's reply.
    """

    text: str
    kind: Kind
    finish_reason: str | None
    prompt_tokens: int | None
    answer_tokens: int | None
    cost_usd: float | None
    seconds: float
    served_by: str | None
    asked_at: str
    raw: str


ANSWER_FIELDS = tuple(field.name for field in fields(Answer))


def read_completion(body: str) -> dict[str, Any]:
    """Return a chat completion from its JSON.

    Raises
    ------
    ValueError
        It is no JSON, or has no list of choices with messages.
    """
    content = json.loads(body)
    if not isinstance(content, dict) or not isinstance(content.get("choices"), list):
        raise ValueError(f"the reply has no choices: {body[:200]!r}")
    for choice in content["choices"][:1]:
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict | None):
            raise ValueError(f"the reply's first choice is none: {body[:200]!r}")
    return content


def clean(text: str) -> str:
    """Return text without lone surrogates, which no file takes; each becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def make_answer(content: dict[str, Any], *, raw: str, price: Price | None, seconds: float, asked_at: str) -> Answer:
    """Return the answer that a chat completion holds; ``raw`` is its JSON as it came.

    The answer is paid, so nothing in it is refused: a count that is none is unknown, a reason or name becomes text.
    """
    choice = (content["choices"] or [{}])[0]
    message, usage = choice.get("message") or {}, content.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    counts = _read_count(usage.get("prompt_tokens")), _read_count(usage.get("completion_tokens"))
    said = message.get("content")
    text = clean(said).strip() if isinstance(said, str) else ""
    return Answer(
        text=text,
        kind=_kind(choice.get("finish_reason"), message.get("refusal"), text),
        finish_reason=_as_text(choice.get("finish_reason")),
        prompt_tokens=counts[0],
        answer_tokens=counts[1],
        cost_usd=None if price is None or None in counts else price.cost(*counts),
        seconds=round(seconds, 3),
        served_by=_as_text(content.get("model")),
        asked_at=asked_at,
        raw=raw,
    )


def _read_count(given: Any) -> int | None:
    try:
        count = int(given)
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 <= count < 2**63 else None  # SQLite's largest


def _as_text(given: Any) -> str | None:
    return clean(str(given)) if given else None


def _kind(finish_reason: str | None, refusal: str | None, text: str) -> Kind:
    if refusal or finish_reason == "content_filter":
        return "refusal"
    if finish_reason == "length":
        return "cut_off"
    return "text" if text else "empty"


def read_line(line: str, origin: str) -> tuple[Question, Answer]:
    """Return question and answer of an exported line.

    Raises
    ------
    ValueError
        It is damaged, of another version, or its key is not that of its question.
    """
    try:
        row = json.loads(line)
        version, key, values, answer = row["version"], row["key"], row["question"], Answer(**row["answer"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{origin}: not an exported call: {error!r}") from None
    if version != VERSION:
        raise ValueError(f"{origin}: of version {version}; this program reads version {VERSION}")
    question = Question.of(values)
    if question.key != key:
        raise ValueError(f"{origin}: the key is not that of the question; the line has been changed")
    return question, answer
