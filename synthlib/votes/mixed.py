"""Subjectivity of the task and of the text in one model of what classifiers get right.

How often a text is predicted right (share of seeds) is explained by the training source, the task's subjectivity, the
text's disagreement, and both of these by source. Tasks, each source on a task, and texts have random effects.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from synthlib.votes.instances import TextSet, align_predictions

MIN_TASKS = 5  # with fewer, how tasks vary is not known at all
VOTER = 0.2  # of agreement: one of five voters
_WAYS = {1: "widens", -1: "narrows"}
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
    Its intervals are estimate -/+ Student's t (tasks - 1 degrees of freedom) times the standard error of the draws.

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
    draws = _bootstrap_tasks(rows["task"].to_numpy(), model.exog, model.endog, n_resamples, rng)
    reach = stats.t.ppf((1 + confidence) / 2, n_tasks - 1) * draws.std(axis=0, ddof=1)
    columns = {"term": [_name(term) for term in names], "estimate": fit.fe_params.to_numpy()}
    columns |= {"low": bounds[0].to_numpy(), "high": bounds[1].to_numpy()}
    whole = np.linalg.lstsq(model.exog, model.endog, rcond=None)[0]
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
    dummies = np.column_stack([np.ones(len(rows)), *((rows["source"] == source) for source in sources[1:])])  # (N, S)
    plain = np.hstack([dummies, dummies, dummies * rows[["disagreement"]].to_numpy()])  # (N, 3 S), before subjectivity
    by_task = {task: np.flatnonzero(rows["task"] == task) for task in rows["task"].unique()}
    squares = np.array([plain[places].T @ plain[places] for places in by_task.values()])  # (T, 3 S, 3 S)
    products = np.array([plain[places].T @ rows["right"].to_numpy()[places] for places in by_task.values()])
    scores = rows.groupby("task", sort=False)["subjectivity"].first()[list(by_task)].to_numpy()
    dealt = np.vstack([scores, rng.permuted(np.tile(scores, (n_permutations, 1)), axis=1)])  # (1 + R, T)
    factors = np.ones((*dealt.shape, plain.shape[1]))
    factors[:, :, len(sources) : 2 * len(sources)] = dealt[:, :, None]
    left = np.einsum("rti,tij,rtj->rij", factors, squares, factors, optimize=True)
    found = np.linalg.solve(left, np.einsum("rti,ti->ri", factors, products)[..., None])[..., 0]
    found = np.abs(found[:, len(sources) + 1 : 2 * len(sources)])  # of each source but the first
    p = (1 + (found[1:] >= found[0] * (1 - 1e-9)).sum(axis=0)) / (1 + n_permutations)
    return pd.Series(p, index=sources[1:])


def _bootstrap_tasks(
    task: np.ndarray, exog: np.ndarray, endog: np.ndarray, n_resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return least-squares coefficients on resampled tasks, shape (R, P).

    Resamples of so few different tasks that a term cannot be told apart are left out.
    """
    names = np.unique(task)
    squares = np.array([exog[task == name].T @ exog[task == name] for name in names])
    products = np.array([exog[task == name].T @ endog[task == name] for name in names])
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)
    left = np.tensordot(weights, squares, axes=1)  # (R, P, P)
    sound = np.linalg.cond(left) < 1e10
    return np.linalg.solve(left[sound], (weights[sound] @ products)[..., None])[..., 0]


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
    """Return what is behind the interactions of one source, as a row of a table.

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
    fit = fit_mixed(rows, n_resamples=n_resamples, confidence=confidence, rng=rng).coefficients.set_index("term")
    for what in ("subjectivity", "disagreement"):
        term = fit.loc[f"{source} x {what}"]
        row |= {what: term["estimate"], f"{what}_low": term["task_low"], f"{what}_high": term["task_high"]}
    return row | {"subjectivity_p": permute_scores(rows, n_permutations=n_resamples, rng=rng)[source]}


def format_coefficients(coefficients: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the coefficients in points and words, with both intervals.

    Parameters
    ----------
    coefficients : DataFrame
        term, estimate, low, high, task_low, task_high (accuracy, fractions).
    names : mapping of str to str
        What to call the sources.
    """
    words = {"subjectivity": "task subjectivity", "disagreement": "dissent", "Intercept": "real text, on average"}
    points = 100 * coefficients.drop(columns="term")
    return pd.DataFrame(
        {
            "effect": [
                " × ".join(words.get(part) or names[part] for part in term.split(" x "))
                for term in coefficients["term"]
            ],
            "points of accuracy": points["estimate"],
            "mixed model": [f"{low:.1f} to {high:.1f}" for low, high in points[["low", "high"]].to_numpy()],
            "task bootstrap": [
                f"{low:.1f} to {high:.1f}" for low, high in points[["task_low", "task_high"]].to_numpy()
            ],
        }
    )


def say_interactions(coefficients: pd.DataFrame, source: str, name: str) -> str:
    """Return what subjectivity of the task and disagreement on the text do to the gap to training on real text.

    Parameters
    ----------
    coefficients : DataFrame
        term, estimate, low, high, task_low, task_high (accuracy, fractions).
    source, name : str
        The source, and what to call it.
    """
    terms, said = 100 * coefficients.set_index("term"), []
    units = {
        "subjectivity": "One standard deviation more of task subjectivity",
        "disagreement": "Each dissenting voter",
    }
    for term, unit in units.items():
        row, real = terms.loc[f"{source} x {term}"], terms.loc[term, "estimate"]
        own = real + row["estimate"]
        if max(real, own) < 0:
            change = (
                f"costs a classifier trained on real text {-real:.1f} points of accuracy and one trained on {name} "
                f"text {'only ' if row['estimate'] > 0 else ''}{-own:.1f}"
            )
        else:
            change = (
                f"changes the accuracy of a classifier trained on real text by {real:+.1f} points and that of one "
                f"trained on {name} text by {own:+.1f}"
            )
        widens = -1 if row["estimate"] > 0 else 1
        ends = [sorted(-widens * row[list(pair)]) for pair in (("low", "high"), ("task_low", "task_high"))]
        intervals = [f"{low:.1f} to {high:.1f} by the" for low, high in ends]
        said.append(
            f"{unit} {change}, so the gap {_WAYS[widens]} by {abs(row['estimate']):.1f} points ({intervals[0]} mixed "
            f"model, {intervals[1]} task bootstrap; {_say_sure(row)})."
        )
    said.append("This is accuracy on the panel's texts; 05 and 08 ask the same of Macro-F1 on all test texts.")
    return " ".join(said)


def say_directions(coefficients: pd.DataFrame, source: str, name: str) -> str:
    """Return :func:`say_interactions` in one sentence without sizes."""
    terms = coefficients.set_index("term")
    of_terms = {"subjectivity": "with the subjectivity of the task", "disagreement": "with dissent on the text"}
    said = []
    for term, what in of_terms.items():
        row = terms.loc[f"{source} x {term}"]
        said.append(f"{_WAYS[-1 if row['estimate'] > 0 else 1]} {what} ({_say_sure(row)})")
    return f"the gap between training on real and on {name} text {' and '.join(said)}."


def _say_sure(row: pd.Series) -> str:
    """Return which of the two intervals exclude 0."""
    ends = {"mixed model": ("low", "high"), "task bootstrap": ("task_low", "task_high")}
    sure = [kind for kind, (low, high) in ends.items() if row[low] > 0 or row[high] < 0]
    if len(sure) == 1:
        return f"only the interval of the {sure[0]} excludes 0"
    return "both intervals exclude 0" if sure else "neither interval excludes 0"
