"""Messages of requests, and what requests draw."""

import numpy as np
import pytest

from synthlib.draws import draw_request, measure_coverage
from synthlib.prompts import Request, check_prompts, clean, messages, render_html
from synthlib.tasks import load_task, load_wording, task_names

WORDING = load_wording()
POOL = [f"real{i}" for i in range(50)]


def draw(task, setting, label, n, seed=1):
    pool = POOL if setting == "few_shot" else None
    return draw_request(task, setting, label=label, n=n, seed=seed, wording=WORDING, pool=pool)


def test_zero_shot_messages_are_context_then_prompt():
    task = load_task("imdb")
    request = Request("zero_shot", "positive", 1, {"words": 60, "genre": "war"}, ())
    assert messages(task, request, wording=WORDING) == [
        {"role": "system", "content": task.context.strip()},
        {
            "role": "user",
            "content": "Write a positive review of a war film in about 60 words, with personal insight. "
            "Make it unlike any other review.",
        },
    ]


def test_diversity_prompt_comes_after_every_batch():
    task = load_task("sms_spam")
    opens = []
    for n in range(1, 3 * WORDING.batch + 1):
        request = Request("zero_shot", "ham", n, {"words": 9}, ())
        if messages(task, request, wording=WORDING)[-1]["content"].startswith(WORDING.diversity):
            opens.append(n)
    assert opens == [WORDING.batch + 1, 2 * WORDING.batch + 1]


def test_earlier_turns_stand_between_context_and_request():
    task = load_task("sms_spam")
    requests = [Request("zero_shot", "spam", n, {"words": 8 + n}, ()) for n in (1, 2)]
    chat = messages(task, requests[1], wording=WORDING, earlier=[(requests[0], "WIN now")])
    assert [message["role"] for message in chat] == ["system", "user", "assistant", "user"]
    assert chat[2]["content"] == "WIN now" and "about 9 words" in chat[1]["content"]


def test_few_shot_shows_keys_or_texts_and_asks_for_no_length():
    task = load_task("tweet_emotion")
    request = Request("few_shot", "joy", 1, {}, ("a1", "b2", "c3"))
    prompt = messages(task, request, wording=WORDING)[-1]["content"]
    assert all(f"⟨real training text {key}⟩" in prompt for key in request.examples)
    assert "words" not in prompt and "expresses joy" in prompt
    assert prompt.index("c3") < prompt.index(WORDING.imitation) < prompt.index("Write one tweet")
    texts = {"a1": "one", "b2": "two", "c3": "three"}
    shown = messages(task, request, wording=WORDING, texts=texts)[-1]["content"]
    assert "Example 3: three" in shown and "⟨" not in shown
    with pytest.raises(ValueError, match="'c3' is not among the 2 real texts"):
        messages(task, request, wording=WORDING, texts={"a1": "one", "b2": "two"})


def test_attributes_and_words_stand_in_the_prompt():
    task = load_task("tweet_emotion")
    drawn = {"words": 12, "attributes": {"form": "deadpan", "trigger": "faith"}}
    drawn["vocabulary"] = {"verb": "dig", "noun": "raft", "adjective": "wild"}
    prompt = messages(task, Request("attributed", "joy", 1, drawn, ()), wording=WORDING)[-1]["content"]
    assert "attributes: trigger: faith; form: deadpan." in prompt  # in the task's order
    assert 'the verb "dig", the noun "raft" and the adjective "wild"' in prompt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generate": "Write {label} in {tone}."}, "unknown placeholder.*'tone'"),
        ({"generate": "Write it."}, r"lacks placeholder.*'label'"),
        ({"context": "You are {name}."}, "context has unknown placeholder"),
        ({"generate": "A {label} text, {words} words long."}, r"\{words\} outside"),  # few-shot prompts have no length
        ({"attributes": {"form": []}}, "'form' has no value"),
        ({"attributes": {"form": ["deadpan", " "]}}, "a blank one"),
        ({"attributes": {"form": ["deadpan", "deadpan"]}}, "a repeated one"),
        ({"words": [9, 8]}, "must be a range"),
    ],
)
def test_prompts_that_cannot_be_filled_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        check_prompts(load_task("tweet_emotion").model_copy(update=change), WORDING)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("zero_shot", "rage", 1, {"words": 9}, ()), "has no label 'rage'.*anger"),
        (Request("zeroshot", "joy", 1, {"words": 9}, ()), "unknown setting 'zeroshot'.*zero_shot"),
        (Request("zero_shot", "joy", 0, {"words": 9}, ()), "n is 0"),
        (Request("few_shot", "joy", 1, {}, ()), "few_shot request with 0 example"),
        (Request("zero_shot", "joy", 1, {"lengths": 9}, ()), "draws.*lengths"),
        (Request("attributed", "joy", 1, {"words": 9, "attributes": {"form": "sonnet"}}, ()), "form is 'sonnet'"),
        (Request("attributed", "joy", 1, {"words": 9, "attributes": {"mood": "sad"}}, ()), "mood is 'sad'"),
        (Request("attributed", "joy", 1, {"words": 9, "vocabulary": {"verb": "dig"}}, ()), "needs a verb, a noun"),
    ],
)
def test_requests_that_do_not_fit_the_task_are_refused(request_, message):
    with pytest.raises(ValueError, match=message):
        messages(load_task("tweet_emotion"), request_, wording=WORDING)


