"""Texts from requests: here by replay, the released texts each with the request that led to it."""

from __future__ import annotations

import json

import pandas as pd

from synthlib import data
from synthlib.prompts import Request, check_prompts, render
from synthlib.tasks import Task, Wording


def replay(task: Task, settings: list[str], *, n_per_label: int, wording: Wording) -> pd.DataFrame:
    """Return released texts of a task, the first ``n_per_label`` of each setting and label.

    Returns
    -------
    corpus : DataFrame
        key (``setting/label/n``), task, setting, label, n (from 1), text, request (JSON: what was drawn), examples
        (list of keys of real texts shown) and prompt (the user message that :func:`synthlib.prompts.render` makes of
        it; a real text stands there by its key).

    Raises
    ------
    ValueError
        There are not so many texts, or a request does not fit the task's prompts.
    """
    if n_per_label < 1:
        raise ValueError(f"n_per_label is {n_per_label}; it must be at least 1")
    check_prompts(task, wording)
    corpus = data.load_corpus(task, settings)
    corpus = corpus[corpus["n"] <= n_per_label].reset_index(drop=True)
    counts = corpus.groupby(["setting", "label"]).size()
    short = counts.reindex(pd.MultiIndex.from_product([settings, task.label_names]), fill_value=0)
    if (short < n_per_label).any():
        (setting, label), n = short.idxmin(), short.min()
        raise ValueError(f"{task.name}: {n} released texts of {setting}, {label}; n_per_label is {n_per_label}")
    corpus["request"] = [json.dumps(drawn, ensure_ascii=False, sort_keys=True) for drawn in corpus["request"]]
    corpus["prompt"] = [render(task, request, wording=wording, texts=None) for request in list_requests(corpus)]
    return corpus


def list_requests(corpus: pd.DataFrame) -> list[Request]:
    """Return the request of each row of a corpus (columns setting, label, n, request and examples)."""
    columns = zip(*(corpus[name] for name in ("setting", "label", "n", "request", "examples")), strict=True)
    return [
        Request(setting, label, int(n), json.loads(drawn), tuple(keys)) for setting, label, n, drawn, keys in columns
    ]


def pick_conversation(corpus: pd.DataFrame, key: str, *, before: int) -> tuple[Request, list[tuple[Request, str]]]:
    """Return the request of a text, and up to ``before`` requests and texts of its setting and label before it.

    Raises
    ------
    ValueError
        No text has the key.
    """
    found = corpus[corpus["key"] == key]
    if found.empty:
        raise ValueError(f"no text has key {key!r}; keys are setting/label/n, such as {corpus['key'].iloc[0]!r}")
    row = found.iloc[0]
    same = corpus[(corpus["setting"] == row["setting"]) & (corpus["label"] == row["label"])]
    past = same[(same["n"] < row["n"]) & (same["n"] >= row["n"] - before)].sort_values("n")
    return list_requests(found)[0], list(zip(list_requests(past), past["text"], strict=True))
