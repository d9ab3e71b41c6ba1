"""Scores against scikit-learn, resampling against doing it by hand, tests against scipy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from synthlib import metrics


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def make_predictions(rng, n_seeds=3, n_rows=120, n_labels=4):
    gold = rng.integers(n_labels, size=n_rows)
    right = rng.random((n_seeds, n_rows)) < 0.6
    return gold, np.where(right, gold, rng.integers(n_labels, size=(n_seeds, n_rows)))


def test_scores_equal_scikit_learn(rng):
    gold, predicted = make_predictions(rng)
    ours = [metrics.count_confusions, metrics.macro_f1, metrics.accuracy]
    theirs = [confusion_matrix, lambda a, b: f1_score(a, b, average="macro"), accuracy_score]
    for our, their in zip(ours, theirs, strict=True):
        expected = [their(gold, one) for one in predicted]
        np.testing.assert_allclose(our(gold, predicted, n_labels=4), expected, rtol=1e-12)


def test_absent_label_counts_as_zero_like_scikit_learn():
    gold, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    expected = f1_score(gold, predicted, labels=[0, 1, 2], average="macro", zero_division=0)
    assert metrics.macro_f1(gold, predicted, n_labels=3) == pytest.approx(expected)
    assert metrics.macro_f1(gold, predicted, n_labels=3) == pytest.approx(4 / 9)


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([0, 2], [0, 1], "gold labels must be whole numbers from 0 to 1"),
        ([0, 1], [0, -1], "predicted labels"),
        ([0, 1], [0.0, 1.0], "predicted labels"),
        ([0, 1], [0, 1, 1], "expected"),
        ([], [], "expected"),
    ],
)
def test_bad_labels_are_refused(gold, predicted, message):
    with pytest.raises(ValueError, match=message):
        metrics.macro_f1(np.array(gold), np.array(predicted), n_labels=2)


def test_bootstrap_equals_resampling_by_hand(rng):
    gold, predicted = make_predictions(rng)
    resampling = metrics.draw_resampling(120, 3, n_resamples=20, rng=rng)
    scores = metrics.bootstrap_scores(gold, predicted, n_labels=4, resampling=resampling)
    for draw in range(20):
        rows, seeds = (np.repeat(np.arange(len(c[draw])), c[draw]) for c in (resampling.rows, resampling.seeds))
        by_hand = [f1_score(gold[rows], predicted[s][rows], average="macro", labels=range(4)) for s in seeds]
        assert scores.f1_draws[draw] == pytest.approx(np.mean(by_hand), abs=1e-6)
        by_hand = [accuracy_score(gold[rows], predicted[s][rows]) for s in seeds]
        assert scores.accuracy_draws[draw] == pytest.approx(np.mean(by_hand), abs=1e-6)
    assert scores.f1 == pytest.approx(np.mean([f1_score(gold, p, average="macro") for p in predicted]))


def test_bootstrap_in_chunks_is_the_same(rng, monkeypatch):
    gold, predicted = make_predictions(rng)
    resampling = metrics.draw_resampling(120, 3, n_resamples=50, rng=rng)
    whole = metrics.bootstrap_scores(gold, predicted, n_labels=4, resampling=resampling)
    monkeypatch.setattr(metrics, "_CHUNK", 1000)
    parts = metrics.bootstrap_scores(gold, predicted, n_labels=4, resampling=resampling)
    np.testing.assert_allclose(parts.f1_draws, whole.f1_draws, rtol=1e-12)


def test_resampling_draws_as_many_as_there_are(rng):
    resampling = metrics.draw_resampling(50, 5, n_resamples=4000, rng=rng)
    assert (resampling.rows.sum(1) == 50).all() and (resampling.seeds.sum(1) == 5).all()
    np.testing.assert_allclose(resampling.rows.mean(0), 1, atol=0.08)
    assert resampling.rows.var() == pytest.approx(1 - 1 / 50, abs=0.02)  # binomial(N, 1/N)


def test_accuracy_interval_is_the_binomial_one(rng):
    gold = np.zeros(400, dtype=int)
    predicted = (np.arange(400) < 80).astype(int)[None]  # 80% right, one seed
    resampling = metrics.draw_resampling(400, 1, n_resamples=4000, rng=rng)
    scores = metrics.bootstrap_scores(gold, predicted, n_labels=2, resampling=resampling)
    low, high = metrics.interval(scores.accuracy_draws, confidence=0.95)
    half = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert (low, high) == (pytest.approx(0.8 - half, abs=0.006), pytest.approx(0.8 + half, abs=0.006))


def test_shared_resampling_pairs_the_sources(rng):
    gold, predicted = make_predictions(rng, n_seeds=2, n_rows=300)
    better = predicted.copy()
    better[:, ::10] = gold[::10]  # the same errors, some mended
    resampling = metrics.draw_resampling(300, 2, n_resamples=1000, rng=rng)
    draws = [
        metrics.bootstrap_scores(gold, p, n_labels=4, resampling=resampling).accuracy_draws for p in (predicted, better)
    ]
    assert np.std(draws[1] - draws[0]) < 0.6 * np.hypot(np.std(draws[0]), np.std(draws[1]))
    assert (draws[1] >= draws[0]).all()


def test_resampling_of_other_rows_or_seeds_is_refused(rng):
    gold, predicted = make_predictions(rng)
    for rows, seeds in ((119, 3), (120, 2)):
        resampling = metrics.draw_resampling(rows, seeds, n_resamples=5, rng=rng)
        with pytest.raises(ValueError, match="resampling is of"):
            metrics.bootstrap_scores(gold, predicted, n_labels=4, resampling=resampling)
    with pytest.raises(ValueError, match="n_seeds is 0"):
        metrics.draw_resampling(10, 0, n_resamples=5, rng=rng)


def test_rank_correlation_equals_scipy_with_ties(rng):
    x, y = rng.integers(5, size=(2, 30))
    assert metrics.correlate_ranks(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert np.isnan(metrics.correlate_ranks([1, 1, 1], [1, 2, 3]))


def test_permutation_test_agrees_with_scipys_t_approximation(rng):
    x = rng.random(10)
    y = x + rng.random(10)
    rho, p = metrics.permutation_test(x, y, n_permutations=20_000, rng=rng)
    expected = stats.spearmanr(x, y)
    assert rho == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, abs=0.02)


def test_correlation_interval_holds_rho_and_is_repeatable(rng):
    x = rng.random(10)
    y = x + 0.3 * rng.random(10)
    low, high = (
        metrics.correlation_interval(x, y, n_resamples=500, confidence=0.95, rng=np.random.default_rng(1)) for _ in "ab"
    )
    assert low == high  # the same stream gives the same interval
    assert low[0] < metrics.correlate_ranks(x, y) < low[1] <= 1


@pytest.mark.parametrize(("x", "y"), [([1, 2], [2, 1]), ([1, 1, 1], [1, 2, 3]), ([1, 2, np.nan], [1, 2, 3])])
def test_correlation_without_spread_is_refused(x, y, rng):
    with pytest.raises(ValueError, match=r"expected|constant"):
        metrics.permutation_test(x, y, n_permutations=100, rng=rng)


def test_means_are_compared_over_all_partitions():
    difference, p_t, p_permutation = metrics.compare_means(np.arange(4) + 10.0, np.arange(6) * 1.0)
    assert difference == pytest.approx(9.0)
    assert p_t == pytest.approx(stats.ttest_ind(np.arange(4) + 10, np.arange(6), equal_var=False).pvalue)
    assert p_permutation == pytest.approx(2 / 210)  # two-sided: scipy doubles the smaller tail
    assert np.isnan(metrics.compare_means([1.0], [2.0, 3.0])).all()
