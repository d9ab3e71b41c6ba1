"""The asker, spoken to by the real openai client against a server on this machine that goes wrong."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from loopback_llm import serve_llm

from synthlib import llm
from synthlib.asking import prices, provider
from synthlib.asking.backends import Llm
from synthlib.asking.prices import Price, bound_tokens
from synthlib.asking.store import Store
from synthlib.llm import Asker, BudgetError, CallError

SETTINGS = {
    "store": "s",
    "model": "toy",
    "base_url": "http://127.0.0.1:1/v1",
    "temperature": 0.7,
    "max_tokens": 20,
    "labels": "mixed",
    "texts_per_conversation": 3,
    "asks_per_text": 2,
    "concurrency": 8,
    "requests_per_minute": None,
    "tokens_per_minute": None,
    "max_usd": None,
    "max_calls": None,
    "timeout_seconds": 1.0,
}
KEY = "sk-not-a-real-key-0123456789"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def price(monkeypatch):
    """USD 0.1 for a token of a prompt, 1 for one of an answer."""
    found = Price(1e5, 1e6, datetime(2026, 1, 1, tzinfo=UTC).date())
    monkeypatch.setattr(prices, "load_price", lambda model, base_url: found)
    return found


def ask_all(store, url, n, **changes):
    """Ask n different questions at once; return the outcomes (answers or errors) and the asker."""
    settings = Llm(**SETTINGS | {"base_url": url} | changes)

    async def ask():
        async with Asker(settings, store) as asker:
            questions = ([{"role": "user", "content": f"{i}"}] for i in range(n))
            asked = (asker.ask(question, replicate="1") for question in questions)
            return await asyncio.gather(*asked, return_exceptions=True), asker

    return asyncio.run(ask())


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "s.sqlite", "t") as opened:
        yield opened


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        ("429", 0),
        ("408", 0),
        ("500", 0),
        ("503", 0),
        ("slow", 1),
        ("truncated", 1),
        ("half json", 1),
        ("no json", 1),
        ("dropped", 1),
    ],
)
def test_what_may_pass_is_tried_again(store, fault, lost):
    with serve_llm(lambda n, body: fault if n == 1 else "") as (url, witness):
        ((answer, new),), _ = ask_all(store, url, 1)
    assert answer.kind == "text" and new and len(witness.requests) == 2
    assert (store.totals().sends, store.totals().n_lost) == (2, lost)


@pytest.mark.parametrize("fault", ["400", "401", "404"])
def test_what_will_not_pass_is_not_tried_again(store, fault):
    with serve_llm(lambda n, body: fault) as (url, witness):
        (error,), _ = ask_all(store, url, 1)
    assert isinstance(error, CallError) and f"fault {fault}" in str(error) and len(witness.requests) == 1
    with serve_llm() as (url, _):
        ((answer, new),), _ = ask_all(store, url, 1, max_calls=1)
    assert new and answer.kind == "text", "a refused call is none of max_calls"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("refusal", "refusal"), ("filter", "refusal"), ("blank", "empty"), ("no choice", "empty"), ("cut off", "cut_off")],
)
def test_a_broken_answer_is_kept_with_its_kind_and_not_asked_again(store, fault, kind):
    with serve_llm(lambda n, body: fault) as (url, witness):
        ((answer, _),), _ = ask_all(store, url, 1)
        ((again, new),), _ = ask_all(store, url, 1)
    assert answer.kind == kind and again == answer and not new
    assert answer.prompt_tokens == 1 and len(witness.requests) == 1


def test_a_named_wait_is_kept_and_slows_all_down(store):
    with serve_llm(lambda n, body: "429 wait" if n == 1 else "") as (url, witness):
        outcomes, _ = ask_all(store, url, 20, concurrency=4)
    assert all(answer.kind == "text" for answer, _ in outcomes)
    assert witness.times[-1] - witness.times[0] >= 1.0


def test_retry_after_may_be_a_number_a_date_or_nonsense():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    found = [provider.retry_after({"retry-after": value}) for value in ("2.5", "-3", later, "soon", "")]
    assert found[:2] == [2.5, 0.0] and 85 < found[2] <= 90 and found[3:] == [0.0, 0.0]


def test_tries_end(store, monkeypatch):
    monkeypatch.setattr(llm, "TRIES", 3)
    with serve_llm(lambda n, body: "500") as (url, witness):
        (error,), _ = ask_all(store, url, 1)
    assert "no answer after 3 tries" in str(error) and len(witness.requests) == 3


def test_an_address_without_a_server_ends_at_once_and_a_missing_key_is_named(store, monkeypatch):
    (error,), _ = ask_all(store, "http://127.0.0.1:9/v1", 1)
    assert "no server at http://127.0.0.1:9/v1" in str(error) and store.totals().n_lost == 0
    monkeypatch.delenv("OPENAI_API_KEY")
    (error,), _ = ask_all(store, None, 1)
    assert isinstance(error, CallError) and "OPENAI_API_KEY is not set" in str(error)


def test_the_server_gets_what_the_key_of_the_store_says(store):
    with serve_llm() as (url, witness):
        ask_all(store, url, 1)
        ask_all(store, url, 1, concurrency=2, base_url=url + "/")  # neither belongs to the question
        ask_all(store, url, 1, temperature=None)
    first, second = witness.requests
    assert first["temperature"] == 0.7 and first["max_tokens"] == 20 and "temperature" not in second


def test_calls_run_side_by_side_up_to_the_bound(store):
    with serve_llm(seconds=0.2) as (url, witness):
        started = time.monotonic()
        ask_all(store, url, 32, concurrency=16, timeout_seconds=30.0)
    assert witness.most_in_flight == 16 and time.monotonic() - started < 2.5


@pytest.mark.parametrize(("fault", "max_usd"), [("", 200.0), ("", 1000.0), ("dropped", 300.0)])
def test_a_budget_is_never_passed_with_64_calls_in_flight(store, price, fault, max_usd):
    with serve_llm(lambda n, body: fault if n % 5 == 0 else "", seconds=0.02) as (url, witness):
        outcomes, _ = ask_all(store, url, 300, concurrency=64, max_usd=max_usd, timeout_seconds=30.0)
    each = price.cost(1, 10)  # what the server bills
    billed = each * sum(witness.paid.values())
    assert any(isinstance(outcome, BudgetError) for outcome in outcomes)
    most = price.cost(bound_tokens([{"content": "299"}]), 20)
    assert max_usd - most < store.totals().spent_usd + store.totals().lost_usd <= max_usd
    assert billed <= max_usd


def test_a_number_of_calls_is_never_passed(store):
    with serve_llm(lambda n, body: "500" if n % 7 == 0 else "", seconds=0.01) as (url, witness):
        outcomes, _ = ask_all(store, url, 200, concurrency=64, max_calls=50, timeout_seconds=30.0)
    assert len(witness.requests) == 50
    assert "llm.max_calls is 50: 50 calls are made" in str(next(o for o in outcomes if isinstance(o, BudgetError)))


def test_max_usd_needs_a_price(store):
    with pytest.raises(ValueError, match=r"max_usd is 1\.0, but the price of 'toy' .* is unknown"):
        ask_all(store, "http://127.0.0.1:1/v1", 1, max_usd=1.0)


def test_an_answer_without_usage_has_an_unknown_cost_and_counts_at_its_bound(store, price):
    with serve_llm(lambda n, body: "no usage") as (url, _):
        ((answer, _),), _ = ask_all(store, url, 1)
    assert answer.cost_usd is None and answer.prompt_tokens is None
    assert store.totals().spent_usd == pytest.approx(price.cost(17, 20))


def test_an_answer_with_fields_of_odd_types_is_kept(store, price):
    with serve_llm(lambda n, body: "odd fields" if n == 2 else "") as (url, witness):
        outcomes, _ = ask_all(store, url, 6)
        assert sum(answer.cost_usd is None for answer, _ in outcomes) == 1
        assert [answer for answer, _ in ask_all(store, url, 6)[0]] == [answer for answer, _ in outcomes]
    odd = next(answer for answer, _ in outcomes if answer.cost_usd is None)
    assert (odd.finish_reason, odd.prompt_tokens, odd.answer_tokens) == ("['stop']", 1, None)
    assert len(witness.requests) == 6


def test_the_key_is_nowhere(tmp_path, caplog):
    caplog.set_level(0)
    with serve_llm(lambda n, body: ["key in answer", "key in error"][n - 1]) as (url, witness):
        with Store(tmp_path / "s.sqlite", "t") as store:
            ((answer, _),), _ = ask_all(store, url, 1)
            outcomes, _ = ask_all(store, url, 2)
            store.export(tmp_path / "calls.jsonl")
    assert len(witness.requests) == 2 and answer.text == "You are Bearer [key]"
    error = next(o for o in outcomes if isinstance(o, CallError))
    assert "[key]" in str(error) and KEY not in str(error)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2 and all(KEY.encode() not in path.read_bytes() for path in files)
    assert KEY not in caplog.text and os.environ["OPENAI_API_KEY"] == KEY
