"""Accuracy against agreement, and doubt against disagreement."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from synthlib.metrics import draw_resampling
from synthlib.votes import gamma, instances


def simulate(rng, *, n_texts=400, n_seeds=3, steep=1.0):
    """Predictions whose accuracy is 0.9 - steep * (1 - a_i), and the texts they are on."""
    agreement = rng.choice([0.6, 0.8, 1.0], size=n_texts)
    texts = pd.DataFrame({"key": [f"k{i}" for i in range(n_texts)], "agreement": agreement})
    texts["gold"] = rng.choice(["a", "b"], size=n_texts)
    rows = []
    for seed in range(n_seeds):
        right = rng.random(n_texts) < 0.9 - steep * (1 - agreement)
        top = 0.5 + 0.5 * np.clip(agreement - 0.4 * rng.random(n_texts), 0, 1)
        predicted = np.where(right, texts["gold"], np.where(texts["gold"] == "a", "b", "a"))
        probabilities = [[p, 1 - p] for p in top]
        rows.append(
            pd.DataFrame({"seed": seed, "key": texts["key"], "predicted": predicted, "probabilities": probabilities})
        )
    return pd.concat(rows).assign(source="zero_shot"), texts


def test_labels_of_disputed_texts_are_checked_against_the_votes():
    texts = pd.DataFrame({"agreement": [1.0, 1.0, 0.6, 0.8, 0.5], "majority": ["a", "b", "a", "b", None]})
    group = instances.TextSet("imdb", "Films", "panel", "test", texts.assign(gold=["a", "b", "b", "b", "a"]), None)
    found = instances.check_labels([group, group])
    assert found["n_texts"].tolist() == [4, 6] and found["same"].tolist() == [1.0, pytest.approx(1 / 3)]  # a tie is not
    said = instances.say_labels(found)
    assert "disputes 6 of 10 texts" in said and "majority label on 33% of these and on 100% of the others" in said
    assert instances.say_labels(found[:1]) == "No text is disputed."


def study(predictions, texts, sources=("zero_shot",), min_texts=10):
    settings = {"min_texts": min_texts, "n_resamples": 300, "confidence": 0.95, "rng": np.random.default_rng(0)}
    return instances.study_texts(predictions, texts, sources=list(sources), **settings)


def test_a_rising_accuracy_is_found_and_a_flat_one_is_not():
    steep, texts = simulate(np.random.default_rng(0))
    flat, _ = simulate(np.random.default_rng(0), steep=0.0)
    flat = flat.assign(source="real")
    curves, slopes, _ = study(pd.concat([steep, flat]), texts, sources=("real", "zero_shot"))
    slopes = slopes.set_index("source")
    assert slopes.loc["zero_shot", "slope_low"] > 0 and slopes.loc["zero_shot", "gap_low"] > 0
    assert slopes.loc["zero_shot", "balanced_slope_low"] > 0
    assert slopes.loc["zero_shot", "rho"] == pytest.approx(1)
    assert slopes.loc["zero_shot", "slope_minus_real_low"] > 0
    assert slopes.loc["real", "slope_low"] < 0 < slopes.loc["real", "slope_high"]
    assert np.isnan(slopes.loc["real", "slope_minus_real"])
    assert slopes.loc["zero_shot", "balanced_slope_minus_real"] == pytest.approx(
        slopes.loc["zero_shot", "balanced_slope"] - slopes.loc["real", "balanced_slope"]
    )
    assert slopes.loc["zero_shot", "balanced_slope_minus_real_low"] > 0
    rows = curves[curves["source"] == "zero_shot"]
    assert rows["gamma"].tolist() == [0.6, 0.8, 1.0]
    assert rows["n_texts"].iloc[0] == len(texts)
    assert ((rows["accuracy_low"] < rows["accuracy"]) & (rows["accuracy"] < rows["accuracy_high"])).all()


def test_rows_are_matched_by_key_not_by_order():
    predictions, texts = simulate(np.random.default_rng(1))
    shuffled = predictions.sample(frac=1, random_state=0)
    for a, b in zip(study(predictions, texts), study(shuffled, texts), strict=True):
        pd.testing.assert_frame_equal(a, b)


def test_each_resample_is_scored_like_a_direct_count():
    rng = np.random.default_rng(2)
    right, agreement, gold = rng.random((3, 30)) < 0.7, rng.choice([0.6, 1.0], 30), rng.choice(["a", "b"], 30)
    resampling = draw_resampling(30, 3, n_resamples=5, rng=rng)
    kept = agreement[:, None] >= np.array([0.6, 1.0])
    accuracy, draws = gamma.trace_accuracy(right, kept, resampling)
    _, balanced = gamma.trace_balanced(right, kept, gold, resampling)
    assert accuracy[0] == pytest.approx(right.mean())
    for r in range(5):
        rows, seeds = (np.repeat(np.arange(len(c)), c) for c in (resampling.rows[r], resampling.seeds[r]))
        unanimous = rows[agreement[rows] == 1]
        assert draws[r, 1] == pytest.approx(right[np.ix_(seeds, unanimous)].mean())
        other = np.where(gold == "a", "b", "a")
        predicted = np.where(right[np.ix_(seeds, unanimous)], gold[unanimous], other[unanimous]).ravel()
        expected = balanced_accuracy_score(np.tile(gold[unanimous], 3), predicted)
        assert balanced[r, 1] == pytest.approx(expected)


def test_slope_is_the_least_squares_one():
    gammas, values = np.array([0.5, 0.66, 0.75, 1.0]), np.array([0.6, 0.8, 0.7, 0.9])
    assert gamma.fit_slope(gammas, values) == pytest.approx(stats.linregress(gammas, values).slope)


def test_equal_agreement_leaves_everything_undefined_and_says_so():
    predictions, texts = simulate(np.random.default_rng(3))
    curves, slopes, found = study(predictions, texts.assign(agreement=1.0))
    assert len(curves) == 1
    assert slopes[["rho", "slope", "gap", "balanced_slope"]].isna().all(axis=None)
    assert "1 threshold" in slopes["note"].iloc[0] and "gap undefined" in slopes["note"].iloc[0]
    assert np.isnan(found["auc"].iloc[0]) and "undefined" in found["note"].iloc[0]


def test_thresholds_that_keep_too_few_texts_are_left_out():
    predictions, texts = simulate(np.random.default_rng(4))
    curves, slopes, _ = study(predictions, texts, min_texts=int((texts["agreement"] == 1).sum()) + 1)
    assert curves["gamma"].tolist() == [0.6, 0.8]
    assert np.isnan(slopes["slope"].iloc[0]) and "2 threshold" in slopes["note"].iloc[0]
    assert study(predictions, texts, min_texts=10_000)[0].empty


def test_weighted_auc_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(5)
    scores, positive = rng.integers(0, 5, 50) / 5, rng.random(50) < 0.4
    weights = draw_resampling(50, 1, n_resamples=20, rng=rng).rows
    expected = [roc_auc_score(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(instances.weighted_auc(scores, positive, weights), expected)


def test_missing_predictions_are_errors():
    predictions, texts = simulate(np.random.default_rng(6))
    with pytest.raises(ValueError, match="no predictions of source 'real'"):
        study(predictions, texts, sources=("real",))
    with pytest.raises(ValueError, match=r"no prediction of 1 text.*'k7'"):
        study(predictions[predictions["key"] != "k7"], texts)


def test_panel_and_people_are_held_against_each_other():
    rng = np.random.default_rng(7)
    people = rng.choice([0.5, 0.75, 1.0], 200)
    both = pd.DataFrame({"people": people, "agreement": np.where(rng.random(200) < people, 1.0, 0.6)})
    settings = {"n_resamples": 200, "confidence": 0.95}
    row = instances.correlate_agreement(both, **settings, rng=rng)
    assert row["rho_low"] < row["rho"] < row["rho_high"]
    assert row["rho"] == pytest.approx(stats.spearmanr(people, both["agreement"]).statistic)
    classes = instances.compare_classes(both, **settings, rng=rng)
    assert classes["agreement"].is_monotonic_increasing and classes["n_texts"].sum() == 200
    constant = instances.correlate_agreement(both.assign(agreement=1.0), **settings, rng=rng)
    assert np.isnan(constant["rho"]) and "does not vary" in constant["note"]
    assert instances.compare_classes(both[:0], **settings, rng=rng).empty


def test_sets_without_single_votes_alone_have_no_number_of_votes():
    texts = pd.DataFrame({"key": ["a", "b"], "agreement": [1.0, 0.5], "gold": ["x", "y"]})
    group = instances.TextSet("financial_phrasebank", "Finance", "people", "test", texts, None)
    table = instances.tabulate_agreement([group], n_resamples=50, confidence=0.9, rng=np.random.default_rng(0))
    assert table["votes"].isna().all() and table["agreement"].tolist() == [0.75]
