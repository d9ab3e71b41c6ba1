"""Labels that were in the request, learnt from made-up texts whose vectors or whose style hold them."""

import numpy as np
import pandas as pd
import pytest

from synthlib import train
from synthlib.plots import stories as figures
from synthlib.recipes import request_labels, stories

HYPERPARAMETERS = train.Hyperparameters(
    hidden_units=16, learning_rate=0.01, weight_decay=0.01, n_steps=40, batch_size=16, device="cpu"
)
OPTIONS = {"n_folds": 4, "seeds": [1, 2], "hyperparameters": HYPERPARAMETERS, "n_resamples": 200, "confidence": 0.95}


def make_table(gold, *, in_style: bool):
    """Texts of two recipes whose label is in the vectors, or else in a question mark and a few small words."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(gold), 8)) + (0 if in_style else 3 * gold[:, None])
    said = ["Why would you not do it?" if label and in_style else "So we go on." for label in gold]
    half = len(gold) // 2
    texts = pd.DataFrame({"recipe": ["direct"] * half + ["hierarchical"] * half, "text": said})
    return stories.make_table(texts, vectors)


def score(table, gold, **changed):
    options = OPTIONS | {"rng": np.random.default_rng(3)} | changed
    return request_labels.score_label(table, gold, np.arange(len(gold)), **options)


@pytest.fixture(scope="module")
def gold():
    return np.tile([0, 0, 1], 40)  # 120 texts, a third with the label


@pytest.mark.parametrize(("in_style", "good", "bad"), [(False, "encoder", "style"), (True, "style", "encoder")])
def test_each_learner_finds_what_it_sees_and_nothing_else(gold, in_style, good, bad):
    scores = score(make_table(gold, in_style=in_style), gold)
    by = scores.set_index(["learner", "trained_on", "tested_on"]).sort_index()
    assert (by.loc[good, "f1"] > 0.9).all() and (by.loc[bad, "f1"] < 0.7).all()
    assert by.loc["majority", "f1"].round(3).eq(0.4).all()  # F1 0.8 and 0
    assert len(scores) == 3 * 2 * 2 and set(scores["n_train"]) == {45} and set(scores["n_test"]) == {60}
    assert scores["f1"].between(scores["f1_low"] - 1e-9, scores["f1_high"] + 1e-9).all()
    assert by.loc["encoder", "gain_low"].gt(0).all() != in_style
    counts = request_labels.count_gains(scores)
    column = "worse" if in_style else "better"
    assert counts[column].to_dict() == {"same": 2, "other": 2} and counts.loc["same", "cases"] == 2


def test_scores_repeat_exactly(gold):
    table = make_table(gold, in_style=False)
    pd.testing.assert_frame_equal(score(table, gold), score(table, gold))


def test_folds_test_every_text_once_and_keep_groups_together(gold):
    groups = np.arange(len(gold)) // 6
    rows = np.arange(60, 120)
    for folds in request_labels.draw_folds(gold, rows, groups, n_folds=5, seeds=[1, 2]):
        assert sorted(np.concatenate([fold.held_out for fold in folds])) == rows.tolist()
        for fold in folds:
            assert not set(groups[fold.held_out]) & set(groups[fold.run.rows])
            assert set(gold[fold.run.rows]) == {0, 1}


def test_held_out_texts_are_scored_by_classifiers_that_did_not_see_them():
    """Every text's vector is its own: whoever had seen it could learn it by heart, nobody else can know it."""
    gold = np.random.default_rng(5).permutation(np.tile([0, 1], 40))
    table = make_table(gold * 0, in_style=False)
    hard = OPTIONS | {"hyperparameters": train.Hyperparameters(64, 0.02, 0.0, 200, 16, "cpu")}
    scores = score(table, gold, **hard).set_index(["learner", "trained_on", "tested_on"])
    assert scores.loc[("encoder", "direct", "direct"), "f1"] < 0.75


def test_too_few_texts_or_groups_are_refused(gold):
    rows = np.arange(12)
    with pytest.raises(ValueError, match=r"a label has 4 text\(s\), too few for 5 folds"):
        request_labels.draw_folds(gold, rows, np.arange(120), n_folds=5, seeds=[1])
    with pytest.raises(ValueError, match=r"2 group\(s\), too few for 3 folds"):
        request_labels.draw_folds(gold, rows, np.arange(120) // 6, n_folds=3, seeds=[1])


# --- figures ---


@pytest.mark.usefixtures("project_style")
def test_figures_show_every_point_of_their_frame(gold):
    scores = score(make_table(gold, in_style=False), gold, n_resamples=100).assign(label="twist")
    axes = figures.plot_features(scores, confidence=0.95).axes
    assert [len(ax.lines) - drawn for ax, drawn in zip(axes, (0, 4), strict=True)] == [10, 10]  # 4 in the legend
    assert [tick.get_text() for tick in axes[0].get_yticklabels()] == ["twist"]
    rows = [
        (source, setting, measure, 0.5, 0.4, 0.6)
        for source, setting in (("direct", "recipe"), ("imdb", "zero_shot"), ("imdb", "attributed"))
        for measure in ("remote_clique", "chamfer")
    ]
    columns = ["source", "setting", "measure", "value", "value_low", "value_high"]
    axes = figures.plot_diversity(pd.DataFrame(rows, columns=columns)).axes
    assert [tick.get_text() for tick in axes[0].get_yticklabels()] == ["stories, direct", "Movie review sentiment"]
    openings = pd.DataFrame(rows, columns=columns).rename(columns={"setting": "name"}).assign(n_words=[1, 2] * 3)
    openings["name"] = openings["name"].replace("recipe", "direct")
    ax = figures.plot_openings(openings).axes[0]
    assert [line.get_label() for line in ax.lines[:3]] == ["stories, direct", "tasks, zero-shot", "tasks, attributed"]
    assert ax.lines[0].get_ydata().tolist() == [50, 50]
