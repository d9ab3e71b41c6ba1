"""The store of calls: what survives, what is counted, what is refused."""

import asyncio
import json
import sqlite3
from dataclasses import replace

import pytest

from synthlib.asking.backends import Llm
from synthlib.asking.batches import list_batches, name_file, note_batch
from synthlib.asking.calls import Answer, Question, make_question
from synthlib.asking.store import Store
from synthlib.asking.writer import Writer

ANSWER = Answer("Hi\x00 \U0001f600", "text", "stop", 12, 3, 0.25, 0.5, "m-1", "2026-01-01T00:00:00+00:00", '{"a": 1}')
FREE = {"bound_usd": 1.0, "max_usd": None, "max_calls": None}


def ask(replicate, **changes):
    values = {"model": "m", "messages": [{"role": "user", "content": "Hé?"}], "temperature": 1.0}
    return Question.of(values | {"replicate": replicate} | changes)


def fill(store, *replicates):
    for replicate in replicates:
        assert store.reserve(ask(replicate), **FREE) is None
        store.record(ask(replicate).key, ANSWER)


def test_a_key_is_the_same_for_ever():
    asked = {"store": "s", "model": "m", "base_url": None, "temperature": 0.7, "max_tokens": 50, "labels": "mixed"}
    asked |= {"texts_per_conversation": 1, "asks_per_text": 1, "concurrency": 1, "timeout_seconds": 1.0}
    limits = dict.fromkeys(("requests_per_minute", "tokens_per_minute", "max_usd", "max_calls"))
    messages = [{"role": "system", "content": 'Ünïcode "quoted"\n\U0001f600'}, {"role": "user", "content": "Hi"}]
    question = make_question(Llm(**asked, **limits), messages, model="m", replicate="1/sms_spam/zero_shot/ham/1/1")
    assert question.text == (
        r'{"max_tokens":50,"messages":[{"content":"\u00dcn\u00efcode \"quoted\"\n\ud83d\ude00","role":"system"},'
        r'{"content":"Hi","role":"user"}],"model":"m","replicate":"1/sms_spam/zero_shot/ham/1/1","temperature":0.7}'
    )
    assert question.key == "9a7ad971a7b6a2a4e06b64081799cce47138ed856296779f85d543c4fbf1824d"  # stores hold such keys


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls" / "s.sqlite"


def test_an_answer_comes_back_whole_and_only_for_the_same_question(path):
    with Store(path, "a") as store:
        fill(store, "1")
    with Store(path, "b") as store:
        assert store.find(ask("1").key) == ANSWER
        for other in (
            ask("2"),
            ask("1", temperature=0.9),
            ask("1", model="n"),
            ask("1", max_tokens=5),
        ):
            assert store.find(other.key) is None


def test_totals_follow_every_way_a_call_can_end(path):
    with Store(path, "a") as store:
        fill(store, "paid")
        for replicate in ("unknown", "refused", "lost", "flying"):
            store.reserve(ask(replicate), **FREE)
        store.record(ask("unknown").key, replace(ANSWER, cost_usd=None))
        store.give_up(ask("refused").key, maybe_paid=False, error="refused")
        store.give_up(ask("lost").key, maybe_paid=True, error="dropped")
        totals = store.totals()
        assert (totals.sends, totals.n_lost) == (5, 1)
        store.reserve(ask("wrong key"), **FREE)
        store.give_up(ask("wrong key").key, maybe_paid=False, error="401", refused=True)
        assert store.totals() == totals, "no call of ours: the server takes none"
        assert (totals.spent_usd, totals.reserved_usd, totals.lost_usd) == (1.25, 1.0, 1.0)
    with Store(path, "another") as store:
        assert store.n_interrupted == 0
    with Store(path, "a") as store:  # the call in flight belonged to a process that is gone
        assert store.n_interrupted == 1 and store.find(ask("flying").key) is None
        assert (store.totals().reserved_usd, store.totals().lost_usd, store.totals().n_lost) == (0.0, 2.0, 2)
        fill(store, "flying")
        assert store.totals().sends == 6


def test_limits_hold_for_what_is_spent_lost_and_in_flight(path):
    with Store(path, "a") as store:
        fill(store, "1")  # spent 0.25
        store.reserve(ask("2"), **FREE)  # in flight 1.0
        assert store.reserve(ask("3"), bound_usd=0.5, max_usd=1.74, max_calls=None) == "max_usd"
        assert store.reserve(ask("3"), bound_usd=0.5, max_usd=None, max_calls=2) == "max_calls"
        assert store.totals().sends == 2
        assert store.reserve(ask("3"), bound_usd=0.5, max_usd=1.75, max_calls=3) is None
        store.give_up(ask("2").key, maybe_paid=True, error="dropped")
        assert store.reserve(ask("4"), bound_usd=0.5, max_usd=1.75, max_calls=None) == "max_usd"


