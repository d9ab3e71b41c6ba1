"""Moderators and slopes: values by hand, agreement with numpy, and what few tasks cannot show."""

import numpy as np
import pandas as pd
import pytest

from synthlib import surface
from synthlib.explaining import moderation, moderators
from synthlib.features import FeatureTable

OPTIONS = {"beside": "b", "n_resamples": 200, "n_permutations": 500, "confidence": 0.95}
SETTINGS = ("zero_shot", "few_shot")


def make_table(texts, labels):
    rows = pd.concat([pd.DataFrame({"label": labels}), surface.measure_surface(texts)], axis=1)
    return FeatureTable(rows, np.ones((len(texts), 2), dtype=np.float32), surface.count_function_words(texts))


REAL = make_table(
    ["I am here, you know!", "the cat on the mat", "it is so, really", "a dog of the house"], list("xyxy")
)


def make_slopes_table(n_tasks=10, seed=0):
    """Return a table whose outcome is three times moderator a, plus an offset a setting; b means nothing."""
    rng = np.random.default_rng(seed)
    rows = [
        {"task": f"t{t}", "setting": s, "a": a, "b": b, "offset": 50.0 * (s == "few_shot")}
        for t in range(n_tasks)
        for b in [rng.normal()]
        for s in SETTINGS
        for a in [rng.normal()]
    ]
    table = pd.DataFrame(rows)
    return table.assign(gap=3 * table["a"] + table["offset"] + 0.1 * rng.normal(size=len(table)))


def test_the_same_texts_do_not_differ_in_form():
    styles = moderators.compare_styles(REAL, REAL)
    assert all(value == pytest.approx(0, abs=1e-7) for value in styles.values())


def test_nominal_text_is_more_formal_and_signed_values_say_so():
    formal = make_table(["the report of the state of the union", "a list of the rules"], list("xy"))
    styles = moderators.compare_styles(REAL, formal)
    assert styles["formality_signed"] > 10 and styles["formality"] == styles["formality_signed"]
    assert styles["length_signed"] == pytest.approx(np.mean([np.log(8 / 4.5), np.log(5 / 5)]))
    assert 0 < styles["function_words"] <= 1 and 0 < styles["marks"] < 1
    back = moderators.compare_styles(formal, REAL)
    assert back["formality_signed"] == pytest.approx(-styles["formality_signed"])


def test_labels_weigh_the_same_however_many_texts_they_have():
    twice = make_table(["the cat on the mat", "the cat on the mat", "I am here, you know!"], list("yyx"))
    once = make_table(["the cat on the mat", "I am here, you know!"], list("yx"))
    assert moderators.score_formality(twice) == pytest.approx(moderators.score_formality(once))


def test_label_noise_is_beyond_the_classifiers_own_error():
    predicted, asked = np.array([[0, 1, 1, 1], [0, 0, 1, 0]]), np.array([0, 0, 1, 1])
    noise = moderators.measure_label_noise(predicted, asked, np.array([[0, 1, 0], [1, 1, 0]]), np.array([0, 1, 1]))
    assert noise["disagreement"] == pytest.approx(2 / 8)
    assert noise["error"] == pytest.approx(1 / 2)
    assert noise["label_noise"] == pytest.approx(noise["disagreement"] - noise["error"])


def test_bad_tables_are_named():
    with pytest.raises(ValueError, match=r"real texts have labels \['x', 'y'\], synthetic ones \['x'\]"):
        moderators.compare_styles(REAL, make_table(["I am"], ["x"]))
    with pytest.raises(ValueError, match="none of the function words"):
        moderators.compare_styles(REAL, make_table(["zebra", "quagga"], list("xy")))
    with pytest.raises(ValueError, match="no texts to measure"):
        moderators.score_formality(REAL.where(np.zeros(4, dtype=bool)))
    audit = pd.DataFrame({"setting": ["real"], "measure": "function_words_f1", "value": 0.5})
    other = pd.DataFrame({"source": ["real"], "reference": "coverage", "measure": "chamfer", "value": 0.5})
    with pytest.raises(ValueError, match=r"shortcut has not been measured of \['zero_shot'\]"):
        moderators.read_measured(audit, other, other, ["zero_shot"])
    scores = pd.DataFrame({"test_set": ["test"], "source": ["real"], "f1": [0.5]})
    with pytest.raises(ValueError, match=r"no scores of \['real_matched', 'zero_shot'\]"):
        moderators.collect_gaps(scores, ["zero_shot"])


