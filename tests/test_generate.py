"""Replay of the released texts, each with its request."""

import json
import shutil

import pytest

from synthlib import data
from synthlib.generate import list_requests, pick_conversation, replay
from synthlib.tasks import load_task, load_wording, task_names

SETTINGS = ["zero_shot", "few_shot", "attributed"]
WORDING = load_wording()


@pytest.mark.parametrize("name", task_names())
def test_all_released_texts_replay(name):
    task = load_task(name)
    corpus = replay(task, SETTINGS, n_per_label=200, wording=WORDING)
    assert len(corpus) == 3 * 200 * len(task.labels) and corpus["key"].is_unique
    assert (corpus.groupby(["setting", "label"]).size() == 200).all()
    few = corpus["setting"] == "few_shot"
    assert (corpus["examples"].str.len() == few * 3).all()
    assert (corpus["prompt"].str.count("⟨real training text") == few * 3).all()


def test_replay_takes_the_first_texts_of_each_label_in_the_settings_asked_for():
    corpus = replay(load_task("sms_spam"), ["attributed"], n_per_label=5, wording=WORDING)
    assert corpus["key"].tolist() == [f"attributed/{label}/{n}" for label in ("ham", "spam") for n in range(1, 6)]


def test_prompt_and_request_agree_with_the_released_line():
    corpus = replay(load_task("tweet_emotion"), ["zero_shot"], n_per_label=1, wording=WORDING).set_index("key")
    row = corpus.loc["zero_shot/anger/1"]
    assert json.loads(row["request"]) == {"words": 24} and "about 24 words that expresses anger" in row["prompt"]


def test_requests_come_back_as_they_were_drawn():
    task = load_task("imdb")
    corpus = replay(task, ["few_shot"], n_per_label=3, wording=WORDING)
    raw = data.load_corpus(task, ["few_shot"]).set_index("key")
    for request, key in zip(list_requests(corpus), corpus["key"], strict=True):
        assert request.drawn == raw.loc[key, "request"] and list(request.examples) == raw.loc[key, "examples"]


def test_conversation_holds_the_texts_before():
    corpus = replay(load_task("sms_spam"), ["zero_shot"], n_per_label=5, wording=WORDING)
    request, earlier = pick_conversation(corpus, "zero_shot/spam/3", before=5)
    assert request.n == 3 and [past.n for past, _ in earlier] == [1, 2]
    assert earlier[1][1] == corpus.set_index("key").loc["zero_shot/spam/2", "text"]
    assert pick_conversation(corpus, "zero_shot/spam/1", before=1)[1] == []
    with pytest.raises(ValueError, match=r"no text has key 'spam/1'.*zero_shot/ham/1"):
        pick_conversation(corpus, "spam/1", before=1)


def test_errors_say_what_there_is(tmp_path, monkeypatch):
    task = load_task("sms_spam")
    with pytest.raises(ValueError, match="200 released texts of zero_shot, ham; n_per_label is 201"):
        replay(task, ["zero_shot"], n_per_label=201, wording=WORDING)
    with pytest.raises(ValueError, match="n_per_label is 0"):
        replay(task, ["zero_shot"], n_per_label=0, wording=WORDING)
    with pytest.raises(ValueError, match=r"no texts of setting\(s\) \['zeroshot'\]"):
        replay(task, ["zeroshot"], n_per_label=1, wording=WORDING)
    shutil.copytree(data.DATA / "corpora", tmp_path / "corpora")
    path = tmp_path / "corpora" / "sms_spam.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"words"', '"wordz"', 1), encoding="utf-8")
    monkeypatch.setattr(data, "DATA", tmp_path)
    with pytest.raises(ValueError, match=r"draws \['wordz'\]"):
        replay(task, ["zero_shot"], n_per_label=5, wording=WORDING)
