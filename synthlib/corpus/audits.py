"""The whole audit of a corpus in one table: what 02_generate shows step by step."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthlib import features
from synthlib.corpus import audit, compliance, label_check, nearness, shortcuts
from synthlib.features import FeatureTable
from synthlib.params import Generate
from synthlib.settings import SHOWING_SETTINGS
from synthlib.tasks import Task

N_ORDERS, N_REPEATS = 10, 4  # random orders behind distinct words; cross-validations behind the style scores


def load_real(p: Generate) -> FeatureTable | None:
    """Return the real rows of a task; None where data/features has none, as for a task of one's own.

    Raises
    ------
    ValueError, FileNotFoundError
        There should be some, but they cannot be read (:func:`synthlib.features.load`).
    """
    if p.source == "features" and not (features.FOLDER / f"{p.task}.parquet").is_file():
        return None
    return features.load(p.task, p.source, p.encoder)


def training_rows(real: FeatureTable) -> FeatureTable:
    """Return the real training rows outside the few-shot pool."""
    return real.where((real.rows["split"] == "train") & ~real.rows["pool"])


def audit_corpus(
    corpus: FeatureTable, real: FeatureTable | None, task: Task, p: Generate, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Return every measure of a corpus that can be taken.

    Parameters
    ----------
    real : FeatureTable or None
        Real rows of the task. None: what compares with them is left out (test rows, examples, labels, style).

    Returns
    -------
    audited : DataFrame
        Columns :data:`synthlib.corpus.audit.COLUMNS`; settings, and ``real`` where real rows are measured beside them.
    """
    shown = {"confidence": p.confidence}
    rows = corpus.rows
    duplicates = nearness.find_duplicates(corpus, threshold=p.near_duplicate_cosine)
    repeats = ["exact_duplicate", "near_duplicate", "near_duplicate_other_label", "nearest_cosine"]
    lengths = audit.compare_lengths(rows, tolerance=p.length_tolerance)
    attributes, words = compliance.check_attributes(rows, task), compliance.check_vocabulary(rows)
    held = ["verb_held", "noun_held", "adjective_held", "vocabulary_held"]
    found = [
        audit.summarise(duplicates, repeats, **shown),
        audit.summarise(lengths, ["written_words", "length_ratio", "length_kept"], **shown),
        audit.audit_openings(audit.find_openings(rows), **shown),
        audit.audit_variety(rows, n_draws=N_ORDERS, **shown, rng=rng),
        audit.summarise(attributes, ["attribute_checkable", "attribute_kept"], **shown),
        audit.summarise(words, held, **shown),
        audit.summarise(compliance.check_sentences(rows), ["sentence_held"], **shown),
    ]
    if real is not None:
        found += _compare_with_real(corpus, real, task, p, rng)
    return pd.concat([table for table in found if len(table)], ignore_index=True)


def _compare_with_real(
    corpus: FeatureTable, real: FeatureTable, task: Task, p: Generate, rng: np.random.Generator
) -> list[pd.DataFrame]:
    shown, near = {"confidence": p.confidence}, {"threshold": p.near_duplicate_cosine}
    test, training = real.where(real.rows["split"] == "test"), training_rows(real)
    found = [audit.summarise(nearness.find_overlap(corpus, test, **near), ["test_copy", "test_cosine"], **shown)]
    if set(SHOWING_SETTINGS) & set(p.settings):
        copying = nearness.compare_examples(corpus, real, **near, rng=rng)
        measures = ["example_cosine", "other_cosine", "example_excess", "example_copy"]
        found.append(audit.summarise(copying, measures, **shown, cluster="examples"))
    checked = label_check.check_labels(corpus, training, task.label_names, rng=rng)
    found.append(audit.summarise(checked, ["label_agreed"], **shown))
    tables = balance_sources(corpus, training, task, p, rng=rng)
    resampled = {**shown, "n_resamples": p.n_resamples, "rng": rng}
    found.append(shortcuts.score_function_words(tables, task.label_names, n_repeats=N_REPEATS, **resampled))
    marks = shortcuts.find_best_marks(tables, task.label_names, **resampled)
    return [*found, marks.drop(columns="mark")]


def balance_sources(
    corpus: FeatureTable, training: FeatureTable, task: Task, p: Generate, *, rng: np.random.Generator
) -> dict[str, FeatureTable]:
    """Return real training rows and each setting's texts, cut at random to equally many of each label."""
    tables = {"real": training} | {s: corpus.where(corpus.rows["setting"] == s) for s in p.settings}
    counts = [t.rows["label"].value_counts().reindex(task.label_names, fill_value=0).min() for t in tables.values()]
    cut = {"n_per_label": int(min(counts)), "rng": rng}
    return {source: shortcuts.balance(table, task.label_names, **cut) for source, table in tables.items()}
