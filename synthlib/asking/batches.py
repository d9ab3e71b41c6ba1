"""Batches of calls in a store: which were handed in, what is in them, and what came of them.

A batch is noted, with what its calls may cost, before its file goes to the provider; the file, before a batch is made
of it; the provider's name of the batch, after that. Where a process dies in between, the next one finds the batch by
its file, or withdraws the file, so that none can be made of it any more. The answers of a batch are kept in one
transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synthlib.asking.calls import Answer, Question
from synthlib.asking.store import Limit, Store


@dataclass(frozen=True)
class Batch:
    """A batch under way.

    Attributes
    ----------
    name : str
        Ours.
    file : str or None
        The provider's name of the file with its lines; None where no batch can have been made yet.
    remote : str or None
        The provider's name of the batch; None where it is not known whether it was made.
    asked_at : str
        When, ISO 8601, UTC.
    keys : tuple of str
        Of its questions.
    """

    name: str
    file: str | None
    remote: str | None
    asked_at: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """Why a call of a batch has no answer, whether it may have been paid, and whether another try may help."""

    reason: str
    maybe_paid: bool
    status: int | None = None
    worth_another: bool = True


def list_batches(store: Store) -> list[Batch]:
    """Return the batches of the store's owner that are under way."""
    with store.transaction() as db:
        found = db.execute(
            "SELECT name, file, remote, asked_at FROM batches WHERE owner = ? AND state = 'running' ORDER BY rowid",
            (store.owner,),
        ).fetchall()
        wanted = "SELECT key FROM calls WHERE batch = ? AND state = 'sent'"
        return [Batch(*row, tuple(key for (key,) in db.execute(wanted, row[:1]))) for row in found]


def note_batch(
    store: Store,
    questions: Sequence[Question],
    *,
    name: str,
    asked_at: str,
    bounds: Sequence[float],
    max_usd: float | None,
    max_calls: int | None,
) -> tuple[int, Limit | None]:
    """Note that questions are about to be handed in as a batch, as many as the limits allow.

    Parameters
    ----------
    bounds : sequence of float
        Most USD that each can cost.

    Returns
    -------
    n_noted : int
        How many of the questions, from the first.
    limit : str or None
        What forbids the next one.

    Raises
    ------
    OSError
        Nothing can be written; do not hand it in.
    """
    with store.transaction() as db:
        n_noted, limit = 0, None
        for question, bound in zip(questions, bounds, strict=True):
            limit = store.reserve(question, bound_usd=bound, max_usd=max_usd, max_calls=max_calls)
            if limit:
                break
            db.execute("UPDATE calls SET batch = ? WHERE key = ?", (name, question.key))
            n_noted += 1
        if n_noted:
            db.execute(
                "INSERT INTO batches (name, owner, asked_at, state) VALUES (?, ?, ?, 'running')",
                (name, store.owner, asked_at),
            )
        return n_noted, limit


def name_file(store: Store, name: str, file: str) -> None:
    """Note what the provider calls the file of a batch."""
    with store.transaction() as db:
        db.execute("UPDATE batches SET file = ? WHERE name = ?", (file, name))


def name_remote(store: Store, name: str, remote: str) -> None:
    """Note what the provider calls a batch."""
    with store.transaction() as db:
        db.execute("UPDATE batches SET remote = ? WHERE name = ?", (remote, name))


def settle_batch(
    store: Store, batch: Batch, *, state: str, answers: Mapping[str, Answer], failures: Mapping[str, Failure]
) -> None:
    """Keep what came of a batch; calls of it with neither answer nor failure were not made, and cost nothing.

    Of a batch that the provider did not take (state refused or failed), none counts as sent.
    """
    unmade = Failure(f"not answered: the batch is {state}", False, worth_another=state not in ("refused", "failed"))
    with store.transaction() as db:
        for key in batch.keys:
            if key in answers:
                store.record(key, answers[key])
            else:
                failure = failures.get(key, unmade)
                refused = not failure.worth_another
                store.give_up(key, maybe_paid=failure.maybe_paid, error=failure.reason, refused=refused)
        db.execute("UPDATE batches SET state = ? WHERE name = ?", (state, batch.name))
