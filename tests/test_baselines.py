"""Majority and TF-IDF: values worked out by hand, runs that see their own rows only, clear errors."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from synthlib.train import Run
from synthlib.training import baselines
from synthlib.training.baselines import fit_predict_tfidf, predict_majority

WORDS = np.array(["the", "mat", "sat", "and", "very", "house"])


def make_texts(n, seed=0):
    """Return texts and labels; one of two words gives the label away."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    return [" ".join([*rng.choice(WORDS, 6), ("cat", "dog")[y]]) for y in labels], labels


TEXTS, LABELS = make_texts(60)


def test_majority_is_the_share_of_the_labels_in_the_rows_of_the_run():
    labels = np.array([2, 0, 0, 1, 1, 1])
    runs = [Run(np.arange(6), 0), Run(np.arange(3), 1), Run(np.array([0, 3]), 2)]
    probabilities = predict_majority(labels, runs, 4, n_labels=3)
    assert probabilities.shape == (3, 4, 3) and probabilities.dtype == np.float32
    assert probabilities[:, 0].argmax(-1).tolist() == [1, 0, 1]  # of two equally common labels the first
    np.testing.assert_allclose(probabilities[0, 3], [2 / 6, 3 / 6, 1 / 6], rtol=1e-6)


def test_one_strength_equals_scikit_learn_by_hand():
    rows = np.arange(10, 50)
    probabilities, history = fit_predict_tfidf(TEXTS, LABELS, [Run(rows, 3)], TEXTS[:9], n_labels=2, strengths=[2.0])
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    x = words.fit_transform([TEXTS[row] for row in rows])
    expected = LogisticRegression(C=2.0, max_iter=1000).fit(x, LABELS[rows]).predict_proba(words.transform(TEXTS[:9]))
    np.testing.assert_allclose(probabilities[0], expected, atol=1e-5)
    assert history["n_terms"].tolist() == [x.shape[1]] and history["f1"].isna().all()


def test_the_strength_is_chosen_on_the_rows_of_the_run():
    test, gold = make_texts(40, seed=1)
    runs = [Run(np.arange(40), 0), Run(np.arange(40), 7), Run(np.arange(20), 0)]
    options = {"n_labels": 2, "strengths": [1e-4, 10.0]}
    probabilities, history = fit_predict_tfidf(TEXTS, LABELS, runs, test, **options)
    assert (probabilities[0].argmax(-1) == gold).mean() > 0.9 and np.allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert history["run"].tolist() == [0, 1, 2] and history["f1"].between(0.5, 1).all()
    assert np.array_equal(probabilities[0], probabilities[1]) and not np.array_equal(probabilities[0], probabilities[2])
    changed = [*TEXTS[:40], *["cat dog zebra"] * 20]  # rows of no run
    again, _ = fit_predict_tfidf(changed, LABELS, runs, test, **options)
    assert np.array_equal(probabilities, again)


def test_a_text_without_a_known_word_gets_what_the_intercept_says():
    probabilities, _ = fit_predict_tfidf(
        TEXTS, LABELS, [Run(np.arange(60), 0)], ["xylophone", ""], n_labels=2, strengths=[1.0]
    )
    assert np.array_equal(probabilities[0, 0], probabilities[0, 1])


def test_bad_input_is_named():
    def fit(texts=TEXTS, labels=LABELS, rows=None, n_labels=2, strengths=(1.0, 10.0)):
        runs = [Run(np.arange(60) if rows is None else np.array(rows, dtype=int), 0)]
        return fit_predict_tfidf(texts, labels, runs, ["cat"], n_labels=n_labels, strengths=strengths)

    with pytest.raises(ValueError, match="run 0 has no rows"):
        fit(rows=[])
    with pytest.raises(ValueError, match=r"run 0 has 0 row\(s\) of label 1"):
        fit(rows=[0, 2, 4])
    with pytest.raises(ValueError, match=r"run 0 has 1 row\(s\) of label 1"):
        fit(rows=[0, 1, 2])
    with pytest.raises(ValueError, match=r"label\(s\) \[1\] are not of 0..0"):
        fit(n_labels=1)
    with pytest.raises(ValueError, match="give one positive C"):
        fit(strengths=[0.0, 1.0])
    with pytest.raises(ValueError, match=r"run 0 cannot be fitted on its 60 texts.*empty vocabulary"):
        fit(texts=["?"] * 60, strengths=[1.0])
    with pytest.raises(ValueError, match="run 1 has no rows"):
        predict_majority(LABELS, [Run(np.arange(2), 0), Run(np.array([], dtype=int), 0)], 3, n_labels=2)


def test_a_fit_that_does_not_converge_is_named(monkeypatch):
    monkeypatch.setattr(baselines, "LogisticRegression", lambda C, max_iter: LogisticRegression(C=C, max_iter=1))
    with pytest.raises(ValueError, match=r"run 0 cannot be fitted on its 60 texts: lbfgs failed to converge"):
        fit_predict_tfidf(TEXTS, LABELS, [Run(np.arange(60), 0)], ["cat"], n_labels=2, strengths=[10.0])