def test_calls_travel_as_lines_and_cost_nothing_where_they_arrive(path, tmp_path):
    lines = tmp_path / "calls.jsonl"
    with Store(path, "a") as store:
        fill(store, "1", "2")
        store.reserve(ask("3"), **FREE)
        assert store.export(lines) == 2
    with Store(tmp_path / "other.sqlite", "a") as other:
        fill(other, "2")
        other.reserve(ask("1"), **FREE)
        assert other.load(lines) == 0, "a question on its way waits for its own answer"
        other.give_up(ask("1").key, maybe_paid=False, error="busy")
        assert other.load(lines) == 1 and other.load(lines) == 0
        assert other.find(ask("1").key) == ANSWER and other.totals().sends == 2
        assert other.export(tmp_path / "again.jsonl") == 2
    assert sorted((tmp_path / "again.jsonl").read_text().splitlines()) == sorted(lines.read_text().splitlines())


def test_a_changed_or_damaged_line_is_refused_and_nothing_is_taken_in(path, tmp_path):
    lines = tmp_path / "calls.jsonl"
    with Store(path, "a") as store:
        fill(store, "1", "2")
        store.export(lines)
    first, second = (json.loads(line) for line in lines.read_text().splitlines())
    changed = second | {"question": second["question"] | {"model": "n"}}
    cases = (
        (changed, "line 2: the key"),
        ("{", "line 2: not an"),
        (second | {"version": 9}, "of version 9"),
        ({}, "KeyErr"),
    )
    for bad, message in cases:
        text = bad if isinstance(bad, str) else json.dumps(bad)
        lines.write_text(json.dumps(first) + "\n" + text + "\n")
        with Store(tmp_path / "other.sqlite", "a") as other:
            with pytest.raises(ValueError, match=message):
                other.load(lines)
            assert other.export(tmp_path / "none.jsonl") == 0


def test_another_version_another_database_and_no_database_are_refused(path, tmp_path):
    with Store(path, "a"):
        pass
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(ValueError, match=r"of version 7; this program reads version 3\. Export it"):
        Store(path, "a")
    db = sqlite3.connect(tmp_path / "else.sqlite")
    db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(ValueError, match="of version 0"):
        Store(tmp_path / "else.sqlite", "a")
    (tmp_path / "text.sqlite").write_text("not a database " * 100)
    with pytest.raises(ValueError, match="is no store of calls"):
        Store(tmp_path / "text.sqlite", "a")


@pytest.mark.parametrize("version", [1, 2])
def test_an_earlier_store_is_brought_up_to_date_and_keeps_its_answers(path, version):
    with Store(path, "a") as store:
        fill(store, "1")
    db = sqlite3.connect(path)  # what an earlier program has written
    if version == 1:
        db.executescript("DROP INDEX by_batch; ALTER TABLE calls DROP batch; ALTER TABLE calls DROP error")
        db.execute("DROP TABLE batches")
    else:
        db.execute("ALTER TABLE batches DROP file")
        db.execute("INSERT INTO batches VALUES ('synthlib-1', 'batch-7', 'a', '2026-01-01T00:00:00+00:00', 'running')")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    with Store(path, "a") as store:
        assert store.find(ask("1").key) == ANSWER and store.totals().spent_usd == 0.25
        assert [(batch.file, batch.remote) for batch in list_batches(store)] == [(None, "batch-7")] * (version - 1)
        names = [f"synthlib-{number}" for number in (2, 3)]
        for name in names:
            note_batch(store, [ask(name)], name=name, asked_at="2026", bounds=[0.0], max_usd=None, max_calls=None)
        name_file(store, names[0], "file-1")
        store.give_up(ask(names[1]).key, maybe_paid=False, error="refused")
        assert [batch.file for batch in list_batches(store)][version - 1 :] == ["file-1", None]
    with Store(path, "a") as store:  # of the present version now
        assert store.find(ask("1").key) == ANSWER


def test_a_full_disk_stops_before_anything_is_sent(path):
    with Store(path, "a") as store:
        fill(store, "1")
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OSError, match=r"cannot be written \(database or disk is full\)"):
            store.reserve(ask("x" * 100_000), **FREE)
        assert store.find(ask("1").key) == ANSWER and store.totals().sends == 1


def test_what_cannot_be_written_fails_alone(path):
    """Of answers that go into one transaction, all but the one that the database does not take are kept."""
    names = [str(n) for n in range(10)]
    answers = [replace(ANSWER, finish_reason=["stop"]) if name == "3" else ANSWER for name in names]

    async def write(store):
        writer = Writer(store, spare_bytes=0)
        pairs = [(ask(name).key, answer) for name, answer in zip(names, answers, strict=True)]
        jobs = [asyncio.ensure_future(writer.do(store.record, *pair)) for pair in pairs]
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        writer.close()
        return outcomes

    with Store(path, "a") as store:
        for name in names:
            store.reserve(ask(name), **FREE)
        outcomes = asyncio.run(write(store))
        assert [name for name, outcome in zip(names, outcomes, strict=True) if outcome is not None] == ["3"]
        assert [name for name in names if store.find(ask(name).key) is None] == ["3"]
        assert isinstance(outcomes[3], sqlite3.ProgrammingError)
        assert (store.totals().spent_usd, store.totals().reserved_usd) == (9 * 0.25, 1.0)
