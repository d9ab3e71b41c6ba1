"""How firm a ranking is: circular triads, what each worker moves, and which levels survive other workers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from synthlib.ranking import bootstrap_scores, find_parts, fit_scores
from synthlib.votes.bradley_terry import bracket_scores, fit_many


def score_tasks(
    wins: np.ndarray,
    tasks: list[str],
    *,
    regularisation: float,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return Bradley-Terry scores with intervals over workers, and the draws behind these.

    Parameters
    ----------
    wins : ndarray, shape (W, T, T)
        By worker, from :func:`synthlib.ranking.count_wins`.

    Returns
    -------
    scores : DataFrame
        task, part (1 for all if a chain of comparisons joins every two tasks; scores of different parts cannot be held
        against each other), score (log-odds, mean 0 in each part), score_low, score_high (NaN with one worker).
    draws : ndarray, shape (R, T)
        Scores of resampled workers; R is 0 with one worker.
    """
    total = wins.sum(axis=0)
    part = find_parts(total)
    fitted = fit_scores(total, regularisation=regularisation)
    settings = {"regularisation": regularisation, "n_resamples": n_resamples, "rng": rng}
    draws = bootstrap_scores(wins, **settings) if len(wins) > 1 else np.empty((0, len(tasks)))
    for number in range(1, part.max() + 1):
        fitted[part == number] -= fitted[part == number].mean()
        draws[:, part == number] -= draws[:, part == number].mean(axis=1, keepdims=True)
    low = high = np.full(len(tasks), np.nan)
    if len(draws):
        low, high = bracket_scores(fitted, draws, n_workers=len(wins), confidence=confidence)
    columns = {"task": tasks, "part": part, "score": fitted, "score_low": low, "score_high": high}
    return pd.DataFrame(columns), draws


def rank_probabilities(draws: np.ndarray, tasks: list[str]) -> pd.DataFrame:
    """Return how often each task takes each rank: task, rank (1 = least subjective), probability.

    Parameters
    ----------
    draws : ndarray, shape (R, T)
        Scores of R resamples; equal scores take ranks in the order of ``tasks``.

    Examples
    --------
    >>> rank_probabilities(np.array([[1.0, 2.0], [3.0, 2.0]]), ["a", "b"])["probability"].tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    ranks = np.argsort(np.argsort(draws, axis=1, kind="stable"), axis=1)  # (R, T)
    shares = (ranks[:, :, None] == np.arange(len(tasks))).mean(0)  # (T, T)
    rows = [(task, rank + 1, shares[i, rank]) for i, task in enumerate(tasks) for rank in range(len(tasks))]
    return pd.DataFrame(rows, columns=["task", "rank", "probability"])


def count_circular(wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many triads of tasks have three majorities, and in how many of them these run in a circle.

    Parameters
    ----------
    wins : ndarray, shape (..., T, T)
        Judgements by more subjective and more objective task.

    Returns
    -------
    triads, circular : ndarray of int, shape (...)

    Examples
    --------
    >>> [int(n) for n in count_circular(np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]))]
    [1, 1]
    """
    beats = (wins > np.swapaxes(wins, -1, -2)).astype(int)
    joined = beats + np.swapaxes(beats, -1, -2)
    triads, circular = (np.trace(m @ m @ m, axis1=-2, axis2=-1) for m in (joined, beats))
    return triads // 6, circular // 3


def measure_transitivity(
    wins: np.ndarray, scores: np.ndarray, *, n_resamples: int, rng: np.random.Generator
) -> dict[str, float | int]:
    """Return how many circular triads the majorities have, against tossing a coin and against the fitted scores.

    Parameters
    ----------
    wins : ndarray, shape (T, T)
        Judgements by more subjective and more objective task.
    scores : ndarray, shape (T,)
        Bradley-Terry scores of these judgements.
    n_resamples : int
        Sets of judgements drawn under each of the two.

    Returns
    -------
    row : dict
        n_triads, n_circular; consistence (Kendall's coefficient: 1 without circular triads, 0 with as many as can be;
        NaN where a pair has no majority); by_coin and by_model (circular triads to expect where every judgement is a
        coin's toss, and where the scores hold); p_coin (chance of so few by coin: small if there is an order at all)
        and p_model (chance of so many under the scores: small if judgements are less transitive than any scores allow).

    References
    ----------
    Kendall & Babington Smith (1940), On the method of paired comparisons.
    """
    n_tasks, judged = len(wins), (wins + wins.T).astype(int)
    upper = np.triu_indices(n_tasks, 1)
    chance = 1 / (1 + np.exp(scores[upper[1]] - scores[upper[0]]))
    triads, circular = (int(n) for n in count_circular(wins))
    drawn = {}
    for name, share in (("coin", np.full(len(chance), 0.5)), ("model", chance)):
        won = rng.binomial(judged[upper], share, size=(n_resamples, len(share)))
        tables = np.zeros((n_resamples, n_tasks, n_tasks))
        tables[:, upper[0], upper[1]], tables[:, upper[1], upper[0]] = won, judged[upper] - won
        drawn[name] = count_circular(tables)[1]
    most = (n_tasks**3 - n_tasks * (1 if n_tasks % 2 else 4)) / 24
    complete = n_tasks > 2 and (wins != wins.T)[upper].all()
    row = {"n_triads": triads, "n_circular": circular, "consistence": 1 - circular / most if complete else np.nan}
    row |= {f"by_{name}": float(counts.mean()) for name, counts in drawn.items()}
    extreme = {"p_coin": drawn["coin"] <= circular, "p_model": drawn["model"] >= circular}
    return row | {name: float((1 + as_far.sum()) / (1 + n_resamples)) for name, as_far in extreme.items()}


