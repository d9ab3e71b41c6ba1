"""The lines of a provider's batch: requests as they are handed in, answers and failures as they come back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from synthlib.asking.backends import Llm
from synthlib.asking.batches import Failure
from synthlib.asking.calls import Answer, Question, clean, make_answer, read_completion
from synthlib.asking.prices import Price
from synthlib.asking.provider import is_worth_another, request_body

MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000  # of a file


def split_lines(questions: Sequence[Question], settings: Llm) -> Iterator[list[tuple[Question, bytes]]]:
    """Yield questions with their lines, as many at a time as a file may hold."""
    part, size = [], 0
    for question in questions:
        request = {"custom_id": question.key, "method": "POST", "url": "/v1/chat/completions"}
        line = json.dumps(request | {"body": request_body(question, settings)}).encode() + b"\n"
        if part and (len(part) == MOST_REQUESTS or size + len(line) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append((question, line))
        size += len(line)
    if part:
        yield part


def read_lines(
    text: str,
    keys: set[str],
    *,
    answers: dict[str, Answer],
    failures: dict[str, Failure],
    price: Price | None,
    seconds: float,
    asked_at: str,
) -> None:
    """Sort the lines of an output or error file into answers and failures; lines of no key of ours are left out."""
    for line in text.split("\n"):  # splitlines would cut inside a JSON string, at U+2028 for one
        row = _read(line)
        key = row.get("custom_id")
        if key not in keys or key in answers:
            continue
        response, error = row.get("response") or {}, row.get("error") or {}
        status, body = response.get("status_code"), response.get("body")
        if status == 200:
            raw = json.dumps(body)  # escaped: a lone surrogate could not be stored
            try:
                content = read_completion(raw)
            except ValueError as fault:
                failures[key] = Failure(str(fault), maybe_paid=True)
                continue
            answers[key] = make_answer(content, raw=raw, price=price, seconds=seconds, asked_at=asked_at)
            failures.pop(key, None)
        else:
            error = (body.get("error") if isinstance(body, dict) else None) or error
            error = error if isinstance(error, dict) else {"message": str(error)}
            code = error.get("code")
            reason = clean(f"{code or status}: {error.get('message') or f'status {status}'}")
            worth = status is None or is_worth_another(status, code)
            failures[key] = Failure(reason, maybe_paid=False, status=status, worth_another=worth)


def _read(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:  # a damaged line: its question counts as not answered
        return {}
    return row if isinstance(row, dict) else {}
