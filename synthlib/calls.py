"""One call of a language model: the question, its key, its answer, and the line of JSON in which both travel."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any, Literal

VERSION = 1  # of the store and of exported lines

Kind = Literal["text", "refusal", "empty", "cut_off", "off_format"]


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
        From sending to the whole answer.
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


def question_key(question: dict[str, Any]) -> str:
    """Return the sha256 of everything that decides an answer: model, messages, sampling parameters and replicate.

    Examples
    --------
    >>> question_key({"model": "m", "replicate": "a"}) == question_key({"replicate": "a", "model": "m"})
    True
    """
    return hashlib.sha256(canonical(question).encode()).hexdigest()


def canonical(question: dict[str, Any]) -> str:
    """Return a question as JSON: equal questions give equal text."""
    return json.dumps(question, sort_keys=True, separators=(",", ":"))


def read_line(line: str, origin: str) -> tuple[dict[str, Any], Answer]:
    """Return question and answer of an exported line.

    Raises
    ------
    ValueError
        It is damaged, of another version, or its key is not that of its question.
    """
    try:
        row = json.loads(line)
        version, key, question, answer = row["version"], row["key"], row["question"], Answer(**row["answer"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{origin}: not an exported call: {error!r}") from None
    if version != VERSION:
        raise ValueError(f"{origin}: of version {version}; this program reads version {VERSION}")
    if question_key(question) != key:
        raise ValueError(f"{origin}: the key is not that of the question; the line has been changed")
    return question, answer
