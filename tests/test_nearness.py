"""Duplicates, few-shot examples and overlap with the test set, by cosine."""

import math

import numpy as np
import pandas as pd
import pytest

from synthlib.corpus import nearness
from synthlib.features import FeatureTable
from synthlib.plots import texts as figures


def make_table(vectors: list[list[float]], **columns: list) -> FeatureTable:
    rows = pd.DataFrame({"key": [f"k{i}" for i in range(len(vectors))], **columns})
    return FeatureTable(rows, np.array(vectors, dtype=np.float32), np.zeros((len(vectors), 1), dtype=np.uint8))


def test_duplicates_are_found_within_a_setting_only():
    table = make_table(
        [[1, 0], [2, 0], [0, 1], [1, 0]],
        setting=["zero_shot"] * 3 + ["few_shot"],
        label=["a", "b", "a", "a"],
        text=["Good  day", "good day", "rain", "good day"],
    )
    found = nearness.find_duplicates(table, threshold=0.95)
    assert found["exact_duplicate"].tolist() == [False, True, False, False]
    assert found["near_duplicate"].tolist() == [True, True, False, False]
    assert found["near_duplicate_other_label"].tolist() == [True, True, False, False]
    assert found["nearest_cosine"].tolist()[:3] == [1.0, 1.0, 0.0] and found["nearest"].tolist()[:2] == ["k1", "k0"]
    assert math.isnan(found["nearest_cosine"].iloc[3])  # alone in its setting


def test_overlap_names_the_nearest_test_row():
    corpus = make_table([[1, 0.1], [1, 1]], setting=["zero_shot"] * 2, label=["a", "b"])
    test = make_table([[0, 1], [1, 0]])
    found = nearness.find_overlap(corpus, test, threshold=0.95)
    assert found["nearest"].iloc[0] == "k1" and found["test_copy"].tolist() == [True, False]
    assert found["test_cosine"].iloc[1] == pytest.approx(math.sqrt(0.5))


def make_real(n_pool: int) -> FeatureTable:
    vectors = np.random.default_rng(0).normal(size=(n_pool, 16))
    return make_table(vectors.tolist(), label=["a"] * n_pool, pool=[True] * n_pool)


def test_a_copied_example_is_found_and_a_new_text_is_not():
    real = make_real(12)
    fresh = np.random.default_rng(1).normal(size=16)
    corpus = make_table(
        [(3 * real.features[2]).tolist(), fresh.tolist(), fresh.tolist()],
        setting=["few_shot", "few_shot", "zero_shot"],
        label=["a"] * 3,
        examples=[["k1", "k2", "k3"], ["k1", "k2", "k3"], []],
    )
    found = nearness.compare_examples(corpus, real, threshold=0.95, rng=np.random.default_rng(0))
    assert found["example_copy"].tolist() == [True, False] and found["nearest"].iloc[0] == "k2"
    assert found["example_cosine"].iloc[0] == pytest.approx(1) and found["other_cosine"].max() < 0.9
    assert found["examples"].tolist() == ["k1 k2 k3"] * 2
    legend = figures.plot_nearest_example(found, threshold=0.95).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["few-shot: not shown", "few-shot: shown"]


@pytest.mark.parametrize(("n_pool", "measured"), [(4, True), (3, False)])
def test_a_small_pool_leaves_few_or_no_others_to_compare_with(n_pool, measured):
    corpus = make_table([[1.0] * 16], setting=["few_shot"], label=["a"], examples=[["k0", "k1", "k2"]])
    found = nearness.compare_examples(corpus, make_real(n_pool), threshold=0.9, rng=np.random.default_rng(0))
    assert found["other_cosine"].notna().tolist() == [measured] and found["example_cosine"].notna().all()


def test_without_few_shot_texts_there_is_nothing_to_compare():
    corpus = make_table([[1.0] * 16], setting=["zero_shot"], label=["a"], examples=[[]])
    assert nearness.compare_examples(corpus, make_real(5), threshold=0.9, rng=np.random.default_rng(0)).empty


def test_an_example_that_is_no_real_row_is_an_error():
    corpus = make_table([[1.0] * 16], setting=["few_shot"], label=["a"], examples=[["k1", "lost", "k2"]])
    with pytest.raises(ValueError, match="shown text 'lost' is not among the 5 real rows"):
        nearness.compare_examples(corpus, make_real(5), threshold=0.9, rng=np.random.default_rng(0))
