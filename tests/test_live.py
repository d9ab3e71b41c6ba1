"""A whole run against a server on this machine: kept, resumed, killed, counted, estimated; and 02_generate itself."""

import json
import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import kill_live
import nbformat
import pandas as pd
import papermill
import pytest
import yaml
from loopback_llm import serve_llm
from made_up_texts import write_texts
from test_llm import KEY, SETTINGS

from synthlib import cli, generate, llm, params, paths
from synthlib.asking import ledger, live
from synthlib.asking.backends import Llm
from synthlib.asking.conversations import Brief, estimate_calls, plan
from synthlib.runner import profiles
from synthlib.tasks import load_task, load_wording

BRIEF = Brief(load_task("sms_spam"), load_wording(), {}, 1)


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(paths, "CALLS", tmp_path / "calls")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path / "calls"


def ask(url, *, n_per_label=6, brief=BRIEF, settings=("zero_shot",), **changes):
    asked = Llm(**SETTINGS | {"base_url": url} | changes)
    return live.ask(brief, asked, settings=list(settings), n_per_label=n_per_label)


def test_a_finished_run_asks_nothing_and_a_longer_one_only_what_is_new():
    with serve_llm() as (url, witness):
        corpus, counted = ask(url)
        assert len(witness.requests) == len(corpus) == 12 and corpus["key"].is_unique
        again, recounted = ask("http://127.0.0.1:1/v1")  # nobody is there, and nobody is needed
        assert again.equals(corpus) and recounted["new"].sum() == 0 and counted["new"].sum() == 12
        assert recounted["answers"].tolist() == [6, 6] and recounted["new_usd"].sum() == 0
        longer, _ = ask(url, n_per_label=9)
        assert len(witness.requests) == len(longer) == 18
        other, _ = ask(url, brief=Brief(BRIEF.task, BRIEF.wording, {}, 2))
        assert len(witness.requests) == 30 and not set(other["text"]) & set(longer["text"])


def test_the_table_is_that_of_a_replay():
    with serve_llm() as (url, _):
        corpus, _ = ask(url, settings=("attributed", "zero_shot"))
    replayed = generate.replay(BRIEF.task, ["zero_shot", "attributed"], n_per_label=6, wording=BRIEF.wording)
    assert set(corpus.columns) == set(replayed.columns)
    assert sorted(corpus["key"]) == sorted(replayed["key"])
    request, earlier = generate.pick_conversation(corpus, corpus.loc[corpus["turn"].idxmax(), "key"], before=2)
    assert [past.turn for past, _ in earlier] == [1, 2] and request.turn == 3


def test_broken_answers_are_counted_by_label_and_asked_for_again():
    faults = {2: "refusal", 3: "blank", 5: "cut off"}
    with serve_llm(lambda n, body: faults.get(n, "")) as (url, witness):
        corpus, counted = ask(url, asks_per_text=3, concurrency=1)
    assert len(corpus) == 12 and len(witness.requests) == 15
    assert counted[["refusal", "empty", "cut_off", "missing"]].sum().tolist() == [1, 1, 1, 0]
    assert "15 answers (cost unknown), 15 of them" in ledger.describe_ledger(counted)


def test_too_many_missing_texts_are_an_error_and_a_few_are_counted():
    with serve_llm(lambda n, body: "refusal" if n == 4 else "") as (url, _):
        corpus, counted = ask(url, n_per_label=20, asks_per_text=1)
    assert len(corpus) == 39 and counted["missing"].sum() == 1 and counted["texts"].sum() == 39
    with serve_llm(lambda n, body: "refusal") as (url, witness):
        with pytest.raises(ValueError, match=r"6 of 6 texts of zero_shot, ham have no sound answer \(12 refusal"):
            ask(url, asks_per_text=2, brief=Brief(BRIEF.task, BRIEF.wording, {}, 9))
    assert len(witness.requests) == 24


