"""Intervals as rows of tables hold them: of a share, of a mean, and of a value with bootstrap draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from synthlib import metrics


def share_interval(count: int, n: int, *, confidence: float) -> tuple[float, float, float]:
    """Return count / n with Wilson's interval; all NaN where n is 0.

    Examples
    --------
    >>> [round(value, 4) for value in share_interval(0, 10, confidence=0.95)]
    [0.0, 0.0, 0.2775]

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    if n == 0:
        return (math.nan,) * 3
    interval = stats.binomtest(int(count), int(n)).proportion_ci(confidence, method="wilson")
    return count / n, float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float], *, confidence: float) -> tuple[float, float, float]:
    """Return the mean with Student's interval, which is NaN for fewer than two values.

    Examples
    --------
    >>> [round(value, 4) for value in mean_interval([1.0, 2.0, 3.0], confidence=0.95)]
    [2.0, -0.4841, 4.4841]
    """
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    if n < 2:
        return mean, math.nan, math.nan
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def estimate(name: str, value: float, draws: np.ndarray, confidence: float) -> dict[str, float]:
    """Return ``name``, ``name_low`` and ``name_high``: a value and the percentile interval of its bootstrap draws.

    Draws that are NaN are left out; the interval of a NaN is NaN.

    Examples
    --------
    >>> estimate("f1", 0.5, np.array([0.4, 0.6, np.nan]), 0.5)
    {'f1': 0.5, 'f1_low': 0.45, 'f1_high': 0.55}
    """
    draws = draws[np.isfinite(draws)]
    bounds = metrics.interval(draws, confidence=confidence) if np.isfinite(value) and len(draws) else (np.nan, np.nan)
    return dict(zip(estimate_columns(name), (float(value), *bounds), strict=True))


def estimate_columns(name: str) -> tuple[str, str, str]:
    """Return the names of the columns of an estimate and of the two ends of its interval."""
    return name, f"{name}_low", f"{name}_high"
