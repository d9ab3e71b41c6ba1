"""Subjectivity of the task and of the text in one model of what classifiers get right.

How often a text is predicted right (share of seeds) is explained by the training source, the task's subjectivity, the
text's disagreement, and both of these by source. Tasks, each source on a task, and texts have random effects.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from synthlib.votes.instances import TextSet, align_predictions

MIN_TASKS = 5  # with fewer, how tasks vary is not known at all
VOTER = 0.2  # of agreement: one of five voters
_FORMULA = "right ~ C(source) * subjectivity + C(source) * disagreement"
_RANDOM = {"source on a task": "0 + C(source)", "text": "0 + C(key)"}


@dataclass(frozen=True)
class MixedFit:
    """A fitted mixed model.

    Attributes
    ----------
    coefficients : DataFrame
        term, estimate, low, high (model), task_low, task_high (cluster bootstrap over tasks).
    variances : dict of str to float
        Of the random effects (task, source on a task, text) and of what is left (residual).
    effects : ndarray
        Predicted random effects of sources on tasks.
    residuals : ndarray, shape (N,)
    converged : bool
    notes : list of str
        What the fit warned of.
    """

    coefficients: pd.DataFrame
    variances: dict[str, float]
    effects: np.ndarray
    residuals: np.ndarray
    converged: bool
    notes: list[str]


def gather_rows(
    sets: list[TextSet], predictions: dict[str, pd.DataFrame], scores: pd.Series, sources: list[str]
) -> pd.DataFrame:
    """Return one row per text and source: task, key, source, right (share of seeds), subjectivity, disagreement.

    Parameters
    ----------
    sets : list of TextSet
        One a task.
    predictions : dict of str to DataFrame
        By task; test_set and the columns of :func:`synthlib.votes.instances.align_predictions`.
    scores : Series
        Bradley-Terry score by task; becomes subjectivity in standard deviations over the tasks of ``sets``.
    sources : list of str
        The first is what the others are compared with.

    Returns
    -------
    rows : DataFrame
        ``disagreement`` is 1 - a_i in units of 0.2, one of five voters, minus its mean.
    """
    frames = []
    for group in sets:
        tested = predictions[group.task].query("test_set == @group.test_set")
        for source in sources:
            right, _ = align_predictions(tested, group.texts, source=source)
            columns = {"task": group.task, "key": group.texts["key"], "source": source, "right": right.mean(axis=0)}
            frames.append(pd.DataFrame(columns).assign(disagreement=(1 - group.texts["agreement"]) / VOTER))
    rows = pd.concat(frames, ignore_index=True)
    used = scores[[group.task for group in sets]].astype(float)
    rows["subjectivity"] = rows["task"].map((used - used.mean()) / used.std())
    rows["disagreement"] -= rows["disagreement"].mean()
    return rows.assign(source=pd.Categorical(rows["source"], sources))


def fit_mixed(rows: pd.DataFrame, *, n_resamples: int, confidence: float, rng: np.random.Generator) -> MixedFit:
    """Return the mixed model of :func:`gather_rows`' table, beside a cluster bootstrap over tasks.

    The bootstrap draws whole tasks and fits the same terms by least squares: it assumes nothing of the random effects.
    Its intervals are estimate -/+ Student's t (tasks - 1 degrees of freedom) times the standard error: half the
    distance between the draws' quantiles at -/+ one standard deviation, which an odd draw of few tasks cannot stretch.

    Raises
    ------
    ValueError
        There are fewer than five tasks.

    References
    ----------
    Laird & Ware (1982), Random-effects models for longitudinal data.
    """
    import statsmodels.formula.api as formulas  # half a second, only here

    n_tasks = rows["task"].nunique()
    if n_tasks < MIN_TASKS:
        raise ValueError(f"{n_tasks} task(s); a model of how tasks vary needs at least {MIN_TASKS}")
    model = formulas.mixedlm(_FORMULA, rows, groups="task", re_formula="1", vc_formula=_RANDOM)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = model.fit(method="lbfgs", maxiter=100)
    names = list(fit.fe_params.index)
    bounds = fit.conf_int(alpha=1 - confidence).loc[names]
    columns = {"term": [_name(term) for term in names], "estimate": fit.fe_params.to_numpy()}
    columns |= {"low": bounds[0].to_numpy(), "high": bounds[1].to_numpy()}
    whole, reach = _fit_by_task(rows["task"], model.exog, model.endog, n_resamples, confidence, rng)
    coefficients = pd.DataFrame(columns | {"task_low": whole - reach, "task_high": whole + reach})
    variances = {"task": float(fit.cov_re.iloc[0, 0])}
    variances |= dict(zip(model.exog_vc.names, map(float, fit.vcomp), strict=True)) | {"residual": float(fit.scale)}
    effects = np.concatenate(
        [own[[name.startswith("source on a task") for name in own.index]] for own in fit.random_effects.values()]
    )
    notes = sorted({str(warning.message) for warning in caught})
    return MixedFit(coefficients, variances, effects, fit.resid.to_numpy(), bool(fit.converged), notes)


def permute_scores(rows: pd.DataFrame, *, n_permutations: int, rng: np.random.Generator) -> pd.Series:
    """Return by source how often scores dealt out anew to the tasks change its gap to the first source as much.

    The terms of :func:`fit_mixed` are fitted by least squares. What is permuted is what varies between tasks alone, so
    the p-value holds however few tasks there are.

    Parameters
    ----------
    rows : DataFrame
        From :func:`gather_rows`.

    Returns
    -------
    p : Series
        Two-sided, of ``<source> x subjectivity``, by source.
    """
    sources = list(rows["source"].cat.categories)
    squares, products = _sum_by_task(rows["task"], _lay_out(rows), rows["right"].to_numpy())
    scores = rows.drop_duplicates("task")["subjectivity"].to_numpy()
    dealt = np.vstack([scores, rng.permuted(np.tile(scores, (n_permutations, 1)), axis=1)])  # (1 + R, T)
    factors = np.ones((*dealt.shape, products.shape[1]))
    factors[:, :, len(sources) : 2 * len(sources)] = dealt[:, :, None]
    left = np.einsum("rti,tij,rtj->rij", factors, squares, factors, optimize=True)
    found = np.linalg.solve(left, np.einsum("rti,ti->ri", factors, products)[..., None])[..., 0]
    found = np.abs(found[:, len(sources) + 1 : 2 * len(sources)])  # of each source but the first
    p = (1 + (found[1:] >= found[0] * (1 - 1e-9)).sum(axis=0)) / (1 + n_permutations)
    return pd.Series(p, index=sources[1:])


def _fit_by_task(
    task: pd.Series, exog: np.ndarray, endog: np.ndarray, n_resamples: int, confidence: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return least-squares coefficients (P,), and how far their intervals reach to either side, by resampled tasks.

    Resamples of so few different tasks that a term cannot be told apart are left out.
    """
    squares, products = _sum_by_task(task, exog, endog)
    n_tasks = len(squares)
    weights = rng.multinomial(n_tasks, np.full(n_tasks, 1 / n_tasks), size=n_resamples)
    left = np.tensordot(weights, squares, axes=1)  # (R, P, P)
    sound = np.linalg.cond(left) < 1e10
    draws = np.linalg.solve(left[sound], (weights[sound] @ products)[..., None])[..., 0]  # (R, P)
    low, high = np.quantile(draws, stats.norm.cdf([-1, 1]), axis=0)
    whole = np.linalg.solve(squares.sum(axis=0), products.sum(axis=0))
    return whole, stats.t.ppf((1 + confidence) / 2, n_tasks - 1) * (high - low) / 2


