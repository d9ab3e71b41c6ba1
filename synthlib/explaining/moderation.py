"""Does a moderator go with the gap? Slopes over tasks and settings, with what a handful of tasks can and cannot show.

A task's settings share its test texts, its labels and its difficulty, so tasks, not rows, are resampled, left out and
permuted. Every setting has its own intercept: a moderator explains why tasks differ, not why settings do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from synthlib import metrics

MIN_TASKS = 5
COLUMNS = ["model", "moderator", "n_tasks", "slope", "slope_low", "slope_high"]
COLUMNS += ["left_out_low", "left_out_high", "r", "p", "p_family", "r_needed", "unseen_r2"]


def regress(
    table: pd.DataFrame,
    outcome: str,
    moderators: Sequence[str],
    *,
    beside: str,
    n_resamples: int,
    n_permutations: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return how an outcome goes with each moderator alone, and with each beside one that is always in.

    Parameters
    ----------
    table : DataFrame
        task, setting, ``outcome`` and ``moderators``; every task has every setting.
    beside : str
        The moderator that is in every pair, say subjectivity.

    Returns
    -------
    slopes : DataFrame
        model (``alone``, ``pair``: the moderator's slope beside ``beside``, ``beside``: that of ``beside`` next to the
        moderator), moderator, n_tasks; slope (change of the outcome for one standard deviation of the moderator between
        tasks) with slope_low and slope_high (bootstrap over tasks), left_out_low and left_out_high (lowest and highest
        slope with one task left out); r (correlation within settings), p (permutation of tasks, two-sided) and p_family
        (the same for the largest of all moderators tried: Westfall & Young 1993); r_needed (the size of r at which
        p_family falls below one minus ``confidence``); unseen_r2 (share of the
        outcome's variation on a task left out that the rest predict; below 0: worse than the mean of the others).
        r, p, p_family and r_needed are of ``alone`` only. NaN with fewer than five tasks, or where a moderator is
        constant.

    Raises
    ------
    ValueError
        A task lacks a setting, or a value is missing.
    """
    x, y = _arrays(table, outcome, moderators)
    rows = [("alone", name, [name]) for name in moderators]
    rows += [(model, name, [name, beside][:: 1 if model == "pair" else -1]) for name in moderators if name != beside
             for model in ("pair", "beside")]  # fmt: skip
    n_tasks = len(y)
    chosen = rng.integers(n_tasks, size=(n_resamples, n_tasks))
    left_out = np.array([np.delete(np.arange(n_tasks), task) for task in range(n_tasks)])
    found = []
    for model, name, names in rows:
        row = dict.fromkeys(COLUMNS, np.nan) | {"model": model, "moderator": name, "n_tasks": n_tasks}
        part = x[..., [list(moderators).index(other) for other in names]]  # (T, S, k)
        if n_tasks >= MIN_TASKS and np.isfinite(fit_slopes(part, y)).all():
            row["slope"] = fit_slopes(part, y)[0]
            draws = fit_slopes(part[chosen], y[chosen])[:, 0]
            row["slope_low"], row["slope_high"] = metrics.interval(draws[np.isfinite(draws)], confidence=confidence)
            without = fit_slopes(part[left_out], y[left_out])  # (T, k)
            row["left_out_low"], row["left_out_high"] = without[:, 0].min(), without[:, 0].max()
            row["unseen_r2"] = _predict_unseen(part, y, left_out, without)
        found.append(row)
    slopes = pd.DataFrame(found, columns=COLUMNS)
    if n_tasks >= MIN_TASKS:
        slopes.loc[slopes["model"] == "alone", ["r", "p", "p_family", "r_needed"]] = permute_tasks(
            x, y, n_permutations=n_permutations, confidence=confidence, rng=rng
        )
    return slopes


def say_what_follows(slopes: pd.DataFrame, names: Mapping[str, str], *, confidence: float) -> str:
    """Return in words what the slopes of one outcome show of each moderator alone, and what they cannot show.

    Parameters
    ----------
    slopes : DataFrame
        From :func:`regress`.
    names : mapping
        Moderator to its name in a sentence.
    """
    alone = slopes[(slopes["model"] == "alone") & slopes["slope"].notna()]
    if alone.empty:
        return f"with {slopes['n_tasks'].max()} task(s) nothing follows: {MIN_TASKS} are needed to fit a slope."
    firm = [names[row.moderator] for row in alone.itertuples() if row.slope_low > 0 or row.slope_high < 0]
    held = [
        f"{names[row.moderator]} (r = {row.r:+.2f}, p = {row.p_family:.2g})"
        for row in alone.itertuples()
        if row.p_family < 1 - confidence
    ]
    best = alone.loc[alone["unseen_r2"].idxmax()]
    unseen = (
        f"on a task left out, {names[best.moderator]} predicts best: {best.unseen_r2:.0%} of the variation"
        if best.unseen_r2 > 0
        else "no moderator predicts a task left out better than the mean of the others does"
    )
    return (
        f"one at a time, {len(firm)} of {len(alone)} intervals leave out 0 ({', '.join(firm) or 'none'}); by chance "
        f"alone it would be about {len(alone) * (1 - confidence):.1f}, and rather more, because intervals over so few "
        f"tasks are too short. Allowing for all {len(alone)} that were tried, what remains firm is "
        f"{', '.join(held) or 'none'}; {unseen}. With {best.n_tasks:.0f} tasks, a correlation below about "
        f"{alone['r_needed'].max():.2f} could not be told from chance."
    )


