"""Describing the real sets without their texts: sizes, balance, lengths, overlap, and rules on form (01_tasks)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from synthlib.corpus.shortcuts import find_best_mark
from synthlib.diversity import normalise
from synthlib.features import FeatureTable
from synthlib.surface import say_mark
from synthlib.tasks import Task, task_title


def introduce(task: Task) -> dict[str, str]:
    """Return a task in words: task, title, question, group, labels, and where its labels come from."""
    labels_from = task.reference.labels_from
    labels = ", ".join(task.label_names)
    return {
        "task": task.name,
        "title": task.title,
        "question": task.question,
        "group": task.group,
        "labels": labels,
        "labels from": labels_from,
    }


def count_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows by task (index) and split, and how many are in the few-shot pool and the instance study.

    Parameters
    ----------
    rows : DataFrame
        task, split, pool, evaluation.
    """
    counts = pd.crosstab(rows["task"], rows["split"])
    marked = rows.groupby("task")[["pool", "evaluation"]].sum()
    return counts.join(marked).loc[rows["task"].unique()]


def share_labels(rows: pd.DataFrame, tasks: Mapping[str, Task]) -> pd.DataFrame:
    """Return the share of each label among a task's rows: task, label, share (fraction), in the tasks' label order."""
    shares = rows.groupby("task")["label"].value_counts(normalize=True)
    return pd.DataFrame(
        [
            {"task": name, "label": label, "share": shares.get((name, label), 0.0)}
            for name in rows["task"].unique()
            for label in tasks[name].label_names
        ]
    )


def measure_lengths(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the lengths of each task's texts in words: task, group, words_q10, words_median, words_q90."""
    quantiles = rows.groupby(["task", "group"], sort=False)["n_words"].quantile([0.1, 0.5, 0.9]).unstack()
    return quantiles.set_axis(["words_q10", "words_median", "words_q90"], axis=1).reset_index()


def find_train_overlap(table: FeatureTable, threshold: float) -> dict[str, float]:
    """Return how many test rows have a training row with at least this cosine similarity.

    Returns
    -------
    overlap : dict
        test rows, near-duplicate (count), percent near-duplicate, and percent of these with another label: those whose
        most similar training row has one (NaN where there are none).
    """
    train, test = (table.where(table.rows["split"] == split) for split in ("train", "test"))
    cosines = normalise(test.features) @ normalise(train.features).T  # (test, train)
    near = cosines.max(1) >= threshold
    other = train.rows["label"].to_numpy()[cosines.argmax(1)] != test.rows["label"].to_numpy()
    return {
        "test rows": len(near),
        "near-duplicate": int(near.sum()),
        "percent near-duplicate": 100 * float(near.mean()),
        "percent of these with another label": 100 * float(other[near].mean()) if near.any() else np.nan,
    }


def format_overlap(overlap: pd.DataFrame) -> pd.DataFrame:
    """Return rows of :func:`find_train_overlap`, by task, with titles, short heads and rounded shares, for drawing."""
    near, other = overlap["percent near-duplicate"], overlap["percent of these with another label"]
    return pd.DataFrame(
        {
            "task": overlap["task"].map(task_title),
            "test rows": overlap["test rows"].map("{:,}".format),
            "near\nduplicates": overlap["near-duplicate"],
            "near\nduplicates (%)": near.map("{:.1f}".format),
            "of these with\nanother label (%)": other.map("{:.0f}".format, na_action="ignore"),
        }
    )


def list_best_marks(tables: Mapping[str, FeatureTable], tasks: Mapping[str, Task]) -> pd.DataFrame:
    """Return the best rule on form for each label among the real training rows.

    Returns
    -------
    marks : DataFrame
        task, label, mark (the rule in words), balanced accuracy (fraction; see
        :func:`synthlib.corpus.shortcuts.find_best_mark`).
    """
    rows = []
    for name, table in tables.items():
        train = table.where(table.rows["split"] == "train")
        for label in tasks[name].label_names:
            best = find_best_mark(train, label)
            mark = say_mark(best["measure"], best["threshold"], best["side"])
            rows.append({"task": name, "label": label, "mark": mark, "balanced accuracy": best["accuracy"]})
    return pd.DataFrame(rows)


def format_marks(marks: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`list_best_marks` with its tasks by title and its accuracies as percent, for drawing."""
    percent = (100 * marks["balanced accuracy"]).map("{:.0f}%".format)
    return marks.assign(task=marks["task"].map(task_title), **{"balanced accuracy": percent})


def score_irony_tags(rows: pd.DataFrame) -> dict[str, object]:
    """Return how well "tag, therefore ironic" does on the raw test rows of tweet irony.

    Parameters
    ----------
    rows : DataFrame
        split, label (irony, non_irony), irony_tag (whether the raw text holds #irony, #sarcasm or #not).

    Returns
    -------
    rule : dict
        accuracy and commonest, that of always saying the commonest label (fractions, test rows), and shares: percent of
        raw texts with a tag, by split and label.
    """
    test = rows[rows["split"] == "test"]
    shares = 100 * rows.groupby(["split", "label"])["irony_tag"].mean().unstack()
    accuracy = float((test["irony_tag"] == (test["label"] == "irony")).mean())
    commonest = float(test["label"].value_counts(normalize=True).max())
    shown = shares.round(1).add_prefix("percent with a tag: ")
    return {"accuracy": accuracy, "commonest": commonest, "shares": shown}
