"""A table as a figure, in the look of LaTeX's booktabs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

FONT_SIZE = 8  # points
_ROW, _GAP = 0.17, 0.16  # inches: height of a line, space between columns


def table(
    frame: pd.DataFrame, *, widths: Sequence[float] | None = None, rules: Sequence[int] = (), note: str = ""
) -> Figure:
    """Return a figure that shows a frame as a table.

    Parameters
    ----------
    frame : DataFrame
        Cells are written with ``str``: format numbers before. Missing values become a dash. The column names are the
        heads; a line break in one makes a head of two lines. Columns of numbers, or of strings that begin with a
        digit or a minus sign, stand to the right, others to the left.
    widths : sequence of float, optional
        Width of each column (inches); None makes each as wide as its longest cell.
    rules : sequence of int
        Rows (0-based) above which a thin line is drawn.
    note : str
        Small print below the table, wrapped to its width.

    Raises
    ------
    ValueError
        The frame is empty, or ``widths`` has not one number a column.
    """
    if frame.empty:
        raise ValueError("a table needs at least one row")
    if widths is not None and len(widths) != frame.shape[1]:
        raise ValueError(f"{len(widths)} width(s) for {frame.shape[1]} columns")
    heads = [str(name) for name in frame.columns]
    columns = [[_cell(value) for value in frame[name]] for name in frame.columns]
    if widths is None:
        widths = [max(map(_width, [*h.split("\n"), *c])) for h, c in zip(heads, columns, strict=True)]
    total = sum(widths) + _GAP * len(widths)
    lines = textwrap.wrap(note, int(total / _width("x") * 1.25))
    n_head = max(head.count("\n") for head in heads) + 1
    height = _ROW * (n_head + len(frame) + len(lines) + 0.8)
    figure = plt.figure(figsize=(total, height))
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, total), ylim=(height, 0))
    ax.axis("off")
    _write_columns(ax, heads, columns, widths, n_head)
    _rule(ax, rules, n_head, len(frame))
    below = _ROW * (n_head + len(frame) + 1.3)
    for number, line in enumerate(lines):
        ax.text(0, below + _ROW * number, line, size=FONT_SIZE - 1, va="center", color="0.3")
    return figure


def format_estimates(frame: pd.DataFrame, name: str, *, digits: int) -> list[str | None]:
    """Return ``value (low to high)`` of every row, from columns name, name_low and name_high; None where it is missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"f1": [0.5, None], "f1_low": [0.41, None], "f1_high": [0.6, None]})
    >>> format_estimates(frame, "f1", digits=2)
    ['0.50 (0.41 to 0.60)', None]
    """
    estimates = frame[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
    return [
        None if math.isnan(value) else f"{value:z.{digits}f} ({low:z.{digits}f} to {high:z.{digits}f})"
        for value, low, high in estimates
    ]


def _rule(ax: Axes, rules: Sequence[int], n_head: int, n_rows: int) -> None:
    body = _ROW * (n_head + 0.5)
    for y, weight in ((0.02, 1.0), (body - 0.04, 0.5), (body + _ROW * n_rows + 0.03, 1.0)):
        ax.axhline(y, color="black", linewidth=weight)
    for row in rules:
        ax.axhline(body + _ROW * row, color="0.6", linewidth=0.4)


def _write_columns(ax: Axes, heads: list[str], columns: list[list[str]], widths: Sequence[float], n_head: int) -> None:
    left = _GAP / 2
    for head, cells, width in zip(heads, columns, widths, strict=True):
        right = all(cell[0] in "-−–0123456789" for cell in cells if cell) and any(cell != "–" for cell in cells)
        x, side = (left + width, "right") if right else (left, "left")
        for row, line in enumerate(reversed(head.split("\n"))):
            y = _ROW * (n_head + 0.05 - 0.85 * row)
            ax.text(x, y, line, size=FONT_SIZE, weight="bold", ha=side, va="baseline")
        for row, cell in enumerate(cells):
            ax.text(x, _ROW * (n_head + row + 1.22), cell, size=FONT_SIZE, ha=side, va="baseline")
        left += width + _GAP


def _cell(value: object) -> str:
    missing = value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
    return "–" if missing else str(value)


def _width(text: str) -> float:
    path = TextPath((0, 0), text.replace(" ", "x") or "x", size=FONT_SIZE, prop=FontProperties(weight="bold"))
    return float(path.get_extents().width) / 72
