"""What 01_tasks says of the real sets: counts, overlap, and the irony tags."""

import numpy as np
import pandas as pd
import pytest

from synthlib import describe, features
from synthlib.features import FeatureTable
from synthlib.tasks import load_tasks

ENCODER = "all-MiniLM-L6-v2"


def test_the_tag_alone_scores_what_the_study_notes_on_raw_irony_tweets():
    rule = describe.score_irony_tags(features.load("tweet_irony", "features", ENCODER).rows)
    assert rule["accuracy"] == pytest.approx(0.85, abs=0.01)
    assert 0.5 < rule["commonest"] < rule["accuracy"]
    shares = rule["shares"]
    assert shares.loc["test", "percent with a tag: irony"] == 100
    assert shares.loc["train"].max() == 0


def test_overlap_counts_near_copies_and_other_labels():
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 2, 0, 1, 3]]
    rows = pd.DataFrame({"label": list("aabbba"), "split": ["train"] * 3 + ["test"] * 3})
    found = describe.find_train_overlap(FeatureTable(rows, vectors, np.zeros((6, 1))), threshold=0.9)
    assert found["test rows"] == 3 and found["near-duplicate"] == 2
    assert found["percent of these with another label"] == 100  # a against b, twice
    alone = describe.find_train_overlap(
        FeatureTable(rows, np.eye(6, dtype=np.float32), np.zeros((6, 1))), threshold=0.9
    )
    assert alone["near-duplicate"] == 0 and np.isnan(alone["percent of these with another label"])


def test_counts_shares_and_lengths_by_task():
    rows = pd.DataFrame(
        {
            "task": ["imdb"] * 4 + ["humor"] * 2,
            "group": ["least_subjective"] * 4 + ["most_subjective"] * 2,
            "split": ["train", "train", "train", "test", "train", "test"],
            "label": ["positive", "positive", "negative", "negative", "humor", "humor"],
            "pool": [True, False, False, False, False, False],
            "evaluation": [False, False, False, True, False, True],
            "n_words": [10, 20, 30, 40, 5, 5],
        }
    )
    counts = describe.count_rows(rows)
    assert counts.index.tolist() == ["imdb", "humor"]
    assert counts.loc["imdb", ["train", "test", "pool", "evaluation"]].tolist() == [3, 1, 1, 1]
    shares = describe.share_labels(rows[rows["split"] == "train"], load_tasks(["imdb", "humor"]))
    assert shares.set_index(["task", "label"])["share"].to_dict() == {
        ("imdb", "positive"): pytest.approx(2 / 3),
        ("imdb", "negative"): pytest.approx(1 / 3),
        ("humor", "humor"): 1.0,
        ("humor", "non_humor"): 0.0,
    }
    assert describe.measure_lengths(rows).set_index("task").loc["imdb", "words_median"] == 25


def test_tables_are_drawn_with_titles_and_whole_percents():
    counts = {"test rows": 1000, "near-duplicate": [16, 0], "percent near-duplicate": [1.6032, 0.0]}
    overlap = pd.DataFrame(
        {"task": ["imdb", "humor"], **counts, "percent of these with another label": [18.75, np.nan]}
    )
    shown = describe.format_overlap(overlap)
    assert shown.iloc[0].tolist() == ["Movie review sentiment", "1,000", 16, "1.6", "19"]
    assert np.isnan(shown.iloc[1, -1])
    marks = pd.DataFrame({"task": ["humor"], "label": ["humor"], "mark": ["digit"], "balanced accuracy": [0.814]})
    assert describe.format_marks(marks).iloc[0].tolist() == ["Humor detection", "humor", "digit", "81%"]
