"""Is a text what it was asked to be? A classifier of real texts is asked for its opinion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from synthlib.corpus import audit
from synthlib.diversity import normalise
from synthlib.features import FeatureTable


def check_labels(
    corpus: FeatureTable, training: FeatureTable, labels: Sequence[str], *, rng: np.random.Generator
) -> pd.DataFrame:
    """Return for each text whether a classifier trained on real rows finds the label that was asked for.

    The classifier is a logistic regression on unit vectors, all labels weighted alike. It errs: so real rows, told by
    cross-validation, stand beside the texts under the setting ``real``. A text on which it disagrees need not be wrong,
    and one on which it agrees may carry no more than the label's commonest words.

    Parameters
    ----------
    training : FeatureTable
        Real training rows.
    labels : sequence of str
        The task's labels.

    Returns
    -------
    checked : DataFrame
        key, setting, label (asked for, or of the real row), predicted, label_agreed. For :func:`audit.summarise`.

    Raises
    ------
    ValueError
        A label has fewer than two real rows.
    """
    counts = training.rows["label"].value_counts().reindex(list(labels), fill_value=0)
    if counts.min() < 2:
        raise ValueError(f"label {counts.idxmin()!r} has {counts.min()} real training row(s); a check needs at least 2")
    x, gold = normalise(training.features), training.rows["label"].to_numpy()
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    folds = StratifiedKFold(min(5, int(counts.min())), shuffle=True, random_state=int(rng.integers(2**31)))
    real = training.rows[["key", "label"]].assign(setting="real", predicted=cross_val_predict(model, x, gold, cv=folds))
    predicted = model.fit(x, gold).predict(normalise(corpus.features))
    checked = pd.concat([real, corpus.rows[["key", "setting", "label"]].assign(predicted=predicted)], ignore_index=True)
    checked["label_agreed"] = checked["predicted"] == checked["label"]
    return checked[["key", "setting", "label", "predicted", "label_agreed"]]


def pivot(audited: pd.DataFrame) -> pd.DataFrame:
    """Return how often the asked label is confirmed (percent, with interval): a row per label, a column per setting."""
    rows = audited[audited["measure"] == "label_agreed"]
    values = [f"{100 * r.value:.0f} ({100 * r.value_low:.0f} to {100 * r.value_high:.0f})" for r in rows.itertuples()]
    wide = rows.assign(cell=values).pivot(index="label", columns="setting", values="cell").fillna("–")
    labels = dict.fromkeys([*rows.loc[rows["setting"] != "real", "label"], *rows["label"]])  # in the texts' order
    order = [audit.ALL, *(label for label in labels if label != audit.ALL)]
    return wide.loc[order, list(dict.fromkeys(rows["setting"]))].rename_axis(columns=None)
