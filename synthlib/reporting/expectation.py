"""What one more task may expect of synthetic text, from the tasks of a run: prediction intervals and their check.

A gap is the Macro-F1 of training on real text minus that of training on synthetic text. Two predictions for one more
task are held side by side: the mean of the other tasks, and a least-squares line of the gap on the subjectivity score.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from synthlib.intervals import mean_interval

MIN_TASKS = 5  # with fewer, how tasks vary is not known at all
#: Gaps that are predicted; of the last two, both sides have the same number of texts.
COMPARED = [("real", "zero_shot"), ("real", "few_shot"), ("real_matched", "zero_shot"), ("real_matched", "few_shot")]


def collect_gaps(differences: pd.DataFrame) -> pd.DataFrame:
    """Return the gaps of :data:`COMPARED`, one row per task and pair of sources: task, first, second, gap (fraction).

    Parameters
    ----------
    differences : DataFrame
        task, first, second, f1 (first minus second). A pair that is not there is made of two that are: real_matched
        minus few_shot is (real minus few_shot) minus (real minus real_matched).
    """
    wide = differences.pivot_table(index="task", columns=["first", "second"], values="f1", sort=False)
    frames = []
    for first, second in COMPARED:
        if (first, second) in wide:
            gap = wide[first, second]
        elif {("real", second), ("real", first)} <= set(wide):
            gap = wide["real", second] - wide["real", first]
        else:
            continue
        frames.append(pd.DataFrame({"task": wide.index, "first": first, "second": second, "gap": gap.to_numpy()}))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["task", "first", "second", "gap"])
    return table.dropna(subset="gap").reset_index(drop=True)


def predict_mean(y: np.ndarray, *, confidence: float) -> tuple[float, float, float]:
    """Return the mean of y (n,) and the interval in which one more value should lie: -/+ t (n - 1) s sqrt(1 + 1/n).

    Examples
    --------
    >>> [round(end, 2) for end in predict_mean(np.array([1.0, 2.0, 3.0]), confidence=0.95)]
    [2.0, -2.97, 6.97]
    """
    reach = stats.t.ppf((1 + confidence) / 2, len(y) - 1) * y.std(ddof=1) * np.sqrt(1 + 1 / len(y))
    return float(y.mean()), float(y.mean() - reach), float(y.mean() + reach)


def predict_line(x: np.ndarray, y: np.ndarray, at: float, *, confidence: float) -> tuple[float, float, float]:
    """Return the least-squares line of y on x at a point, and the interval in which one more value should lie there.

    The interval is -/+ t (n - 2) s sqrt(1 + 1/n + (at - mean x)^2 / Sxx): it holds the scatter of single tasks and the
    error of the line, and takes x as known.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        n is 3 at least; x must vary.

    References
    ----------
    Draper & Smith (1998), Applied regression analysis, section 3.1.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> [round(end, 2) for end in predict_line(x, np.array([0.0, 1.0, 1.0, 2.0]), 1.5, confidence=0.9)]
    [1.0, -0.03, 2.03]
    """
    n, apart = len(x), x - x.mean()
    slope = (apart * y).sum() / (apart**2).sum()
    value = y.mean() + slope * (at - x.mean())
    left = y - y.mean() - slope * apart
    spread = np.sqrt((left**2).sum() / (n - 2) * (1 + 1 / n + (at - x.mean()) ** 2 / (apart**2).sum()))
    reach = stats.t.ppf((1 + confidence) / 2, n - 2) * spread
    return float(value), float(value - reach), float(value + reach)


def expect_gaps(gaps: pd.DataFrame, scores: pd.Series, places: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return what one more task may expect, for each pair of sources and place on the scale of subjectivity.

    Parameters
    ----------
    gaps : DataFrame
        From :func:`collect_gaps`.
    scores : Series
        Score by task; tasks without one are left out.
    places : DataFrame
        place (its name), score, score_low, score_high; NaN ends are those of a place without an interval. Where it has
        one, the interval of the gap is the widest that a score in it gives.

    Returns
    -------
    expected : DataFrame
        first, second, place, score, n_tasks, gap, gap_low, gap_high. The place "not known" (score NaN) is
        :func:`predict_mean`. Empty where fewer than five tasks have score and gap, or all scores are equal.
    """
    rows = []
    for (first, second), pairs in _scored(gaps, scores):
        x, y = pairs["score"].to_numpy(float), pairs["gap"].to_numpy(float)
        names = {"first": first, "second": second, "n_tasks": len(pairs)}
        rows.append(
            names | {"place": "not known", "score": np.nan} | _name_ends(predict_mean(y, confidence=confidence))
        )
        for place in places.itertuples():
            spots = [at for at in (place.score, place.score_low, place.score_high) if np.isfinite(at)]
            found = np.array([predict_line(x, y, at, confidence=confidence) for at in spots])
            ends = (found[0, 0], found[:, 1].min(), found[:, 2].max())
            rows.append(names | {"place": place.place, "score": place.score} | _name_ends(ends))
    return pd.DataFrame(rows, columns=["first", "second", "place", "score", "n_tasks", "gap", "gap_low", "gap_high"])


def find_range(gaps: pd.DataFrame, scores: pd.Series) -> tuple[float, float]:
    """Return the lowest and the highest score of the tasks behind :func:`predict_line`: beyond, it extrapolates."""
    used = scores.reindex(gaps["task"].unique()).dropna()
    return float(used.min()), float(used.max())


