"""The line for a person and the log for machines, of runs against a server on this machine."""

import json

import pytest
from loopback_llm import serve_llm
from test_live import BRIEF, ask
from test_llm import KEY, SETTINGS

from synthlib import llm, paths
from synthlib.asking import prices, progress
from synthlib.asking.calls import Answer
from synthlib.asking.conversations import Outcome, plan
from synthlib.asking.ledger import Ledger

PRICE = prices.Price(1.0, 2.0, None)
CONVERSATIONS = plan(BRIEF, ["zero_shot"], n_per_label=4, labels="mixed", texts_per_conversation=4)
FIELDS = {"time", "event", "task", "model", "planned", "texts", "missing", "answers", "new", "refusal", "empty"}
FIELDS |= {"cut_off", "off_format", "spent_usd", "spent_now_usd", "projected_usd", "texts_per_minute", "seconds_left"}


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(paths, "CALLS", tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path


def make_answer(kind="text", **changes):
    values = {"text": "hi" * (kind == "text"), "kind": kind, "finish_reason": "stop", "prompt_tokens": 10}
    values |= {"answer_tokens": 5, "cost_usd": 0.5, "seconds": 1.0, "served_by": "m-1", "raw": "{}"}
    return Answer(**values | {"asked_at": "2026-01-01T00:00:00+00:00"} | changes)


def make_progress(folder, price):
    return progress.Progress(BRIEF, CONVERSATIONS, price=price, log=folder / "log.jsonl", model="m")


def read_log(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_is_logged_from_start_to_end_without_texts_or_key(calls):
    faults = {2: "refusal", 5: "key in answer"}
    with serve_llm(lambda n, body: faults.get(n, "")) as (url, _):
        corpus, _ = ask(url, n_per_label=60, asks_per_text=2)
        ask(url, n_per_label=60, asks_per_text=2)
    text = (calls / "s.sms_spam.log.jsonl").read_text()
    first, *others = lines = [json.loads(line) for line in text.splitlines()]
    assert all(set(line) == FIELDS for line in lines) and first["event"] == "start" and first["planned"] == 120
    ends = [line for line in others if line["event"] == "end"]
    assert [(line["texts"], line["answers"], line["new"], line["refusal"]) for line in ends] == [
        (120, 121, 121, 1),
        (120, 121, 0, 1),
    ]
    assert any(line["event"] == "progress" and line["texts"] >= 99 for line in lines)
    assert ends[0]["seconds_left"] == 0 and ends[0]["spent_usd"] is None and ends[1]["texts_per_minute"] is None
    assert KEY not in text and not any(said in text for said in corpus["text"])


def test_an_error_is_logged_by_its_type_alone(calls):
    with serve_llm(lambda n, body: "key in error" if n == 3 else "") as (url, _):
        with pytest.raises(llm.CallError):
            ask(url, **SETTINGS | {"base_url": url, "concurrency": 1})
    last = read_log(calls / "s.sms_spam.log.jsonl")[-1]
    assert (last["event"], last["error"], last["texts"]) == ("stopped", "CallError", 2)


def make_outcome(answers, n_new):
    request = CONVERSATIONS[0].requests[0]
    return Outcome(request, "c", answers, n_new, ((request, answers[-1].text),), "A prompt.")


def test_money_is_projected_from_what_is_done(tmp_path):
    with make_progress(tmp_path, PRICE) as shown:
        assert shown.measure()["projected_usd"] is None
        shown.tell(make_outcome((make_answer("refusal"), make_answer()), 1))
    half = shown.measure()
    share = shown.planned_done / shown.planned_usd
    assert half["spent_usd"] == 1.0 and half["spent_now_usd"] == 0.5 and half["texts"] == half["refusal"] == 1
    assert (
        half["projected_usd"] == pytest.approx(1 / share, abs=1e-6)
        and half["seconds_left"] >= 0
        and half["texts_per_minute"] > 0
    )
    assert "USD 1.00 of about USD" in shown.say() and "1 broken" in shown.say() and shown.say().endswith("left")


def test_an_unknown_price_is_unknown_not_zero(tmp_path):
    with make_progress(tmp_path, None) as shown:
        shown.tell(make_outcome((make_answer(cost_usd=None),), 0))
    assert shown.say() == "cost unknown, 0 broken"
    assert read_log(tmp_path / "log.jsonl")[-1]["spent_usd"] is None


def test_a_ledger_says_when_and_by_whom():
    answers = make_answer("empty", asked_at="2026-01-02T00:00:00+00:00", served_by=None), make_answer()
    outcome = make_outcome(answers, 2)
    counted = Ledger(["zero_shot"], [outcome.request.label])
    counted.add(outcome)
    (row,) = counted.tabulate().to_dict("records")
    assert (row["asked_from"][:10], row["asked_to"][:10], row["served_by"]) == ("2026-01-01", "2026-01-02", "m-1")
