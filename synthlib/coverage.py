"""How often intervals of made-up studies hold the truth, and whether that is as often as they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

#: Confidence of the Monte Carlo intervals of coverage: high, so that of many cases hardly one is judged by chance.
MONTE_CARLO = 0.99
#: What coverage can be found to be, see :func:`judge_coverage`.
VERDICTS = ("too low", "as promised", "too high")


def tabulate_ends(
    ends: dict[str, list[tuple]], truth: np.ndarray | float, case: dict[str, str], *, used: str
) -> pd.DataFrame:
    """Return how often intervals hold the truth: one row a kind of interval.

    Parameters
    ----------
    ends : dict
        Of each kind of interval: low and high of every study, numbers or arrays of shape (T,).
    truth : float, or ndarray of shape (T,)
        What they should hold.
    case : dict
        quantity, and case (what the made-up studies are like).
    used : str
        The kind that the notebooks use for this quantity.

    Returns
    -------
    rows : DataFrame
        quantity, case, interval (its kind), used (whether it is that of the notebooks), coverage with ``_low`` and
        ``_high`` (Wilson, :data:`MONTE_CARLO`, over the studies), and width (mean, in units of the quantity).

    Examples
    --------
    >>> found = tabulate_ends({"Student's t": [(0, 2), (2, 3)]}, 1.0, {"case": "two"}, used="Student's t")
    >>> found.loc[0, "coverage":].astype(float).round(2).tolist()
    [0.5, 0.06, 0.94, 1.5]
    """
    rows = []
    for interval, pairs in ends.items():
        low, high = np.moveaxis(np.array(pairs), 1, 0)  # (S,) or (S, T)
        held = ((low <= truth) & (truth <= high)).reshape(len(low), -1).mean(axis=1)  # those of one study depend
        row = case | {"interval": interval, "used": interval == used} | _cover(held)
        rows.append(row | {"width": float(np.mean(high - low))})
    return pd.DataFrame(rows)


def judge_coverage(rows: pd.DataFrame, *, confidence: float) -> pd.Series:
    """Return for each row of coverage whether it is too low, as promised or too high (:data:`VERDICTS`).

    Too low or too high: the whole Monte Carlo interval lies on one side of ``confidence``. As promised: it does not,
    so what there may be of a difference is too small for so many simulations.

    Examples
    --------
    >>> rows = pd.DataFrame({"coverage_low": [0.90, 0.94, 0.96], "coverage_high": [0.94, 0.96, 0.98]})
    >>> judge_coverage(rows, confidence=0.95).tolist()
    ['too low', 'as promised', 'too high']
    """
    sides = [rows["coverage_high"] < confidence, rows["coverage_low"] > confidence]
    return pd.Series(np.select(sides, [VERDICTS[0], VERDICTS[2]], VERDICTS[1]), index=rows.index, name="verdict")


def _cover(held: np.ndarray) -> dict[str, float]:
    """Return coverage and its Wilson interval; several intervals a study count for as many as their spread says."""
    share, variance = held.mean(), held.var()
    n = len(held) * (share * (1 - share) / variance if variance else 1)
    low, high = proportion_confint(share * n, n, alpha=1 - MONTE_CARLO, method="wilson")
    low, high = min(low, share), max(high, share)  # none or all held: but for rounding
    return {"coverage": float(share), "coverage_low": float(low), "coverage_high": float(high)}
