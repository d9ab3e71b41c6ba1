"""Reading files of votes: what is wrong with one is said with the numbers of its lines (the head is line 1)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

_BREAK = r"\r\n|\r|\n"
_SHOWN = 5  # lines named in a message
TRUE, FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")


def read_votes(path: Path, wanted: set[str]) -> pd.DataFrame:
    """Return a csv of votes, every cell as text ("" where it is empty), with ``line``, on which the row ends.

    Raises
    ------
    ValueError
        The file is not UTF-8 or no csv, lacks a column, or has no votes.
    """
    try:
        votes = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 (byte {error.start}); save it as CSV UTF-8") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path} is no sound csv: {error}") from None
    missing = wanted - set(votes)
    if missing:
        raise ValueError(f"{path}: missing column(s) {sorted(missing)}; it has {list(votes)}")
    breaks = votes.apply(lambda cells: cells.str.count(_BREAK)).sum(axis=1).to_numpy(dtype=int)  # within quoted cells
    votes = votes.assign(line=1 + sum(len(re.findall(_BREAK, name)) for name in votes) + np.cumsum(breaks + 1))
    votes = votes[(votes[sorted(wanted)] != "").any(axis=1)].reset_index(drop=True)  # blank lines
    if votes.empty:
        raise ValueError(f"{path}: no votes")
    return votes


def refuse(votes: pd.DataFrame, wrong: pd.Series, what: str, path: Path) -> None:
    """Raise ValueError naming the lines of the votes for which ``wrong`` is true, if there are any."""
    if wrong.any():
        lines = votes.loc[wrong, "line"].tolist()
        more = ", ..." if len(lines) > _SHOWN else ""
        raise ValueError(f"{path}: {what}: {len(lines)} line(s): {', '.join(map(str, lines[:_SHOWN]))}{more}")


def check_pairs(votes: pd.DataFrame, tasks: list[str], path: Path) -> pd.DataFrame:
    """Return pairwise judgements from :func:`read_votes` with ``check_passed`` as truth values.

    Parameters
    ----------
    tasks : list of str
        All known tasks.

    Raises
    ------
    ValueError
        A worker is not named, a task is unknown, a pair is of one task with itself, the chosen task is not of the pair
        (a tie, say), or check_passed is neither true nor false.
    """
    refuse(votes, votes["worker"] == "", "no worker is named", path)
    for column in ("left", "right"):
        unknown = ~votes[column].isin(tasks)
        named = ", ".join(map(repr, votes.loc[unknown, column].unique()))
        refuse(votes, unknown, f"column {column}: unknown task {named}; known are {', '.join(tasks)}", path)
    refuse(votes, votes["left"] == votes["right"], "a task stands against itself", path)
    chosen, own = votes["more_objective"], votes[["left", "right"]]
    outside = ~own.eq(chosen, axis=0).any(axis=1)
    named = ", ".join(map(repr, chosen[outside].unique()))
    refuse(votes, outside, f"more_objective is {named}, not a task of the pair (leave ties out)", path)
    said = votes["check_passed"].str.strip().str.lower()
    refuse(votes, ~said.isin(TRUE + FALSE), "check_passed must be true or false", path)
    return votes.assign(check_passed=said.isin(TRUE))


def check_labels(votes: pd.DataFrame, labels: list[str], path: Path) -> None:
    """Raise ValueError where votes on single texts lack a key or annotator, have an unknown label, or come twice."""
    for column in ("key", "annotator"):
        refuse(votes, votes[column] == "", f"no {column}", path)
    unknown = ~votes["label"].isin(labels)
    named = sorted(votes.loc[unknown, "label"].unique())
    refuse(votes, unknown, f"unknown label(s) {named}; allowed are {labels}", path)
    repeated = votes.duplicated(["key", "annotator"])
    if repeated.any():
        row = votes[repeated].iloc[0]
        refuse(votes, repeated, f"annotator {row['annotator']!r} votes twice on key {row['key']!r}", path)
