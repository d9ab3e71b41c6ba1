"""Hierarchical, grounded and verbalized requests: what is drawn, sent, read, kept and asked again."""

import hashlib
import json
import re
from collections import Counter

import numpy as np
import pytest
from loopback_llm import WORDS, serve_llm
from test_llm import KEY, SETTINGS

from synthlib import llm, params, paths
from synthlib.asking import answers, live
from synthlib.asking.answers import Candidate, FormatError
from synthlib.asking.backends import Llm
from synthlib.asking.conversations import Brief, estimate_calls, plan, with_outline
from synthlib.asking.estimate import estimate_costs
from synthlib.asking.prices import estimate_tokens
from synthlib.draws import compare_coverage, draw_request, draw_requests
from synthlib.generate import pick_conversation, sketch_chats
from synthlib.prompts import Request, check_prompts, messages, render
from synthlib.runner import profiles
from synthlib.settings import SETTINGS as METHODS
from synthlib.settings import check_source
from synthlib.tasks import load_task, load_wording, task_names

WORDING = load_wording()
TASK = load_task("tweet_emotion")
EXAMPLES = {label: {f"{label}-{i}": f"real {{{label}}} {i}" for i in range(7)} for label in TASK.label_names}
BRIEF = Brief(TASK, WORDING, EXAMPLES, 5)
SHAPE = {"labels": "mixed", "texts_per_conversation": 8}
POOL = [f"real{i}" for i in range(50)]
NEW = ("hierarchical", "grounded", "verbalized")


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(paths, "CALLS", tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def say(body, number):
    """Return what a model that does as told would answer."""
    asked = body["messages"][-1]["content"]
    if asked.startswith("Plan a text"):
        return f"**Summary:** plan {number}\n\nSentence: It rained {number} times."
    if "JSON list" in asked:
        rows = [
            {"text": f"{vary(number + i)} {number}.{i}", "probability": 0.1 * i}
            for i in range(1, WORDING.candidates + 1)
        ]
        return f"Here you are:\n```json\n{json.dumps(rows)}\n```"
    return f"{vary(number)} {number}"


def vary(number):
    """Return eight words that few numbers share."""
    return " ".join(WORDS[(number * k + k) % len(WORDS)] for k in range(1, 9))


def ask(url, setting, *, n_per_label=4, brief=BRIEF, **changes):
    asked = Llm(**SETTINGS | {"base_url": url, "max_tokens": 400, "texts_per_conversation": 8} | changes)
    return live.ask(brief, asked, settings=[setting], n_per_label=n_per_label)


def test_requests_of_the_released_settings_are_what_they_were():
    """Their keys are in stores already: a change here means that every text is paid for again."""
    digest = hashlib.sha256()
    for name in ("ag_news", "imdb", "tweet_irony", "humor", "sms_spam"):
        task = load_task(name)
        examples = {label: {f"{label}-{i}": f"real {label} {i}" for i in range(9)} for label in task.label_names}
        brief = Brief(task, WORDING, examples, 20231206)
        shape = {"n_per_label": 30, "labels": "mixed", "texts_per_conversation": 20}
        for conversation in plan(brief, ["zero_shot", "few_shot", "attributed"], **shape):
            for r in conversation.requests:
                line = [conversation.name, r.label, r.n, render(task, r, wording=WORDING, texts=brief.texts)]
                digest.update(json.dumps(line).encode())
    assert digest.hexdigest() == "3b9f753da4e2954b3f8022a8a973a1bdb29c8374a2b453969439853213b9f12f"


def test_a_setting_more_changes_no_request_of_the_others():
    alone = [plan(BRIEF, [setting], n_per_label=9, **SHAPE) for setting in METHODS]
    assert [c for conversations in alone for c in conversations] == plan(BRIEF, METHODS, n_per_label=9, **SHAPE)


@pytest.mark.parametrize("name", task_names())
@pytest.mark.parametrize("setting", NEW)
def test_every_task_can_be_asked_in_every_way(name, setting):
    task = load_task(name)
    for label in task.labels:
        chats = sketch_chats(task, setting, label=label, seed=1, wording=WORDING, pool=POOL)
        assert len(chats) == (2 if setting == "hierarchical" else 1)
        for chat in chats:
            assert task.labels[label].say in chat[-1]["content"] and "{words}" not in chat[-1]["content"]
    assert sketch_chats(task, setting, label=label, seed=1, wording=WORDING, pool=POOL) == chats


def test_hierarchical_texts_are_asked_for_with_the_outline_of_a_first_call():
    with serve_llm(say=say) as (url, witness):
        corpus, counted = ask(url, "hierarchical", concurrency=1)
    assert len(corpus) == 16 and len(witness.requests) == 32 and counted["answers"].sum() == 32
    first, second = (body["messages"] for body in witness.requests[:2])
    assert len(first) == 2 and first[0] == second[0], "the outline is asked for outside the conversation"
    drawn = json.loads(corpus.loc[corpus["turn"] == 1, "request"].iloc[0])
    assert drawn["outline"] == {"summary": "plan 1", "sentence": "It rained 1 times."}
    for value in (*drawn["attributes"].values(), *drawn.get("vocabulary", {}).values()):
        assert value in first[-1]["content"] and value in second[-1]["content"]
    assert "Summary: plan 1" in second[-1]["content"] and "It rained 1 times." in second[-1]["content"]
    turns = [
        len(body["messages"]) for body in witness.requests if "Follow this plan" in body["messages"][-1]["content"]
    ]
    assert turns == [*range(2, 18, 2)] * 2 and corpus["prompt"].str.contains("Follow this plan").all()


def test_an_outline_that_cannot_be_read_is_counted_and_asked_again():
    def unsure(body, number):
        return "I would rather not plan." if number == 1 else say(body, number)

    with serve_llm(say=unsure) as (url, witness):
        corpus, counted = ask(url, "hierarchical", concurrency=1)
        again, recounted = ask(url, "hierarchical", concurrency=1)
    assert len(witness.requests) == 33 and witness.requests[0]["messages"] == witness.requests[1]["messages"]
    assert counted["off_format"].sum() == recounted["off_format"].sum() == 1 and recounted["new"].sum() == 0
    assert again.equals(corpus) and counted["missing"].sum() == 0


def test_grounded_requests_show_one_real_text_of_the_label_each_before_any_again():
    requests = draw_requests(TASK, "grounded", label="joy", n_requests=50, seed=1, wording=WORDING, pool=POOL)
    assert Counter(key for r in requests for key in r.examples) == Counter(POOL)
    assert all(r.drawn == {} and len(r.examples) == 1 for r in requests)
    with serve_llm(say=say) as (url, witness):
        corpus, _ = ask(url, "grounded")
    shown = [re.search(r"Real text: real {(\w+)} \d", b["messages"][-1]["content"]) for b in witness.requests]
    assert Counter(found[1] for found in shown) == dict.fromkeys(TASK.label_names, 4)
    assert not corpus["prompt"].str.contains("real {").any() and corpus["examples"].str.len().eq(1).all()
    assert all(TASK.labels[row.label].say in row.prompt for row in corpus.itertuples())


def test_verbalized_draws_one_candidate_by_its_probability_and_again_the_same():
    with serve_llm(say=say) as (url, witness):
        corpus, counted = ask(url, "verbalized", concurrency=1)
        longer, _ = ask(url, "verbalized", concurrency=1, n_per_label=6)
    assert len(corpus) == len(set(corpus["text"])) == 16 and len(witness.requests) == 24
    assert set(corpus["text"]) < set(longer["text"]) and counted["texts"].sum() == 16
    drawn = [json.loads(request)["probability"] for request in corpus["request"]]
    assert [f"{p:.1f}" for p in drawn] == ["0." + text[-1] for text in corpus["text"]]
    request, earlier = pick_conversation(corpus, corpus.loc[corpus["turn"].idxmax(), "key"], before=1)
    chat = messages(TASK, request, wording=WORDING, earlier=earlier)
    assert '"probability": 0.5' in chat[2]["content"], "the chat holds the whole answer"
    assert [m["role"] for m in chat] == ["system", "user", "assistant", "user"]


def test_candidates_are_drawn_as_often_as_their_probability_says():
    few = [Candidate("a", 0.6), Candidate("b", 0.15), Candidate("c", 0.0)]
    shared = {"wording": WORDING, "task_name": "t", "seed": 3}
    picked = [
        answers.pick_candidates(few, Request("verbalized", "joy", n, {}, ()), **shared)[0] for n in range(1, 1001)
    ]
    counts = Counter(candidate.text for candidate in picked)
    assert abs(counts["a"] - 800) < 50 and counts["a"] + counts["b"] == 1000


def test_verbalized_can_keep_all_candidates_and_asks_no_more_than_needed():
    brief = Brief(TASK, WORDING.model_copy(update={"keep": "all"}), {}, 5)
    with serve_llm(say=say) as (url, witness):
        corpus, counted = ask(url, "verbalized", brief=brief, n_per_label=7)
        longer, _ = ask(url, "verbalized", brief=brief, n_per_label=10)
        assert len(witness.requests) == 8, "the second run takes what the first one left"
    assert len(corpus) == 28 == counted["texts"].sum() and counted["missing"].sum() == 0
    assert corpus["key"].is_unique and sorted(corpus.loc[corpus["label"] == "joy", "n"]) == [*range(1, 8)]
    assert len(longer) == 40 and set(corpus["key"]) < set(longer["key"])


def test_verbalized_answers_that_are_no_list_are_missing_in_the_end():
    with serve_llm(say=lambda body, number: "no list") as (url, witness):
        with pytest.raises(ValueError, match=r"4 of 4 texts of verbalized, \w+ .*0 cut_off, 8 off_format"):
            ask(url, "verbalized", asks_per_text=2)
    assert len(witness.requests) == 32


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("just a text", "no list of texts"),
        ('["a", "b"]', "no list of texts"),
        ('[{"text": "a", "probability": 0.5}]', "1 candidate"),
        ('[{"text": "a", "probability": 0.5}, {"text": " ", "probability": 0.5}]', "no text"),
        ('[{"text": "a", "probability": "often"}, {"text": "b", "probability": 0.5}]', "no list of texts"),
        ('[{"text": "a", "probability": -1}, {"text": "b", "probability": 0.5}]', "probabilities are"),
        ('[{"text": "a", "probability": 0}, {"text": "b", "probability": 0}]', "probabilities are"),
        ('[{"text": "a", "probability": NaN}, {"text": "b", "probability": 1}]', "probabilities are"),
        ('[{"text": 5, "probability": 0.5}, {"text": "b", "probability": 1}]', "no list of texts"),
        ("[" * 100_000, "no list of texts"),
    ],
)
def test_candidates_that_cannot_be_read_are_refused(answer, message):
    with pytest.raises(FormatError, match=message):
        answers.read_candidates(answer, n=2)