def test_an_error_keeps_what_came_before_and_the_run_goes_on_from_there():
    with serve_llm(lambda n, body: "401" if n == 8 else "", seconds=0.02) as (url, witness):
        with pytest.raises(llm.CallError, match="the server refuses"):
            ask(url, concurrency=4, n_per_label=20)
        n_paid = witness.paid.total()
        corpus, counted = ask(url, concurrency=4, n_per_label=20)
    assert len(corpus) == 40 == witness.paid.total() and counted["new"].sum() == 40 - n_paid
    assert 7 <= n_paid < 40


def test_a_budget_stops_the_run_and_a_higher_one_goes_on():
    with serve_llm() as (url, witness):
        with pytest.raises(llm.BudgetError, match=r"llm\.max_calls is 5: 5 calls are made, cost unknown\. Raise"):
            ask(url, max_calls=5)
        corpus, _ = ask(url, max_calls=12)
    assert len(corpus) == 12 == len(witness.requests)


def test_kills_lose_only_calls_in_flight_and_nothing_is_paid_twice(calls, monkeypatch):
    monkeypatch.setenv("SYNTHLIB_CALLS", str(calls))
    counts = kill_live.kill_at_random(calls, 4, seed=os.getpid())
    assert counts["texts"] == counts["distinct"] == 4 * kill_live.TEXTS_PER_KILL
    assert counts["paid_again"] == 0 and counts["unpaid"] == 0
    assert counts["paid"] - counts["texts"] <= counts["in_flight"] <= 4 * kill_live.CONCURRENCY


def test_calls_are_published_and_replayed_by_command(calls, tmp_path, monkeypatch, capsys):
    with serve_llm() as (url, _):
        corpus, _ = ask(url)
    assert cli.main(["calls", "export", "s", str(tmp_path / "calls.jsonl")]) == 0
    monkeypatch.setattr(paths, "CALLS", tmp_path / "elsewhere")
    assert cli.main(["calls", "import", "s", str(tmp_path / "calls.jsonl")]) == 0
    assert "12 new answers" in capsys.readouterr().out
    assert ask("http://127.0.0.1:1/v1")[0].equals(corpus)
    assert cli.main(["calls", "export", "nil", str(tmp_path / "x")]) == 2
    assert "there are ['s']" in capsys.readouterr().err
    assert cli.main(["calls", "import", "typo", str(tmp_path / "nofile")]) == 2
    assert "nofile; name one that `synthlib calls export` has written" in capsys.readouterr().err
    (tmp_path / "empty").touch()
    assert cli.main(["calls", "import", "typo", str(tmp_path / "empty")]) == 2
    assert "empty is empty; name a file of answers" in capsys.readouterr().err
    assert not list((tmp_path / "elsewhere").glob("typo*"))


def write_profile(folder: Path, **changes) -> Path:
    values = yaml.safe_load((paths.PARAMS / "smoke.yaml").read_text())
    stage = values["stages"]["generate"] | {"backend": "openai", "llm": SETTINGS | changes, "n_per_label": 20}
    values["shared"]["settings"] = ["zero_shot"]
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(values | {"name": "mine", "stages": {"generate": stage}}))
    return path


def test_an_estimate_names_the_drivers_and_an_unknown_price(tmp_path, capsys):
    assert cli.main(["estimate", str(write_profile(tmp_path, model="gpt-4o-mini", base_url=None))]) == 0
    shown = capsys.readouterr().out
    assert "Sum: 120 calls, USD 0.0" in shown and "noted 2026-" in shown and "0.15 for a million" in shown
    assert cli.main(["estimate", str(write_profile(tmp_path))]) == 0
    shown = capsys.readouterr().out
    assert "Sum: 120 calls, cost unknown. The price of toy at http://127.0.0.1:1/v1 is unknown" in shown
    assert cli.main(["estimate", str(paths.PARAMS / "smoke.yaml")]) == 0
    assert "USD 0: the texts are replayed" in capsys.readouterr().out


