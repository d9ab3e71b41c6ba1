"""Do the intervals hold what they promise? Crowds, classifiers and gaps are made up from known values, and measured."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from synthlib import metrics
from synthlib.agreement import alpha_of_weights, alpha_without_each, bca_interval, bootstrap_agreement
from synthlib.compare import subtract
from synthlib.coverage import tabulate_ends
from synthlib.intervals import mean_interval
from synthlib.votes.bradley_terry import bracket_scores, fit_many

#: How the texts of a made-up crowd are spread: share of texts, and the chance of the first label on them. Most texts
#: are clear to nearly all; on some readers are of two minds.
TEXT_KINDS = ((0.55, 0.97), (0.25, 0.05), (0.2, 0.6))
#: Two made-up sources: how good their classifiers are, and how far seeds lie apart (about a point of accuracy).
SKILLS, SEED_SPREAD = (1.2, 0.8), 0.05


def simulate_judgements(
    scores: np.ndarray,
    *,
    n_simulations: int,
    n_workers: int,
    n_pairs: int,
    spammer_share: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return judgements of made-up workers, and who of them passed the attention check.

    Workers judge random pairs as the Bradley-Terry model says. Spammers toss a coin, on pairs and on the attention
    check, which has two answers: every other spammer passes it, and all other workers do.

    Returns
    -------
    wins : ndarray, shape (S, W, T, T)
        By simulation, worker, task held to be more subjective, and the other one.
    passed : ndarray of bool, shape (S, W)

    Examples
    --------
    >>> settings = {"n_simulations": 3, "n_workers": 4, "n_pairs": 10, "spammer_share": 0.0}
    >>> wins, passed = simulate_judgements(np.array([1.0, 0.0]), **settings, rng=np.random.default_rng(0))
    >>> wins.shape, wins.sum(), passed.all()
    ((3, 4, 2, 2), np.float64(120.0), np.True_)
    """
    pairs = np.array(list(combinations(range(len(scores)), 2)))
    drawn = pairs[rng.integers(len(pairs), size=(n_simulations, n_workers, n_pairs))]  # (S, W, P, 2)
    spams = rng.random((n_simulations, n_workers)) < spammer_share
    first, second = drawn[..., 0], drawn[..., 1]
    chance = 1 / (1 + np.exp(scores[second] - scores[first]))
    chance = np.where(spams[..., None], 0.5, chance)
    won = rng.random(chance.shape) < chance
    wins = np.zeros((n_simulations, n_workers, len(scores), len(scores)))
    simulation, worker, _ = np.indices(won.shape)
    np.add.at(wins, (simulation, worker, np.where(won, first, second), np.where(won, second, first)), 1)
    return wins, ~spams | (rng.random(spams.shape) < 0.5)