@pytest.mark.parametrize("answer", ["Summary: x", "Sentence: x", "Summary:\nSentence: x", "Summary: x\nSentence: **"])
def test_outlines_that_lack_a_part_are_refused(answer):
    with pytest.raises(FormatError, match="no line with a s"):
        answers.read_outline(answer)


def test_outlines_are_read_through_marks():
    said = '## Plan\n1. **Summary**: A "late" bus.\n- *Sentence:* “It never came.”'
    assert answers.read_outline(said) == {"summary": 'A "late" bus.', "sentence": "It never came."}


def test_calls_and_tokens_of_every_method_are_estimated():
    conversations = plan(BRIEF, METHODS, n_per_label=4, **SHAPE)
    costs = estimate_costs(conversations, BRIEF, price=None).set_index("setting")
    assert costs["calls"].to_dict() == dict.fromkeys(METHODS, 16) | {"hierarchical": 32}
    (asked,) = plan(BRIEF, ["verbalized"], n_per_label=1, labels="mixed", texts_per_conversation=4)
    tokens = estimate_calls(asked, BRIEF)
    assert tokens[0, 0] == pytest.approx(estimate_tokens(messages(TASK, asked.requests[0], wording=WORDING)), abs=1)
    assert tokens[0, 1] > WORDING.candidates * asked.requests[0].drawn["words"]


