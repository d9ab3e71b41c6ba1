"""Intervals of a share and of a mean, from counts and values alone; bootstrap intervals are in synthlib.metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats


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
