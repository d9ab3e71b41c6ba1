"""Scores of all tasks side by side: Table 1, differences, the authors' figures, and the relation to subjectivity."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from synthlib import metrics
from synthlib.compare import CONTRASTS, average_contrast, contrast, say_points, score_predictions
from synthlib.intervals import estimate, mean_interval
from synthlib.metrics import Scores
from synthlib.paths import PARAMS
from synthlib.tasks import Task

#: Columns of figures/05_table_1.csv.
TABLE_1 = ["task", "group", "source", "n_train", "seeds"] + [
    name + end for name in ("f1", "accuracy") for end in ("", "_low", "_high")
]


def collect_table_1(by_task: Mapping[str, pd.DataFrame], tasks: Mapping[str, Task]) -> pd.DataFrame:
    """Return Table 1 (:data:`TABLE_1`) from the ``metrics`` tables of 03_train, the least subjective group first."""
    frames = [
        frame[frame["test_set"] == "test"].assign(task=task, group=tasks[task].group) for task, frame in by_task.items()
    ]
    return pd.concat(frames, ignore_index=True).sort_values("group", kind="stable")[TABLE_1].reset_index(drop=True)


def say_below_guessing(table_1: pd.DataFrame, shares: Mapping[str, pd.Series]) -> str:
    """Return where Macro-F1 lies, interval included, below what guessing every label equally often would reach.

    A label of share s, guessed for one text in K, has precision s and recall 1/K.

    Parameters
    ----------
    table_1 : DataFrame
        task, source, f1_high (fractions).
    shares : mapping of str to Series
        By task: each label's share of the test texts.
    """
    guess = {task: (2 * share / len(share) / (share + 1 / len(share))).mean() for task, share in shares.items()}
    below = table_1[table_1["f1_high"] < table_1["task"].map(guess)]
    named = [f"{task}: {', '.join(rows['source'])}" for task, rows in below.groupby("task", sort=False)]
    return "; ".join(named) or "none"


def collect_differences(
    scores: Mapping[str, dict[str, Scores]], tasks: Mapping[str, Task], *, confidence: float
) -> pd.DataFrame:
    """Return :func:`synthlib.compare.contrast` of every task: task, group, first, second and the differences."""
    frames = []
    for task, of_sources in scores.items():
        frame = contrast(of_sources, CONTRASTS, confidence=confidence)
        frame.insert(0, "group", tasks[task].group)
        frame.insert(0, "task", task)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True).sort_values("group", kind="stable").reset_index(drop=True)


def summarise_over_tasks(differences: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return the mean over tasks of each difference with an interval for such tasks, not for these alone.

    The interval is Student's, over tasks: what another ten tasks like these might give. That of
    :func:`synthlib.compare.average_contrast` holds the tasks fixed.

    Parameters
    ----------
    differences : DataFrame
        From :func:`collect_differences`.

    Returns
    -------
    over_tasks : DataFrame
        first, second, n_tasks, f1, f1_low, f1_high (fractions; NaN for one task), better, worse (tasks on which the
        first is surely better or worse), lowest, highest.
    """
    rows = []
    for (first, second), part in differences.groupby(["first", "second"], sort=False):
        mean, low, high = mean_interval(part["f1"].to_numpy(), confidence=confidence)
        row = {"first": first, "second": second, "n_tasks": len(part), "f1": mean, "f1_low": low, "f1_high": high}
        row |= {"better": (part["f1_low"] > 0).sum(), "worse": (part["f1_high"] < 0).sum()}
        rows.append(row | {"lowest": part["f1"].min(), "highest": part["f1"].max()})
    return pd.DataFrame(rows)


def load_original() -> pd.DataFrame:
    """Return the differences that the study prints (Li et al. 2023, section 4), in points, from params/original.csv.

    Returns
    -------
    original : DataFrame
        first, second, tasks (all or most_subjective), encoder, f1, accuracy.
    """
    return pd.read_csv(PARAMS / "original.csv")


