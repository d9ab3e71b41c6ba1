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
    return _draw(task, setting, label, n, stream_of(seed, task.name, setting, label), wording, pool)


def draw_requests(
    task: Task, setting: str, *, label: str, n_requests: int, seed: int, wording: Wording, pool: Sequence[str] | None
) -> list[Request]:
    """Return the first ``n_requests`` requests of a label: as :func:`draw_request`, prompts checked once."""
    check_prompts(task, wording)
    check_label(task, setting, label, n_requests)
    stream = stream_of(seed, task.name, setting, label)
    return [_draw(task, setting, label, n, stream, wording, pool) for n in range(1, n_requests + 1)]


def _draw(
    task: Task, setting: str, label: str, n: int, stream: int, wording: Wording, pool: Sequence[str] | None
) -> Request:
    dimensions = len(task.attributes) + len(task.draws) + _N_OTHER
    shares = _points(stream, dimensions, (n - 1) // _BLOCK)[(n - 1) % _BLOCK].tolist()
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
    rows = []
    for names in [*itertools.combinations(task.attributes, 1), *itertools.combinations(task.attributes, 2)]:
        met = _count(task, drawn, names)
        row = {"what": " × ".join(names), "possible": len(met), "seen": int((met > 0).sum())}
        rows.append(row | {"least": int(met.min()), "most": int(met.max()), "requests": int(met.sum())})
    return pd.DataFrame(rows)


def compare_coverage(
    task: Task, requests: Sequence[Request], *, n_repeats: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return how evenly requests cover single values, pairs and triples of values, beside independent draws.

    The independent draws have as many requests of each label, each with as many attributes, every value equally likely.

    Returns
    -------
    coverage : DataFrame
        size (1 to 3 values), possible (combinations), seen and seen_independent (share of them that occur), unevenness
        and unevenness_independent (standard deviation of their counts over the mean). Of independent draws: means over
        ``n_repeats``.

    Raises
    ------
    ValueError
        No request draws attributes.
    """
    drawn = [request for request in requests if "attributes" in request.drawn]
    if not drawn:
        raise ValueError(f"none of {len(requests)} request(s) draws attributes")
    independent = [[_draw_freely(task, request, rng) for request in drawn] for _ in range(n_repeats)]
    rows = []
    for size in range(1, min(3, len(task.attributes)) + 1):
        row: dict[str, float] = {"size": size}
        for suffix, runs in (("", [drawn]), ("_independent", independent)):
            choices = list(itertools.combinations(task.attributes, size))
            counts = [[_count(task, run, names) for names in choices] for run in runs]
            row["possible"] = sum(map(len, counts[0]))
            row[f"seen{suffix}"] = np.mean([np.concatenate(run) > 0 for run in counts])
            spread = [met.std() / met.mean() for run in counts for met in run if met.any()]
            row[f"unevenness{suffix}"] = np.mean(spread) if spread else np.nan
        rows.append(row)
    names = ["size", "possible", "seen", "seen_independent", "unevenness", "unevenness_independent"]
    return pd.DataFrame(rows)[names]


def _draw_freely(task: Task, request: Request, rng: np.random.Generator) -> Request:
    listed = task.attributes_of(request.label)
    kept = sorted(rng.permutation(len(listed))[: len(request.drawn["attributes"])])
    chosen = {name: str(rng.choice(listed[name])) for name in (list(listed)[place] for place in kept)}
    return Request(request.setting, request.label, request.n, {"attributes": chosen}, ())


def _count(task: Task, requests: Sequence[Request], names: Sequence[str]) -> np.ndarray:
    """Return how many requests draw each combination of values of some attributes that any of their labels allows."""
    values = [[task.attributes_of(label)[name] for name in names] for label in {r.label for r in requests}]
    counts = dict.fromkeys(itertools.chain.from_iterable(itertools.product(*lists) for lists in values), 0)
    for attributes in (request.drawn["attributes"] for request in requests):
        if all(name in attributes for name in names):
            counts[tuple(attributes[name] for name in names)] += 1
    return np.array(list(counts.values()))


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
