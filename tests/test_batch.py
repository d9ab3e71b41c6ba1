"""Batches, handed in by the real openai client to a server on this machine that goes wrong."""

import asyncio
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime

import kill_live
import pytest
from loopback_llm import serve_llm
from test_llm import KEY, SETTINGS

from synthlib import paths
from synthlib.asking import batch, batch_lines, live, prices
from synthlib.asking.backends import Llm
from synthlib.asking.batch import BatchAsker
from synthlib.asking.batches import list_batches
from synthlib.asking.calls import Question
from synthlib.asking.conversations import Brief
from synthlib.asking.prices import Price
from synthlib.asking.store import Store
from synthlib.llm import Asker, BudgetError, CallError
from synthlib.tasks import load_task, load_wording

BRIEF = Brief(load_task("sms_spam"), load_wording(), {}, 1)
PRICE = Price(1e5, 1e6, datetime(2026, 1, 1, tzinfo=UTC).date(), 0.5)


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    for name in ("FIRST_POLL", "LONGEST_POLL", "SECOND_LOOK"):
        monkeypatch.setattr(batch, name, 0.02)
    monkeypatch.setattr(paths, "CALLS", tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def price(monkeypatch):
    monkeypatch.setattr(prices, "load_price", lambda model, base_url: PRICE)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "s.sqlite", "sms_spam") as opened:
        yield opened


def settings(url, **changes):
    return Llm(**SETTINGS | {"base_url": url, "mode": "batch", "timeout_seconds": 20.0} | changes)


def ask_all(store, url, n, **changes):
    """Ask n different questions; return answers or errors, and what was said meanwhile."""
    said = []

    async def ask():
        async with BatchAsker(settings(url, **changes), store, say=said.append) as asker:
            questions = ([{"role": "user", "content": f"{i}"}] for i in range(n))
            asked = (asker.ask(question, replicate="1") for question in questions)
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask()), said


def count_states(store):
    return dict(store._reader.execute("SELECT state, count(*) FROM calls GROUP BY state").fetchall())


def test_a_batch_is_handed_in_once_and_read_once_at_the_price_of_batches(store, price):
    with serve_llm(seconds=0.1) as (url, witness):
        outcomes, said = ask_all(store, url, 20)
        again, _ = ask_all(store, url, 20)
    assert all(answer.kind == "text" and new for answer, new in outcomes)
    assert [answer for answer, _ in again] == [answer for answer, _ in outcomes] and not any(new for _, new in again)
    assert len(witness.batches) == 1 and witness.paid.total() == 20
    assert outcomes[0][0].cost_usd == pytest.approx(PRICE.cost(1, 10) / 2)
    assert store.totals().spent_usd == pytest.approx(20 * PRICE.cost(1, 10) / 2)
    assert said[0] == "0 of 20 calls of 1 batches done"


def test_files_are_split_at_their_limits(store, monkeypatch):
    monkeypatch.setattr(batch_lines, "MOST_REQUESTS", 8)
    with serve_llm() as (url, witness):
        outcomes, _ = ask_all(store, url, 20)
    assert len(witness.batches) == 3 and all(answer.kind == "text" for answer, _ in outcomes)
    line = len(witness.files["file-1"][0]) + 1
    monkeypatch.setattr(batch_lines, "MOST_BYTES", 5 * line + 5)
    with serve_llm() as (url, witness):
        ask_all(store, url, 20, temperature=0.1)
    assert len(witness.batches) == 4 and witness.paid.total() == 20


@pytest.mark.parametrize("fault", ["expired", "cancelled", "lost line", "dropped", "503"])
def test_only_what_lacks_is_handed_in_again(store, fault):
    with serve_llm(batch_fault=lambda number: fault if number == 1 else "") as (url, witness):
        outcomes, _ = ask_all(store, url, 10)
    assert all(answer.kind == "text" for answer, _ in outcomes) and store.totals().n_lost == 0
    assert len(witness.batches) == (1 if fault in ("dropped", "503") else 2)
    assert witness.paid.total() == (11 if fault == "lost line" else 10)