def test_a_list_that_would_be_cut_off_is_refused_before_a_call():
    with serve_llm() as (url, witness):
        with pytest.raises(
            ValueError, match=r"max_tokens is 60, but a verbalized answer .* raise max_tokens, or lower"
        ):
            ask(url, "verbalized", max_tokens=60)
    assert witness.requests == []


@pytest.mark.parametrize(
    ("field", "template", "message"),
    [
        (
            "outline",
            "Plan {prompt} in {style}",
            r"outline has unknown placeholder\(s\) \['style'\]; allowed: \['prompt'\]",
        ),
        ("write", "{summary}", r"write lacks placeholder\(s\) \['sentence'\]"),
        ("grounded", "On {topic}: {label}", r"grounded has unknown placeholder\(s\) \['topic'\]"),
        ("verbalized", "Give some", r"verbalized lacks placeholder\(s\) \['candidates'\]"),
    ],
)
def test_sentences_that_cannot_be_filled_are_refused(field, template, message):
    with pytest.raises(ValueError, match=message):
        check_prompts(TASK, WORDING.model_copy(update={field: template}))


def test_requests_that_lack_what_they_need_are_refused():
    shared = {"label": "joy", "seed": 1, "wording": WORDING}
    with pytest.raises(ValueError, match=r"a grounded request of joy shows 1 example\(s\); the pool has 0"):
        draw_request(TASK, "grounded", n=1, pool=[], **shared)
    with pytest.raises(ValueError, match="hierarchical requests draw attributes; tweet_emotion has none"):
        draw_request(TASK.model_copy(update={"attributes": {}}), "hierarchical", n=1, pool=None, **shared)
    with pytest.raises(ValueError, match="n is 0"):
        draw_request(TASK, "verbalized", n=0, pool=None, **shared)
    with pytest.raises(ValueError, match="no real texts of 'anger' to show in grounded requests"):
        plan(Brief(TASK, WORDING, {}, 1), ["grounded"], n_per_label=1, **SHAPE)
    request = draw_request(TASK, "hierarchical", n=1, pool=None, **shared)
    with pytest.raises(ValueError, match="has no outline yet"):
        render(TASK, request, wording=WORDING, texts=None)
    with pytest.raises(ValueError, match=r"outline is .*needs a summary and a sentence"):
        render(TASK, with_outline(request, {"summary": "s", "sentence": ""}), wording=WORDING, texts=None)


