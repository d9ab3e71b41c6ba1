"""Summaries of audits, lengths, openings, variety, and their figures."""

import math

import numpy as np
import pandas as pd
import pytest

from synthlib.corpus import audit
from synthlib.intervals import share_interval
from synthlib.plots import texts as figures


def make_corpus(texts: list[str], requests: list[str] | None = None) -> pd.DataFrame:
    n = len(texts)
    frame = pd.DataFrame({"key": [str(i) for i in range(n)], "setting": "zero_shot", "label": ["a", "b"] * (n // 2)})
    frame["text"] = texts
    frame["request"] = requests or ["{}"] * n
    return frame.assign(n_words=[len(text.split()) for text in texts])


def test_wilson_interval_of_newcombe_1998():
    value, low, high = share_interval(81, 263, confidence=0.95)  # table I, method 3
    assert (round(value, 4), round(low, 4), round(high, 4)) == (0.3080, 0.2553, 0.3662)
    assert all(math.isnan(x) for x in share_interval(0, 0, confidence=0.95))


def test_summary_has_shares_means_groups_and_leaves_missing_values_out():
    texts = make_corpus(["x"] * 4).assign(flag=[True, False, True, True], size=[1.0, 2.0, np.nan, 3.0])
    found = audit.summarise(texts, ["flag", "size"], confidence=0.95).set_index(["label", "measure"])
    assert found.loc[("all", "flag"), "value"] == 0.75 and found.loc[("b", "flag"), "value"] == 0.5
    assert found.loc[("all", "size"), "value"] == 2.0 and found.loc[("a", "size"), "value"] == 1.0
    assert math.isnan(found.loc[("a", "size"), "value_low"])
    assert ((found["value_low"] <= found["value"]) | found["value_low"].isna()).all()


def test_a_group_without_values_has_no_row():
    texts = make_corpus(["x"] * 4).assign(size=[1.0, np.nan, 2.0, np.nan])
    assert audit.summarise(texts, ["size"], confidence=0.9)["label"].tolist() == ["all", "a"]
    assert audit.summarise(texts[:0], ["size"], confidence=0.9).empty


def test_clusters_widen_the_interval_of_texts_that_are_alike():
    texts = make_corpus(["x"] * 8).assign(size=[1.0] * 4 + [2.0] * 4, together=["p"] * 4 + ["q"] * 4)
    alone, clustered = (
        audit.summarise(texts, ["size"], confidence=0.95, cluster=name).iloc[0] for name in (None, "together")
    )
    assert alone["value"] == clustered["value"] == 1.5
    assert clustered["value_high"] - clustered["value_low"] > 5 * (alone["value_high"] - alone["value_low"])


def test_lengths_beside_requests():
    corpus = make_corpus(["a b c d e", "a b c d e f g"], ['{"words": 5}', "{}"])
    lengths = audit.compare_lengths(corpus, tolerance=0.2)
    assert lengths["length_ratio"].tolist()[0] == 1.0 and lengths["requested_words"].isna().tolist() == [False, True]
    assert lengths["length_kept"].isna().tolist() == [False, True]
    edge = make_corpus(["a " * 6, "a " * 7], ['{"words": 5}', '{"words": 5}'])
    assert audit.compare_lengths(edge, tolerance=0.2)["length_kept"].tolist() == [True, False]


def test_openings_count_the_commonest_and_their_entropy():
    corpus = make_corpus(["The cat", "the dog", "A cat", "42"])
    openings = audit.find_openings(corpus)
    assert openings["first_word"].tolist() == ["the", "the", "a", ""]
    assert openings["first_two_words"].tolist() == ["the cat", "the dog", "a cat", ""]
    found = audit.audit_openings(openings, confidence=0.95).query("label == 'all'").set_index("measure")["value"]
    assert found["first_word"] == 0.5 and found["first_two_words"] == 0.25
    assert found["first_word_entropy"] == pytest.approx(1.5)


def test_distinct_n_falls_with_repeats_and_is_compared_at_equal_words():
    rng = np.random.default_rng(0)
    assert audit.distinct_n(["a b a b"], 2, n_tokens=4, rng=rng) == pytest.approx(2 / 3)
    rich = [f"{a} {b}" for a in "abcdefgh" for b in "ijklmnop"]
    corpus = pd.concat([make_corpus(rich), make_corpus(["a i"] * 32).assign(setting="few_shot")])
    found = audit.audit_variety(corpus, n_draws=5, confidence=0.9, rng=rng).set_index(["setting", "measure"])["value"]
    assert found["few_shot", "distinct_1"] == 2 / 32 and found["few_shot", "distinct_2"] == 1 / 16
    assert found["zero_shot", "distinct_2"] == 1.0


def test_words_of_any_script_count_and_texts_without_words_have_no_variety():
    cyrillic = make_corpus(["\u0434\u0430 \u043d\u0435\u0442"] * 4)
    options = {"n_draws": 3, "confidence": 0.9, "rng": np.random.default_rng(0)}
    assert audit.audit_variety(cyrillic, **options)["value"].tolist() == [0.5, 0.5]
    assert audit.audit_variety(make_corpus(["123", "?!"]), **options)["value"].isna().all()


def test_distinct_n_needs_enough_words():
    with pytest.raises(ValueError, match=r"1 text\(s\) hold 2 words; 3 are asked for"):
        audit.distinct_n(["a b"], 1, n_tokens=3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="n is 3"):
        audit.distinct_n(["a b"], 3, n_tokens=2, rng=np.random.default_rng(0))


def test_table_to_read_has_per_cent_intervals_and_dashes():
    found = pd.DataFrame(
        [
            ("few_shot", "all", "test_copy", 0.5, 0.25, 0.75),
            ("zero_shot", "all", "first_word_entropy", 2.0, None, None),
        ],
        columns=audit.COLUMNS,
    ).astype({"value_low": float, "value_high": float})
    shown = audit.tabulate(found, ["test_copy", "first_word_entropy"])
    assert shown.loc["few_shot"].tolist() == ["50.0 (25.0 to 75.0)", "–"]
    assert shown.loc["zero_shot"].tolist() == ["–", "2.00"]


def test_length_figure_has_a_panel_only_for_settings_that_asked_for_lengths():
    corpus = make_corpus(["a b c d e", "a b c d"], ['{"words": 5}', '{"words": 4}'])
    lengths = audit.compare_lengths(corpus, tolerance=0.2)
    both = pd.concat([lengths, lengths.assign(setting="few_shot", requested_words=pd.NA)])
    figure = figures.plot_lengths(both, tolerance=0.2)
    assert [ax.get_title() for ax in figure.axes] == ["zero-shot (band: ±20%)", "all texts"]
    assert all("words" in ax.get_xlabel() for ax in figure.axes)


def test_shortcut_figure_shows_chance_and_points():
    rows = [("real", "function_words_f1", 0.4), ("zero_shot", "function_words_f1", 0.5)]
    rows.append(("zero_shot", "function_words_to_real_f1", 0.3))
    scores = pd.DataFrame(rows, columns=["setting", "measure", "value"])
    scores = scores.assign(value_low=scores["value"] - 0.1, value_high=scores["value"] + 0.1)
    ax = figures.plot_shortcuts(scores, chance=0.25, confidence=0.9).axes[0]
    assert "90%" in ax.get_xlabel() and [tick.get_text() for tick in ax.get_yticklabels()] == ["zero-shot", "real"]
    assert any(np.allclose(line.get_xdata(), 25) for line in ax.lines)
