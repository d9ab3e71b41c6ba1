"""The store of calls: one row a question put to a language model, written before it is sent and when its answer is in.

A SQLite file in WAL mode. What is committed survives the death of the process; if the machine itself loses power, the
last moments may be lost. A row's state says what is known of it:

- ``sent``: on its way. Found so at the next start, its process died; it may have been paid, and is asked again. Where
  it is part of a batch (:mod:`synthlib.asking.batches`), the batch goes on and is taken up again.
- ``unanswered``: every send so far failed; asked again.
- ``done``: the answer is here, broken ones among them; never asked again.

So a process that is killed loses at most the answers of calls in flight. ``totals`` sums what all sends for the store
have cost or may have cost; it is written in the same transactions, and several processes may share a store.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from filelock import FileLock

from synthlib.asking.calls import ANSWER_FIELDS, VERSION, Answer, Question, read_line
from synthlib.asking.schema import connect
from synthlib.files import replacing

Limit = Literal["max_usd", "max_calls"]
_COLUMNS = ", ".join(ANSWER_FIELDS)
_TAKEN = ", ".join(f"{name} = excluded.{name}" for name in ANSWER_FIELDS)
# The writing thread waits for the interpreter's lock at every statement, so an answer takes but two. Where nothing was
# reserved, they set NULL, which the table refuses.
_RESERVED = "(SELECT reserved_usd FROM calls WHERE key = :key AND state = 'sent')"
_RELEASE = f"reserved_usd = max(0, reserved_usd - {_RESERVED})"


@dataclass(frozen=True)
class Totals:
    """What all sends for a store came to.

    Attributes
    ----------
    sends : int
        Calls sent, repeated ones among them, but for those that were refused for good.
    spent_usd : float
        Cost of the answers; one of unknown cost counts as much as was reserved for it.
    reserved_usd : float
        Most that the calls in flight can cost.
    lost_usd, n_lost : float, int
        Most that calls cost whose answer never came (dropped, timed out, killed), and how many there were.
    """

    sends: int
    spent_usd: float
    reserved_usd: float
    lost_usd: float
    n_lost: int


class Store:
    """An open store. Only one process at a time opens it for an owner (a task); others wait until it is closed.

    Parameters
    ----------
    path : Path
        Made if there is none.
    owner : str
        Who asks.

    Attributes
    ----------
    n_interrupted : int
        The owner's calls that were in flight when an earlier process died.

    Raises
    ------
    ValueError
        The file is no store, or one of another version.
    OSError
        It cannot be written.
    """

    def __init__(self, path: Path, owner: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.owner = path, owner
        self._lock = FileLock(path.with_suffix(f".{owner}.lock"))
        self._lock.acquire()
        try:
            self._db, self._reader = connect(path), connect(path)
            self.n_interrupted = self._settle()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._db.close()
        self._lock.release()

    def find(self, key: str) -> Answer | None:
        """Return the answer to a question, or None where there is none yet."""
        return find_answer(self._reader, key)

    def reserve(
        self, question: Question, *, bound_usd: float, max_usd: float | None, max_calls: int | None
    ) -> Limit | None:
        """Note that a question is about to be sent, and set aside what it may cost; return the limit that forbids it.

        Parameters
        ----------
        bound_usd : float
            Most that the call can cost; 0 where the price is unknown.

        Raises
        ------
        OSError
            Nothing can be written; do not send.
        """
        with self.transaction():
            if limit := self._find_limit(bound_usd, max_usd, max_calls):
                return limit
            row = (question.key, question.text, self.owner, bound_usd)
            self._db.execute(
                "INSERT INTO calls (key, question, owner, state, sends, reserved_usd) VALUES (?, ?, ?, 'sent', 1, ?) "
                "ON CONFLICT (key) DO UPDATE SET state = 'sent', sends = sends + 1, owner = excluded.owner, "
                "reserved_usd = excluded.reserved_usd",
                row,
            )
            self._db.execute("UPDATE totals SET sends = sends + 1, reserved_usd = reserved_usd + ?", (bound_usd,))
        return None

    def record(self, key: str, answer: Answer) -> None:
        """Keep the answer to a question that was reserved; it is on disk when this returns."""
        with self.transaction():
            self._db.execute(
                f"UPDATE totals SET spent_usd = spent_usd + coalesce(:cost_usd, {_RESERVED}), {_RELEASE}",
                {"key": key, "cost_usd": answer.cost_usd},
            )
            self._db.execute(
                "UPDATE calls SET state = 'done', reserved_usd = 0, error = NULL, "
                f"{', '.join(f'{name} = ?' for name in ANSWER_FIELDS)} WHERE key = ?",
                (*(getattr(answer, name) for name in ANSWER_FIELDS), key),
            )

    def give_up(self, key: str, *, maybe_paid: bool, error: str, refused: bool = False) -> None:
        """Note that a send brought no answer.

        Parameters
        ----------
        maybe_paid : bool
            Whether one may have been written and billed.
        refused : bool
            Whether the server takes no such call at all (wrong key or model, say): it no longer counts as sent.
        """
        with self.transaction():
            self._db.execute(
                f"UPDATE totals SET lost_usd = lost_usd + :paid * {_RESERVED}, n_lost = n_lost + :paid, "
                f"sends = sends - :refused, {_RELEASE}",
                {"key": key, "paid": int(maybe_paid), "refused": int(refused)},
            )
            self._db.execute(
                "UPDATE calls SET state = 'unanswered', reserved_usd = 0, batch = NULL, error = ? WHERE key = ?",
                (error, key),
            )

    def totals(self) -> Totals:
        """Return what all sends came to."""
        return _sum_up(self._reader)

    def export(self, path: Path) -> int:
        """Write all answers as JSON lines (key, question, answer), and return how many there are."""
        names = f"key, question, {_COLUMNS}"
        n = 0
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for key, question, *values in self._reader.execute(
                f"SELECT {names} FROM calls WHERE state = 'done' ORDER BY rowid"
            ):
                answer = dict(zip(ANSWER_FIELDS, values, strict=True))
                line = {"version": VERSION, "key": key, "question": json.loads(question), "answer": answer}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                n += 1
        return n

    def load(self, path: Path) -> int:
        """Take in the answers that :meth:`export` wrote, and return how many are new; none counts as spent here.

        A question that was asked here without an answer gets it; one that is on its way waits for its own.

        Raises
        ------
        ValueError
            A line is damaged, of another version, or its key is not that of its question; nothing has been taken in.
        """
        n = 0
        with self.transaction(), path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                question, answer = read_line(line, f"{path}, line {number}")
                row = (question.key, question.text, *asdict(answer).values())
                n += self._db.execute(
                    f"INSERT INTO calls (key, question, {_COLUMNS}, owner, state, sends, reserved_usd) "
                    f"VALUES ({', '.join('?' * len(row))}, 'import', 'done', 0, 0) ON CONFLICT (key) DO UPDATE SET "
                    f"{_TAKEN}, state = 'done', error = NULL WHERE calls.state = 'unanswered'",
                    row,
                ).rowcount
        return n

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection to write with; all or nothing of what the block writes is kept, inner blocks included.

        Raises
        ------
        OSError
            Nothing can be written.
        """
        if self._db.in_transaction:
            yield self._db
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise OSError(
                f"the store {self.path} cannot be written ({error}); what it holds is safe: make room, run again"
            ) from None

    def _settle(self) -> int:
        found = "SELECT key FROM calls WHERE state = 'sent' AND owner = ? AND batch IS NULL"
        keys = self._db.execute(found, (self.owner,)).fetchall()
        for (key,) in keys:
            self.give_up(key, maybe_paid=True, error="the process that had sent it was killed")
        return len(keys)

    def _find_limit(self, bound_usd: float, max_usd: float | None, max_calls: int | None) -> Limit | None:
        if max_usd is None and max_calls is None:
            return None
        totals = _sum_up(self._db)
        if max_calls is not None and totals.sends >= max_calls:
            return "max_calls"
        committed = totals.spent_usd + totals.reserved_usd + totals.lost_usd
        return "max_usd" if max_usd is not None and committed + bound_usd > max_usd else None


def find_answer(db: sqlite3.Connection, key: str) -> Answer | None:
    """Return the answer to a question from a store's database, or None where there is none yet."""
    row = db.execute(f"SELECT {_COLUMNS} FROM calls WHERE key = ? AND state = 'done'", (key,)).fetchone()
    return Answer(*row) if row else None


def _sum_up(db: sqlite3.Connection) -> Totals:
    return Totals(*db.execute("SELECT * FROM totals").fetchone())