def test_a_request_that_lacks_the_tasks_own_draw_is_refused():
    with pytest.raises(ValueError, match=r"lacks \['genre'\]"):
        messages(load_task("imdb"), Request("zero_shot", "positive", 1, {"words": 60}, ()), wording=WORDING)


def test_html_and_control_characters_do_no_harm():
    shown = render_html([{"role": "user", "content": "<script>x</script>\x1b[31m $a_b$" + "y" * 10**6}], limit=100)
    assert "<script" not in shown and "\x1b" not in shown and len(shown) < 500
    assert clean("a\nb", 10) == "a\nb"


def test_draws_do_not_depend_on_order_and_differ_by_seed_label_and_number():
    task = load_task("tweet_emotion")
    forward = [draw(task, "attributed", "joy", n) for n in range(1, 31)]
    backward = [draw(task, "attributed", "joy", n) for n in range(30, 0, -1)]
    assert forward == backward[::-1]
    assert forward != [draw(task, "attributed", "joy", n, seed=2) for n in range(1, 31)]
    assert [r.drawn for r in forward] != [draw(task, "attributed", "anger", n).drawn for n in range(1, 31)]
    assert draw(task, "attributed", "joy", 5000) == draw(task, "attributed", "joy", 5000)


@pytest.mark.parametrize("name", task_names())
def test_every_task_and_setting_can_be_drawn_and_rendered(name):
    task = load_task(name)
    for label in task.labels:
        for setting in ("zero_shot", "few_shot", "attributed"):
            requests = [draw(task, setting, label, n) for n in range(1, 41)]
            for request in requests:
                content = messages(task, request, wording=WORDING)[-1]["content"]
                assert task.labels[label].say in content and "{" not in content
            if setting != "few_shot":
                assert all(task.words[0] <= r.drawn["words"] <= task.words[1] for r in requests)
            if setting == "attributed":
                assert all(len(r.drawn["attributes"]) <= WORDING.attributes_per_request for r in requests)
                share = np.mean(["vocabulary" in r.drawn for r in requests])
                assert abs(share - (WORDING.vocabulary_share if task.vocabulary else 0)) < 0.15


def test_values_and_pairs_are_covered_more_evenly_than_by_independent_draws():
    task = load_task("tweet_emotion")
    even = measure_coverage(task, [draw(task, "attributed", "joy", n) for n in range(1, 201)])
    rng = np.random.default_rng(0)
    independent = [
        Request("attributed", "joy", n, {"attributes": {k: str(rng.choice(v)) for k, v in task.attributes.items()}}, ())
        for n in range(1, 201)
    ]
    spread = measure_coverage(task, independent)
    assert (even["most"] - even["least"]).sum() < 0.6 * (spread["most"] - spread["least"]).sum()
    single = even[~even["what"].str.contains("×")]
    assert (single["most"] - single["least"]).max() <= 4
    assert (even["requests"] == 200).all() and (even["seen"] >= spread["seen"]).all()


def test_values_of_one_label_are_not_drawn_for_another():
    task = load_task("humor")
    kinds = {r.drawn["attributes"]["kind"] for r in (draw(task, "attributed", "non_humor", n) for n in range(1, 101))}
    assert kinds == set(task.labels["non_humor"].attributes["kind"]) and "bar joke" not in kinds
    request = Request("attributed", "non_humor", 1, {"words": 9, "attributes": {"kind": "bar joke"}}, ())
    with pytest.raises(ValueError, match="kind is 'bar joke'"):
        messages(task, request, wording=WORDING)


def test_examples_are_shown_once_before_any_is_shown_again():
    task = load_task("sms_spam")
    shown = [key for n in range(1, 17) for key in draw(task, "few_shot", "ham", n).examples]
    assert len(shown) == len(set(shown)) == 48 and set(shown) <= set(POOL)


def test_coverage_and_pool_errors():
    task = load_task("sms_spam")
    with pytest.raises(ValueError, match=r"a few_shot request of ham shows 3 example\(s\); the pool has 2"):
        draw_request(task, "few_shot", label="ham", n=1, seed=1, wording=WORDING, pool=["a", "b"])
    with pytest.raises(ValueError, match="repeats a key"):
        draw_request(task, "few_shot", label="ham", n=1, seed=1, wording=WORDING, pool=["a", "b", "b"])
    with pytest.raises(ValueError, match="n is 0"):
        draw(task, "zero_shot", "ham", 0)
    with pytest.raises(ValueError, match="none of 1 request"):
        measure_coverage(task, [draw(task, "zero_shot", "ham", 1)])