def test_measured_moderators_are_higher_where_synthetic_text_is_further():
    audit = pd.DataFrame({"setting": ["real", "zero_shot"], "measure": "function_words_f1", "value": [0.5, 0.7]})
    near = pd.DataFrame({"source": ["real", "zero_shot"], "reference": "coverage", "value": [0.5, 0.4]})
    spread = pd.DataFrame({"source": ["real", "zero_shot"], "measure": "chamfer", "value": [0.6, 0.3]})
    found = moderators.read_measured(audit, near, spread, ["zero_shot"]).loc["zero_shot"]
    assert found.tolist() == pytest.approx([0.2, 0.1, 0.3])


def test_slopes_are_least_squares_with_an_intercept_a_setting():
    table = make_slopes_table()
    slopes = moderation.regress(table, "gap", ["a", "b"], rng=np.random.default_rng(0), **OPTIONS)
    within = table.groupby("setting")[["a", "b", "gap"]].transform(lambda column: column - column.mean())
    spread = np.sqrt((within[["a", "b"]] ** 2).mean())
    expected = np.linalg.lstsq(within[["a", "b"]] / spread, within["gap"], rcond=None)[0]
    pair = slopes[slopes["moderator"] == "a"].set_index("model")
    assert [pair.loc["pair", "slope"], pair.loc["beside", "slope"]] == pytest.approx(expected)
    alone = slopes[slopes["model"] == "alone"].set_index("moderator")
    assert alone.loc["a", "slope"] == pytest.approx(3 * spread["a"], rel=0.05)
    assert alone.loc["a", "slope_low"] < alone.loc["a", "slope"] < alone.loc["a", "slope_high"]
    assert alone.loc["a", "left_out_low"] <= alone.loc["a", "slope"] <= alone.loc["a", "left_out_high"]
    assert alone.loc["a", "unseen_r2"] > 0.95 and alone.loc["a", "p_family"] < 0.02


def test_noise_is_not_found_firm_and_p_of_the_family_is_no_smaller():
    table = make_slopes_table()
    slopes = moderation.regress(table, "gap", ["a", "b"], rng=np.random.default_rng(0), **OPTIONS)
    noise = slopes[(slopes["model"] == "alone") & (slopes["moderator"] == "b")].iloc[0]
    assert noise["p_family"] >= noise["p"] > 0.05 and noise["unseen_r2"] < 0.2
    assert 0 < noise["r_needed"] < 1


def test_a_constant_moderator_and_few_tasks_give_no_number():
    table = make_slopes_table().assign(b=1.0)
    slopes = moderation.regress(table, "gap", ["a", "b"], rng=np.random.default_rng(0), **OPTIONS)
    assert slopes.loc[(slopes["model"] == "alone") & (slopes["moderator"] == "b"), ["slope", "p"]].isna().all(axis=None)
    few = moderation.regress(make_slopes_table(3), "gap", ["a", "b"], rng=np.random.default_rng(0), **OPTIONS)
    assert few[["slope", "p", "unseen_r2"]].isna().all(axis=None)
    words = moderation.say_what_follows(few, {"a": "A", "b": "B"}, confidence=0.95)
    assert words == "with 3 task(s) nothing follows: 5 are needed to fit a slope."


def test_words_follow_from_the_slopes():
    names = {"a": "moderator A", "b": "moderator B"}
    slopes = moderation.regress(make_slopes_table(), "gap", ["a", "b"], rng=np.random.default_rng(0), **OPTIONS)
    words = moderation.say_what_follows(slopes, names, confidence=0.95)
    assert "what remains firm is moderator A (r = +" in words and "moderator A predicts best" in words
    assert "moderator B (r" not in words


def test_a_missing_value_is_refused():
    with pytest.raises(ValueError, match="some task has no value of"):
        moderation.regress(make_slopes_table().iloc[1:], "gap", ["a"], rng=np.random.default_rng(0), **OPTIONS)
