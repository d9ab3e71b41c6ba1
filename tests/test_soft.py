"""Classifiers' probabilities against distributions of votes."""

import numpy as np
import pandas as pd
import pytest

from synthlib.votes import soft

COUNTS = pd.DataFrame({"no": [4, 1, 0], "yes": [1, 1, 5]}, index=pd.Index(["t1", "t2", "t3"], name="key"))


def predict(source, rows, seeds=2):
    return pd.DataFrame(
        [
            {"source": source, "seed": seed, "key": key, "probabilities": list(row)}
            for seed in range(seeds)
            for key, row in zip(COUNTS.index, rows, strict=True)
        ]
    )


def compare(*frames, sources):
    settings = {"n_resamples": 200, "confidence": 0.95, "rng": np.random.default_rng(0)}
    found = soft.compare_with_votes(pd.concat(frames), COUNTS, sources=sources, **settings)
    return found.set_index("source")


def test_the_votes_themselves_are_at_no_distance_and_lowest_in_cross_entropy():
    exact = [[0.8, 0.2], [0.5, 0.5], [0.0, 1.0]]
    found = compare(predict("real", exact), predict("zero_shot", [[0.5, 0.5]] * 3), sources=["real", "zero_shot"])
    assert found.loc["real", "manhattan"] == pytest.approx(0)
    assert found.loc["votes", "manhattan"] == 0
    assert found.loc["real", "cross_entropy"] == pytest.approx(found.loc["votes", "cross_entropy"])
    assert (found["cross_entropy"] >= found.loc["votes", "cross_entropy"] - 1e-9).all()
    assert found.loc["zero_shot", "manhattan"] == pytest.approx((0.6 + 0 + 1) / 3)
    assert found.loc["zero_shot", "cross_entropy"] == pytest.approx(np.log(2))
    assert found.loc["zero_shot", "manhattan_minus_real"] == pytest.approx(1.6 / 3)
    assert np.isnan(found.loc["real", "manhattan_minus_real"])


def test_the_base_rate_is_that_of_all_votes():
    found = compare(predict("real", [[0.5, 0.5]] * 3), sources=["real"])
    rate = np.array([5, 7]) / 12
    votes = np.array([[0.8, 0.2], [0.5, 0.5], [0.0, 1.0]])
    assert found.loc["base rate", "manhattan"] == pytest.approx(np.abs(votes - rate).sum(axis=1).mean())


def test_a_sure_and_wrong_prediction_has_a_finite_cross_entropy():
    found = compare(predict("real", [[0.0, 1.0]] * 3), sources=["real"])
    assert np.isfinite(found.loc["real", "cross_entropy"]) and found.loc["real", "cross_entropy"] > 3
    assert found.loc["real", "manhattan_low"] <= found.loc["real", "manhattan"] <= found.loc["real", "manhattan_high"]


def test_missing_predictions_are_errors():
    rows = predict("real", [[0.5, 0.5]] * 3)
    with pytest.raises(ValueError, match="no predictions of source 'few_shot'"):
        compare(rows, sources=["few_shot"])
    with pytest.raises(ValueError, match="seed 0: no prediction of text 't2'"):
        compare(rows[rows["key"] != "t2"], sources=["real"])
