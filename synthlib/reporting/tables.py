"""Tables and numbers as notebooks show them: Markdown, which reads the same in a browser, on paper and in a diff."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from synthlib.corpus.markdown import cell

_NUMBER = re.compile(r"[-+±]?\d|–$")
_CELL_LIMIT = 300  # characters


def to_markdown(frame: pd.DataFrame, *, digits: int = 2) -> str:
    """Return a frame (its columns, not its index) as a Markdown table: text to the left, numbers to the right.

    Parameters
    ----------
    frame : DataFrame
        Whole numbers get thousands separators, other numbers ``digits`` places; a missing value becomes a dash, a truth
        value yes or no. Strings are shown as they are; a column of strings that begin with a digit or a sign counts as
        one of numbers.

    Examples
    --------
    >>> print(to_markdown(pd.DataFrame({"set": ["CSC", "all"], "texts": [1165, 20], "alpha": [0.3191, None]})))
    | set | texts | alpha |
    | :-- | --: | --: |
    | CSC | 1,165 | 0.32 |
    | all | 20 | – |
    """
    columns = {str(name): [_show(value, digits) for value in frame[name]] for name in frame.columns}
    sides = ["--:" if shown and all(map(_NUMBER.match, shown)) else ":--" for shown in columns.values()]
    lines = [list(columns), sides, *zip(*columns.values(), strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def say_number(value: float, *, digits: int = 2, signed: bool = False) -> str:
    """Return a number as text; what rounds to 0 has no sign.

    Examples
    --------
    >>> [say_number(value, digits=1, signed=True) for value in (25.34, -0.01, -2.0)]
    ['+25.3', '0.0', '-2.0']
    """
    shown = f"{value:z,.{digits}f}"
    return f"+{shown}" if signed and value > 0 and float(shown.replace(",", "")) else shown


def say_interval(
    row: pd.Series, name: str, *, digits: int = 2, scale: float = 1, signed: bool = False, unit: str = ""
) -> str:
    """Return ``value (low to high)`` of a row with ``name``, ``name_low`` and ``name_high``.

    Parameters
    ----------
    scale : float
        What the values are multiplied by: 100 makes points of fractions.
    signed : bool
        Whether values above 0 get a plus sign.
    unit : str
        Stands after the value.

    Examples
    --------
    >>> row = pd.Series({"gap": 0.2534, "gap_low": -0.0001, "gap_high": 0.5})
    >>> say_interval(row, "gap", digits=1, scale=100, unit=" points")
    '25.3 points (0.0 to 50.0)'

    A value without an interval stands alone; a missing one is a dash:

    >>> point = pd.Series({"gap": 0.25, "gap_low": np.nan, "gap_high": np.nan})
    >>> say_interval(point, "gap"), say_interval(row * np.nan, "gap")
    ('0.25', '–')
    """
    value, *ends = (scale * float(row[name + end]) for end in ("", "_low", "_high"))
    if np.isnan(value):
        return "–"
    said = say_number(value, digits=digits, signed=signed) + unit
    if not np.isfinite(ends).all():
        return said
    low, high = (say_number(end, digits=digits, signed=signed) for end in ends)
    return f"{said} ({low} to {high})"


def say_intervals(
    frame: pd.DataFrame, name: str, *, digits: int = 2, scale: float = 1, signed: bool = False
) -> list[str]:
    """Return :func:`say_interval` of every row."""
    return [say_interval(row, name, digits=digits, scale=scale, signed=signed) for _, row in frame.iterrows()]


def join_names(names: Sequence[str], *, last: str = "and") -> str:
    """Return names as an enumeration.

    Examples
    --------
    >>> join_names(["a"]), join_names(["a", "b", "c"]), join_names(["a", "b"], last="or")
    ('a', 'a, b and c', 'a or b')
    """
    *before, end = names
    return f"{', '.join(before)} {last} {end}" if before else end


def tabulate_coverage(found: pd.DataFrame) -> pd.DataFrame:
    """Return coverage of intervals for showing: made-up studies, interval, whether used, coverage (%), mean width.

    Parameters
    ----------
    found : DataFrame
        case, interval, used, coverage with ``_low`` and ``_high`` (fractions), width, of :mod:`synthlib.coverage`.

    Examples
    --------
    >>> row = {"case": "20 texts", "interval": "BCa", "used": True, "width": 1.2}
    >>> row |= {"coverage": 0.951, "coverage_low": 0.94, "coverage_high": 0.962}
    >>> tabulate_coverage(pd.DataFrame([row])).iloc[0, 2:].to_dict()
    {'used in the notebooks': True, 'coverage (%)': '95.1 (94.0 to 96.2)', 'mean width': 1.2}
    """
    shown = found[["case", "interval", "used"]].rename(columns={"case": "studies", "used": "used in the notebooks"})
    shown["coverage (%)"] = say_intervals(found, "coverage", digits=1, scale=100)
    return shown.assign(**{"mean width": found["width"]})


def _show(value: object, digits: int) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    if pd.isna(value):
        return "–"
    if isinstance(value, (float, np.floating)):
        return say_number(float(value), digits=digits)
    return cell(value, _CELL_LIMIT)