def fit_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return least-squares slopes with one intercept per setting.

    Parameters
    ----------
    x : ndarray, shape (..., T, S, k)
        k moderators of T tasks and S settings.
    y : ndarray, shape (..., T, S)
        The outcome.

    Returns
    -------
    slopes : ndarray, shape (..., k)
        NaN where the moderators are constant or tell each other apart too badly (condition number above 1e8).

    Examples
    --------
    >>> x = np.array([[[1.0], [5.0]], [[2.0], [6.0]], [[3.0], [7.0]]])  # 3 tasks, 2 settings
    >>> fit_slopes(x, 2 * x[..., 0] + [0, 100]).round(6)
    array([2.])
    """
    x = x - x.mean(-3, keepdims=True)
    y = y - y.mean(-2, keepdims=True)
    gram = np.einsum("...tsi,...tsj->...ij", x, x)
    cross = np.einsum("...tsi,...ts->...i", x, y)
    eigenvalues = np.linalg.eigvalsh(gram)
    sound = eigenvalues[..., 0] > 1e-8 * np.maximum(eigenvalues[..., -1], 1e-300)
    gram = np.where(sound[..., None, None], gram, np.eye(x.shape[-1]))
    return np.where(sound[..., None], np.linalg.solve(gram, cross[..., None])[..., 0], np.nan)


def permute_tasks(
    x: np.ndarray, y: np.ndarray, *, n_permutations: int, confidence: float, rng: np.random.Generator
) -> np.ndarray:
    """Return each moderator's correlation within settings, its p, and its p among all of them.

    The outcomes of whole tasks are dealt out anew, so that a task's settings stay together.

    Returns
    -------
    found : ndarray, shape (M, 4)
        r, p, p_family, r_needed; NaN where the moderator is constant.
    """
    x = x - x.mean(0)
    y = y - y.mean(0)
    lengths = np.sqrt((x**2).sum((0, 1)) * (y**2).sum())  # (M,)
    unit = np.divide(x, lengths, out=np.full_like(x, np.nan), where=lengths > 0)
    r = np.einsum("tsm,ts->m", unit, y)
    orders = rng.permuted(np.tile(np.arange(len(y)), (n_permutations, 1)), axis=1)
    others = np.abs(np.einsum("tsm,pts->pm", unit, y[orders]))  # (P, M)
    largest = np.nanmax(others, axis=1)
    reached = np.abs(r) - 1e-12
    p = (1 + (others >= reached).sum(0)) / (1 + n_permutations)
    p_family = (1 + (largest[:, None] >= reached).sum(0)) / (1 + n_permutations)
    needed = np.full_like(r, np.quantile(largest, confidence))
    return np.where(np.isfinite(r)[:, None], np.stack([r, p, p_family, needed], axis=1), np.nan)


def _arrays(table: pd.DataFrame, outcome: str, moderators: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return standardised moderators (T, S, M) and the outcome (T, S)."""
    wide = table.pivot(index="task", columns="setting", values=[outcome, *moderators])
    missing = wide.columns[wide.isna().any()].tolist()
    if missing:
        raise ValueError(f"some task has no value of {missing[:3]}")
    y = wide[outcome].to_numpy(dtype=float)
    x = np.stack([wide[name].to_numpy(dtype=float) for name in moderators], axis=-1)
    spread = np.sqrt(((x - x.mean(0)) ** 2).mean((0, 1)))  # (M,)
    return np.divide(x, spread, out=np.zeros_like(x), where=spread > 1e-12), y


def _predict_unseen(x: np.ndarray, y: np.ndarray, left_out: np.ndarray, slopes: np.ndarray) -> float:
    """Return 1 - (squared errors of the slopes) / (squared errors of the others' mean), each task left out in turn."""
    x_rest, y_rest = x[left_out].mean(1), y[left_out].mean(1)  # (T, S, k), (T, S): means of the other tasks
    plain = y - y_rest
    errors = plain - np.einsum("tsk,tk->ts", x - x_rest, slopes)
    total = (plain**2).sum()
    return float(1 - (errors**2).sum() / total) if total > 0 else np.nan
