"""Reading an answer: the outline of a hierarchical request, the candidates of a verbalized one, the texts of any."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthlib.draws import stream_of
from synthlib.prompts import Request
from synthlib.tasks import Wording

_PART = r"^[^\w\n]*(?:\d+[.)])?[^\w\n]*{name}[^\w\n:]*:(.*)$"


class FormatError(ValueError):
    """An answer is not in the format asked for; it is asked for again."""


@dataclass(frozen=True)
class Candidate:
    """One of the texts of a verbalized answer, and the probability that the model gave it."""

    text: str
    probability: float


def read_outline(answer: str) -> dict[str, str]:
    r"""Return summary and sentence of an outline.

    Raises
    ------
    FormatError
        A line that begins with ``Summary:`` or with ``Sentence:`` is missing, or says nothing.

    Examples
    --------
    >>> read_outline("Summary: A bus is late.\nSentence: **It never came.**")
    {'summary': 'A bus is late.', 'sentence': 'It never came.'}
    """
    found = {}
    for name in ("summary", "sentence"):
        part = re.search(_PART.format(name=name), answer, re.IGNORECASE | re.MULTILINE)
        found[name] = _unquote(part[1]) if part else ""
        if not found[name]:
            raise FormatError(f"no line with a {name} in {answer[:200]!r}")
    return found


def read_candidates(answer: str, *, n: int) -> list[Candidate]:
    """Return the first ``n`` candidates of a verbalized answer: a JSON list, perhaps with words around it.

    Raises
    ------
    FormatError
        There is no such list, it is shorter, a text is empty, or a probability is no number from 0 or all are 0.

    Examples
    --------
    >>> read_candidates('[{"text": "a", "probability": 0.3}, {"text": "b", "probability": 0.1}]', n=2)[1]
    Candidate(text='b', probability=0.1)
    """
    start, end = answer.find("["), answer.rfind("]")
    try:
        rows = json.loads(answer[start : end + 1])
        found = [Candidate(row["text"].strip(), float(row["probability"])) for row in rows[:n]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError(f"no list of texts and probabilities ({error!r}) in {answer[:200]!r}") from None
    if len(found) < n:
        raise FormatError(f"{len(found)} candidate(s); {n} were asked for")
    if not all(candidate.text for candidate in found):
        raise FormatError("a candidate has no text")
    weights = [candidate.probability for candidate in found]
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights) > 0:
        raise FormatError(f"probabilities are {weights}")
    return found


def pick_candidates(
    candidates: Sequence[Candidate], request: Request, *, wording: Wording, task_name: str, seed: int
) -> list[Candidate]:
    """Return the candidates that become texts: all, or one drawn by the stated probabilities (``wording.keep``).

    The draw depends on seed, task, label and number of the request alone. Probabilities need not add up to 1.

    References
    ----------
    Zhang et al. (2025), Verbalized Sampling, arXiv 2510.01171, section 4.
    """
    if wording.keep == "all":
        return list(candidates[: request.n_texts])
    weights = np.array([candidate.probability for candidate in candidates])
    stream = stream_of(seed, task_name, request.setting, request.label, "candidate")
    return [candidates[np.random.default_rng([stream, request.n]).choice(len(weights), p=weights / weights.sum())]]


def _unquote(said: str) -> str:
    said = said.strip(" *_")
    pairs = zip("\"“„'‘", "\"””'’", strict=True)
    return said[1:-1].strip() if len(said) > 2 and (said[0], said[-1]) in pairs else said
