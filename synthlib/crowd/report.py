"""What a collection holds, in words: for the command and the notebook."""

from __future__ import annotations

import pandas as pd

from synthlib.crowd.collect import Collection
from synthlib.crowd.flags import count_flags

_MOST_SHOWN = 20


def describe_collection(collection: Collection, workers: pd.DataFrame, account: pd.DataFrame) -> str:
    """Return what came in, what was wrong with it (with lines), who is flagged, and what was kept."""
    votes, problems = collection.votes, collection.problems
    parts = [f"{len(votes)} answers of {votes['worker'].nunique()} workers in {votes['file'].nunique()} file(s)"]
    if len(problems):
        parts.append(f"{len(problems)} problem(s); rows with one are no votes:")
        parts += [_say_problem(row) for row in problems.head(_MOST_SHOWN).to_dict("records")]
        if len(problems) > _MOST_SHOWN:
            counts = problems["problem"].value_counts()
            parts.append(f"  and {len(problems) - _MOST_SHOWN} more; by kind: {counts.to_dict()}")
    if len(workers):
        parts += ["flagged workers:", _indent(count_flags(workers)[["flag", "workers", "means"]])]
    parts += ["account:", _indent(account)]
    if account["workers"].iloc[-1] == 1:
        parts.append("one worker is left: votes can be counted, but no interval over workers can be given")
    return "\n".join(parts)


def _say_problem(row: dict) -> str:
    place = row["file"] + ("" if row["line"] is None else f", line {row['line']}")
    column = f", {row['column']}" if row["column"] else ""
    value = f" {row['value']!r}" if row["value"] else ""
    return f"  {place}{column}{value}: {row['problem']}"


def _indent(frame: pd.DataFrame) -> str:
    return "\n".join("  " + line for line in frame.to_string(index=False).splitlines())