def test_a_batch_that_is_made_late_is_not_made_twice(store):
    late = iter([0.6])
    with serve_llm(late=lambda: next(late, 0.0)) as (url, witness):
        outcomes, _ = ask_all(store, url, 10, timeout_seconds=0.3)
        time.sleep(0.5)  # the first request to make one is worked off by now
    assert all(answer.kind == "text" for answer, _ in outcomes)
    assert len(witness.deleted) == 1 and len(witness.batches) == 1 and witness.paid.total() == 10


def test_a_file_that_cannot_be_withdrawn_ends_the_run_and_nothing_is_handed_in_again(store):
    late = iter([0.6])
    with serve_llm(late=lambda: next(late, 0.0), keeps_files=True) as (url, witness):
        outcomes, _ = ask_all(store, url, 10, timeout_seconds=0.3)
        assert all("does not delete file file-1" in str(error) for error in outcomes)
        time.sleep(0.5)
        outcomes, _ = ask_all(store, url, 10)
    assert all(answer.kind == "text" for answer, _ in outcomes)
    assert len(witness.batches) == 1 and witness.paid.total() == 10


def test_a_failed_line_is_noted_and_tried_again_where_that_may_help(store):
    with serve_llm(lambda n, body: {3: "500", 4: "refusal"}.get(n, "")) as (url, witness):
        outcomes, _ = ask_all(store, url, 6)
    assert [answer.kind for answer, _ in outcomes].count("refusal") == 1 and witness.paid.total() == 6
    with serve_llm(lambda n, body: "400" if body["messages"][0]["content"] == "2" else "") as (url, witness):
        outcomes, _ = ask_all(store, url, 6, temperature=0.2)
    assert isinstance(outcomes[2], CallError) and "fault 400" in str(outcomes[2]) and witness.paid.total() == 5
    (noted,) = store._reader.execute("SELECT error FROM calls WHERE state = 'unanswered'").fetchall()
    assert "fault 400" in noted[0]


def test_a_batch_that_is_refused_costs_nothing_and_says_why(store, price):
    for fault, message in (("refused", "no batches today"), ("failed", "bad_line: line 1 is no request")):
        with serve_llm(batch_fault=lambda number, fault=fault: fault) as (url, _):
            outcomes, _ = ask_all(store, url, 3)
        assert all(isinstance(error, CallError) and message in str(error) for error in outcomes)
        assert count_states(store) == {"unanswered": 3} and not list_batches(store)
        assert store.totals().reserved_usd == store.totals().spent_usd == 0
    (error, *_), _ = ask_all(store, "http://127.0.0.1:9/v1", 3)
    assert "no reply from http://127.0.0.1:9/v1" in str(error)


def test_a_budget_holds_for_what_is_in_batches(store, price):
    each = PRICE.in_batch().cost(17, 20)  # the bound; 5.5 is what is billed
    with serve_llm() as (url, witness):
        outcomes, _ = ask_all(store, url, 20, max_usd=5 * each)
    billed = PRICE.in_batch().cost(1, 10) * witness.paid.total()
    assert any(isinstance(outcome, BudgetError) for outcome in outcomes) and len(witness.batches) >= 2
    assert billed == pytest.approx(store.totals().spent_usd) and 4 * each < billed <= 5 * each
    with serve_llm() as (url, witness):
        outcomes, _ = ask_all(store, url, 20, temperature=0.3, max_calls=store.totals().sends + 7)
    assert witness.paid.total() == 7 and sum(isinstance(outcome, BudgetError) for outcome in outcomes) == 13


def test_an_unknown_price_of_batches_is_refused_with_max_usd(store, monkeypatch):
    monkeypatch.setattr(prices, "load_price", lambda model, base_url: replace(PRICE, batch_share=None))
    with pytest.raises(ValueError, match="is unknown for batches: add it to params"):
        ask_all(store, "http://127.0.0.1:9/v1", 1, max_usd=1.0)


