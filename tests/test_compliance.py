"""Drawn words and attributes in the texts."""

import json

import pandas as pd
import pytest

from synthlib.corpus import compliance
from synthlib.tasks import Rule, load_task, load_wording, task_names

TASK = load_task("tweet_emotion")


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
    ("rule", "bears", "lacks"),
    [
        ("hashtag", "so #done", "number # one"),
        ("no_hashtag", "done", "so #done"),
        ("mention", "@bob no", "me @ home"),
        ("two_emoji", "🔥 hot 🔥", "🔥 hot"),
        ("question_then_more", "Why? Because.", "Why?"),
        ("quotation_marks", "“Go,” she said", "it's John's and Mary's"),
        ("quotation_marks", "'count them now': witness", "don't"),
        ("one_sentence", "on and on it went until dawn", "It went. On."),
        ("several_sentences", "Lost tickets. Again.", "lost my tickets again"),
        ("two_sentences", "He left. I stayed.", "One. Two. Three."),
        ("lower_case", "so what", "So what"),
        ("capitals", "CALL NOW OK", "Call NOW ok"),
        ("emoticon", "nice :-)", "ratio 3:1"),
        ("word_without_vowel", "c u l8r thx", "see you later"),
        ("singlish_particle", "can lah", "can do"),
        ("dateline", "PARIS (AP) - It rained.", "It rained in Paris - again."),
        ("one_number", "Sales rose 3.5 % since 2009.", "Sales rose from 3 to 4."),
        ("two_numbers", "up to 7 from 6", "up to 7"),
        ("euro_amount", "EUR 5 mn", "europe"),
        ("no_digit", "sales rose", "sales rose 3 %"),
        ("year_192x_194x", "in 1935", "in 1953"),
        ("no_year", "long ago", "in 1953"),
    ],
)
def test_rules_tell_marks(rule, bears, lacks):
    assert compliance.RULES[rule](bears) and not compliance.RULES[rule](lacks)


@pytest.mark.parametrize("name", task_names())
def test_every_checkable_value_of_a_task_names_a_rule_that_exists(name):
    task = load_task(name)
    rules, listed = compliance.find_rules(task), compliance.list_rules(task).set_index("value")
    assert set(rules) == set(task.rules) == set(listed.index[listed["rule"] != "–"])
    assert all(isinstance(rule("A text #of no. 7!"), bool) for rule in rules.values())


def test_every_rule_is_used_by_a_task():
    assert {rule for name in task_names() for rule in load_task(name).rules.values()} == set(compliance.RULES)


def test_a_task_can_bring_rules_of_its_own():
    rules = {"deadpan": Rule(lacks="!|lol"), "a question": Rule(holds=r"\?$"), "with hashtags": "hashtag"}
    task = TASK.model_copy(update={"rules": rules})
    found = compliance.find_rules(task)
    assert found["deadpan"]("So it goes.") and not found["deadpan"]("LOL no")
    assert found["a question"]("Why?") and not found["a question"]("Why? No.")
    assert compliance.list_rules(task).set_index("value").loc["deadpan", "rule"] == "lacks !|lol"
    with pytest.raises(ValueError, match=r"the rule of 'deadpan' is 'dry'.*hashtag, no_hashtag"):
        compliance.find_rules(TASK.model_copy(update={"rules": {"deadpan": "dry"}}))


def test_labels_that_draw_a_value_stand_beside_its_rule():
    listed = compliance.list_rules(load_task("humor")).set_index("value")
    assert listed.loc["bar joke", ["labels", "rule"]].tolist() == ["humor", "bar_word"]


def test_the_sentence_of_an_outline_is_looked_for_in_the_text():
    outline = json.dumps({"outline": {"summary": "s", "sentence": "“It never came.”"}})
    corpus = make_corpus().assign(request=[outline, outline, "{}", "{}"])
    corpus["text"] = ["I waited. It  never came, so", "it came", "", ""]
    assert compliance.check_sentences(corpus)["sentence_held"].tolist() == [True, False]
    assert compliance.check_sentences(make_corpus()).empty


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
    checked = compliance.check_attributes(make_corpus(), TASK)
    assert checked["attribute_checkable"].tolist() == [True, True, False]
    assert checked["attribute_kept"].tolist()[:2] == [True, False] and checked["attribute_kept"].isna().iloc[2]
    kept = compliance.tabulate_attributes(checked, make_corpus(), TASK, confidence=0.95).iloc[0]
    assert (kept["drawn"], kept["texts"], kept["kept"], kept["otherwise"]) == ("with hashtags", 2, 0.5, 1.0)


def test_missing_words_are_named():
    row = compliance.check_vocabulary(make_corpus()).iloc[0]
    assert row["verb_held"] and row["noun_held"] and not row["adjective_held"] and not row["vocabulary_held"]
    assert row["missing"] == "wild" and row["key"] == "3"


def test_without_drawn_words_or_attributes_the_tables_are_empty():
    plain = make_corpus().assign(request="{}")
    assert compliance.check_vocabulary(plain).empty
    checked = compliance.check_attributes(plain, TASK)
    assert checked.empty and compliance.tabulate_attributes(checked, plain, TASK, confidence=0.95).empty