def place_beside_original(
    original: pd.DataFrame,
    scores: Mapping[str, Mapping[str, dict[str, Scores]]],
    tasks: Mapping[str, Task],
    *,
    confidence: float,
) -> pd.DataFrame:
    """Return the study's printed differences with ours beside them.

    Parameters
    ----------
    scores : mapping
        By kind of classifier, such as ``frozen``; then by task and source.

    Returns
    -------
    table : DataFrame
        The columns of ``original`` (points), n_tasks, and f1_<kind>, f1_<kind>_low, ... accuracy_<kind>_high (points;
        NaN where a source was not run).
    """
    rows = []
    for printed in original.itertuples(index=False):
        pair, row = (printed.first, printed.second), printed._asdict()
        for kind, by_task in scores.items():
            chosen = {task: s for task, s in by_task.items() if printed.tasks in ("all", tasks[task].group)}
            here = average_contrast(chosen, [pair], confidence=confidence) if chosen else pd.DataFrame()
            row["n_tasks"] = row.get("n_tasks", len(chosen))
            for name in ("f1", "accuracy"):
                for end in ("", "_low", "_high"):
                    row[f"{name}_{kind}{end}"] = 100 * here[name + end].iloc[0] if len(here) else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def format_original(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return Macro-F1 of :func:`place_beside_original` with its numbers written out, for drawing.

    Parameters
    ----------
    names : mapping of str to str
        Kinds of classifiers of the table, and what to call them.
    """
    rows = []
    for row in table.itertuples():
        shown = {
            "difference": f"{row.first} minus {row.second}".replace("_", "-"),
            "tasks": f"{row.tasks.replace('_', ' ')} ({row.n_tasks} here)",
        }
        shown |= {
            "study:\nencoder": row.encoder,
            "study": f"{row.f1:.1f}",
        }
        for kind, name in names.items():
            value, low, high = (getattr(row, f"f1_{kind}{end}") for end in ("", "_low", "_high"))
            shown[f"here:\n{name}"] = "–" if np.isnan(value) else f"{value:.1f} ({low:.1f} to {high:.1f})"
        rows.append(shown)
    return pd.DataFrame(rows)


def relate_gaps(
    differences: pd.DataFrame, *, n_permutations: int, n_resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return how each difference goes with the subjectivity of the task, one row per pair of sources.

    Parameters
    ----------
    differences : DataFrame
        task, group, first, second, f1 (fraction), score (higher = more subjective).

    Returns
    -------
    relation : DataFrame
        first, second, n_tasks, rho, rho_low, rho_high, rho_p (Spearman, bootstrap over tasks, permutation test), and
        group_difference (mean of the most subjective group minus the least, fraction), group_p_t, group_p_permutation.
        NaN where it is undefined: fewer than three tasks, all gaps or scores equal, fewer than two tasks in a group.
    """
    rows = []
    for (first, second), pairs in differences.groupby(["first", "second"], sort=False):
        row = dict.fromkeys(
            ("rho", "rho_low", "rho_high", "rho_p", "group_difference", "group_p_t", "group_p_permutation"), np.nan
        )
        row = {"first": first, "second": second, "n_tasks": len(pairs)} | row
        score, gap = pairs["score"].to_numpy(), pairs["f1"].to_numpy()
        if len(pairs) >= 3 and np.ptp(score) > 0 and np.ptp(gap) > 0:
            row["rho"], row["rho_p"] = metrics.permutation_test(score, gap, n_permutations=n_permutations, rng=rng)
            row["rho_low"], row["rho_high"] = metrics.correlation_interval(
                score, gap, n_resamples=n_resamples, confidence=confidence, rng=rng
            )
        most, least = (gap[pairs["group"] == group] for group in ("most_subjective", "least_subjective"))
        if min(len(most), len(least)) >= 2:
            difference = metrics.compare_means(most, least)
            row |= dict(zip(("group_difference", "group_p_t", "group_p_permutation"), difference, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def compare_test_sets(
    predictions: Mapping[str, pd.DataFrame],
    tasks: Mapping[str, Task],
    other: str,
    *,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return Macro-F1 of every source on ``test`` and on another labelled test set, as text with intervals (points).

    Empty where no task has the other set.
    """
    for task, frame in predictions.items():
        if frame["test_set"].eq(other).any():
            columns = {}
            for name in ("test", other):
                rows = frame[frame["test_set"] == name]
                scores = score_predictions(rows, tasks[task].label_names, n_resamples=n_resamples, rng=rng)
                columns[name] = {source: _say(value, confidence) for source, value in scores.items()}
            return pd.DataFrame(columns)
    return pd.DataFrame()


def _say(scores: Scores, confidence: float) -> str:
    return say_points(pd.Series(estimate("f1", scores.f1, scores.f1_draws, confidence)), "f1")
