"""Scores by source and their differences: against scikit-learn, paired, and by key."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from synthlib import compare, metrics

LABELS = ["x", "y", "z"]


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    gold = rng.choice(LABELS, 90)
    frames = []
    for source, right in (("real", 0.9), ("zero_shot", 0.5)):
        for seed in range(3):
            told = np.where(rng.random(90) < right, gold, rng.choice(LABELS, 90))
            order = rng.permutation(90)  # predictions need not stand in the same order
            frame = pd.DataFrame({"key": [f"k{i}" for i in range(90)], "label": gold, "predicted": told})
            frames.append(frame.iloc[order].assign(source=source, seed=seed))
    return pd.concat(frames, ignore_index=True)


def test_scores_are_the_mean_over_seeds_by_key(predictions):
    scores = compare.score_predictions(predictions, LABELS, n_resamples=200, rng=np.random.default_rng(0))
    for source, rows in predictions.groupby("source"):
        by_seed = [f1_score(r["label"], r["predicted"], average="macro") for _, r in rows.groupby("seed")]
        assert scores[source].f1 == pytest.approx(np.mean(by_seed))


def test_differences_are_paired(predictions):
    copy = predictions.assign(source=predictions["source"].replace({"real": "few_shot"}))
    both = pd.concat([predictions, copy[copy["source"] == "few_shot"]])
    scores = compare.score_predictions(both, LABELS, n_resamples=200, rng=np.random.default_rng(0))
    table = compare.contrast(scores, [("real", "few_shot"), ("real", "zero_shot"), ("real", "pool")], confidence=0.95)
    assert table["second"].tolist() == ["few_shot", "zero_shot"]  # pool was not trained
    assert table.iloc[0][["f1", "f1_low", "f1_high"]].tolist() == [0, 0, 0]
    assert table.iloc[1]["f1_low"] > 0


def test_the_average_over_tasks_is_the_mean_of_the_differences(predictions):
    rng = np.random.default_rng(0)
    tasks = {name: compare.score_predictions(predictions, LABELS, n_resamples=200, rng=rng) for name in "ab"}
    pairs = [("real", "zero_shot")]
    singles = [compare.contrast(scores, pairs, confidence=0.95)["f1"].iloc[0] for scores in tasks.values()]
    average = compare.average_contrast(tasks, pairs, confidence=0.95)
    assert average["f1"].iloc[0] == pytest.approx(np.mean(singles))
    single = compare.contrast(tasks["a"], pairs, confidence=0.95).iloc[0]
    assert np.ptp(average.iloc[0][["f1_low", "f1_high"]]) < np.ptp(single[["f1_low", "f1_high"]])


def test_draws_without_a_value_are_left_out_of_the_interval():
    draws = np.array([0.4, 0.6, np.nan])
    scores = {"real": metrics.Scores(0.5, 0.5, draws, draws), "pool": metrics.Scores(0.0, 0.0, 0 * draws, 0 * draws)}
    row = compare.contrast(scores, [("real", "pool")], confidence=0.5).iloc[0]
    assert row[["f1_low", "f1_high"]].tolist() == pytest.approx([0.45, 0.55])


def test_sources_tested_on_different_texts_are_refused(predictions):
    with pytest.raises(ValueError, match="not every source and seed"):
        compare.score_predictions(predictions.iloc[1:], LABELS, n_resamples=200, rng=np.random.default_rng(0))


def test_score_runs_takes_the_runs_of_the_plan():
    gold = np.array([0, 1, 0, 1])
    predicted = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]])
    plan = pd.DataFrame({"source": ["good", "bad"], "run": [0, 1], "seed": 0, "n_train": [8, 8]})
    resampling = metrics.draw_resampling(4, 1, n_resamples=100, rng=np.random.default_rng(0))
    table = compare.score_runs(
        plan, gold, predicted, by=["source"], n_labels=2, resampling=resampling, confidence=0.95
    ).set_index("source")
    assert table["accuracy"].to_dict() == {"good": 1.0, "bad": 0.0}
    assert table.loc["good", ["accuracy_low", "accuracy_high"]].tolist() == [1, 1]


def test_what_synthetic_texts_add_is_paired_with_the_same_real_texts_alone():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 3, 300)
    shapes = [("mixing", "real+synthetic", 0), ("mixing", "real", 10), ("mixing", "real+synthetic", 10)]
    plan = pd.DataFrame(
        [(*s, run) for s in shapes for run in (0, 1)], columns=["experiment", "source", "n_per_label", "seed"]
    )
    plan["run"] = range(6)
    weak = [np.where(rng.random(300) < 0.6, gold, (gold + 1) % 3) for _ in range(2)]
    better = [np.where(rng.random(300) < 0.3, gold, told) for told in weak]
    predicted = np.array([weak[0], weak[0], *weak, *better])
    resampling = metrics.draw_resampling(300, 2, n_resamples=500, rng=rng)
    gains = compare.measure_mixing_gains(plan, gold, predicted, n_labels=3, resampling=resampling, confidence=0.95)
    (row,) = gains.itertuples(index=False)
    f1 = [f1_score(gold, told, average="macro") for told in predicted]
    assert row.n_per_label == 10 and row.gain == pytest.approx(np.mean(f1[4:]) - np.mean(f1[2:4]))
    assert 0 < row.gain_low < row.gain < row.gain_high < row.gain + 0.06  # unpaired it would be wider


def test_confusions_are_shares_of_the_gold_label(predictions):
    table = compare.tabulate_confusions(predictions, ["zero_shot", "real"])
    assert table["source"].unique().tolist() == ["zero_shot", "real"]
    assert np.allclose(table.groupby(["source", "label"])["share"].sum(), 1)
    rows = predictions[(predictions["source"] == "real") & (predictions["label"] == "x")]
    cell = table[(table["source"] == "real") & (table["label"] == "x") & (table["predicted"] == "y")]
    assert cell["share"].item() == pytest.approx((rows["predicted"] == "y").mean())
