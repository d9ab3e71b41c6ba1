"""Drawn words and attributes in the texts."""

import json

import pandas as pd
import pytest

from synthlib import compliance
from synthlib.tasks import load_task, load_wording, task_names


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("freeze", "the pond FROZE over"),
        ("steal", "stolen again"),
        ("swim", "we swam, they swim"),
        ("forget", "forgotten keys"),
        ("hide", "he hid it"),
        ("bite", "it bit me"),
        ("sweep", "I swept up"),
        ("dig", "they dug"),
        ("split", "splitting hairs"),
        ("bury", "buried"),
        ("battery", "two batteries"),
        ("bus", "late buses"),
        ("neighbour", "the neighbor's cat"),
        ("rusty", "the rustiest nail"),
        ("late", "later"),
        ("brave", "braver than most"),
        ("sleepy", "she said sleepily"),
        ("polite", "politely, no"),
        ("lonely", "lonelier"),
        ("frozen", "to freeze"),
    ],
)
def test_every_inflected_form_counts(word, text):
    assert compliance.holds_word(text, word)


@pytest.mark.parametrize(
    ("word", "text"),
    [("swim", "a swing"), ("late", "a plate"), ("dig", "a digit"), ("park", "a spark"), ("bus", "busy")],
)
def test_other_words_do_not_count(word, text):
    assert not compliance.holds_word(text, word)


def test_every_word_is_a_form_of_itself():
    for words in load_wording().vocabulary_words.values():
        assert all(compliance.holds_word(word, word) for word in words)


@pytest.mark.parametrize(
    ("value", "bears", "lacks"),
    [
        ("with hashtags", "so #done", "number # one"),
        ("no hashtag", "done", "so #done"),
        ("to a named account", "@bob no", "me @ home"),
        ("emoji-heavy", "🔥 hot 🔥", "🔥 hot"),
        ("question and answer", "Why? Because.", "Why?"),
        ("a quotation", "“Go,” she said", "it's John's and Mary's"),
        ("quotation", "'count them now': witness", "don't"),
        ("one long breathless sentence", "on and on it went until dawn", "It went. On."),
        ("fragments", "Lost tickets. Again.", "lost my tickets again"),
        ("two short sentences", "He left. I stayed.", "One. Two. Three."),
        ("all lower case", "so what", "So what"),
        ("shouting capitals", "CALL NOW OK", "Call NOW ok"),
        ("emoticons", "nice :-)", "ratio 3:1"),
        ("textspeak with dropped vowels", "c u l8r thx", "see you later"),
        ("Singlish particles", "can lah", "can do"),
        ("Associated Press style with a dateline", "PARIS (AP) - It rained.", "It rained in Paris - again."),
        ("one figure", "Sales rose 3.5 % since 2009.", "Sales rose from 3 to 4."),
        ("two figures compared", "up to 7 from 6", "up to 7"),
        ("euro amounts", "EUR 5 mn", "europe"),
        ("no figures", "sales rose", "sales rose 3 %"),
        ("the 1920s-1940s", "in 1935", "in 1953"),
        ("undated", "long ago", "in 1953"),
    ],
)
def test_rules_tell_marks(value, bears, lacks):
    assert compliance.RULES[value](bears) and not compliance.RULES[value](lacks)


def test_every_rule_belongs_to_an_attribute_value_of_a_task():
    values = {value for name in task_names() for listed in load_task(name).attributes.values() for value in listed}
    assert set(compliance.RULES) <= values


def make_corpus() -> pd.DataFrame:
    asked = [
        ({"attributes": {"form": "with hashtags"}}, "so #done"),
        ({"attributes": {"form": "with hashtags"}}, "forgot it"),
        ({"attributes": {"form": "deadpan"}}, "#oops"),
        ({"words": 3, "vocabulary": {"verb": "hide", "noun": "raft", "adjective": "wild"}}, "We hid the rafts."),
    ]
    rows = [("attributed", "joy", str(i), text, json.dumps(request)) for i, (request, text) in enumerate(asked)]
    return pd.DataFrame(rows, columns=["setting", "label", "key", "text", "request"])


def test_attributes_are_kept_missed_or_not_checkable():
    checked = compliance.check_attributes(make_corpus())
    assert checked["attribute_checkable"].tolist() == [True, True, False]
    assert checked["attribute_kept"].tolist()[:2] == [True, False] and checked["attribute_kept"].isna().iloc[2]
    kept = compliance.tabulate_attributes(checked, make_corpus(), confidence=0.95).iloc[0]
    assert (kept["drawn"], kept["texts"], kept["kept"], kept["otherwise"]) == ("with hashtags", 2, 0.5, 1.0)


def test_missing_words_are_named():
    row = compliance.check_vocabulary(make_corpus()).iloc[0]
    assert row["verb_held"] and row["noun_held"] and not row["adjective_held"] and not row["vocabulary_held"]
    assert row["missing"] == "wild" and row["key"] == "3"


def test_without_drawn_words_or_attributes_the_tables_are_empty():
    plain = make_corpus().assign(request="{}")
    assert compliance.check_vocabulary(plain).empty
    checked = compliance.check_attributes(plain)
    assert checked.empty and compliance.tabulate_attributes(checked, plain, confidence=0.95).empty
