"""The store of calls: one row a question put to a language model, written before it is sent and when its answer is in.

A SQLite file in WAL mode. What is committed survives the death of the process; if the machine itself loses power, the
last moments may be lost. A row's state says what is known of it:

- ``sent``: on its way. Found so at the next start, its process died; it may have been paid, and is asked again.
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
from typing import Any, Literal, Self

from filelock import FileLock

from synthlib.calls import ANSWER_FIELDS, VERSION, Answer, canonical, question_key, read_line

_SCHEMA = f"""
CREATE TABLE calls (
    key TEXT PRIMARY KEY, question TEXT NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL,
    sends INTEGER NOT NULL, reserved_usd REAL NOT NULL,
    text TEXT, kind TEXT, finish_reason TEXT, prompt_tokens INTEGER, answer_tokens INTEGER, cost_usd REAL,
    seconds REAL, served_by TEXT, asked_at TEXT, raw TEXT
);
CREATE INDEX by_state ON calls (owner, state) WHERE state = 'sent';
CREATE TABLE totals (
    sends INTEGER NOT NULL, spent_usd REAL NOT NULL, reserved_usd REAL NOT NULL, lost_usd REAL NOT NULL,
    n_lost INTEGER NOT NULL
);
INSERT INTO totals VALUES (0, 0, 0, 0, 0);
PRAGMA user_version = {VERSION};
"""


@dataclass(frozen=True)
class Totals:
    """What all sends for a store came to.

    Attributes
    ----------
    sends : int
        Calls sent, repeated ones among them.
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
    """

    def __init__(self, path: Path, owner: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.owner = path, owner
        self._lock = FileLock(path.with_suffix(f".{owner}.lock"))
        self._lock.acquire()
        try:
            self._db = _open(path)
            self.n_interrupted = self._settle()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._lock.release()

    def find(self, key: str) -> Answer | None:
        """Return the answer to a question, or None where there is none yet."""
        row = self._db.execute(
            f"SELECT {', '.join(ANSWER_FIELDS)} FROM calls WHERE key = ? AND state = 'done'", (key,)
        ).fetchone()
        return Answer(*row) if row else None

    def reserve(
        self, question: dict[str, Any], *, bound_usd: float, max_usd: float | None, max_calls: int | None
    ) -> Literal["max_usd", "max_calls"] | None:
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
        with self._transaction():
            totals = self.totals()
            if max_calls is not None and totals.sends >= max_calls:
                return "max_calls"
            committed = totals.spent_usd + totals.reserved_usd + totals.lost_usd
            if max_usd is not None and committed + bound_usd > max_usd:
                return "max_usd"
            row = (question_key(question), canonical(question), self.owner, bound_usd)
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
        with self._transaction():
            bound = self._release(key)
            spent = bound if answer.cost_usd is None else answer.cost_usd
            self._db.execute("UPDATE totals SET spent_usd = spent_usd + ?", (spent,))
            self._db.execute(
                f"UPDATE calls SET state = 'done', {', '.join(f'{name} = ?' for name in ANSWER_FIELDS)} WHERE key = ?",
                (*(getattr(answer, name) for name in ANSWER_FIELDS), key),
            )

    def give_up(self, key: str, *, maybe_paid: bool) -> None:
        """Note that a send brought no answer; ``maybe_paid`` says whether one may have been written and billed."""
        with self._transaction():
            bound = self._release(key)
            if maybe_paid:
                self._db.execute("UPDATE totals SET lost_usd = lost_usd + ?, n_lost = n_lost + 1", (bound,))
            self._db.execute("UPDATE calls SET state = 'unanswered' WHERE key = ?", (key,))

    def totals(self) -> Totals:
        """Return what all sends came to."""
        return Totals(*self._db.execute("SELECT * FROM totals").fetchone())

    def export(self, path: Path) -> int:
        """Write all answers as JSON lines (key, question, answer), and return how many there are."""
        names = ", ".join(("key", "question", *ANSWER_FIELDS))
        temporary, n = path.with_name(f"{path.name}.tmp"), 0
        with temporary.open("w", encoding="utf-8") as file:
            for key, question, *values in self._db.execute(
                f"SELECT {names} FROM calls WHERE state = 'done' ORDER BY rowid"
            ):
                answer = dict(zip(ANSWER_FIELDS, values, strict=True))
                line = {"version": VERSION, "key": key, "question": json.loads(question), "answer": answer}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                n += 1
        temporary.replace(path)
        return n

    def load(self, path: Path) -> int:
        """Take in the answers that :meth:`export` wrote, and return how many are new; none counts as spent here.

        Raises
        ------
        ValueError
            A line is damaged, of another version, or its key is not that of its question; nothing has been taken in.
        """
        n = 0
        with self._transaction(), path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                question, answer = read_line(line, f"{path}, line {number}")
                row = (question_key(question), canonical(question), *asdict(answer).values())
                n += self._db.execute(
                    f"INSERT INTO calls (key, question, {', '.join(ANSWER_FIELDS)}, owner, state, sends, reserved_usd) "
                    f"VALUES ({', '.join('?' * len(row))}, 'import', 'done', 0, 0) ON CONFLICT (key) DO NOTHING",
                    row,
                ).rowcount
        return n

    def _settle(self) -> int:
        keys = self._db.execute("SELECT key FROM calls WHERE state = 'sent' AND owner = ?", (self.owner,)).fetchall()
        for (key,) in keys:
            self.give_up(key, maybe_paid=True)
        return len(keys)

    def _release(self, key: str) -> float:
        row = self._db.execute("SELECT reserved_usd FROM calls WHERE key = ? AND state = 'sent'", (key,)).fetchone()
        self._db.execute("UPDATE calls SET reserved_usd = 0 WHERE key = ?", (key,))
        self._db.execute("UPDATE totals SET reserved_usd = max(0, reserved_usd - ?)", row)
        return row[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise OSError(
                f"the store {self.path} cannot be written ({error}); what it holds is safe: make room, run again"
            ) from None


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=60)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        if version == 0 and empty:
            for statement in _SCHEMA.split(";\n"):
                db.execute(statement)
        db.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        db.close()
        raise ValueError(f"{path} is no store of calls: {error}") from None
    if version != VERSION and not (version == 0 and empty):
        db.close()
        raise ValueError(
            f"{path} is a store of version {version}; this program reads version {VERSION}. Export it with the program "
            "that wrote it (synthlib calls export) and import the file into a new store"
        )
    return db
