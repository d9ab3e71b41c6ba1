"""Maps, repairs and tagged irony on a made-up task: what is dropped, weighted, relabelled and tagged."""

import numpy as np
import pandas as pd
import pytest

from synthlib import plots
from synthlib.explaining import cartography, irony, repairs, why
from synthlib.features import FeatureTable
from synthlib.plots import why as figures
from synthlib.train import Hyperparameters, Run, fit_predict

HYPERPARAMETERS = Hyperparameters(
    hidden_units=16, learning_rate=0.01, weight_decay=0.01, n_steps=30, batch_size=16, device="cpu"
)
LABELS = ["irony", "non_irony"]
CENTRES = np.random.default_rng(9).normal(size=(2, 8))


def make_table(n, *, wrong=0.0, seed=0, **columns):
    """Return ``n`` rows around two centres, a share of them with the other label's name."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    vectors = (CENTRES[y] + 0.4 * rng.normal(size=(n, 8))).astype(np.float32)
    flipped = np.arange(n) < round(wrong * n)
    rows = pd.DataFrame({"key": [f"k{i}" for i in range(n)], "label": np.array(LABELS)[np.where(flipped, 1 - y, y)]})
    return FeatureTable(rows.assign(text=rows["key"], flipped=flipped, **columns), vectors, np.ones((n, 3)))


@pytest.fixture(scope="module")
def texts():
    corpus = [make_table(60, wrong=0.2, seed=3, setting="zero_shot"), make_table(40, seed=4, setting="few_shot")]
    joined = FeatureTable(
        pd.concat([table.rows for table in corpus], ignore_index=True),
        np.concatenate([table.features for table in corpus]),
        np.ones((100, 3)),
    )
    return repairs.Texts(LABELS, make_table(80, seed=1, pool=np.arange(80) < 20), make_table(50, seed=2), joined)


@pytest.fixture(scope="module")
def trained(texts):
    return why.train_sources(
        texts, ["zero_shot", "few_shot"], [1, 2], hyperparameters=HYPERPARAMETERS, stages=[2, 8], share=0.25
    )


def test_rows_are_real_ones_then_synthetic(texts):
    assert texts.find("real").tolist() == list(range(80)) and texts.find("pool").tolist() == list(range(20))
    assert texts.find("few_shot").tolist() == list(range(140, 180))
    assert len(texts.features) == len(texts.y) == 180
    with pytest.raises(ValueError, match="no rows of 'attributed'"):
        texts.find("attributed")


def test_seeds_are_those_of_03_train():
    sequences = np.random.SeedSequence(5).spawn(2)
    assert repairs.draw_seeds(5, 2) == [int(sequence.generate_state(1)[0]) for sequence in sequences]


def test_stages_are_trainings_of_that_length(texts):
    runs, rows = [Run(texts.find("zero_shot"), 4)], texts.find("zero_shot")[:7]
    options = {"n_labels": 2, "hyperparameters": HYPERPARAMETERS}
    own = cartography.record_stages(texts.features, texts.y, runs, rows, stages=[1, 30], **options)
    whole, _ = fit_predict(texts.features, texts.y, runs, texts.features[rows], **options)
    assert own.shape == (2, 1, 7)
    np.testing.assert_allclose(own[1, 0], whole[0, np.arange(7), texts.y[rows]], rtol=1e-6)
    with pytest.raises(ValueError, match="two or more numbers of steps"):
        cartography.record_stages(texts.features, texts.y, runs, rows, stages=[5], **options)


def test_wrongly_labelled_texts_are_hard_to_learn(texts, trained):
    maps = trained.maps[trained.maps["setting"] == "zero_shot"].reset_index(drop=True)
    flipped = texts.corpus.rows["flipped"][:60]
    assert maps["confidence"][flipped].mean() < maps["confidence"][~flipped].mean() - 0.1
    assert (maps["region"] == "hard").sum() == 15 and flipped[maps["region"] == "hard"].mean() > 0.6
    assert maps["disagrees"][flipped].mean() > 0.9 and maps["disagrees"][~flipped].mean() < 0.1
    examples = cartography.list_examples(trained.maps, n_texts=2, n_chars=2)
    assert len(examples) == 8 and examples["text"].str.len().max() == 2
    hard = examples[(examples["setting"] == "zero_shot") & (examples["region"] == "hard")]
    assert hard["confidence"].min() == maps["confidence"].min()


def test_reweighting_keeps_the_shares_of_the_labels_and_loses_what_weighs_nothing():
    rows, y = np.arange(10, 16), np.array([0, 0, 0, 0, 1, 1])
    quality = np.array([0.0, 0.5, 0.5, 1.0, 0.2, 0.2])
    repeated = repairs.reweight(rows, y, quality, np.ones(6))
    counts = dict(zip(*np.unique(repeated, return_counts=True), strict=True))
    assert counts == {11: 10, 12: 10, 13: 20, 14: 10, 15: 10}


def test_repairs_change_what_they_say(texts, trained):
    plan, runs, rows, y = repairs.plan_repairs(
        texts,
        ["zero_shot"],
        [1, 2],
        by_pool=trained.corpus["pool"],
        by_setting=trained.corpus,
        confidence={"zero_shot": trained.maps["confidence"].to_numpy()[:60]},
        share=0.25,
    )
    assert plan["repair"].tolist() == ["dropped", "reweighted", "relabelled", "with_pool"] * 2
    learned = dict(zip(plan["repair"][:4], runs[:4], strict=True))
    flipped = 80 + np.flatnonzero(texts.corpus.rows["flipped"])
    assert len(learned["dropped"].rows) == 44 and plan["changed"][0] == pytest.approx(16 / 60)
    seen = np.isin(learned["reweighted"].rows, flipped).mean()
    assert seen < 0.7 * 0.2  # wrongly labelled texts count for less
    again = learned["relabelled"].rows
    assert again.min() >= len(texts.y) and (rows[again] == texts.find("zero_shot")).all()
    truth = np.arange(60) % 2
    assert (y[again] == truth).mean() > 0.95 > (texts.y[texts.find("zero_shot")] == truth).mean()
    assert set(learned["with_pool"].rows) == {*texts.find("pool"), *texts.find("zero_shot")}
    assert [run.seed for run in runs] == [1] * 4 + [2] * 4


def test_gains_are_differences_of_the_scores(texts, trained):
    plan, predicted = why.train_repairs(
        texts, trained, ["zero_shot", "few_shot"], [1, 2], hyperparameters=HYPERPARAMETERS, share=0.25
    )
    assert len(plan) == 16
    scores = why.score_sources(predicted, texts.gold, n_labels=2, n_resamples=100, rng=np.random.default_rng(0))
    gains = why.compare_repairs({"tweet_irony": scores}, ["zero_shot", "few_shot"], confidence=0.95)
    assert len(gains) == 2 * 2 * 10 and set(gains["repair"]) == {*repairs.REPAIRS, "pool"}
    row = gains.query("task == 'tweet_irony' and setting == 'zero_shot' and repair == 'relabelled' and than == 'as_is'")
    expected = scores["zero_shot", "relabelled"].f1 - scores["zero_shot", "as_is"].f1
    assert row["f1"].item() == pytest.approx(expected)
    assert predicted["", "pool"].shape == (2, 50)


def test_tags_are_nested_draws_of_ironic_texts(texts):
    plan, runs, tagged = irony.plan_tags(
        texts, ["zero_shot"], [1, 2], shares=[0.0, 0.5, 1.0], rng=np.random.default_rng(0)
    )
    assert plan["source"].tolist() == ["real", "zero_shot", "zero_shot", "zero_shot"] * 2
    assert (texts.y[tagged] == 0).all() and len(tagged) == 30
    copies = [set(run.rows[run.rows >= len(texts.y)]) for run in runs[1:4]]
    assert list(map(len, copies)) == [0, 15, 30] and copies[1] < copies[2]
    assert copies[1] != set(runs[6].rows[runs[6].rows >= len(texts.y)])  # another draw for another seed
    assert set(irony.add_tags(["a"] * 50, np.random.default_rng(0))) == {f"a {tag}" for tag in irony.TAGS}
    with pytest.raises(ValueError, match=r"tag shares are \[2\]"):
        irony.plan_tags(texts, ["zero_shot"], [1], shares=[2], rng=np.random.default_rng(0))


def test_a_tag_that_gives_the_label_away_helps_on_raw_test_texts(texts):
    plan, runs, tagged = irony.plan_tags(texts, ["zero_shot"], [1, 2], shares=[0.0, 1.0], rng=np.random.default_rng(0))
    tag = np.float32(4) * np.eye(8, dtype=np.float32)[0]
    raw = texts.test.features + np.where(texts.gold == 0, 1, 0)[:, None].astype(np.float32) * tag
    copies = texts.features[tagged] + tag
    predicted = irony.predict_test_sets(texts, raw, (tagged, copies), runs, HYPERPARAMETERS)
    scores = irony.score_tags(
        plan, predicted, texts.gold, n_labels=2, n_resamples=100, confidence=0.95, rng=np.random.default_rng(0)
    ).set_index(["test_set", "source", "share"])
    assert scores.loc[("raw", "zero_shot", 1.0), "f1"] > 0.95
    real = scores.loc[("raw", "real", 0.0)]
    assert real["gain"] == real["gain_low"] == 0
    row = scores.loc[("raw", "zero_shot", 1.0)]
    assert row["gain"] == pytest.approx(row["f1"] - real["f1"])
    held = pd.DataFrame({"irony_tag": [True, True, False, False]})
    assert irony.score_rule(held, np.array([0, 1, 1, 1]), labels=LABELS) == pytest.approx((2 / 3 + 4 / 5) / 2)


@pytest.mark.usefixtures("project_style")
def test_figures_show_every_row(texts, trained, tmp_path):
    figure = figures.plot_cartography(trained.maps, task="tweet_irony")
    drawn = sum(len(line.get_xdata()) for ax in figure.axes for line in ax.lines)
    assert drawn == len(trained.maps)
    rows = [
        {
            "task": task,
            "setting": "zero_shot",
            "repair": repair,
            "than": "as_is",
            "f1": 0.1,
            "f1_low": 0,
            "f1_high": 0.2,
        }
        for task in ("imdb", "humor", "all")
        for repair in ("dropped", "pool")
    ]
    figure = figures.plot_repairs(pd.DataFrame(rows), {"dropped": "dropped", "pool": "pool"})
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["pool", "dropped"]
    assert sum(line.get_marker() == "o" for line in ax.lines) == 4
    assert plots.save_figure(figure, pd.DataFrame(rows), tmp_path, "08_repairs")
