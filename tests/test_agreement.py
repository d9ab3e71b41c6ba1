"""Agreement of annotators."""

import krippendorff
import numpy as np
import pandas as pd
import pytest
from nltk.metrics.agreement import AnnotationTask
from scipy import stats

from synthlib import agreement, data


def random_votes(rng, *, n_texts=60, n_labels=3, most=5):
    """Counts of up to ``most`` votes per text around a preferred label; some texts have one vote."""
    counts = np.zeros((n_texts, n_labels), dtype=int)
    for row in counts:
        preferred = rng.integers(n_labels)
        for _ in range(rng.integers(1, most + 1)):
            row[preferred if rng.random() < 0.7 else rng.integers(n_labels)] += 1
    return counts


def test_alpha_is_nominal():
    """Krippendorff (2011), example C; read as interval data it would be 0.849."""
    reliability = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
        [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
    ]
    counts = np.array([[np.sum(unit == value) for value in range(1, 6)] for unit in np.array(reliability).T])
    assert agreement.alpha(counts) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff.alpha(reliability, level_of_measurement="interval") == pytest.approx(0.849, abs=5e-4)


def test_alpha_of_peoples_votes_is_the_published_one():
    counts = agreement.count_votes(data.load_instance_votes("isarcasmeval_en"), ["irony", "non_irony"])
    assert agreement.alpha(counts) == pytest.approx(0.416, abs=5e-4)


def test_bootstrap_equals_krippendorff_on_each_resample():
    rng = np.random.default_rng(0)
    counts = random_votes(rng)
    chosen = rng.integers(len(counts), size=(50, len(counts)))
    weights = np.stack([np.bincount(row, minlength=len(counts)) for row in chosen]).astype(float)
    direct = [krippendorff.alpha(value_counts=counts[row], level_of_measurement="nominal") for row in chosen]
    np.testing.assert_allclose(agreement.alpha_of_weights(counts.astype(float), weights), direct, rtol=0, atol=1e-10)


def test_bootstrap_does_not_depend_on_its_chunks(monkeypatch):
    counts = random_votes(np.random.default_rng(1))
    counts = counts[counts.sum(1) > 1]
    whole = agreement.bootstrap_agreement(counts, n_resamples=100, rng=np.random.default_rng(2))
    monkeypatch.setattr(agreement, "_CHUNK", 7 * len(counts))
    parts = agreement.bootstrap_agreement(counts, n_resamples=100, rng=np.random.default_rng(2))
    np.testing.assert_allclose(whole, parts)
    assert whole[0].std() > 0 and abs(whole[1].mean() - agreement.alpha(counts)) < 0.05


def test_alpha_is_undefined_for_one_label_and_the_row_says_so():
    counts = pd.DataFrame({"yes": [3, 2], "no": [0, 0]}, index=["t1", "t2"])
    assert np.isnan(agreement.alpha(counts))
    row = agreement.summarise_agreement(counts, n_resamples=100, confidence=0.95, rng=np.random.default_rng(0))
    assert np.isnan(row["alpha"]) and "undefined" in row["note"]
    assert row["agreement"] == 1


def test_summary_holds_the_estimate_in_its_interval():
    counts = pd.DataFrame(random_votes(np.random.default_rng(3), n_texts=300), columns=["a", "b", "c"])
    counts = counts[counts.sum(axis=1) > 1]
    row = agreement.summarise_agreement(counts, n_resamples=500, confidence=0.95, rng=np.random.default_rng(0))
    for name in ("agreement", "alpha"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    assert row["note"] == "" and row["texts"] == len(counts) and row["votes"] == counts.to_numpy().sum()


def test_a_tie_has_a_share_but_no_majority():
    counts = pd.DataFrame({"a": [2, 2], "b": [2, 1], "c": [1, 0]}, index=["t1", "t2"])
    texts = agreement.measure_agreement(counts)
    assert texts["agreement"].tolist() == [0.4, 2 / 3]
    assert texts["majority"].tolist() == [None, "a"]


def test_bad_votes_are_errors():
    votes = pd.DataFrame({"key": ["t1", "t1"], "annotator": ["x", "y"], "label": ["a", "b"]})
    assert agreement.count_votes(votes, ["b", "a", "c"]).loc["t1"].tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="one annotator, 'x'"):
        agreement.count_votes(votes.assign(annotator="x"), ["a", "b"])
    with pytest.raises(ValueError, match=r"unknown label\(s\) \['b'\]"):
        agreement.count_votes(votes, ["a"])
    with pytest.raises(ValueError, match="no votes"):
        agreement.count_votes(votes[:0], ["a", "b"])
    with pytest.raises(ValueError, match="no text has votes of two"):
        agreement.count_votes(votes.assign(key=["t1", "t2"]), ["a", "b"])
    with pytest.raises(ValueError, match="0 texts"):
        agreement.bootstrap_agreement(np.zeros((0, 2)), n_resamples=10, rng=np.random.default_rng(0))


def test_alpha_equals_that_of_nltk_on_published_and_random_votes():
    """A second implementation, on Krippendorff's own reliability data (2011, examples A to C) and on random votes."""
    published = [
        [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]],
        [list("aabbddccceeb"), list("bbbbbcccceea")],
    ]
    tables = [pd.DataFrame(rows).T for rows in published]
    rng = np.random.default_rng(6)
    tables += [pd.DataFrame(rng.integers(0, 4, size=(40, 5))).mask(rng.random((40, 5)) < 0.3) for _ in range(3)]
    for table in tables:
        long = table.rename_axis("key").reset_index().melt("key", var_name="annotator", value_name="label").dropna()
        long = long[long.groupby("key")["label"].transform("size") > 1]
        counts = pd.crosstab(long["key"], long["label"]).to_numpy()
        task = AnnotationTask([(f"a{r.annotator}", r.key, r.label) for r in long.itertuples()])
        assert agreement.alpha(counts) == pytest.approx(task.alpha())
        weights = np.ones((1, len(counts)))
        assert agreement.alpha_of_weights(counts.astype(float), weights)[0] == pytest.approx(task.alpha())
    binary = pd.DataFrame(published[0]).T
    counts = np.array([np.bincount(row, minlength=2) for row in binary.to_numpy()])
    assert agreement.alpha(counts) == pytest.approx(0.095, abs=5e-4)  # Krippendorff (2011), example A


def test_alpha_without_each_text_is_alpha_of_the_others():
    counts = random_votes(np.random.default_rng(7), n_texts=20)
    direct = [agreement.alpha(np.delete(counts, i, axis=0)) for i in range(20)]
    np.testing.assert_allclose(agreement.alpha_without_each(counts), direct)


def test_bca_interval_equals_scipys():
    values = np.random.default_rng(8).exponential(size=40)
    ours = agreement.bca_interval(
        values.mean(),
        np.random.default_rng(0).choice(values, size=(20_000, 40)).mean(axis=1),
        (values.sum() - values) / 39,
        confidence=0.9,
    )
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, confidence_level=0.9, rng=0).confidence_interval
    np.testing.assert_allclose(ours, theirs, atol=0.01)
    assert agreement.bca_interval(1.0, np.ones(10), np.ones(5), confidence=0.9) == (1.0, 1.0)
    assert np.isnan(agreement.bca_interval(np.nan, np.ones(10), np.ones(5), confidence=0.9)).all()
