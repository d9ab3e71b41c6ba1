"""Public sets of texts with the votes of single people, read from a folder of annotations; no text leaves this module.

The folder holds ``annot_<set>/annotations.parquet``, one row per vote: instance_id, annotator_id, label (or rating,
or labels) and text. Who has it names it in SYNTHLIB_ANNOTATIONS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

VARIABLE = "SYNTHLIB_ANNOTATIONS"
SELECTION_SEED = 20231206
#: A rating above it says "sarcastic"; of the whole ratings 1 to 6 none is equal to it.
RATING_THRESHOLD = 3.5


@dataclass(frozen=True)
class AnnotatedSet:
    """A public set of texts with people's votes on which the classifiers of a task are tested.

    Attributes
    ----------
    task : str
        The task.
    title : str
        What figures call the set.
    labels : mapping of str to str
        The set's labels to the task's; for ratings the keys are ``above`` and ``below`` (the threshold).
    rated : bool
        Whether voters gave a rating instead of a label.
    n_texts : int or None
        Texts drawn at random for data/; None keeps all.
    persons : bool
        Whether an annotator's name is one person's; else it is a place holder, and nothing can be said of annotators.
    """

    task: str
    title: str
    labels: Mapping[str, str]
    rated: bool
    n_texts: int | None
    persons: bool


_IRONY = {"irony": "irony", "non_irony": "non_irony"}
SETS = {
    "expun_humor": AnnotatedSet(
        "humor", "ExPUNations", {"joke": "humor", "not_joke": "non_humor"}, rated=False, n_texts=None, persons=True
    ),
    "isarcasmeval_en": AnnotatedSet(
        "tweet_irony",
        "iSarcasmEval",
        {"sarcastic": "irony", "non_sarcastic": "non_irony"},
        rated=False,
        n_texts=None,
        persons=False,
    ),
    "multipico_irony_en": AnnotatedSet("tweet_irony", "MultiPICo", _IRONY, rated=False, n_texts=1400, persons=True),
    "csc_sarcasm": AnnotatedSet(
        "tweet_irony", "CSC", {"above": "irony", "below": "non_irony"}, rated=True, n_texts=1400, persons=True
    ),
}
RELATIONS = "crowdtruth_relation"


def find_annotations() -> Path | None:
    """Return the folder that SYNTHLIB_ANNOTATIONS names, None where it names none.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return None
    folder = Path(given)
    if not folder.is_dir():
        raise FileNotFoundError(f"{VARIABLE}={given}: no such folder; it must hold annot_<set>/annotations.parquet")
    return folder


def find_file(name: str) -> Path | None:
    """Return the file of a set's annotations; None where SYNTHLIB_ANNOTATIONS is not set or has no such set."""
    folder = find_annotations()
    path = folder / f"annot_{name}" / "annotations.parquet" if folder else None
    return path if path and path.is_file() else None


