"""Texts, corpora and votes are checked on the way in."""

import json

import pandas as pd
import pytest

from synthlib import data
from synthlib.tasks import load_task, task_names

SPAM = load_task("sms_spam")


def make_texts(**changes: list) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "text": ["win now", "see you at six", "free call", "on my way"],
            "label": ["spam", "ham", "spam", "ham"],
            "split": ["train", "test", "test", "train"],
            "key": ["k1", "k2", "k3", "k4"],
        }
    )
    return frame.assign(**changes)


def test_a_sound_folder_is_read_as_it_is(tmp_path):
    make_texts().to_parquet(tmp_path / "sms_spam.parquet")
    read = data.load_folder(SPAM, tmp_path)
    assert read["text"].tolist() == make_texts()["text"].tolist() and not read["evaluation"].any()


def test_the_folder_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("SYNTHLIB_DATA", raising=False)
    with pytest.raises(ValueError, match="SYNTHLIB_DATA"):
        data.load_folder(SPAM)
    monkeypatch.setenv("SYNTHLIB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"sms_spam\.parquet does not exist"):
        data.load_folder(SPAM)
    make_texts(evaluation=[False, True, False, False]).to_parquet(tmp_path / "sms_spam.parquet")
    assert data.load_folder(SPAM)["evaluation"].tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (make_texts().drop(columns="label"), r"missing column\(s\) \['label'\]"),
        (make_texts(text=["win", " ", "free", "on"]), r"1 empty text\(s\), the first with key 'k2'"),
        (make_texts(text=["win", None, "free", "on"]), r"1 empty text\(s\), the first with key 'k2'"),
        (make_texts(key=["k1", "k2", "k1", "k4"]), r"1 repeated key\(s\), the first is 'k1'"),
        (make_texts(label=["spam", "eggs", "spam", "ham"]), r"unknown label\(s\) \['eggs'\].*'ham', 'spam'"),
        (make_texts(split=["train", "dev", "test", "train"]), r"unknown split\(s\) \['dev'\]"),
        (make_texts()[:0], "no rows"),
        (make_texts(text=["win", 6, "free", "on"]), "column 'text' must hold text; its first int is 6"),
        (make_texts(key=[1, 2, 3, 4]), "column 'key' must hold text; its first int is 1"),
        (make_texts(label=[1, 0, 1, 0]), "column 'label' must hold text; its first int is 1"),
        (make_texts(key=["k1", None, "k3", "k4"]), r"1 empty key\(s\)"),
        (make_texts(text_raw=["win", "see", None, "on"]), r"1 empty text_raw\(s\), the first with key 'k3'"),
    ],
)
def test_unsound_texts_are_refused_with_their_origin(frame, message):
    with pytest.raises(ValueError, match=message) as error:
        data.check_texts(frame, SPAM, origin="here.parquet")
    assert str(error.value).startswith("here.parquet")


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (["no", "yes", "no", "no"], "column 'evaluation' must hold true or false; its first other value is 'no'"),
        ([None, True, False, False], "must hold true or false; its first other value is None"),
        ([True, True, False, False], r"evaluation row 'k1' is not in split 'test'"),
    ],
)
def test_unsound_marks_are_refused(tmp_path, marks, message):
    make_texts(evaluation=marks).to_parquet(tmp_path / "sms_spam.parquet")
    with pytest.raises(ValueError, match=rf"sms_spam\.parquet.*{message}"):
        data.load_folder(SPAM, tmp_path)


def test_raw_tweets_are_searched_for_the_tags_that_give_irony_away(tmp_path):
    labels, raw = ["irony", "non_irony"] * 2, ["win now #not", "#nothing", "free #Irony call", "on my way"]
    frame = make_texts(label=labels, split=["train", "test", "test", "train"], text_raw=raw)
    frame.to_parquet(tmp_path / "tweet_irony.parquet")
    assert data.load_folder(load_task("tweet_irony"), tmp_path)["irony_tag"].tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            make_texts(split=["train"] * 4),
            r"'ham' has none in split 'test', 'spam' has none.*test: {'ham': 0, 'spam': 0}",
        ),
        (make_texts(label=["spam"] * 3 + ["ham"]), r"'ham' has none in split 'test' .*train: {'ham': 1, 'spam': 1}"),
        (make_texts(label=["spam", "ham", "spam", "spam"]), "'ham' has none in split 'train' "),
        (make_texts(text=["win", "see", " win\n", "on"]), r"1 text\(s\) stand in train and in test, .* 'k1' .* 'k3'"),
    ],
)
def test_texts_that_cannot_be_trained_and_tested_on_are_refused(tmp_path, frame, message):
    frame.to_parquet(tmp_path / "sms_spam.parquet")
    with pytest.raises(ValueError, match=rf"sms_spam\.parquet: .*{message}"):
        data.load_folder(SPAM, tmp_path)


def test_texts_repeated_within_a_split_are_read_with_a_warning(tmp_path):
    make_texts(text=["win", "see", "free", "win "]).to_parquet(tmp_path / "sms_spam.parquet")
    with pytest.warns(UserWarning, match=r"1 text\(s\) are repeated within a split, .* 'k1' and 'k4' \(train\)"):
        assert len(data.load_folder(SPAM, tmp_path)) == 4


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "sms_spam.parquet").write_text("no table")
    with pytest.raises(ValueError, match=r"sms_spam\.parquet cannot be read"):
        data.load_folder(SPAM, tmp_path)


