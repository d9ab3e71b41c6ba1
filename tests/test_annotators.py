"""Soft labels, agreement by label and annotator, Dawid and Skene."""

import numpy as np
import pandas as pd
import pytest

from synthlib import agreement
from synthlib.votes import annotators

LABELS = ["a", "b", "c"]


def simulate(rng, *, n_texts=300, right=(0.9, 0.9, 0.8, 0.7, 0.34)):
    """Votes of five annotators, each right so often, wrong labels alike; and the truth."""
    truth = rng.choice(3, size=n_texts, p=[0.6, 0.3, 0.1])
    rows = []
    for annotator, share in enumerate(right):
        given = np.where(rng.random(n_texts) < share, truth, (truth + rng.integers(1, 3, n_texts)) % 3)
        rows += [(f"t{i}", f"w{annotator}", LABELS[label]) for i, label in enumerate(given)]
    return pd.DataFrame(rows, columns=["key", "annotator", "label"]), np.array(LABELS)[truth]


def test_true_labels_and_confusions_are_recovered():
    votes, truth = simulate(np.random.default_rng(0))
    inferred = annotators.infer_labels(votes, LABELS)
    likeliest = inferred.probabilities.idxmax(axis=1)[[f"t{i}" for i in range(300)]].to_numpy()
    counts = agreement.count_votes(votes, LABELS)
    majority = agreement.measure_agreement(counts)["majority"].to_numpy()
    assert (likeliest == truth).mean() > max(0.93, (majority == truth).mean())
    np.testing.assert_allclose(inferred.probabilities.sum(axis=1), 1)
    diagonal = np.diagonal(inferred.confusions, axis1=1, axis2=2)
    np.testing.assert_allclose(diagonal[:, 0], [0.9, 0.9, 0.8, 0.7, 0.34], atol=0.08)
    np.testing.assert_allclose(inferred.confusions.sum(axis=2), 1)


def test_one_who_always_says_the_opposite_is_read_backwards():
    votes, _ = simulate(np.random.default_rng(1), right=(0.95, 0.95, 0.95))
    votes = votes[votes["label"] != "c"]
    liar = votes[votes["annotator"] == "w0"].assign(annotator="liar")
    liar["label"] = liar["label"].map({"a": "b", "b": "a"})
    inferred = annotators.infer_labels(pd.concat([votes, liar]), ["a", "b"])
    assert inferred.annotators[0] == "liar" and inferred.confusions[0, 0, 1] > 0.85


def test_majority_is_checked_and_ties_are_counted():
    votes, _ = simulate(np.random.default_rng(2), right=(0.95, 0.9, 0.9, 0.8))
    texts = agreement.measure_agreement(agreement.count_votes(votes, LABELS))
    row = annotators.check_majority(votes, texts, LABELS)
    assert row["n_texts"] + row["n_ties"] == 300 and row["n_ties"] == texts["majority"].isna().sum()
    assert 0.9 < row["same"] <= 1 and 0.7 < row["diagonal"] < 1 and row["n_annotators"] == 4


def test_a_label_against_the_rest():
    votes, _ = simulate(np.random.default_rng(3))
    counts = agreement.count_votes(votes, LABELS)
    found = annotators.agree_by_label(counts, n_resamples=100, confidence=0.95, rng=np.random.default_rng(0))
    expected = agreement.alpha(np.column_stack([counts["b"], counts["a"] + counts["c"]]))
    assert found.set_index("label").loc["b", "alpha"] == pytest.approx(expected)
    assert found["share"].sum() == pytest.approx(1)
    assert ((found["alpha_low"] < found["alpha"]) & (found["alpha"] < found["alpha_high"])).all()
    never = annotators.agree_by_label(
        counts.assign(d=0), n_resamples=100, confidence=0.95, rng=np.random.default_rng(0)
    )
    assert np.isnan(never["alpha"].iloc[3]) and "undefined" in never["note"].iloc[3]


def test_the_careless_annotator_agrees_least_and_leaving_them_out_helps():
    votes, _ = simulate(np.random.default_rng(4))
    found = annotators.agree_by_annotator(votes, LABELS)
    assert found["annotator"].iloc[0] == "w4" and found["gain"].iloc[0] == found["gain"].max() > 0
    rest = agreement.alpha(agreement.count_votes(votes[votes["annotator"] != "w4"], LABELS).to_numpy())
    assert found["without"].iloc[0] == pytest.approx(rest)
    wide = votes.pivot(index="key", columns="annotator", values="label")
    pairs = [(wide["w4"] == wide[f"w{i}"]).mean() for i in range(4)]
    assert found["agreement"].iloc[0] == pytest.approx(np.mean(pairs))
    two = annotators.agree_by_annotator(votes[votes["annotator"].isin(["w0", "w1"])], LABELS)
    assert two["without"].isna().all() and two["agreement"].iloc[0] == two["agreement"].iloc[1]


def test_bad_votes_are_errors():
    votes, _ = simulate(np.random.default_rng(5), n_texts=3)
    with pytest.raises(ValueError, match="no votes"):
        annotators.infer_labels(votes[:0], LABELS)
    with pytest.raises(ValueError, match=r"unknown label\(s\) \['c'\]"):
        annotators.infer_labels(votes.assign(label="c"), ["a", "b"])
