"""Texts from requests: the released texts, each with the request that led to it, or texts asked of a model now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import pandas as pd

from synthlib import data, features
from synthlib.asking.backends import MODELS
from synthlib.asking.conversations import Brief, with_outline
from synthlib.asking.ledger import count_replayed
from synthlib.corpus.compliance import find_rules
from synthlib.draws import draw_request
from synthlib.params import Generate
from synthlib.prompts import Request, check_prompts, messages, render, render_outline
from synthlib.settings import SHOWING_SETTINGS
from synthlib.tasks import Task, Wording


def make_corpus(task: Task, p: Generate, *, wording: Wording) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the texts that the parameters ask for, replayed or asked of a model, and what they cost.

    Returns
    -------
    corpus : DataFrame
        As :func:`replay`. If it grew under scoring, ``corpus.attrs["curve"]`` says how: see
        :func:`synthlib.growth.grow`.
    ledger : DataFrame
        As :meth:`synthlib.asking.ledger.Ledger.tabulate`.

    Raises
    ------
    ValueError, CallError
        See :func:`replay` and :func:`synthlib.asking.live.ask`.
    """
    find_rules(task)  # a rule that does not exist shows before a model is asked
    if p.backend == "released":
        corpus = replay(task, p.settings, n_per_label=p.n_per_label, wording=wording)
        return corpus, count_replayed(corpus)
    from synthlib.asking import live  # imports openai or torch

    brief, llm = make_brief(task, p, wording=wording), MODELS[p.backend](**p.llm)

    def ask(settings: Sequence[str], n_per_label: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        return live.ask(brief, llm, settings=settings, n_per_label=n_per_label, n_in_all=p.n_per_label)

    if not p.scoring:
        return ask(p.settings, p.n_per_label)
    from synthlib import growth
    from synthlib.asking import progress  # imports torch

    log = progress.find_log(llm.store, task.name)
    return growth.grow(ask, task, p, tell=partial(progress.tell_score, log, task.name, llm.model))


def make_brief(task: Task, p: Generate, *, wording: Wording) -> Brief:
    """Return what all requests of a task share; few-shot and grounded ones need the real texts of the task's pool.

    Raises
    ------
    ValueError, FileNotFoundError
        The real texts cannot be read (:func:`synthlib.features.load_texts`).
    """
    if not set(p.settings) & set(SHOWING_SETTINGS):
        return Brief(task, wording, {}, p.seed)
    texts = features.load_texts(task.name, p.source)
    pool = texts[texts["pool"]]
    examples = {label: dict(zip(part["key"], part["text"], strict=True)) for label, part in pool.groupby("label")}
    return Brief(task, wording, examples, p.seed)


def sketch_chats(
    task: Task, setting: str, *, label: str, seed: int, wording: Wording, pool: Sequence[str]
) -> list[list[dict[str, str]]]:
    """Return the chats of a label's first request in a setting, one a call, without asking for anything.

    Real texts stand there by their keys (those of ``pool``), an outline by what will be in it.

    Raises
    ------
    ValueError
        The request cannot be drawn (:func:`synthlib.draws.draw_request`).
    """
    drawn = pool if setting in SHOWING_SETTINGS else None
    request = draw_request(task, setting, label=label, n=1, seed=seed, wording=wording, pool=drawn)
    if setting != "hierarchical":
        return [messages(task, request, wording=wording)]
    outline = {"summary": "⟨the summary that came back⟩", "sentence": "⟨the sentence that came back⟩"}
    context = {"role": "system", "content": task.context.strip()}
    first = [context, {"role": "user", "content": render_outline(task, request, wording=wording)}]
    return [first, messages(task, with_outline(request, outline), wording=wording)]


def replay(task: Task, settings: list[str], *, n_per_label: int, wording: Wording) -> pd.DataFrame:
    """Return released texts of a task, the first ``n_per_label`` of each setting and label.

    Returns
    -------
    corpus : DataFrame
        key (``setting/label/n``), task, setting, label, n (from 1), text, request (JSON: what was drawn), examples
        (list of keys of real texts shown), conversation (setting and label), turn (n), cost_usd (replayed: 0), prompt
        (the user message that :func:`synthlib.prompts.render` makes of the request; a real text stands there by its
        key) and answer (what came back for it: the text, but for verbalized requests).

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
    corpus = corpus.assign(conversation=corpus["setting"] + "/" + corpus["label"], turn=corpus["n"], cost_usd=0.0)
    corpus["prompt"] = [render(task, request, wording=wording, texts=None) for request in list_requests(corpus)]
    return corpus.assign(answer=corpus["text"])


def list_requests(corpus: pd.DataFrame) -> list[Request]:
    """Return the request of each row of a corpus (columns setting, label, n, request, examples and turn)."""
    columns = zip(*(corpus[name] for name in ("setting", "label", "n", "request", "examples", "turn")), strict=True)
    return [
        Request(setting, label, int(n), json.loads(drawn), tuple(keys), int(turn))
        for setting, label, n, drawn, keys, turn in columns
    ]


def pick_conversation(corpus: pd.DataFrame, key: str, *, before: int) -> tuple[Request, list[tuple[Request, str]]]:
    """Return the request of a text, and requests and answers of up to ``before`` turns of its conversation before it.

    Raises
    ------
    ValueError
        No text has the key.
    """
    found = corpus[corpus["key"] == key]
    if found.empty:
        raise ValueError(f"no text has key {key!r}; keys are setting/label/n, such as {corpus['key'].iloc[0]!r}")
    row = found.iloc[0]
    same = corpus[corpus["conversation"] == row["conversation"]]
    past = same[(same["turn"] < row["turn"]) & (same["turn"] >= row["turn"] - before)].drop_duplicates("turn")
    past = past.sort_values("turn")
    return list_requests(found)[0], list(zip(list_requests(past), past["answer"], strict=True))