def _sum_by_task(task: pd.Series, exog: np.ndarray, endog: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return X'X (T, P, P) and X'y (T, P) of each task, in order of first appearance."""
    places = [np.flatnonzero(task == name) for name in task.unique()]
    return np.array([exog[p].T @ exog[p] for p in places]), np.array([exog[p].T @ endog[p] for p in places])


def _lay_out(rows: pd.DataFrame) -> np.ndarray:
    """Return the terms of :data:`_FORMULA` in its order, shape (N, 3 S), those with subjectivity not yet times it."""
    sources = rows["source"].cat.categories[1:]
    dummies = np.column_stack([np.ones(len(rows)), *((rows["source"] == source) for source in sources)])  # (N, S)
    return np.hstack([dummies, dummies, dummies * rows[["disagreement"]].to_numpy()])


def _name(term: str) -> str:
    """Return a term without patsy's marks.

    Examples
    --------
    >>> _name("C(source)[T.zero_shot]:subjectivity")
    'zero_shot x subjectivity'
    """
    return term.replace("C(source)[T.", "").replace("]", "").replace(":", " x ")


def summarise_interactions(
    rows: pd.DataFrame, source: str, *, n_resamples: int, confidence: float, rng: np.random.Generator
) -> dict[str, float]:
    """Return what is behind the interactions of one source, as a row of a table; they are fitted by least squares.

    Returns
    -------
    row : dict
        real_unanimous, real_disputed, own_unanimous, own_disputed (mean accuracy, fractions); subjectivity and
        disagreement (the source's interaction with each, with ``_low`` and ``_high`` by the task bootstrap), and
        subjectivity_p (:func:`permute_scores`).
    """
    disputed = np.where(rows["disagreement"] > rows["disagreement"].min(), "disputed", "unanimous")
    means = rows.groupby([rows["source"].astype(str), disputed])["right"].mean()
    row = {
        f"{name}_{kind}": means[of, kind]
        for name, of in (("real", "real"), ("own", source))
        for kind in ("unanimous", "disputed")
    }
    sources, exog = list(rows["source"].cat.categories), _lay_out(rows)
    exog[:, len(sources) : 2 * len(sources)] *= rows[["subjectivity"]].to_numpy()
    whole, reach = _fit_by_task(rows["task"], exog, rows["right"].to_numpy(), n_resamples, confidence, rng)
    for number, what in enumerate(("subjectivity", "disagreement"), 1):
        at = number * len(sources) + sources.index(source)
        row |= {what: whole[at], f"{what}_low": whole[at] - reach[at], f"{what}_high": whole[at] + reach[at]}
    return row | {"subjectivity_p": permute_scores(rows, n_permutations=n_resamples, rng=rng)[source]}
