"""Labels told by function words and by single marks."""

import numpy as np
import pandas as pd
import pytest

from synthlib import surface
from synthlib.corpus import shortcuts
from synthlib.features import FeatureTable

LABELS = ["a", "b"]
SHARED = {"n_resamples": 200, "confidence": 0.95}


def make_table(texts: dict[str, list[str]]) -> FeatureTable:
    labels = [label for label, listed in texts.items() for _ in listed]
    listed = [text for group in texts.values() for text in group]
    rows = pd.concat([pd.DataFrame({"label": labels}), surface.measure_surface(listed)], axis=1)
    return FeatureTable(rows, np.zeros((len(rows), 1)), surface.count_function_words(listed))


TOLD = make_table({"a": ["the cat and the dog?"] * 20, "b": ["my cat but your dog"] * 20})
ALIKE = make_table({"a": ["the cat", "my dog"] * 10, "b": ["the dog", "my cat"] * 10})


def test_function_words_tell_labels_that_differ_and_no_others():
    tables = {"real": ALIKE, "zero_shot": TOLD}
    found = shortcuts.score_function_words(tables, LABELS, n_repeats=2, rng=np.random.default_rng(0), **SHARED)
    values = found.set_index(["setting", "measure"])
    assert values.loc[("zero_shot", "function_words_f1"), "value"] == 1.0
    assert values.loc[("real", "function_words_f1"), "value"] < 0.65
    assert values.loc[("zero_shot", "function_words_to_real_f1"), "value"] == pytest.approx(0.5, abs=0.01)
    assert ("real", "function_words_to_real_f1") not in values.index
    assert ((found["value_low"] <= found["value"]) & (found["value"] <= found["value_high"])).all()


def test_length_tells_function_words_nothing():
    table = make_table({"a": ["the"] * 20, "b": ["the " * 9] * 20})
    x, _ = shortcuts._inputs(table, LABELS)
    assert np.array_equal(x[0], x[-1])


def test_one_text_a_label_cannot_be_cross_validated():
    table = make_table({"a": ["the"], "b": ["my"]})
    with pytest.raises(ValueError, match=r"a label has 1 row\(s\)"):
        shortcuts.score_function_words({"real": table}, LABELS, n_repeats=1, rng=np.random.default_rng(0), **SHARED)


def test_best_mark_is_found_with_its_side():
    asked = make_table({"a": ["why?", "how?", "nono"], "b": ["yess", "nope", "soso"]})
    best = shortcuts.find_best_mark(asked, "a")
    assert (best["measure"], best["side"], best["threshold"]) == ("question", "above", 0.0)
    assert best["accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert shortcuts.find_best_mark(asked, "b")["side"] == "up to"
    marks = shortcuts.find_best_marks({"zero_shot": TOLD}, LABELS, rng=np.random.default_rng(0), **SHARED)
    assert marks["mark"].tolist() == ["more than 19 characters", "at most 19 characters"]
    assert marks["value"].tolist() == [1.0, 1.0] and marks["value_low"].tolist() == [1.0, 1.0]
    flat = make_table({"a": ["cat sat", "x y"], "b": ["cat sat", "x y"]})
    assert shortcuts.find_best_mark(flat, "a")["accuracy"] == 0.5


def test_a_label_without_others_has_no_mark():
    with pytest.raises(ValueError, match="there must be others"):
        shortcuts.find_best_mark(make_table({"a": ["x", "y"]}), "a")


def test_balance_draws_equally_many_of_each_label_and_says_when_it_cannot():
    table = make_table({"a": ["x"] * 9, "b": ["y"] * 5})
    balanced = shortcuts.balance(table, LABELS, n_per_label=5, rng=np.random.default_rng(0))
    assert balanced.rows["label"].value_counts().to_dict() == {"a": 5, "b": 5}
    assert len(balanced.function_words) == 10
    with pytest.raises(ValueError, match=r"5 row\(s\) of label 'b'; 6 are asked for"):
        shortcuts.balance(table, LABELS, n_per_label=6, rng=np.random.default_rng(0))
