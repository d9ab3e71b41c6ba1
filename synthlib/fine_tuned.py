"""Frozen and fine-tuned encoders side by side, with TF-IDF and the commonest label: does a conclusion change?

The fine-tuned predictions are released (data/results/finetuned): they need the real texts and hours. All kinds of
classifiers are scored on the same resamples of test texts, so that they can be paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from synthlib import metrics, task_comparison
from synthlib.compare import CONTRASTS, average_contrast, contrast, score_on, subtract
from synthlib.intervals import estimate
from synthlib.metrics import Scores
from synthlib.paths import DATA
from synthlib.tasks import Task

FROZEN, FINE_TUNED = "frozen", "fine_tuned"
#: Kinds of classifiers in the order shown.
KINDS = (FROZEN, FINE_TUNED, "tfidf", "majority")
FOLDER = DATA / "results" / "finetuned" / "train"

#: Scores by task, kind of classifier and source.
ScoresByKind = Mapping[str, Mapping[str, dict[str, Scores]]]


def read_released(tasks: list[str], folder: Path = FOLDER) -> dict[str, pd.DataFrame]:
    """Return the released predictions of fine-tuned classifiers and of their baselines, of the tasks that have them.

    Returns
    -------
    released : dict of DataFrame
        By task: test_set, source, n_train, seed, key, label, predicted, classifier. Empty where nothing is released.

    Raises
    ------
    ValueError
        A table has no column classifier.
    """
    released = {}
    for task in tasks:
        paths = [folder / task / f"{name}.parquet" for name in ("predictions", "baselines")]
        if not paths[0].is_file():
            continue
        paths = [path for path in paths if path.is_file()]
        frames = [pd.read_parquet(path) for path in paths]
        for path, frame in zip(paths, frames, strict=True):
            if "classifier" not in frame:
                raise ValueError(f"{path} has no column 'classifier'; it has {list(frame.columns)}: release it again")
        released[task] = pd.concat(frames, ignore_index=True)
    return released


def read_history(task: str, folder: Path = FOLDER) -> pd.DataFrame | None:
    """Return how the released fine-tuned classifiers of a task learned: run, step, watched_f1, source, experiment ...

    None where nothing is released of the task, or its classifiers were not watched.
    """
    path = folder / task / "history.parquet"
    history = pd.read_parquet(path) if path.is_file() else pd.DataFrame()
    return history if "watched_f1" in history else None


def find_kind(predictions: Mapping[str, pd.DataFrame]) -> str:
    """Return the kind of the classifiers of a run: frozen where its tables do not say.

    Raises
    ------
    ValueError
        They are of several kinds.
    """
    kinds = set().union(*(set(frame.get("classifier", [FROZEN])) for frame in predictions.values()))
    if len(kinds) != 1:
        raise ValueError(f"predictions of one run are of several kinds: {sorted(kinds)}")
    return kinds.pop()


def score_kinds(
    frozen: Mapping[str, pd.DataFrame],
    released: Mapping[str, pd.DataFrame],
    tasks: Mapping[str, Task],
    *,
    n_resamples: int,
    seed: int,
) -> dict[str, dict[str, dict[str, Scores]]]:
    """Return the scores of every kind of classifier and source, by task, on the test texts that all of them predict.

    Parameters
    ----------
    seed : int
        Resamples are of :func:`synthlib.metrics.rng_of_task`: the same texts for all kinds of classifiers.

    Raises
    ------
    ValueError
        The released predictions of a task are of other texts, or a source lacks some.
    """
    return {
        task: _score_task(
            pd.concat([frozen[task].assign(classifier=FROZEN), frame], ignore_index=True).query("test_set == 'test'"),
            tasks[task],
            n_resamples,
            seed,
        )
        for task, frame in released.items()
    }


def _score_task(predictions: pd.DataFrame, task: Task, n_resamples: int, seed: int) -> dict[str, dict[str, Scores]]:
    keys = sorted(set.intersection(*(set(rows["key"].unique()) for _, rows in predictions.groupby("classifier"))))
    if not keys:
        raise ValueError(f"{task.name}: the frozen and the released classifiers have no test text in common")
    chosen = predictions[predictions["key"].isin(keys)]
    found: dict[str, dict[str, Scores]] = {}
    by_kind = dict(list(chosen.groupby("classifier")))
    for kind in [kind for kind in KINDS if kind in by_kind]:
        of_kind = by_kind[kind]
        rng, n_seeds = metrics.rng_of_task(seed, task.name), of_kind["seed"].nunique()
        resampling = metrics.draw_resampling(len(keys), n_seeds, n_resamples=n_resamples, rng=rng)
        try:
            found[kind] = score_on(of_kind, task.label_names, resampling)
        except ValueError as error:
            raise ValueError(f"{task.name}, {kind}: {error}") from None
    return found


def tabulate_task(kinds: Mapping[str, dict[str, Scores]], *, confidence: float) -> pd.DataFrame:
    """Return Macro-F1 of one task (fractions, with intervals) by kind of classifier and source.

    Returns
    -------
    by_kind : DataFrame
        classifier, source, f1, f1_low, f1_high.
    """
    rows = []
    for kind, sources in kinds.items():
        for source, score in sources.items():
            row = {"classifier": kind, "source": source}
            rows.append(row | estimate("f1", score.f1, score.f1_draws, confidence))
    return pd.DataFrame(rows)


def tabulate_kinds(scores: ScoresByKind) -> pd.DataFrame:
    """Return Macro-F1 (points), means over tasks, by source (row) and kind of classifier (column).

    A source counts where every task has it under every kind; others are left out.
    """
    rows = [
        {"task": task, "classifier": kind, "source": source, "f1": 100 * score.f1}
        for task, kinds in scores.items()
        for kind, sources in kinds.items()
        for source, score in sources.items()
    ]
    wide = pd.DataFrame(rows).pivot_table(index=["source", "task"], columns="classifier", values="f1", sort=False)
    n_tasks = len(scores)
    means = wide.dropna().groupby("source", sort=False).agg(["mean", "size"])
    complete = means[means.xs("size", axis=1, level=1).eq(n_tasks).all(axis=1)].xs("mean", axis=1, level=1)
    return complete[[kind for kind in KINDS if kind in complete]]


def measure_gains(scores: ScoresByKind, *, confidence: float) -> pd.DataFrame:
    """Return fine-tuned minus frozen by source, with paired intervals, by task and in the mean (task ``all``).

    Returns
    -------
    gains : DataFrame
        task, source, f1, f1_low, f1_high, accuracy, accuracy_low, accuracy_high (fractions). The mean holds the tasks
        fixed and is over those sources that all tasks have.
    """
    paired = {
        task: {(kind, source): score for kind in (FROZEN, FINE_TUNED) for source, score in kinds[kind].items()}
        for task, kinds in scores.items()
    }
    sources = dict.fromkeys(source for kinds in scores.values() for source in kinds[FINE_TUNED])
    pairs = [((FINE_TUNED, source), (FROZEN, source)) for source in sources]
    frames = [contrast(of_task, pairs, confidence=confidence).assign(task=task) for task, of_task in paired.items()]
    frames.append(average_contrast(paired, pairs, confidence=confidence).assign(task="all"))
    gains = pd.concat(frames, ignore_index=True)
    gains["source"] = [source for _, source in gains["first"]]
    return gains.drop(columns=["first", "second"])


def compare_conclusions(scores: ScoresByKind, tasks: Mapping[str, Task], *, confidence: float) -> pd.DataFrame:
    """Return the differences between sources under both encoders side by side, and whether the conclusion changes.

    Returns
    -------
    conclusions : DataFrame
        task, group, first, second, f1, f1_low, f1_high of the frozen encoder (``_frozen``) and of the fine-tuned one
        (``_fine_tuned``), fractions; change: ``firm under both`` (with the same sign), ``reversed`` (firm under both,
        with opposite signs), ``firm under neither``, ``firm only frozen`` or ``firm only fine-tuned``.
    """
    frames = {
        kind: task_comparison.collect_differences(_of_kind(scores, kind), tasks, confidence=confidence)
        for kind in (FROZEN, FINE_TUNED)
    }
    by = ["task", "group", "first", "second"]
    f1 = ["f1", "f1_low", "f1_high"]
    both = frames[FROZEN][by + f1].merge(
        frames[FINE_TUNED][by + f1], on=by, suffixes=(f"_{FROZEN}", f"_{FINE_TUNED}"), validate="one_to_one"
    )
    signs = [
        np.sign(both[f"f1_{kind}"]) * ((both[f"f1_low_{kind}"] > 0) | (both[f"f1_high_{kind}"] < 0))
        for kind in (FROZEN, FINE_TUNED)
    ]
    both["change"] = np.select(
        [(signs[0] == 0) & (signs[1] == 0), signs[0] == signs[1], signs[0] == -signs[1], signs[0] != 0],
        ["firm under neither", "firm under both", "reversed", "firm only frozen"],
        default="firm only fine-tuned",
    )
    return both


def average_conclusions(scores: ScoresByKind, *, confidence: float) -> pd.DataFrame:
    """Return the mean over tasks of the differences between sources, under each encoder.

    Returns
    -------
    averages : DataFrame
        classifier, first, second, f1, f1_low, f1_high, accuracy, accuracy_low, accuracy_high (fractions); the interval
        holds the tasks fixed.
    """
    return pd.concat(
        average_contrast(_of_kind(scores, kind), CONTRASTS, confidence=confidence).assign(classifier=kind)
        for kind in (FROZEN, FINE_TUNED)
    )


def compare_gaps(scores: ScoresByKind, *, confidence: float) -> pd.DataFrame:
    """Return how far each difference between sources moves with fine-tuning: fine-tuned minus frozen, by task.

    Returns
    -------
    gap_changes : DataFrame
        task, first, second, f1, f1_low, f1_high (fractions, paired), sure (the interval does not hold 0).
    """
    frames = []
    for task, kinds in scores.items():
        scored = set(kinds[FROZEN]) & set(kinds[FINE_TUNED])
        for first, second in [pair for pair in CONTRASTS if scored.issuperset(pair)]:
            gaps = {kind: subtract(kinds[kind][first], kinds[kind][second]) for kind in (FROZEN, FINE_TUNED)}
            moved = contrast(gaps, [(FINE_TUNED, FROZEN)], confidence=confidence)
            frames.append(moved.assign(task=task, first=first, second=second))
    changes = pd.concat(frames, ignore_index=True)[["task", "first", "second", "f1", "f1_low", "f1_high"]]
    return changes.assign(sure=(changes["f1_low"] > 0) | (changes["f1_high"] < 0))


def _of_kind(scores: ScoresByKind, kind: str) -> dict[str, dict[str, Scores]]:
    return {task: kinds[kind] for task, kinds in scores.items()}


def stack_trends(slopes: Mapping[str, pd.DataFrame], doubt: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what 07 measures on single texts, of several kinds of classifiers, on the sets that all of them saw.

    Parameters
    ----------
    slopes, doubt : mapping of str to DataFrame
        By kind of classifier; title, votes_of, source and, with intervals, balanced_slope of the one and auc of the
        other (:func:`synthlib.votes.instances.study_sets`).

    Returns
    -------
    trends : DataFrame
        title, votes_of, source, classifier, measure (``balanced_slope`` or ``auc``), value, low, high; undefined
        values are NaN.
    """
    by = ["title", "votes_of", "source"]
    frames = []
    for measure, tables in (("balanced_slope", slopes), ("auc", doubt)):
        names = {measure: "value", f"{measure}_low": "low", f"{measure}_high": "high"}
        common = set.intersection(*(set(table[by].itertuples(index=False, name=None)) for table in tables.values()))
        for kind, table in tables.items():
            kept = [row in common for row in table[by].itertuples(index=False, name=None)]
            part = table.loc[kept, [*by, *names]].rename(columns=names)
            frames.append(part.assign(classifier=kind, measure=measure))
    return pd.concat(frames, ignore_index=True)
