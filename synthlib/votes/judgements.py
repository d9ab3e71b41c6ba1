"""Which judgements of pairs a ranking takes: those of the tasks of a run."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd


def choose_judgements(judgements: pd.DataFrame, tasks: list[str]) -> tuple[pd.DataFrame, list[str], int]:
    """Return the judgements of pairs of ``tasks``, those tasks that occur in them, and how many are left out.

    Parameters
    ----------
    judgements : DataFrame
        left, right (names of tasks) and further columns.

    Raises
    ------
    ValueError
        No judgement is of two of the tasks.
    """
    inside = judgements["left"].isin(tasks) & judgements["right"].isin(tasks)
    if not inside.any():
        named = sorted({*judgements["left"], *judgements["right"]})
        raise ValueError(f"no judgement compares two of the tasks {tasks}; the judgements are of {named}")
    chosen = judgements[inside].reset_index(drop=True)
    return chosen, [task for task in tasks if task in {*chosen["left"], *chosen["right"]}], int((~inside).sum())


def say_left_out(tasks: list[str], ranked: list[str], n_judgements: int, titles: Mapping[str, str]) -> str:
    """Return which tasks nobody compared, and how many judgements are of other tasks; nothing where there are none."""
    missing = [titles[task] for task in tasks if task not in ranked]
    said = [f"Nobody compared {', '.join(missing)}: not ranked."] if missing else []
    said += [f"{n_judgements:,} judgements with a task that is not among `tasks` are left out."] if n_judgements else []
    return " ".join(said)
