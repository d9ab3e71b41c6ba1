"""Which workers look careless, by stated rules, and which votes a rule keeps; nothing is dropped without a count."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

#: What each flag means, for reports.
FLAGS = {
    "repeated": "answered an item more than once, or in more than one sitting",
    "shared_slot": "used the same slot as another worker",
    "failed_check": "answered an attention check wrongly",
    "no_check": "answered no attention check",
    "straight_lining": "chose the same side or label every time",
    "too_fast": "answered too fast to have read",
    "incomplete": "left items unanswered",
}


@dataclass(frozen=True)
class Rule:
    """When a worker is flagged, and which flags cost a worker's votes.

    Attributes
    ----------
    min_seconds : float
        Shortest median time per answer that is no sign of haste.
    straight_from : int
        Fewest answers on which the same choice every time is a sign.
    exclude : tuple of str
        Flags, of :data:`FLAGS`; a worker with one of them is left out.
    """

    min_seconds: float
    straight_from: int
    exclude: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.exclude) - set(FLAGS)):
            raise ValueError(f"unknown flag(s) {unknown}; flags are {', '.join(FLAGS)}")


def flag_workers(votes: pd.DataFrame, rule: Rule, *, per_worker: int) -> pd.DataFrame:
    """Return one row per worker: worker, instrument, n_votes, n_checks, n_right, seconds (median), a column per flag.

    Parameters
    ----------
    votes : DataFrame
        From :func:`synthlib.crowd.collect.read_votes`.
    per_worker : int
        Items, without checks, that a worker was asked.
    """
    takers = votes.dropna(subset="slot").groupby("slot")["worker"].nunique()
    shared = set(takers[takers > 1].index)
    rows = []
    for (worker, instrument), mine in votes.groupby(["worker", "instrument"], sort=True, dropna=False):
        checks, items = mine[mine["check"]], mine[~mine["check"]]
        n_right = int(checks["correct"].astype(bool).sum())
        unique = items.drop_duplicates("item")
        row = {"worker": worker, "instrument": instrument, "n_votes": len(items), "n_checks": len(checks)}
        row |= {"n_right": n_right, "seconds": mine["seconds"].astype(float).median()}
        row["repeated"] = bool(mine["item"].duplicated().any() or len(set(mine["session"].dropna())) > 1)
        row["shared_slot"] = bool(set(mine["slot"].dropna()) & shared)
        said = mine["check_passed"].dropna()
        row["failed_check"] = n_right < len(checks) or not all(said)
        row["no_check"] = checks.empty and said.empty
        row["straight_lining"] = len(unique) >= rule.straight_from and _same_choice(unique)
        row["too_fast"] = bool(row["seconds"] < rule.min_seconds)  # a time that is not known is no sign
        rows.append(row | {"incomplete": len(unique) < per_worker})
    columns = ["worker", "instrument", "n_votes", "n_checks", "n_right", "seconds", *FLAGS]
    return pd.DataFrame(rows, columns=columns)


def _same_choice(items: pd.DataFrame) -> bool:
    """Return whether all answers are on one side (pairs) or of one label."""
    if items["kind"].iloc[0] == "pairs":
        return len(set(items["answer"] == items["left"])) == 1
    return len(set(items["answer"])) == 1


def keep_votes(votes: pd.DataFrame, workers: pd.DataFrame, rule: Rule) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the votes that a rule keeps, without checks, and where all others went.

    Of several answers of a worker to an item the first is kept.

    Parameters
    ----------
    workers : DataFrame
        From :func:`flag_workers`.

    Returns
    -------
    kept : DataFrame
        Rows of ``votes``.
    account : DataFrame
        step, workers, votes: what was collected, what went for which reason (a worker with several flags counts for the
        first in the rule's order), and what is left. The rows in between add up to the difference.
    """
    account = [("collected", votes["worker"].nunique(), len(votes))]
    left = votes
    for flag in rule.exclude:
        out = set(workers.loc[workers[flag].astype(bool), "worker"])
        gone = left["worker"].isin(out)
        account.append((f"out: {FLAGS[flag]}", left.loc[gone, "worker"].nunique(), int(gone.sum())))
        left = left[~gone]
    for reason, gone in (
        ("attention checks, which are no votes", left["check"].astype(bool)),
        ("repeated answers to an item", left.duplicated(["worker", "item"]) & ~left["check"].astype(bool)),
    ):
        before = left["worker"].nunique()
        left = left[~gone.loc[left.index]]
        account.append((f"out: {reason}", before - left["worker"].nunique(), int(gone.sum())))
    account.append(("kept", left["worker"].nunique(), len(left)))
    return left.reset_index(drop=True), pd.DataFrame(account, columns=["step", "workers", "votes"])


def count_flags(workers: pd.DataFrame) -> pd.DataFrame:
    """Return how many workers carry each flag: flag, means, workers, share."""
    rows = [(flag, means, int(workers[flag].sum()), float(workers[flag].mean())) for flag, means in FLAGS.items()]
    return pd.DataFrame(rows, columns=["flag", "means", "workers", "share"])
