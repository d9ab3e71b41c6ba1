"""Made-up workers: for the power calculator, for tests, and to walk through a study before anyone is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synthlib.crowd.study import Key, Place, Study
from synthlib.votes.voters import SIMULATED


@dataclass(frozen=True)
class Crowd:
    """How made-up workers answer.

    Attributes
    ----------
    scores : dict of str to float
        Pairs: how subjective each task is. The log-odds that a worker calls a task more subjective is the difference of
        the two scores, divided by ``noise``.
    noise : float
        Above 0; 1 is the Bradley-Terry model.
    agreement : float
        Instances: how often a worker gives the label that most would give.
    spammer_share : float
        Share of workers who answer at random, in no time.
    check_errors : float
        How often another worker answers a check wrongly.
    """

    scores: dict[str, float]
    noise: float
    agreement: float
    spammer_share: float
    check_errors: float

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("agreement", "spammer_share", "check_errors")}
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; it must be from 0 to 1")
        if self.noise <= 0:
            raise ValueError(f"noise is {self.noise}; it must be above 0")


def spread_scores(tasks: list[str], *, spread: float) -> dict[str, float]:
    """Return evenly spaced scores of mean 0 whose standard deviation is ``spread``, the first task the lowest.

    Examples
    --------
    >>> spread_scores(["spam", "irony"], spread=1.0)
    {'spam': -1.0, 'irony': 1.0}
    """
    steps = np.arange(len(tasks)) - (len(tasks) - 1) / 2
    scale = steps.std() or 1.0
    return {task: float(step / scale * spread) for task, step in zip(tasks, steps, strict=True)}


def simulate_sittings(
    study: Study, key: Key, crowd: Crowd, *, slots: list[int], truth: dict[str, str], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return what the form would export of made-up workers, one a slot; the instrument is called simulated.

    Parameters
    ----------
    slots : list of int
        Slots that are taken, from 1.
    truth : dict of str to str
        Instances: the label that most would give, by item; empty for pairs.
    """
    return [_sit(study, key, crowd, slot, truth, rng) for slot in slots]


def _sit(
    study: Study, key: Key, crowd: Crowd, slot: int, truth: dict[str, str], rng: np.random.Generator
) -> dict[str, Any]:
    spams = rng.random() < crowd.spammer_share
    answers = []
    for position, place in enumerate(study.slots[slot - 1], 1):
        left, right = study.sides(place)
        answer = _answer(study, key, place, crowd, truth, rng, spams=spams)
        seconds = float(rng.lognormal(np.log(0.6 if spams else 12.0), 0.4))
        row = {"item": place.item, "position": position, "left": left, "right": right, "answer": answer}
        answers.append(row | {"seconds": round(seconds, 2), "time": None})
    sitting = {"study": study.study, "version": 1, "instrument": SIMULATED, "worker": str(slot), "slot": slot}
    return sitting | {"session": f"{int(rng.integers(2**32)):08x}", "answers": answers}


def _answer(
    study: Study, key: Key, place: Place, crowd: Crowd, truth: dict[str, str], rng: np.random.Generator, *, spams: bool
) -> str:
    item = study.item(place.item)
    allowed = study.answers_to(item)
    if spams:
        return str(rng.choice(allowed))
    if item.id in key.checks:
        right = rng.random() >= crowd.check_errors
        return key.checks[item.id] if right else str(rng.choice([a for a in allowed if a != key.checks[item.id]]))
    if study.kind == "pairs":
        odds = (crowd.scores[item.left] - crowd.scores[item.right]) / crowd.noise
        return item.right if rng.random() < 1 / (1 + np.exp(-odds)) else item.left
    if rng.random() < crowd.agreement:
        return truth[item.id]
    return str(rng.choice([a for a in allowed if a != truth[item.id]]))