def read_annotations(folder: Path, name: str) -> pd.DataFrame:
    """Return the rows of ``<folder>/annot_<name>/annotations.parquet``, one a vote.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ValueError
        It cannot be read, has no rows, or lacks instance_id, annotator_id, text or what holds the votes (label; rating
        or labels where the set has these).
    """
    path = folder / f"annot_{name}" / "annotations.parquet"
    if not path.is_file():
        found = sorted(p.parent.name for p in folder.glob("annot_*/annotations.parquet"))
        raise FileNotFoundError(f"{path} does not exist; {folder} has {found or 'no annot_<set>/annotations.parquet'}")
    try:
        votes = pd.read_parquet(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read as parquet: {error}") from None
    voted = "labels" if name == RELATIONS else "rating" if SETS[name].rated else "label"
    missing = {"instance_id", "annotator_id", "text", voted} - set(votes)
    if missing:
        raise ValueError(f"{path}: missing column(s) {sorted(missing)}; it has {list(votes)}")
    if votes.empty:
        raise ValueError(f"{path}: no rows")
    return votes


def load_set(folder: Path, name: str, *, threshold: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items and the votes of one of :data:`SETS`, drawn down to the set's ``n_texts``.

    Parameters
    ----------
    threshold : float
        Of ratings (:func:`label_ratings`); sets with labels do not use it.

    Returns
    -------
    items : DataFrame
        text, key and, if the set has it, gold as ``source_label``; in order of first appearance.
    votes : DataFrame
        key, annotator, label (the task's) and, if the set has it, rating or label_is_default.

    Raises
    ------
    FileNotFoundError, ValueError
        See :func:`read_annotations`; or a label is not one of the set's.
    """
    known, rows = SETS[name], read_annotations(folder, name)
    if known.n_texts is not None:
        keys = rows["instance_id"].drop_duplicates().sort_values().to_numpy()
        n_texts = min(known.n_texts, len(keys))
        chosen = np.random.default_rng(SELECTION_SEED).choice(keys, n_texts, replace=False)
        rows = rows[rows["instance_id"].isin(chosen)]
    if known.rated:
        rows = rows.assign(label=label_ratings(rows["rating"], known.labels, threshold=threshold))
        return split_annotations(rows, {label: label for label in known.labels.values()})
    unknown = sorted(set(rows["label"]) - set(known.labels))
    if unknown:
        raise ValueError(f"{name}: unknown label(s) {unknown}; allowed are {list(known.labels)}")
    return split_annotations(rows, known.labels)


def split_annotations(votes: pd.DataFrame, labels: Mapping[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items (text, key, gold as ``source_label``) and the votes (key, annotator, label) of annotated texts.

    Parameters
    ----------
    votes : DataFrame
        instance_id, text, annotator_id, label, and perhaps gold, rating and label_is_default: one row per vote. A gold
        that is missing everywhere is left out.
    labels : mapping
        The set's labels to the task's; votes without a label (half votes) are left out.
    """
    votes = votes.rename(columns={"instance_id": "key", "annotator_id": "annotator", "gold": "source_label"})
    known = ["source_label"] if "source_label" in votes and votes["source_label"].notna().any() else []
    items = votes.drop_duplicates("key")[["text", "key", *known]]
    kept = [c for c in ("key", "annotator", "label", "rating", "label_is_default") if c in votes]
    votes = votes[kept].assign(label=votes["label"].map(labels)).dropna(subset="label")
    return items.reset_index(drop=True), votes


def label_ratings(ratings: pd.Series, labels: Mapping[str, str], *, threshold: float) -> pd.Series:
    """Return the label that each rating stands for.

    Parameters
    ----------
    ratings : Series of float
        None missing.
    labels : mapping
        ``above`` and ``below`` to labels.
    threshold : float
        A rating above it is a vote for ``above``, one below for ``below``. One equal to it is half a vote for either:
        it says nothing of which label is meant and is None.

    Raises
    ------
    ValueError
        No rating lies above the threshold, or none below: every vote would be for one label.

    Examples
    --------
    >>> label_ratings(pd.Series([1, 3, 6]), {"above": "yes", "below": "no"}, threshold=3).tolist()
    ['no', None, 'yes']
    """
    low, high = ratings.min(), ratings.max()
    if not low < threshold < high:
        raise ValueError(f"rating threshold {threshold}: ratings run from {low} to {high}, choose one between")
    chosen = np.where(ratings > threshold, labels["above"], labels["below"]).astype(object)
    chosen[(ratings == threshold).to_numpy()] = None
    return pd.Series(chosen, index=ratings.index, dtype=object)


def set_threshold(votes: pd.DataFrame, name: str, *, threshold: float) -> pd.DataFrame:
    """Return the votes of a set as :func:`label_ratings` makes them of its ratings; a set without ratings as given."""
    known = SETS[name]
    if not known.rated:
        return votes
    return votes.assign(label=label_ratings(votes["rating"], known.labels, threshold=threshold)).dropna(subset="label")


def count_relations(folder: Path) -> dict[str, pd.DataFrame]:
    """Return, for every relation of the CrowdTruth set, how many workers ticked it on each sentence, and did not.

    Workers tick any number of relations, so each relation is a yes-or-no question of its own. Only agreement can be
    measured on it: the relations are not those of the study's task.

    Returns
    -------
    counts : dict of str to DataFrame of int
        By relation (sorted): indexed by key, columns ``no`` and ``yes``, at least two votes per row. ``no_relation`` is
        one of them.
    """
    rows = read_annotations(folder, RELATIONS)
    rows = rows.groupby("instance_id").filter(lambda votes: len(votes) >= 2)
    keys, sentence = np.unique(rows["instance_id"].to_numpy(dtype=str), return_inverse=True)
    asked = np.bincount(sentence, minlength=len(keys))
    ticked = pd.DataFrame({"sentence": sentence, "relation": rows["labels"].map(set).to_numpy()}).explode("relation")
    counts = {}
    for relation, votes in ticked.groupby("relation"):
        yes = np.bincount(votes["sentence"], minlength=len(keys))
        counts[str(relation)] = pd.DataFrame({"no": asked - yes, "yes": yes}, index=pd.Index(keys, name="key"))
    return counts
