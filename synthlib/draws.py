"""What a request draws: seeded, the same whatever the order of requests, and spread evenly over all values.

The values come from a scrambled Sobol sequence, one a task, setting and label, one dimension an attribute: any run of
consecutive requests meets each value, and each pair of values of two attributes, more evenly than independent draws do.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import qmc

from synthlib.prompts import Request, check_label, check_prompts
from synthlib.settings import ATTRIBUTED_SETTINGS, SHOWING_SETTINGS
from synthlib.tasks import Task, Wording

_BLOCK = 1024  # a power of 2: Sobol points are balanced over such blocks
_N_OTHER = 6  # length, attribute left out, whether there are words, and the three words


def draw_request(
    task: Task, setting: str, *, label: str, n: int, seed: int, wording: Wording, pool: Sequence[str] | None
) -> Request:
    """Return the n-th request of a label in a setting: a function of its arguments alone.

    zero_shot and verbalized draw a length and the task's draws; attributed and hierarchical draw attributes too and,
    for a share of requests, a verb, noun and adjective; few_shot draws the task's draws and examples, which set the
    length; grounded draws one example.

    Parameters
    ----------
    n : int
        From 1.
    pool : sequence of str or None
        Keys of real texts of the label, from which few-shot and grounded examples are drawn: in random order, each
        before any comes again (but for a rest too small for a request). None for the other settings.

    Raises
    ------
    ValueError
        The prompts cannot be filled, the label or setting is unknown, n is below 1, or the pool is too small.

    References
    ----------
    Eldan & Li (2023), TinyStories, section 2 (random words and features); Owen (1998), Scrambling Sobol' and
    Niederreiter-Xing points.
    """
    check_prompts(task, wording)
    check_label(task, setting, label, n)
    return _draw(task, setting, label, n, seed, wording, pool)


def draw_requests(
    task: Task, setting: str, *, label: str, n_requests: int, seed: int, wording: Wording, pool: Sequence[str] | None
) -> list[Request]:
    """Return the first ``n_requests`` requests of a label: as :func:`draw_request`, prompts checked once."""
    check_prompts(task, wording)
    check_label(task, setting, label, n_requests)
    return [_draw(task, setting, label, n, seed, wording, pool) for n in range(1, n_requests + 1)]


def _draw(
    task: Task, setting: str, label: str, n: int, seed: int, wording: Wording, pool: Sequence[str] | None
) -> Request:
    stream = stream_of(seed, task.name, setting, label)
    dimensions = len(task.attributes) + len(task.draws) + _N_OTHER
    shares = list(_points(stream, dimensions, (n - 1) // _BLOCK)[(n - 1) % _BLOCK])
    attributes = {name: _pick(values, shares.pop(0)) for name, values in task.attributes_of(label).items()}
    drawn: dict[str, Any] = {name: _pick(values, shares.pop(0)) for name, values in task.draws.items()}
    if setting in SHOWING_SETTINGS:
        size = wording.examples_per_request if setting == "few_shot" else 1
        examples = _draw_examples(pool or [], size, n, stream, f"{task.name}: a {setting} request of {label}")
        return Request(setting, label, n, drawn if setting == "few_shot" else {}, examples)
    drawn["words"] = _pick(range(task.words[0], task.words[1] + 1), shares.pop(0))
    if setting in ATTRIBUTED_SETTINGS:
        drawn["attributes"] = _leave_out(attributes, wording.attributes_per_request, shares.pop(0))
        if task.vocabulary and shares.pop(0) < wording.vocabulary_share:
            words = zip(("verb", "noun", "adjective"), wording.vocabulary_words.values(), shares, strict=True)
            drawn["vocabulary"] = {kind: _pick(values, share) for kind, values, share in words}
    return Request(setting, label, n, drawn, ())


def measure_coverage(task: Task, requests: Sequence[Request]) -> pd.DataFrame:
    """Return how evenly requests cover the values of each attribute, and the pairs of values of each two attributes.

    Returns
    -------
    coverage : DataFrame
        ``what`` (an attribute, or two joined by ×), possible (number of values or pairs), seen (of these, how many
        occur), least and most (requests of one of them), requests (those that draw the attribute, or both).

    Raises
    ------
    ValueError
        No request draws attributes.
    """
    drawn = [request for request in requests if "attributes" in request.drawn]
    if not drawn:
        raise ValueError(f"none of {len(requests)} request(s) draws attributes")
    labels = {request.label for request in drawn}
    rows = []
    for names in [*itertools.combinations(task.attributes, 1), *itertools.combinations(task.attributes, 2)]:
        values = [[task.attributes_of(label)[name] for name in names] for label in labels]
        counts = dict.fromkeys(itertools.chain.from_iterable(itertools.product(*lists) for lists in values), 0)
        for request in drawn:
            attributes = request.drawn["attributes"]
            if all(name in attributes for name in names):
                counts[tuple(attributes[name] for name in names)] += 1
        met = np.array(list(counts.values()))
        row = {"what": " × ".join(names), "possible": len(met), "seen": int((met > 0).sum())}
        rows.append(row | {"least": int(met.min()), "most": int(met.max()), "requests": int(met.sum())})
    return pd.DataFrame(rows)


def stream_of(*parts: object) -> int:
    """Return a seed that depends on all parts and nothing else."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], "big")


@lru_cache(maxsize=256)
def _points(stream: int, dimensions: int, block: int) -> np.ndarray:
    sequence = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(stream))
    if block:
        sequence.fast_forward(block * _BLOCK)
    return sequence.random(_BLOCK)  # (_BLOCK, D), in [0, 1)


def _pick(values: Sequence[Any], share: float) -> Any:
    return values[int(share * len(values))]


def _leave_out(attributes: dict[str, str], most: int, share: float) -> dict[str, str]:
    kept = list(itertools.combinations(attributes, min(most, len(attributes))))
    return {name: attributes[name] for name in _pick(kept, share)}


def _draw_examples(pool: Sequence[str], size: int, n: int, stream: int, origin: str) -> tuple[str, ...]:
    if len(pool) < size:
        raise ValueError(
            f"{origin} shows {size} example(s); the pool has {len(pool)}: add training texts of the label, or lower "
            "examples_per_request in params/prompts.yaml"
        )
    if len(set(pool)) != len(pool):
        raise ValueError(f"{origin}: the pool repeats a key")
    turn, place = divmod(n - 1, len(pool) // size)
    order = np.random.default_rng([stream, turn]).permutation(len(pool))
    return tuple(pool[i] for i in order[place * size : (place + 1) * size])