def test_all_released_corpora_hold_200_texts_of_each_label_and_setting():
    total = 0
    for name in task_names():
        task = load_task(name)
        corpus = data.load_corpus(task, ["zero_shot", "few_shot", "attributed"])
        assert (corpus.groupby(["setting", "label"])["n"].agg(lambda n: sorted(n) == list(range(1, 201)))).all()
        assert set(corpus["label"]) == set(task.labels) and (corpus["task"] == name).all()
        total += len(corpus)
    assert total == 28 * 3 * 200


def line(**changes) -> str:
    row = {
        "task": "sms_spam",
        "setting": "zero_shot",
        "label": "ham",
        "n": 1,
        "text": "hi",
        "request": {},
        "examples": [],
    }
    return json.dumps(row | changes)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(), "{"], "line 2: JSONDecodeError"),
        ([line(), json.dumps({"task": "sms_spam"})], r"line 2: KeyError\('setting'\)"),
        ([line(), line()], r"1 repeated key\(s\), the first is 'zero_shot/ham/1'"),
        ([line(text="")], r"1 empty text\(s\)"),
        ([line(label="eggs")], r"unknown label\(s\) \['eggs'\]"),
        ([line(setting="one_shot")], r"no texts of setting\(s\) \['zero_shot'\]; it has \['one_shot'\]"),
    ],
)
def test_an_unsound_corpus_is_refused(tmp_path, lines, message):
    (tmp_path / "sms_spam.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        data.load_corpus(SPAM, ["zero_shot"], tmp_path)


def test_stories_and_textbook_are_there():
    assert set(data.load_stories("stories")["form"]) == {"direct", "hierarchical"}
    assert {"topic", "audience"} <= set(data.load_stories("textbook")["request"].iloc[0])
    with pytest.raises(ValueError, match="unknown kind 'story'"):
        data.load_stories("story")


def test_the_panel_of_personas_voted_as_the_card_says():
    pairs = data.load_pair_votes(tasks=list(task_names()))
    assert len(pairs) == 540 and set(pairs.groupby("worker").size()) == {10}
    votes = pd.concat([data.load_instance_votes(name) for name in task_names()])
    assert votes.groupby(["task", "key"]).size().eq(5).all() and votes.groupby(["task", "key"]).ngroups == 1397
    two = data.load_pair_votes(tasks=["imdb", "humor"])
    assert set(two["left"]) | set(two["right"]) == {"imdb", "humor"} and len(two) < len(pairs)


@pytest.mark.parametrize(
    ("name", "n_texts", "n_votes"),
    [
        ("expun_humor", 1899, {5}),
        ("isarcasmeval_en", 1400, {5}),
        ("multipico_irony_en", 1400, set(range(2, 9))),
        ("csc_sarcasm", 1400, {4, 6}),
    ],
)
def test_votes_of_people_are_in_the_labels_of_their_task(name, n_texts, n_votes):
    votes = data.load_instance_votes(name)
    assert votes["key"].nunique() == n_texts and set(votes.groupby("key").size()) == n_votes
    assert set(votes["label"]) <= set(load_task(data.HUMAN_VOTES[name]).labels)


PAIRS = "worker,left,right,more_objective,check_passed\n"
VOTES = "task,key,annotator,label\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PAIRS + "w1,imdb,humor,ag_news,True\n", r"more_objective is .ag_news., not a task of the pair.*line\(s\): 2"),
        (PAIRS + "w1,imdb,imdb,imdb,True\n", "a task stands against itself"),
        (PAIRS + "w1,imdb,chess,imdb,True\n", "unknown task 'chess'"),
        ("worker,left,right\nw1,imdb,humor\n", r"missing column\(s\) \['check_passed', 'more_objective'\]"),
    ],
)
def test_unsound_pairs_are_refused(tmp_path, text, message):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        data.load_pair_votes(tmp_path / "pairs.csv", tasks=["imdb", "humor"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VOTES + "sms_spam,k1,a1,eggs\n", r"unknown label\(s\) \['eggs'\]; allowed are"),
        (VOTES + "sms_spam,k1,a1,ham\nsms_spam,k1,a1,spam\n", "annotator 'a1' votes twice on key 'k1'"),
        (VOTES + "imdb,k1,a1,positive\n", "no votes on task 'sms_spam'"),
        ("key,label\nk1,ham\n", r"missing column\(s\) \['annotator', 'task'\]"),
    ],
)
def test_unsound_votes_are_refused(tmp_path, text, message):
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        data.load_instance_votes("sms_spam", tmp_path / "votes.csv")


def test_votes_on_texts_that_are_not_there_are_refused():
    votes = pd.DataFrame({"key": ["k1", "k9"]})
    with pytest.raises(ValueError, match=r"1 unknown key\(s\), the first is 'k9'"):
        data.check_vote_keys(votes, ["k1"], origin="votes.csv")
    data.check_vote_keys(votes, ["k1", "k9"], origin="votes.csv")
