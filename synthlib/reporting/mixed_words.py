"""What the mixed model of 07_instance_subjectivity says, as a table to read and in sentences."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

_WAYS = {1: "widens", -1: "narrows"}


def format_coefficients(coefficients: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the coefficients in points and words, with both intervals.

    Parameters
    ----------
    coefficients : DataFrame
        term, estimate, low, high, task_low, task_high (accuracy, fractions).
    names : mapping of str to str
        What to call the sources.
    """
    words = {"subjectivity": "task subjectivity", "disagreement": "dissent", "Intercept": "real text, on average"}
    points = 100 * coefficients.drop(columns="term")
    return pd.DataFrame(
        {
            "effect": [
                " × ".join(words.get(part) or names[part] for part in term.split(" x "))
                for term in coefficients["term"]
            ],
            "points of accuracy": points["estimate"],
            "mixed model": [f"{low:.1f} to {high:.1f}" for low, high in points[["low", "high"]].to_numpy()],
            "task bootstrap": [
                f"{low:.1f} to {high:.1f}" for low, high in points[["task_low", "task_high"]].to_numpy()
            ],
        }
    )


def say_interactions(coefficients: pd.DataFrame, source: str, name: str) -> str:
    """Return what subjectivity of the task and disagreement on the text do to the gap to training on real text.

    Parameters
    ----------
    coefficients : DataFrame
        term, estimate, low, high, task_low, task_high (accuracy, fractions).
    source, name : str
        The source, and what to call it.
    """
    terms, said = 100 * coefficients.set_index("term"), []
    units = {
        "subjectivity": "One standard deviation more of task subjectivity",
        "disagreement": "Each dissenting voter",
    }
    for term, unit in units.items():
        row, real = terms.loc[f"{source} x {term}"], terms.loc[term, "estimate"]
        own = real + row["estimate"]
        if max(real, own) < 0:
            change = (
                f"costs a classifier trained on real text {-real:.1f} points of accuracy and one trained on {name} "
                f"text {'only ' if row['estimate'] > 0 else ''}{-own:.1f}"
            )
        else:
            change = (
                f"changes the accuracy of a classifier trained on real text by {real:+.1f} points and that of one "
                f"trained on {name} text by {own:+.1f}"
            )
        widens = -1 if row["estimate"] > 0 else 1
        ends = [sorted(-widens * row[list(pair)]) for pair in (("low", "high"), ("task_low", "task_high"))]
        intervals = [f"{low:.1f} to {high:.1f} by the" for low, high in ends]
        said.append(
            f"{unit} {change}, so the gap {_WAYS[widens]} by {abs(row['estimate']):.1f} points ({intervals[0]} mixed "
            f"model, {intervals[1]} task bootstrap; {_say_sure(row)})."
        )
    said.append("This is accuracy on the panel's texts; 05 and 08 ask the same of Macro-F1 on all test texts.")
    return " ".join(said)


def say_directions(coefficients: pd.DataFrame, source: str, name: str) -> str:
    """Return :func:`say_interactions` in one sentence without sizes."""
    terms = coefficients.set_index("term")
    of_terms = {"subjectivity": "with the subjectivity of the task", "disagreement": "with dissent on the text"}
    said = []
    for term, what in of_terms.items():
        row = terms.loc[f"{source} x {term}"]
        said.append(f"{_WAYS[-1 if row['estimate'] > 0 else 1]} {what} ({_say_sure(row)})")
    return f"the gap between training on real and on {name} text {' and '.join(said)}."


def _say_sure(row: pd.Series) -> str:
    """Return which of the two intervals exclude 0."""
    ends = {"mixed model": ("low", "high"), "task bootstrap": ("task_low", "task_high")}
    sure = [kind for kind, (low, high) in ends.items() if row[low] > 0 or row[high] < 0]
    if len(sure) == 1:
        return f"only the interval of the {sure[0]} excludes 0"
    return "both intervals exclude 0" if sure else "neither interval excludes 0"
