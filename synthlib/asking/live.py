"""Asking a model for a task's texts now: conversations side by side, with progress, a store and a ledger."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

import pandas as pd

from synthlib import paths
from synthlib.asking import ledger
from synthlib.asking.backends import Asked, Local
from synthlib.asking.conversations import Brief, Conversation, Outcome, check_room, hold_all, plan
from synthlib.asking.patience import Asking, CallError
from synthlib.asking.prices import find_price
from synthlib.asking.progress import Progress, find_log
from synthlib.asking.store import Store

_COLUMNS = "key task setting label n text request examples conversation turn cost_usd prompt answer".split()
_write_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
_T = TypeVar("_T")
MOST_MISSING = 0.1  # share of a label's texts that may stay without a sound answer


def ask(
    brief: Brief, llm: Asked, *, settings: Sequence[str], n_per_label: int, n_in_all: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return texts that a model writes now, but for those that the store holds already, and what they cost.

    An interrupt (Ctrl-C) waits for the answers in flight and keeps them.

    Parameters
    ----------
    llm : Llm or Local
        Which model is asked, and how.
    n_in_all : int, optional
        Texts per label that further calls will bring it to, of which a tenth may be missing (default: n_per_label).

    Returns
    -------
    corpus, ledger : DataFrame
        As :func:`synthlib.generate.replay` and :meth:`synthlib.asking.ledger.Ledger.tabulate`.

    Raises
    ------
    ValueError
        A request cannot be drawn, max_tokens is too small for a list of candidates, max_usd is set for a model of
        unknown price, or more than a tenth of a label's texts are missing.
    CallError, OSError
        See :meth:`synthlib.asking.patience.Asking.ask`. All answers so far are kept.
    KeyboardInterrupt
        Says how many answers are kept.
    """
    shape = {"labels": llm.labels, "texts_per_conversation": llm.texts_per_conversation}
    conversations = plan(brief, settings, n_per_label=n_per_label, **shape)
    check_room(conversations, brief, max_tokens=llm.max_tokens)
    session = _Session(brief, llm, conversations, settings)
    session.run()
    counted = session.ledger.tabulate()
    _check_missing(counted, n_in_all or n_per_label)
    return _tabulate(session.rows, brief, settings), counted


def run_apart(work: Callable[[], _T], find_asker: Callable[[], Asking | None]) -> _T:
    """Return what ``work`` does in a thread of its own; an interrupt stops the asker and waits for calls in flight."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            if (asker := find_asker()) is not None:
                asker.interrupt()
            wait([future])
            raise


class _Session:
    """One run over conversations, in a thread of its own: a notebook's own event loop is running already."""

    def __init__(
        self, brief: Brief, llm: Asked, conversations: Sequence[Conversation], settings: Sequence[str]
    ) -> None:
        self.brief, self.llm, self.conversations = brief, llm, conversations
        self.rows: list[tuple[Any, ...]] = []  # of the corpus
        self.ledger = ledger.Ledger(settings, brief.task.label_names)
        self.asker: Asking | None = None

    def run(self) -> None:
        try:
            run_apart(self._work, lambda: self.asker)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self._say_kept()) from None
        except CallError as error:  # what it says is enough
            raise error.with_traceback(None) from None

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
        return f"interrupted: {len(self.rows)} texts are kept in {self.llm.store}.sqlite; run again to go on"

    def _teller(self, progress: Progress) -> Callable[[Outcome], None]:
        def tell(outcome: Outcome) -> None:
            self.rows.extend(_list_rows(outcome, self.brief))
            self.ledger.add(outcome)
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
        from synthlib.asking.local import LocalAsker  # imports torch

        return LocalAsker(llm, store, say=say)
    from synthlib.asking.batch import BatchAsker
    from synthlib.llm import Asker

    return Asker(llm, store) if llm.mode == "online" else BatchAsker(llm, store, say=say)


def _list_rows(outcome: Outcome, brief: Brief) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the corpus that an outcome gives, one a text."""
    each = brief.wording.texts_per_request(outcome.request.setting)
    for n, (request, text) in enumerate(outcome.texts, (outcome.request.n - 1) * each + 1):
        key, drawn = f"{request.setting}/{request.label}/{n}", _write_json(request.drawn)
        cost = ledger.add_up(answer.cost_usd for answer in outcome.answers) / len(outcome.texts)
        row = key, brief.task.name, request.setting, request.label, n, text, drawn, request.examples
        yield *row, outcome.conversation, request.turn, cost, outcome.prompt, outcome.answers[-1].text


def _tabulate(rows: Sequence[tuple[Any, ...]], brief: Brief, settings: Sequence[str]) -> pd.DataFrame:
    order = {name: place for place, name in enumerate([*settings, *brief.task.label_names])}
    setting, label, n = (_COLUMNS.index(name) for name in ("setting", "label", "n"))
    rows = sorted(rows, key=lambda row: (order[row[setting]], order[row[label]], row[n]))
    corpus = pd.DataFrame(rows, columns=_COLUMNS)
    return corpus.assign(examples=corpus["examples"].map(list))


def _check_missing(counted: pd.DataFrame, n_per_label: int) -> None:
    worst = counted.loc[counted["missing"].idxmax()]
    if worst["missing"] > MOST_MISSING * n_per_label:
        kinds = ", ".join(f"{worst[kind]} {kind}" for kind in ledger.BROKEN)
        raise ValueError(
            f"{worst['missing']} of {n_per_label} texts of {worst['setting']}, {worst['label']} have no sound answer "
            f"({kinds}); raise llm.asks_per_text or llm.max_tokens, or ask another model. All answers are kept"
        )