def test_a_batch_under_way_is_waited_for_and_online_calls_do_not_pay_it_again(store, monkeypatch):
    monkeypatch.setattr(batch, "LONGEST_POLL", 30.0)
    monkeypatch.setattr(batch, "FIRST_POLL", 30.0)

    async def leave():
        async with BatchAsker(settings(url), store, say=lambda said: None) as asker:
            asked = asyncio.create_task(asker.ask([{"role": "user", "content": "0"}], replicate="1"))
            while not any(batch.remote for batch in list_batches(other)):
                await asyncio.sleep(0.01)
            asker.interrupt()
            return await asyncio.gather(asked, return_exceptions=True)

    with serve_llm(seconds=0.3) as (url, witness), Store(store.path, "reader") as other:
        other.owner = "sms_spam"
        assert "Stopped" in type(asyncio.run(leave())[0]).__name__
        with pytest.raises(ValueError, match="1 calls were handed in as batches"):
            Asker(settings(url, mode="online"), store)
        monkeypatch.setattr(batch, "FIRST_POLL", 0.02)
        ((answer, _),), _ = ask_all(store, url, 1)
    assert answer.kind == "text" and len(witness.batches) == 1 and witness.paid.total() == 1


def test_a_whole_run_in_batches_has_the_table_of_one_online():
    with serve_llm(lambda n, body: "refusal" if n == 5 else "") as (url, witness):
        corpus, counted = live.ask(BRIEF, settings(url), settings=["zero_shot"], n_per_label=6)
        again, _ = live.ask(BRIEF, settings(url, mode="online"), settings=["zero_shot"], n_per_label=6)
    assert len(corpus) == 12 and corpus.equals(again) and counted["refusal"].sum() == 1
    assert witness.paid.total() == 13 and len(witness.batches) in (3, 4)  # a turn each, and the one asked again


def test_kills_lose_no_batch_and_none_is_paid_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHLIB_CALLS", str(tmp_path))
    counts = kill_live.kill_at_random(tmp_path, 5, seed=os.getpid(), mode="batch")
    assert counts["texts"] == counts["distinct"] == counts["paid"] == 5 * kill_live.TEXTS_PER_KILL
    assert counts["paid_again"] == 0 and counts["unpaid"] == 0


def read_lines(text, keys):
    answers, failures = {}, {}
    batch_lines.read_lines(text, keys, answers=answers, failures=failures, price=None, seconds=1.0, asked_at="")
    return answers, failures


def test_no_character_of_an_answer_breaks_a_line_or_the_store(tmp_path):
    texts = {"k1": "a\u2028b\x85c", "k2": "half \ud83d"}
    lines = []
    for key, text in texts.items():
        body = {"model": "m\ud83d", "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
        row = {"custom_id": key, "response": {"status_code": 200, "body": body}}
        lines.append(json.dumps(row, ensure_ascii=key == "k2"))  # some servers escape, some do not
    answers, failures = read_lines("\n".join(lines) + "\n", set(texts))
    assert not failures and answers["k1"].text == texts["k1"] and answers["k2"].text == "half ?"
    with Store(tmp_path / "odd.sqlite", "a") as store:
        question = Question.of({"model": "m", "messages": []})
        store.reserve(question, bound_usd=0.0, max_usd=None, max_calls=None)
        store.record(question.key, answers["k2"])
        assert store.find(question.key) == answers["k2"]


def test_errors_of_odd_shapes_are_failures_of_their_call_alone():
    rows = [
        {"custom_id": "k1", "error": "bad"},
        {"custom_id": "k2", "response": {"status_code": 500, "body": "down"}},
        {"custom_id": "k3", "response": {"status_code": 200, "body": {"choices": [None]}}},
        {"custom_id": "k4", "response": {"status_code": 200, "body": {"choices": [{"message": "hi"}]}}},
    ]
    answers, failures = read_lines("\n".join(map(json.dumps, rows)), {"k1", "k2", "k3", "k4"})
    assert not answers and {key: failure.maybe_paid for key, failure in failures.items()} == {
        "k1": False,
        "k2": False,
        "k3": True,
        "k4": True,
    }
    assert "bad" in failures["k1"].reason and "status 500" in failures["k2"].reason