def drop_workers(
    wins: np.ndarray, workers: list[str], tasks: list[str], *, min_pairs: int, regularisation: float
) -> pd.DataFrame:
    """Return what the ranking becomes when each worker in turn is left out.

    Parameters
    ----------
    wins : ndarray, shape (W, T, T)
        By worker; two workers or more.
    workers : list of str
        Their names, in the same order.
    min_pairs : int
        Fewest judgements for a pair to have a majority.

    Returns
    -------
    influence : DataFrame
        One row per worker, the most influential first: worker, n_votes, tau (Kendall, between the scores with and
        without), shift (largest change of a score, log-odds; leaving out means score without minus score with),
        task (whose score it is) and n_moved (tasks whose level of the majority graph changes).

    Raises
    ------
    ValueError
        There is only one worker.
    """
    if len(wins) < 2:
        raise ValueError(f"{len(wins)} worker(s); leaving one out needs at least 2")
    total = wins.sum(axis=0)
    kept = total - wins  # (W, T, T)
    scores = fit_many(total[None], regularisation=regularisation)[0]
    shifts = fit_many(kept, regularisation=regularisation, start=scores) - scores  # (W, T)
    levels, *without = number_levels(_find_majorities(wins, 1 - np.eye(len(wins)), min_pairs))
    moved = (np.array(without) != levels).sum(axis=1)
    largest = np.abs(shifts).argmax(axis=1)
    influence = pd.DataFrame(
        {
            "worker": workers,
            "n_votes": wins.sum(axis=(1, 2)).astype(int),
            "tau": [stats.kendalltau(scores, scores + shift).statistic for shift in shifts],
            "shift": shifts[np.arange(len(shifts)), largest],
            "task": np.array(tasks)[largest],
            "n_moved": moved,
        }
    )
    order = influence["shift"].abs().sort_values(ascending=False, kind="stable").index
    return influence.loc[order].reset_index(drop=True)


def number_levels(beats: np.ndarray) -> np.ndarray:
    """Return the level of every task in many majority graphs at once, as :func:`synthlib.ranking.find_levels` of one.

    Parameters
    ----------
    beats : ndarray of bool, shape (..., T, T)
        Whether a majority holds the first task to be the more subjective one.

    Returns
    -------
    levels : ndarray of int, shape (..., T)
        1 is the least subjective; tasks on a cycle share a level.

    Examples
    --------
    >>> number_levels(np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)).tolist()
    [3, 2, 1]
    """
    n_tasks = beats.shape[-1]
    reaches = beats.astype(np.float32)
    for _ in range(int(np.ceil(np.log2(max(n_tasks, 2))))):  # paths of up to 2, 4, 8, ... edges
        reaches = np.minimum(reaches + reaches @ reaches, 1)
    above = (reaches > 0) & ~np.swapaxes(reaches > 0, -1, -2)  # and not below: another level
    levels = np.ones(beats.shape[:-1], dtype=int)
    for _ in range(n_tasks - 1):
        levels = 1 + np.where(above, levels[..., None, :], 0).max(axis=-1)
    return levels


def hold_levels(
    wins: np.ndarray, tasks: list[str], *, min_pairs: int, n_resamples: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return how often each border between two levels survives drawing other workers.

    A border holds in a resample if every task above it has a higher level there than every task below it.

    Parameters
    ----------
    wins : ndarray, shape (W, T, T)
        By worker.
    min_pairs : int
        Fewest judgements for a pair to have a majority.

    Returns
    -------
    borders : DataFrame
        level (the lower of the two; 1 is the least subjective), below and above (tasks right under and right over the
        border, comma-separated) and holds (share of resamples). No rows where all tasks are on one level.

    Raises
    ------
    ValueError
        There is only one worker.
    """
    if len(wins) < 2:
        raise ValueError(f"{len(wins)} worker(s); drawing other workers needs at least 2")
    weights = rng.multinomial(len(wins), np.full(len(wins), 1 / len(wins)), size=n_resamples)
    levels, *drawn = number_levels(_find_majorities(wins, weights, min_pairs))
    drawn = np.array(drawn)
    rows = []
    for level in range(1, levels.max()):
        under = levels <= level
        holds = drawn[:, ~under].min(axis=1) > drawn[:, under].max(axis=1)
        beside = [", ".join(np.array(tasks)[levels == n]) for n in (level, level + 1)]
        rows.append((level, *beside, float(holds.mean())))
    return pd.DataFrame(rows, columns=["level", "below", "above", "holds"])


def _find_majorities(wins: np.ndarray, weights: np.ndarray, min_pairs: int) -> np.ndarray:
    """Return the majority graphs (1 + R, T, T) of all workers and, after it, under R rows of weights."""
    tables = np.concatenate([wins.sum(axis=0)[None], np.tensordot(weights, wins, axes=1)])
    others = np.swapaxes(tables, 1, 2)
    return (tables > others) & (tables + others >= min_pairs)