def cover_scores(
    scores: np.ndarray,
    *,
    n_simulations: int,
    n_workers: int,
    n_pairs: int,
    regularisation: float,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return how often intervals of scores hold the true score: one row a kind of interval.

    Returns
    -------
    rows : DataFrame
        As of :func:`synthlib.coverage.tabulate_ends`; width in log-odds.
    """
    settings = {"n_simulations": n_simulations, "n_workers": n_workers, "n_pairs": n_pairs, "spammer_share": 0.0}
    wins, _ = simulate_judgements(scores, **settings, rng=rng)
    fitted = fit_many(wins.sum(axis=1), regularisation=regularisation)
    ends = {"percentile": [], "Student's t": []}
    for own, estimate in zip(wins, fitted, strict=True):
        weights = rng.multinomial(n_workers, np.full(n_workers, 1 / n_workers), size=n_resamples)
        draws = fit_many(np.tensordot(weights, own, axes=1), regularisation=regularisation, start=estimate)
        ends["percentile"].append(np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0))
        ends["Student's t"].append(bracket_scores(estimate, draws, n_workers=n_workers, confidence=confidence))
    case = {"quantity": "Bradley-Terry score", "case": f"{n_workers} workers"}
    return tabulate_ends(ends, scores - scores.mean(), case, used="Student's t")


def population_alpha() -> float:
    """Return the alpha of endlessly many texts of :data:`TEXT_KINDS`: what the intervals should hold.

    Examples
    --------
    >>> round(population_alpha(), 3)
    0.659
    """
    share, first = np.array(TEXT_KINDS).T
    observed = (share * 2 * first * (1 - first)).sum()
    overall = (share * first).sum()
    return float(1 - observed / (2 * overall * (1 - overall)))


def cover_alpha(
    *,
    n_simulations: int,
    n_texts: int,
    n_votes: int,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return how often intervals of Krippendorff's alpha hold that of the population; as :func:`cover_scores`."""
    share, first = np.array(TEXT_KINDS).T
    ends = {"percentile": [], "BCa": []}
    for _ in range(n_simulations):
        yes = rng.binomial(n_votes, rng.choice(first, size=n_texts, p=share))
        counts = np.column_stack([yes, n_votes - yes]).astype(float)
        estimate = float(alpha_of_weights(counts, np.ones((1, n_texts)))[0])
        draws = bootstrap_agreement(counts, n_resamples=n_resamples, rng=rng)[1]
        ends["percentile"].append(np.nanquantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2]))
        ends["BCa"].append(bca_interval(estimate, draws, alpha_without_each(counts), confidence=confidence))
    case = {"quantity": "Krippendorff's alpha", "case": f"{n_texts} texts"}
    return tabulate_ends(ends, population_alpha(), case, used="BCa")


