"""Who sees what: a seeded draw of slots that covers every pair or text, with its balance stated."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import ceil

import numpy as np
import pandas as pd

from synthlib.crowd.items import (
    TEXTS_FROM,
    find_source,
    load_cards,
    load_task_texts,
    make_check_cards,
    make_check_text,
    make_choices,
    pick_texts,
)
from synthlib.crowd.study import Item, Key, Place, Study, name_study
from synthlib.tasks import load_task

#: The definition that workers of the original study were given (Li et al. 2023, section 4).
OBJECTIVE = (
    "A task is more objective if the classification is based on clear, identifiable features such as keywords or "
    "phrases and is not affected by the reader's own biases, emotions or beliefs."
)
_PAIRS = {
    "title": "Which task is more objective?",
    "instructions": "You will see pairs of tasks. In each task, people sort short texts into groups. Read what both "
    f"tasks ask, and their examples. Then say which one is more objective. {OBJECTIVE} Both tasks may be hard or easy; "
    "only how objective they are matters. There are no trick questions, and you may take your time.",
    "question": "Which task is more objective?",
}
_INSTANCES = (
    "You will see short texts, one at a time. Read each to its end and choose the answer that fits best. Where several "
    "fit, choose the one that fits most; your own reading is what we ask for."
)


def fewest_workers(n_items: int, *, per_worker: int, min_votes: int) -> int:
    """Return the least number of workers that gives every item ``min_votes`` votes.

    Examples
    --------
    >>> fewest_workers(45, per_worker=10, min_votes=12)  # as many as the original study kept
    54
    """
    return ceil(n_items * min_votes / per_worker)


def deal(n_items: int, *, n_workers: int, per_worker: int, rng: np.random.Generator) -> np.ndarray:
    """Return hands dealt from shuffled decks, one after the other, shape (W, k): no item twice in a hand.

    After any number of hands, no item was dealt more than once oftener than another, so the design stays balanced when
    workers come one by one and the last ones do not.

    Raises
    ------
    ValueError
        A hand is larger than the deck, or a number is below 1.
    """
    if min(n_items, n_workers, per_worker) < 1 or per_worker > n_items:
        raise ValueError(
            f"{n_workers} workers with {per_worker} of {n_items} items each: all must be at least 1, and a worker "
            f"cannot see more than {n_items} different items"
        )
    hands, deck = [], np.array([], dtype=int)
    for _ in range(n_workers):
        hand, deck = deck[:per_worker], deck[per_worker:]
        if len(hand) < per_worker:
            fresh = rng.permutation(n_items)
            clash = np.isin(fresh, hand)
            fresh = np.concatenate([fresh[~clash], fresh[clash]])  # what is in the hand already comes later
            n_lacking = per_worker - len(hand)
            hand, deck = np.concatenate([hand, fresh[:n_lacking]]), rng.permutation(fresh[n_lacking:])
        hands.append(rng.permutation(hand))
    return np.array(hands)


def place_checks(n_places: int, *, n_checks: int, rng: np.random.Generator) -> list[int]:
    """Return the positions (from 0) of the checks in a slot: spread evenly with jitter, never the first one."""
    edges = np.linspace(1, n_places + n_checks, n_checks + 1)
    return [int(rng.integers(ceil(low), max(ceil(low) + 1, ceil(high)))) for low, high in pairwise(edges)]


def design_pairs(
    tasks: list[str], *, source: str, per_worker: int, min_votes: int, n_workers: int, n_checks: int, seed: int
) -> tuple[Study, Key]:
    """Return a pairwise study of tasks and the key of its checks.

    Parameters
    ----------
    tasks : list of str
        At least two.
    source : str
        Where the examples on the cards come from: features (released synthetic texts, said so), folder or hub.
    per_worker : int
        Pairs per worker, without the checks.
    min_votes : int
        Fewest votes of a pair when all slots are taken.

    Raises
    ------
    ValueError
        The workers cannot give so many votes (the message says how many can), or a number is out of range.
    """
    if len(set(tasks)) < 2 or len(set(tasks)) < len(tasks):
        raise ValueError(f"a pairwise study needs at least two tasks, each once; got {tasks}")
    rng = np.random.default_rng(seed)
    pairs = list(combinations(tasks, 2))
    _check_numbers(len(pairs), n_workers=n_workers, per_worker=per_worker, min_votes=min_votes, what="pair")
    cards = load_cards(tasks, source=source, rng=rng)
    checks = make_check_cards()
    if not 1 <= n_checks <= len(checks):
        raise ValueError(f"n_checks is {n_checks}; a pairwise study has 1 to {len(checks)}")
    checks = checks[:n_checks]
    cards += [card for check in checks for card in (check.objective, check.subjective)]
    asked = [*pairs, *((check.objective.name, check.subjective.name) for check in checks)]
    ids = _draw_ids(len(asked), rng)
    items = [Item(id=name, left=a, right=b) for name, (a, b) in zip(ids, asked, strict=True)]
    hands = deal(len(pairs), n_workers=n_workers, per_worker=per_worker, rng=rng)
    slots = _make_slots(hands, ids, n_checks=n_checks, rng=rng, swaps=True)
    shown = dict.fromkeys(TEXTS_FROM[find_source(task, source)] for task in tasks)
    content = {"kind": "pairs", **_PAIRS, "texts_from": " and ".join(shown), "seed": seed}
    right = {ids[len(pairs) + i]: check.objective.name for i, check in enumerate(checks)}
    return _finish(
        content | {"cards": cards, "items": sorted(items, key=lambda item: item.id), "slots": slots}, right, {}
    )


def design_instances(
    task: str,
    *,
    source: str,
    n_per_label: int,
    per_worker: int,
    min_votes: int,
    n_workers: int,
    n_checks: int,
    seed: int,
) -> tuple[Study, Key]:
    """Return an instance study of a task's test texts and the key of its checks.

    Parameters
    ----------
    source : str
        Where the texts come from: features (released synthetic texts, said so), folder or hub.
    n_per_label : int
        Texts per label, drawn from the test split.
    per_worker : int
        Texts per worker, without the checks.
    min_votes : int
        Fewest votes of a text when all slots are taken.

    Raises
    ------
    ValueError, FileNotFoundError
        The workers cannot give so many votes, a number is out of range, or there are too few texts.
    """
    rng, about, source = np.random.default_rng(seed), load_task(task), find_source(task, source)
    texts = pick_texts(about, load_task_texts(about, source), n_per_label=n_per_label, rng=rng)
    _check_numbers(len(texts), n_workers=n_workers, per_worker=per_worker, min_votes=min_votes, what="text")
    choices = make_choices(about)
    if not 1 <= n_checks <= per_worker:
        raise ValueError(f"n_checks is {n_checks}; an instance study has 1 to {per_worker}, its texts per worker")
    told = [choices[i % len(choices)] for i in rng.permutation(max(n_checks, len(choices)))[:n_checks]]
    ids = _draw_ids(len(texts) + n_checks, rng)
    asked = [*texts["text"], *(make_check_text(choice) for choice in told)]
    items = [Item(id=name, text=text) for name, text in zip(ids, asked, strict=True)]
    hands = deal(len(texts), n_workers=n_workers, per_worker=per_worker, rng=rng)
    slots = _make_slots(hands, ids, n_checks=n_checks, rng=rng, swaps=False)
    content = {"kind": "instances", "task": task, "title": about.title, "instructions": _INSTANCES, "seed": seed}
    content |= {"question": about.question, "texts_from": TEXTS_FROM[source], "choices": choices}
    right = {name: choice.label for name, choice in zip(ids[len(texts) :], told, strict=True)}
    keys = dict(zip(ids, texts["key"], strict=False))
    return _finish(content | {"items": sorted(items, key=lambda item: item.id), "slots": slots}, right, keys)


def tabulate_assignments(study: Study, key: Key) -> pd.DataFrame:
    """Return one row a place: slot, position (both from 1), kind (item or check), item, left, right, key, swapped."""
    rows = []
    for number, slot in enumerate(study.slots, 1):
        for position, place in enumerate(slot, 1):
            item, (left, right) = study.item(place.item), study.sides(place)
            kind = "check" if item.id in key.checks else "item"
            rows.append((number, position, kind, item.id, left, right, key.keys.get(item.id, ""), place.swap))
    return pd.DataFrame(rows, columns=["slot", "position", "kind", "item", "left", "right", "key", "swapped"])


def measure_balance(assignments: pd.DataFrame) -> pd.DataFrame:
    """Return how even a design is: measure, least, mean and most.

    The measures are votes per item, items and checks per worker, and for pairs also votes per task, and by how much
    the more frequent side of an item leads.
    """
    asked = assignments[assignments["kind"] == "item"]
    counts = {"votes per item": asked.groupby("item").size(), "items per worker": asked.groupby("slot").size()}
    is_check = assignments["kind"] == "check"
    counts["checks per worker"] = is_check.groupby(assignments["slot"]).sum()
    if (asked["left"] != "").any():
        counts["votes per task"] = pd.concat([asked["left"], asked["right"]]).value_counts()
        sign = asked["swapped"].map({True: 1, False: -1})
        counts["imbalance of sides per item"] = sign.groupby(asked["item"]).sum().abs()
    rows = [(name, int(n.min()), float(n.mean()), int(n.max())) for name, n in counts.items()]
    return pd.DataFrame(rows, columns=["measure", "least", "mean", "most"])


def _check_numbers(n_items: int, *, n_workers: int, per_worker: int, min_votes: int, what: str) -> None:
    needed = fewest_workers(n_items, per_worker=per_worker, min_votes=min_votes)
    if n_workers < needed:
        raise ValueError(
            f"{n_workers} workers with {per_worker} of {n_items} {what}s each cannot give every {what} {min_votes} "
            f"vote(s): {needed} workers can"
        )


def _draw_ids(n_items: int, rng: np.random.Generator) -> list[str]:
    """Return ids in random order, so that an id does not tell a check from an item."""
    width = len(str(n_items))
    return [f"q{number + 1:0{width}d}" for number in rng.permutation(n_items)]


def _make_slots(
    hands: np.ndarray, ids: list[str], *, n_checks: int, rng: np.random.Generator, swaps: bool
) -> list[list[Place]]:
    """Return each worker's list: the hand with the checks (the last ids) put in, sides swapped every other time."""
    first = rng.integers(2, size=len(ids))  # the side on which an item starts
    n_shown = np.zeros(len(ids), dtype=int)
    slots = []
    for hand in hands:
        order = hand.tolist()
        checks = rng.permutation(np.arange(len(ids) - n_checks, len(ids))).tolist()
        for position, check in zip(place_checks(len(hand), n_checks=n_checks, rng=rng), checks, strict=True):
            order.insert(position, check)
        places = []
        for number in order:
            places.append(Place(item=ids[number], swap=bool(swaps and (first[number] + n_shown[number]) % 2)))
            n_shown[number] += 1
        slots.append(places)
    return slots


def _finish(content: dict, right: dict[str, str], keys: dict[str, str]) -> tuple[Study, Key]:
    draft = Study(study="draft", version=1, **content)
    name = name_study(draft.kind, draft.model_dump(mode="json", exclude={"study"}))
    study = draft.model_copy(update={"study": name})
    return study, Key(study=name, checks=right, keys=keys)
