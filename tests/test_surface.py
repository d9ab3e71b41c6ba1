"""Form of texts as numbers."""

import numpy as np

from synthlib import surface
from synthlib.corpus.compliance import RULES


def test_words_are_lower_case_with_inner_apostrophes():
    assert surface.words("Don’t STOP 4 me, o'clock-ish 'quoted'") == ["don't", "stop", "me", "o'clock", "ish", "quoted"]
    assert surface.words("42 ... 🔥") == []


def test_function_words_are_distinct_and_each_counts_itself():
    listed = surface.FUNCTION_WORDS
    assert len(set(listed)) == len(listed) and all(surface.words(word) == [word] for word in listed)
    counts = surface.count_function_words(list(listed))
    assert counts.dtype == np.uint8 and np.array_equal(counts, np.eye(len(listed)))


def test_counts_stop_at_255():
    counts = surface.count_function_words(["the " * 1000, ""])
    assert counts[0, surface.FUNCTION_WORDS.index("the")] == 255 and counts[1].sum() == 0


def test_every_mark_is_seen_and_a_plain_text_has_none():
    measured = surface.measure_surface(["Hey @bob! 2 🔥 #wow OK?", "plain text"])
    marks = ["question", "exclamation", "final_stop", "hashtag", "mention", "digit", "emoji"]
    assert measured.loc[0, marks].tolist() == [1] * 7 and measured.loc[1, marks].tolist() == [0] * 7
    assert measured["n_words"].tolist() == [6, 2] and measured["n_chars"].tolist() == [22, 10]
    assert measured["upper_share"].round(3).tolist() == [round(3 / 11, 3), 0.0]


def test_measure_and_rules_mean_the_same_by_an_emoji():
    texts = ["🔥🔥 hi", "\u2600 and \u27bf", "🇩🇪🇫🇷 hi", "🀄🀄", "plain"]
    measured = surface.measure_surface(texts)["emoji"].tolist()
    assert measured == [int(RULES["two_emoji"](text)) for text in texts] == [1, 1, 0, 0, 0]
    assert measured == [int(RULES["emoticon"](text)) for text in texts]


def test_a_text_without_letters_and_no_texts_at_all():
    assert surface.measure_surface(["?!"])["upper_share"].tolist() == [0.0]
    assert len(surface.measure_surface([])) == 0 and surface.count_function_words([]).shape[0] == 0


def test_lone_signs_are_no_tags():
    measured = surface.measure_surface(["# 1 and me @ home"])
    assert measured.loc[0, ["hashtag", "mention"]].tolist() == [0, 0]


def test_irony_tags_are_whole_words_in_any_case():
    texts = ["great #Sarcasm", "#irony.", "so #NOT", "#notmyfault", "irony", "#ironyoflife"]
    assert surface.find_irony_tags(texts).tolist() == [True, True, True, False, False, False]


def test_every_measure_has_words():
    measures = surface.measure_surface(["a"]).columns
    said = [surface.say_mark(measure, 0.0, side) for measure in measures for side in ("above", "up to")]
    assert len(set(said)) == len(said) and not any("_" in text for text in said)
    assert {"digit", "no digit", "ends with a full stop, ! or ?", "more than 0 words"} <= set(said)
