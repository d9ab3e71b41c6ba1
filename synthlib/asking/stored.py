"""What a store already holds of conversations that are planned: they are held with its answers alone, nothing is asked.

As the store is only read, another run may be using it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from synthlib.asking.backends import Llm
from synthlib.asking.calls import Answer, make_question
from synthlib.asking.conversations import Brief, Conversation, Outcome, hold
from synthlib.asking.rate import StoppedError
from synthlib.asking.store import find_answer

Place = tuple[str, str, int]  # of a request: setting, label, n


class _Reader:
    """Finds answers in a store; a question without one ends its conversation."""

    def __init__(self, settings: Llm, db: sqlite3.Connection) -> None:
        self.settings, self._db = settings, db

    async def ask(self, messages: Sequence[dict[str, str]], *, replicate: str) -> tuple[Answer, bool]:
        question = make_question(self.settings, messages, model=self.settings.model, replicate=replicate)
        if answer := find_answer(self._db, question.key):
            return answer, False
        raise StoppedError


def find_stored(conversations: Sequence[Conversation], brief: Brief, llm: Llm, *, path: Path) -> set[Place]:
    """Return the requests for which a run would ask nothing any more: setting, label and number of each.

    Parameters
    ----------
    path : Path
        The store; where there is none, nothing is stored.

    Raises
    ------
    ValueError
        The file is no store.
    """
    if not path.is_file():
        return set()
    found, texts = set(), brief.texts

    def tell(outcome: Outcome) -> None:
        found.add((outcome.request.setting, outcome.request.label, outcome.request.n))

    async def hold_all(reader: _Reader) -> None:
        for conversation in conversations:
            try:
                await hold(conversation, reader, brief=brief, texts=texts, tell=tell)
            except StoppedError:
                continue

    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=60)) as db:
            asyncio.run(hold_all(_Reader(llm, db)))
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{path} is no store of calls: {error}") from None
    return found
