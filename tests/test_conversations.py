"""Which requests conversations hold, and that the chat sent is the one that prompts.messages describes."""

from collections import Counter

import numpy as np
import pytest
from loopback_llm import serve_llm
from test_llm import SETTINGS

from synthlib.asking import live
from synthlib.asking.backends import Llm
from synthlib.asking.conversations import Brief, estimate_calls, plan
from synthlib.asking.prices import estimate_tokens
from synthlib.prompts import messages
from synthlib.tasks import load_task, load_wording

WORDING = load_wording()
TASK = load_task("tweet_emotion")
EXAMPLES = {label: {f"{label}-{i}": f"real {label} {i}" for i in range(7)} for label in TASK.label_names}
BRIEF = Brief(TASK, WORDING, EXAMPLES, 5)


def test_mixed_conversations_hold_all_labels_evenly_and_ask_for_each_text_once():
    conversations = plan(BRIEF, ["zero_shot", "few_shot"], n_per_label=30, labels="mixed", texts_per_conversation=16)
    asked = [(r.setting, r.label, r.n) for c in conversations for r in c.requests]
    wanted = {(s, label, n) for s in ("zero_shot", "few_shot") for label in TASK.labels for n in range(1, 31)}
    assert len(asked) == len(wanted) and set(asked) == wanted
    for conversation in conversations:
        assert {request.setting for request in conversation.requests} == {conversation.name.split("/")[0]}
        assert [request.turn for request in conversation.requests] == list(range(1, len(conversation.requests) + 1))
        counts = Counter(request.label for request in conversation.requests)
        assert max(counts.values()) - min(counts.values()) <= 1 and len(counts) == 4
    firsts = Counter(conversation.requests[0].label for conversation in conversations)
    assert len(firsts) > 1, "the order of labels is always the same"


def test_conversations_with_labels_apart_hold_one():
    conversations = plan(BRIEF, ["zero_shot"], n_per_label=5, labels="apart", texts_per_conversation=3)
    assert [c.name for c in conversations[:3]] == ["zero_shot/anger/1", "zero_shot/anger/2", "zero_shot/joy/1"]
    assert all(len({r.label for r in c.requests}) == 1 for c in conversations)
    assert [r.n for r in conversations[1].requests] == [4, 5]


@pytest.mark.parametrize("labels", ["mixed", "apart"])
def test_asking_for_more_texts_repeats_none(labels):
    shape = {"labels": labels, "texts_per_conversation": 7}
    few = {c.name: c for c in plan(BRIEF, ["attributed"], n_per_label=10, **shape)}
    many = {c.name: c for c in plan(BRIEF, ["attributed"], n_per_label=25, **shape)}
    for name, conversation in few.items():
        assert many[name].requests[: len(conversation.requests)] == conversation.requests


def test_the_chat_sent_is_the_one_that_prompts_describe(tmp_path, monkeypatch):
    monkeypatch.setattr("synthlib.paths.CALLS", tmp_path)
    with serve_llm(lambda n, body: "refusal" if n == 14 else "") as (url, witness):
        settings = {"base_url": url, "concurrency": 1, "texts_per_conversation": 24}
        corpus, _ = live.ask(BRIEF, Llm(**SETTINGS | settings), settings=["few_shot"], n_per_label=6)
    answers = {(row.label, row.n): row.text for row in corpus.itertuples()}
    (conversation,) = plan(BRIEF, ["few_shot"], n_per_label=6, labels="mixed", texts_per_conversation=24)
    sent = [body["messages"] for body in witness.requests]
    assert sent[13] == sent[14], "the refused request is asked again"
    earlier = []
    for request, chat in zip(conversation.requests, sent[:13] + sent[14:], strict=True):
        assert chat == messages(TASK, request, wording=WORDING, earlier=earlier, texts=BRIEF.texts)
        earlier.append((request, answers[request.label, request.n]))
    diverse = [turn for turn, chat in enumerate(sent[:13] + sent[14:], 1) if WORDING.diversity in chat[-1]["content"]]
    assert diverse == [11, 21]


def test_tokens_are_estimated_with_all_earlier_turns():
    (conversation,) = plan(BRIEF, ["zero_shot"], n_per_label=3, labels="mixed", texts_per_conversation=12)
    tokens = estimate_calls(conversation, BRIEF)
    assert tokens.shape == (12, 2) and (np.diff(tokens[:, 0]) > 0).all()
    first = conversation.requests[0]
    assert tokens[0, 0] == pytest.approx(estimate_tokens(messages(TASK, first, wording=WORDING)), abs=1)
    assert tokens[0, 1] == round(first.drawn["words"] * 4 / 3)
    shown = plan(BRIEF, ["few_shot"], n_per_label=1, labels="mixed", texts_per_conversation=1)[0]
    assert estimate_calls(shown, BRIEF)[0, 1] == 4  # three words, as in every example