def test_an_estimate_is_near_what_is_sent():
    with serve_llm() as (url, witness):
        ask(url, n_per_label=20, texts_per_conversation=20)
    conversations = plan(BRIEF, ["zero_shot"], n_per_label=20, labels="mixed", texts_per_conversation=20)
    estimated = sum(estimate_calls(conversation, BRIEF)[:, 0].sum() for conversation in conversations)
    sent = sum(len(message["content"]) / 4 + 4 for body in witness.requests for message in body["messages"])
    assert 0.8 < estimated / sent < 1.25


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 3.0}, r"llm:.*temperature: .*less than or equal to 2 \(got 3.0\)"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": ""}, "model"),
        ({"base_url": "localhost:8000"}, "base_url must look like"),
        ({"base_url": "http://me:secret@host/v1"}, "no user name, password or query"),
        ({"labels": "sorted"}, "'mixed' or 'apart'"),
        ({"max_usd": 0.0}, "greater than 0"),
        ({"store": "../x"}, "store"),
        ({"api_key": "sk"}, "api_key: Extra inputs"),
    ],
)
def test_bad_settings_are_refused_before_anything_runs(tmp_path, changes, message):
    with pytest.raises(ValueError, match=r"(?s)" + message):
        profiles.expand(profiles.load_profile(write_profile(tmp_path, **changes)))


def test_settings_and_backend_must_suit_each_other(tmp_path):
    (cell, *_) = profiles.expand(profiles.load_profile(write_profile(tmp_path)))
    values = cell.params.model_dump()
    for change, message in (
        ({"backend": "released"}, "must be empty where backend is 'released'"),
        ({"llm": {}}, "14 bad parameter"),
        ({"settings": ["few_shot"]}, "they need source 'folder' or 'hub'"),
        ({"backend": "gpt"}, "'released', 'openai' or 'local'"),
    ):
        with pytest.raises(ValueError, match=message):
            params.check(params.Generate, values | change)


@pytest.mark.last
def test_02_generate_runs_with_a_model_and_shows_no_key(tmp_path, calls, monkeypatch):
    write_texts(tmp_path, "sms_spam", n_train=60, n_test=20)
    moved = {"SYNTHLIB_DATA": tmp_path, "SYNTHLIB_RESULTS": tmp_path / "results", "SYNTHLIB_CALLS": calls}
    for name, value in (moved | {"OMP_NUM_THREADS": 1}).items():
        monkeypatch.setenv(name, str(value))
    values = {"task": "sms_spam", "source": "folder", "backend": "openai", "n_per_label": 24, "n_resamples": 100}
    faults = {3: "refusal", 12: "500", 31: "key in answer"}
    with serve_llm(lambda n, body: faults.get(n, ""), seconds=0.02) as (url, witness):
        values |= {"llm": SETTINGS | {"base_url": url, "timeout_seconds": 20.0}, "output": str(tmp_path / "out")}
        executed = tmp_path / "executed.ipynb"
        papermill.execute_notebook(paths.NOTEBOOKS / "02_generate.ipynb", executed, values, progress_bar=False)
    corpus = pd.read_parquet(tmp_path / "out" / "corpus.parquet")
    assert len(corpus) == 144 and witness.paid.total() == 145 and corpus["text"].str.contains(r"\[key\]").sum() == 1
    shown = [body["messages"][1]["content"] for body in witness.requests]
    assert any("Example 1: My " in text for text in shown), "few-shot requests show real texts"
    assert "Example 1: My " not in json.dumps(nbformat.read(executed, as_version=4))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10 and not [path for path in files if KEY.encode() in path.read_bytes()]


def test_an_interrupt_stops_what_asks_and_waits_for_it():
    stopped, done = threading.Event(), []

    def work():
        assert stopped.wait(10)
        done.append("calls in flight are kept")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            live.run_apart(work, lambda: SimpleNamespace(interrupt=stopped.set))
    finally:
        signal.signal(signal.SIGINT, before)
    assert done