def test_settings_that_are_not_released_or_need_texts_are_refused_early():
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    values = next(cell.params for cell in cells if cell.stage == "generate").model_dump()
    with pytest.raises(
        ValueError, match=r"\['grounded'\] are released, only of zero_shot, few_shot, attributed; ask a"
    ):
        params.check(params.Generate, values | {"settings": ["zero_shot", "grounded"]})
    asked = values | {"backend": "openai", "llm": SETTINGS}
    with pytest.raises(ValueError, match="grounded requests show real texts to the model; they need source 'folder'"):
        params.check(params.Generate, asked | {"settings": ["grounded"]})
    assert params.check(params.Generate, asked | {"settings": ["hierarchical", "verbalized"]}).settings[0] == NEW[0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("zero", r"unknown part\(s\) \['zero'\] of source 'zero'; a source is real, .*verbalized, or several"),
        ("real+", "unknown part"),
        ("pool+pool", "takes texts twice"),
        ("real+pool", "takes texts twice"),
        ("grounded+pool", r"must be written 'pool\+grounded'"),
    ],
)
def test_training_sources_that_make_no_sense_are_refused(source, message):
    with pytest.raises(ValueError, match=message):
        check_source(source)


def test_draws_cover_pairs_and_triples_more_evenly_than_independent_ones():
    shared = {"n_requests": 200, "seed": 1, "wording": WORDING, "pool": None}
    requests = [r for label in TASK.labels for r in draw_requests(TASK, "hierarchical", label=label, **shared)]
    table = compare_coverage(TASK, requests, n_repeats=5, rng=np.random.default_rng(0)).set_index("size")
    assert (table["unevenness"] < table["unevenness_independent"]).all()
    assert table["possible"].tolist() == [27, 13 * 6 + 13 * 8 + 6 * 8, 13 * 6 * 8]
    assert table.loc[3, "seen"] > table.loc[3, "seen_independent"]
    with pytest.raises(ValueError, match="none of 1 request"):
        compare_coverage(TASK, [Request("zero_shot", "joy", 1, {}, ())], n_repeats=1, rng=np.random.default_rng(0))
