"""Asking a model for a task's texts now: conversations side by side, with progress, a store and a ledger."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import pandas as pd

from synthlib import ledger, paths
from synthlib.asking import Asking, CallError
from synthlib.backends import Asked, Local
from synthlib.conversations import Brief, Conversation, Outcome, check_room, hold_all, plan
from synthlib.prices import find_price
from synthlib.progress import Progress, find_log
from synthlib.prompts import render
from synthlib.store import Store

MOST_MISSING = 0.1  # share of a label's texts that may stay without a sound answer


def ask(brief: Brief, llm: Asked, *, settings: Sequence[str], n_per_label: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return texts that a model writes now, but for those that the store holds already, and what they cost.

    An interrupt (Ctrl-C) waits for the answers in flight and keeps them.

    Parameters
    ----------
    llm : Llm or Local
        Which model is asked, and how.

    Returns
    -------
    corpus, ledger : DataFrame
        As :func:`synthlib.generate.replay` and :func:`synthlib.ledger.count_outcomes`.

    Raises
    ------
    ValueError
        A request cannot be drawn, max_tokens is too small for a list of candidates, max_usd is set for a model of
        unknown price, or more than a tenth of a label's texts are missing.
    CallError, OSError
        See :meth:`synthlib.asking.Asking.ask`. All answers so far are kept.
    KeyboardInterrupt
        Says how many answers are kept.
    """
    shape = {"labels": llm.labels, "texts_per_conversation": llm.texts_per_conversation}
    conversations = plan(brief, settings, n_per_label=n_per_label, **shape)
    check_room(conversations, brief, max_tokens=llm.max_tokens)
    outcomes = _Session(brief, llm, conversations).run()
    counted = ledger.count_outcomes(_sort(outcomes, brief, settings))
    _check_missing(counted, n_per_label)
    return _tabulate(_sort(outcomes, brief, settings), brief), counted


class _Session:
    """One run over conversations, in a thread of its own: a notebook's own event loop is running already."""

    def __init__(self, brief: Brief, llm: Asked, conversations: Sequence[Conversation]) -> None:
        self.brief, self.llm, self.conversations = brief, llm, conversations
        self.outcomes: list[Outcome] = []
        self.asker: Asking | None = None

    def run(self) -> list[Outcome]:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(self._work)
            try:
                future.result()
            except KeyboardInterrupt:
                if self.asker is not None:
                    self.asker.interrupt()
                wait([future])
                raise KeyboardInterrupt(self._say_kept()) from None
            except CallError as error:  # what it says is enough
                raise error.with_traceback(None) from None
        return self.outcomes

    def _work(self) -> None:
        with Store(paths.CALLS / f"{self.llm.store}.sqlite", self.brief.task.name) as store:
            if store.n_interrupted:
                warnings.warn(
                    f"{store.n_interrupted} calls were in flight when an earlier run was killed; their answers are "
                    "lost, and they may have been paid: they count against the limits at the most they can have cost",
                    stacklevel=2,
                )
            log = find_log(self.llm.store, self.brief.task.name)
            shown = {"price": find_price(self.llm), "log": log, "model": self.llm.model}
            with Progress(self.brief, self.conversations, **shown) as progress:
                self.asker = open_asking(self.llm, store, say=progress.tell_stand)
                asyncio.run(hold_all(self.conversations, self.asker, brief=self.brief, tell=self._teller(progress)))

    def _say_kept(self) -> str:
        n_texts = sum(outcome.answers[-1].kind == "text" for outcome in self.outcomes)
        return f"interrupted: {n_texts} texts are kept in {self.llm.store}.sqlite; run again to go on"

    def _teller(self, progress: Progress) -> Callable[[Outcome], None]:
        def tell(outcome: Outcome) -> None:
            self.outcomes.append(outcome)
            progress.tell(outcome)

        return tell


def open_asking(llm: Asked, store: Store, *, say: Callable[[str], None]) -> Asking:
    """Return what asks a model; ``say`` is told how work in bulk stands.

    Raises
    ------
    ValueError, OSError
        The settings do not suit the model: see the classes.
    """
    if isinstance(llm, Local):
        from synthlib.local import LocalAsker  # imports torch

        return LocalAsker(llm, store, say=say)
    from synthlib.batch import BatchAsker
    from synthlib.llm import Asker

    return Asker(llm, store) if llm.mode == "online" else BatchAsker(llm, store, say=say)


def _sort(outcomes: Sequence[Outcome], brief: Brief, settings: Sequence[str]) -> list[Outcome]:
    order = {name: place for place, name in enumerate([*settings, *brief.task.label_names])}
    return sorted(outcomes, key=lambda o: (order[o.request.setting], order[o.request.label], o.request.n))


def _tabulate(outcomes: Sequence[Outcome], brief: Brief) -> pd.DataFrame:
    rows = []
    for outcome in outcomes:
        first = (outcome.request.n - 1) * brief.wording.texts_per_request(outcome.request.setting) + 1
        for n, (request, text) in enumerate(outcome.texts, first):
            row = {"key": f"{request.setting}/{request.label}/{n}", "task": brief.task.name}
            row |= {"setting": request.setting, "label": request.label, "n": n, "text": text}
            row["request"] = json.dumps(dict(request.drawn), ensure_ascii=False, sort_keys=True)
            row |= {"examples": list(request.examples), "conversation": outcome.conversation, "turn": request.turn}
            row["cost_usd"] = ledger.add_up(answer.cost_usd for answer in outcome.answers) / len(outcome.texts)
            row["prompt"] = render(brief.task, request, wording=brief.wording, texts=None)
            rows.append(row | {"answer": outcome.answers[-1].text})
    return pd.DataFrame(rows)


def _check_missing(counted: pd.DataFrame, n_per_label: int) -> None:
    worst = counted.loc[counted["missing"].idxmax()]
    if worst["missing"] > MOST_MISSING * n_per_label:
        kinds = ", ".join(f"{worst[kind]} {kind}" for kind in ledger.BROKEN)
        raise ValueError(
            f"{worst['missing']} of {n_per_label} texts of {worst['setting']}, {worst['label']} have no sound answer "
            f"({kinds}); raise llm.asks_per_text or llm.max_tokens, or ask another model. All answers are kept"
        )