def simulate_classifiers(
    *, n_texts: int, n_seeds: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return gold labels (N,) of two labels, half each, and the predictions (S, N) of two made-up sources.

    A text is told right where the source's skill, the seed's luck, the text's ease (shared by all) and chance add up to
    more than 0; luck is normal with :data:`SEED_SPREAD`, ease and chance are standard normal.
    """
    gold, ease = np.arange(n_texts) % 2, rng.normal(size=n_texts)
    luck = SEED_SPREAD * rng.normal(size=(len(SKILLS), n_seeds, 1))
    right = np.array(SKILLS)[:, None, None] + luck + ease + rng.normal(size=(len(SKILLS), n_seeds, n_texts)) > 0
    first, second = np.where(right, gold, 1 - gold)
    return gold, (first, second)


def population_difference() -> float:
    """Return the difference in Macro-F1 of :func:`simulate_classifiers` over endlessly many texts and seeds.

    Examples
    --------
    >>> round(population_difference(), 3)
    0.088
    """
    first, second = stats.norm.cdf(np.array(SKILLS) / np.sqrt(2 + SEED_SPREAD**2))
    return float(first - second)


def cover_difference(
    *, n_simulations: int, n_texts: int, n_seeds: int, n_resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return how often the interval of a difference in Macro-F1 holds that of the population; as :func:`cover_scores`.

    It is what 03, 05 and 08 use: percentiles of a bootstrap over test texts and seeds, shared by both sources. To draw
    both at once counts the chance of a single prediction more than once, so the interval is rather too long.

    References
    ----------
    Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1.
    """
    ends = []
    for _ in range(n_simulations):
        gold, predicted = simulate_classifiers(n_texts=n_texts, n_seeds=n_seeds, rng=rng)
        resampling = metrics.draw_resampling(n_texts, n_seeds, n_resamples=n_resamples, rng=rng)
        scores = [metrics.bootstrap_scores(gold, labels, n_labels=2, resampling=resampling) for labels in predicted]
        ends.append(metrics.interval(subtract(*scores).f1_draws, confidence=confidence))
    case = {"quantity": "Difference in Macro-F1", "case": f"{n_seeds} seeds"}
    return tabulate_ends({"percentile": ends}, population_difference(), case, used="percentile")


def simulate_relation(rho: float, shape: tuple[int, ...], *, rng: np.random.Generator) -> np.ndarray:
    """Return made-up scores and gaps, shape (2, *shape): bivariate normal, of Spearman's rho ``rho`` in the population.

    Examples
    --------
    >>> scores, gaps = simulate_relation(0.5, (100_000,), rng=np.random.default_rng(0))
    >>> round(float(metrics.correlate_ranks(scores, gaps)), 2)
    0.5

    References
    ----------
    Kruskal (1958), Ordinal measures of association: rho is 6 / pi times the arcsine of half Pearson's correlation.
    """
    pearson = 2 * np.sin(np.pi * rho / 6)
    scores, chance = rng.normal(size=(2, *shape))
    return np.stack([scores, pearson * scores + np.sqrt(1 - pearson**2) * chance])


def cover_correlation(
    rho: float, *, n_simulations: int, n_tasks: int, n_resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return how often the interval of Spearman's rho over tasks holds that of the population; as :func:`cover_scores`.

    It is what 05 uses: percentiles of a bootstrap over tasks. The rho of a bivariate normal population is known.
    """
    studies = zip(*simulate_relation(rho, (n_simulations, n_tasks), rng=rng), strict=True)
    settings = {"n_resamples": n_resamples, "confidence": confidence, "rng": rng}
    ends = [metrics.correlation_interval(scores, gaps, **settings) for scores, gaps in studies]
    case = {"quantity": f"Spearman's rho over {n_tasks} tasks", "case": f"true rho {rho:g}"}
    return tabulate_ends({"percentile": ends}, rho, case, used="percentile")


def cover_mean(
    shape: Literal["normal", "skewed"],
    *,
    n_simulations: int,
    n_tasks: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return how often Student's interval of a mean over tasks holds that of the population; as :func:`cover_scores`.

    Gaps are standard normal, or skewed: exponential with mean 1, many small gaps and a few large ones.
    """
    draw, truth = {"normal": (rng.standard_normal, 0.0), "skewed": (rng.standard_exponential, 1.0)}[shape]
    ends = [mean_interval(gaps, confidence=confidence)[1:] for gaps in draw((n_simulations, n_tasks))]
    case = {"quantity": f"Mean gap over {n_tasks} tasks", "case": f"{shape} gaps"}
    return tabulate_ends({"Student's t": ends}, truth, case, used="Student's t")


def recover_scores(
    scores: np.ndarray,
    *,
    n_simulations: int,
    n_workers: int,
    n_pairs: int,
    regularisation: float,
    spammer_share: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return what scores are found where some workers are spammers, with and without the attention filter.

    Returns
    -------
    rows : DataFrame
        crowd (``no spammers``, ``spammers, all kept``, ``spammers, filtered``), task (number), truth, score (mean over
        simulations), score_low and score_high (where the middle 95% of simulations lie).
    """
    settings = {"n_simulations": n_simulations, "n_workers": n_workers, "n_pairs": n_pairs}
    honest, _ = simulate_judgements(scores, **settings, spammer_share=0.0, rng=rng)
    mixed, passed = simulate_judgements(scores, **settings, spammer_share=spammer_share, rng=rng)
    crowds = {"no spammers": honest, "spammers, all kept": mixed, "spammers, filtered": mixed * passed[..., None, None]}
    rows = []
    for crowd, wins in crowds.items():
        fitted = fit_many(wins.sum(axis=1), regularisation=regularisation)
        low, high = np.quantile(fitted, [0.025, 0.975], axis=0)
        columns = {"truth": scores - scores.mean(), "score": fitted.mean(axis=0), "score_low": low, "score_high": high}
        rows.append(pd.DataFrame(columns).assign(crowd=crowd, task=np.arange(len(scores))))
    return pd.concat(rows, ignore_index=True)


def measure_bias(recovered: pd.DataFrame) -> pd.DataFrame:
    """Return how far scores are drawn together (below 1) or apart: crowd, slope of score on truth."""
    slopes = [
        (crowd, float(np.polyfit(rows["truth"], rows["score"], 1)[0]))
        for crowd, rows in recovered.groupby("crowd", sort=False)
    ]
    return pd.DataFrame(slopes, columns=["crowd", "slope"])
