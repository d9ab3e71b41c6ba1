"""Sets of texts as the rows of a figure, under heads that say whose votes they have (07_instance_subjectivity)."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthlib.plots.style import (
    CLASSIFIER_LOOKS,
    CLASSIFIER_NAMES,
    SOURCE_MARKERS,
    SOURCE_NAMES,
    SOURCE_PALETTE,
)

Row = tuple[str, str]  # votes_of and title; no title: a head
_HEADS = {"panel": "votes of the panel", "people": "votes of people", "simulated": "simulated votes"}
_LOOKS = {
    "source": lambda name: (SOURCE_PALETTE[name], SOURCE_MARKERS[name], SOURCE_NAMES[name]),
    "classifier": lambda name: (*CLASSIFIER_LOOKS[name], CLASSIFIER_NAMES[name]),
}


def list_rows(sets: pd.DataFrame) -> list[Row]:
    """Return the rows from top to bottom: a head for each kind of voters, then its sets in order of appearance.

    Parameters
    ----------
    sets : DataFrame
        title, votes_of.
    """
    rows = []
    for votes_of, of_these in sets.groupby("votes_of", sort=False):
        rows += [(votes_of, ""), *((votes_of, title) for title in of_these["title"].unique())]
    return rows


def name_rows(ax: Axes, rows: list[Row], n_disputed: dict[Row, int] | None = None) -> None:
    """Write the rows' names at an axis, heads in bold, behind sets their number of disputed texts in brackets."""
    counts = {row: f" ({n:,})" for row, n in (n_disputed or {}).items()}
    ax.set_yticks(range(len(rows)), [row[1] + counts.get(row, "") if row[1] else _HEADS[row[0]] for row in rows])
    for label, (_, title) in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("normal" if title else "bold")
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)


def count_disputed(sets: pd.DataFrame) -> dict[Row, int]:
    """Return the number of disputed texts by row."""
    return sets.set_index(["votes_of", "title"])["n_disputed"].to_dict()


def draw_estimates(
    ax: Axes, estimates: pd.DataFrame, rows: list[Row], columns: tuple[str, str, str], *, by: str, scale: float
) -> None:
    """Draw points with intervals, those of a set side by side; missing ones are left out.

    Parameters
    ----------
    estimates : DataFrame
        title, votes_of, ``by`` and ``columns``.
    columns : (str, str, str)
        Value, and lower and upper end.
    by : str
        What tells the points of a set apart: source or classifier.
    scale : float
        By which all are multiplied.
    """
    kinds = list(estimates[by].unique())
    for number, kind in enumerate(kinds):
        color, marker, label = _LOOKS[by](kind)
        shown = estimates[estimates[by] == kind].dropna(subset=columns[0])
        offset = 0.6 * ((number + 0.5) / len(kinds) - 0.5)
        y = [rows.index(row) + offset for row in zip(shown["votes_of"], shown["title"], strict=True)]
        value, low, high = (scale * shown[column] for column in columns)
        ax.hlines(y, low, high, color=color, linewidth=1)
        ax.plot(value, y, marker, color=color, markersize=3, label=label)


def add_note(figure: Figure, text: str, undefined: pd.DataFrame, reason: str) -> None:
    """Write small print below a figure: what its rows are, and which sets are not in it.

    Parameters
    ----------
    text : str
        Put behind what is said of all such figures.
    undefined : DataFrame
        title, votes_of of the sets left out; may be empty.
    reason : str
        Why.
    """
    width = int(17 * figure.get_figwidth())  # characters
    lines = textwrap.wrap(f"In brackets: disputed texts. Panel: language-model personas, not people. {text}", width)
    for votes_of, of_these in undefined.groupby("votes_of", sort=False):
        named = ", ".join(of_these["title"].unique())
        lines += textwrap.wrap(f"Not defined ({reason}), {_HEADS[votes_of]}: {named}.", width)
    figure.supxlabel("\n".join(lines), size=7)