def trace_line(gaps: pd.DataFrame, scores: pd.Series, places: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return :func:`expect_gaps` at 50 scores between the lowest and the highest of places, for drawing."""
    score = np.linspace(places["score"].min(), places["score"].max(), 50)
    grid = pd.DataFrame({"place": "line", "score": score, "score_low": np.nan, "score_high": np.nan})
    return expect_gaps(gaps, scores, grid, confidence=confidence).query("place == 'line'")


def leave_each_out(gaps: pd.DataFrame, scores: pd.Series, *, confidence: float) -> pd.DataFrame:
    """Return each task's gap beside what the other tasks would have predicted for it.

    Returns
    -------
    checks : DataFrame
        first, second, task, score, gap, and for the two predictions mean, mean_low, mean_high (without the score) and
        line, line_low, line_high (with it). Empty as :func:`expect_gaps` is.
    """
    rows = []
    for (first, second), pairs in _scored(gaps, scores):
        x, y = pairs["score"].to_numpy(float), pairs["gap"].to_numpy(float)
        for number, task in enumerate(pairs["task"]):
            rest = np.arange(len(pairs)) != number
            row = {"first": first, "second": second, "task": task, "score": x[number], "gap": y[number]}
            row |= _name_ends(predict_mean(y[rest], confidence=confidence), "mean")
            rows.append(row | _name_ends(predict_line(x[rest], y[rest], x[number], confidence=confidence), "line"))
    ends = [name + end for name in ("mean", "line") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["first", "second", "task", "score", "gap", *ends])


def summarise_checks(checks: pd.DataFrame) -> pd.DataFrame:
    """Return how far off the predictions of :func:`leave_each_out` were, one row per pair of sources.

    Returns
    -------
    summary : DataFrame
        first, second, n_tasks, mean_error and line_error (mean absolute, fraction), mean_held and line_held (tasks
        whose interval held the gap) and skill: the share of the mean's squared error that knowing the score takes
        away; 0 or below: the score did not help.
    """
    rows = []
    for (first, second), table in checks.groupby(["first", "second"], sort=False):
        row = {"first": first, "second": second, "n_tasks": len(table)}
        for name in ("mean", "line"):
            row[f"{name}_error"] = float((table[name] - table["gap"]).abs().mean())
            row[f"{name}_held"] = int(table["gap"].between(table[f"{name}_low"], table[f"{name}_high"]).sum())
        squares = [((table[name] - table["gap"]) ** 2).sum() for name in ("line", "mean")]
        rows.append(row | {"skill": float(1 - squares[0] / squares[1])})
    columns = ["first", "second", "n_tasks", "mean_error", "mean_held", "line_error", "line_held", "skill"]
    return pd.DataFrame(rows, columns=columns)


def count_real_needed(curves: pd.DataFrame) -> pd.DataFrame:
    """Return how few real texts per label did as well as the most synthetic ones, by task and synthetic source.

    Parameters
    ----------
    curves : DataFrame
        The ``curves`` of 03_train: experiment, task, source, n_per_label, f1.

    Returns
    -------
    needed : DataFrame
        task, source, n_synthetic (the most a label), f1, n_real (the smallest size tried at which real texts reach that
        f1; NaN where none does).
    """
    rows = []
    alone = curves[curves["source"] == "real"]  # of the learning and of the mixing curves
    learning = curves[curves["experiment"] == "learning"]
    for (task, source), curve in learning[learning["source"] != "real"].groupby(["task", "source"], sort=False):
        best = curve.loc[curve["n_per_label"].idxmax()]
        real = alone[(alone["task"] == task) & (alone["f1"] >= best["f1"])]
        rows.append((task, source, int(best["n_per_label"]), best["f1"], real["n_per_label"].min()))
    return pd.DataFrame(rows, columns=["task", "source", "n_synthetic", "f1", "n_real"])


def measure_mixing(curves: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return what synthetic texts add to so many real ones.

    Returns
    -------
    gains : DataFrame
        n_real (a label), n_tasks, gain, gain_low, gain_high (Macro-F1, mean over tasks, Student's interval over them),
        n_better (tasks with a gain above 0).
    """
    mixing = curves[(curves["experiment"] == "mixing") & (curves["n_per_label"] > 0)]
    wide = mixing.pivot_table(index=["n_per_label", "task"], columns="source", values="f1")
    columns = ["n_real", "n_tasks", "gain", "gain_low", "gain_high", "n_better"]
    if not {"real", "real+synthetic"} <= set(wide):
        return pd.DataFrame(columns=columns)
    rows = []
    for n_real, gain in (wide["real+synthetic"] - wide["real"]).dropna().groupby(level=0):
        mean, low, high = mean_interval(gain.to_numpy(), confidence=confidence)
        rows.append((int(n_real), len(gain), mean, low, high, int((gain > 0).sum())))
    return pd.DataFrame(rows, columns=columns)


def _scored(gaps: pd.DataFrame, scores: pd.Series) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Return the gaps with scores by pair of sources, those with enough tasks."""
    table = gaps.assign(score=gaps["task"].map(scores)).dropna(subset="score")
    groups = table.groupby(["first", "second"], sort=False)
    return [(pair, rows) for pair, rows in groups if len(rows) >= MIN_TASKS and np.ptp(rows["score"]) > 0]


def _name_ends(ends: tuple[float, float, float], name: str = "gap") -> dict[str, float]:
    return {name: ends[0], f"{name}_low": ends[1], f"{name}_high": ends[2]}
