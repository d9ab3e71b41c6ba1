"""What can go wrong around a run: hostile answers, Ctrl-C, a full disk, wrong keys and addresses. Nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loopback_llm import serve_llm
from test_llm import KEY, SETTINGS

from synthlib import llm, paths
from synthlib.asking import live
from synthlib.asking.backends import Llm
from synthlib.asking.calls import ANSWER_FIELDS
from synthlib.asking.conversations import Brief
from synthlib.asking.store import Store
from synthlib.tasks import load_task, load_wording

BRIEF = Brief(load_task("sms_spam"), load_wording(), {}, 1)
HARM = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "ansi": "\x1b[2J\x1b]0;title\x07 red \x1b[31m",
    "long": "a word " * 150_000,
    "odd": "nul \x00, half a pair \ud800, turned \u202e, \u2028 end",
}


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(paths, "CALLS", tmp_path / "calls")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path / "calls"


def ask(url, **changes):
    asked = Llm(**SETTINGS | {"base_url": url, "timeout_seconds": 20.0} | changes)
    return live.ask(BRIEF, asked, settings=["zero_shot"], n_per_label=6)


@pytest.mark.parametrize("name", HARM)
def test_a_hostile_answer_is_kept_as_it_is_and_replayed(name, tmp_path):
    with serve_llm(lambda n, body: "says " + HARM[name] if n == 2 else "") as (url, _):
        corpus, _ = ask(url, texts_per_conversation=1)
    expected = HARM[name].replace("\ud800", "?").strip()
    assert (corpus["text"] == expected).sum() == 1
    assert ask("http://127.0.0.1:9/v1", texts_per_conversation=1)[0].equals(corpus)
    with Store(paths.CALLS / "s.sqlite", "export") as store, Store(tmp_path / "t.sqlite", "t") as other:
        assert store.export(tmp_path / "c.jsonl") == 12 and other.load(tmp_path / "c.jsonl") == 12
    lines = (tmp_path / "c.jsonl").read_text().split("\n")
    assert expected in [json.loads(line)["answer"]["text"] for line in lines if line]


CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
sys.path.insert(0, {tests!r})
from test_harm import ask
ask({url!r}, {changes})
"""


def start(url, calls, changes="", prefix=()):
    program = CHILD.format(tests=str(Path(__file__).parent), url=url, changes=changes)
    moved = os.environ | {"SYNTHLIB_CALLS": str(calls)}
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", program], env=moved, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def count_done(calls):
    with Store(calls / "s.sqlite", "count") as store:
        return len(store._reader.execute(f"SELECT {ANSWER_FIELDS[0]} FROM calls WHERE state = 'done'").fetchall())


def test_an_interrupt_keeps_every_paid_answer_and_says_so(calls):
    with serve_llm(seconds=0.4) as (url, witness):
        child = start(url, calls, "concurrency=4, texts_per_conversation=1")
        while len(witness.requests) < 5:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
        assert child.returncode == -signal.SIGINT or child.returncode == 1 or child.returncode == 130
        assert f"interrupted: {witness.paid.total()} texts are kept in s.sqlite; run again to go on" in said
        assert count_done(calls) == witness.paid.total() < 12 and KEY not in said
        ask(url, texts_per_conversation=1)
        assert witness.paid.total() == 12


def can_mount():
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(sys.platform != "linux" or not can_mount(), reason="a small disk needs unshare and tmpfs")
def test_a_full_disk_ends_the_run_and_keeps_what_was_paid(calls, tmp_path):
    disk, saved = tmp_path / "disk", tmp_path / "saved"
    disk.mkdir()
    script = f'mount -t tmpfs -o size=3600k tmpfs {disk}; "$@"; code=$?; cp -r {disk} {saved}; exit $code'
    answer = "says " + "a word " * 12_000
    with serve_llm(lambda n, body: answer, seconds=0.02) as (url, witness):
        changes = "concurrency=4, texts_per_conversation=1, max_tokens=20_000"
        child = start(url, disk, changes + ", max_calls=10_000", ["unshare", "-rm", "sh", "-c", script, "sh"])
        _, said = child.communicate(timeout=30)
    n_paid = witness.paid.total()
    assert child.returncode == 1 and "make room" in said.splitlines()[-1] and "s.sqlite" in said.splitlines()[-1]
    assert 4 <= n_paid == count_done(saved) < 12


def test_a_disk_without_room_is_refused_before_anything_is_paid(calls, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with serve_llm() as (url, witness), pytest.raises(OSError, match=r"no room for [\d,]+ bytes of answers \(No space"):
        ask(url)
    assert not witness.requests


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("401", "fault 401.*check OPENAI_API_KEY, which the server does not know"),
        ("404", "fault 404.*check that llm.model 'toy' is one of the server's"),
        ("key in error", r"Bearer \[key\]"),
    ],
)
def test_a_wrong_key_or_model_is_named_and_the_key_is_not(fault, message, capfd, tmp_path):
    with serve_llm(lambda n, body: fault) as (url, witness), pytest.raises(llm.CallError, match=message) as caught:
        ask(url, concurrency=1)
    assert len(witness.requests) == 1 and KEY not in str(caught.getrepr(style="long", showlocals=True))
    assert KEY not in "".join(capfd.readouterr())
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_a_key_that_is_not_set_is_said_not_to_be(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with (
        serve_llm(lambda n, body: "401") as (url, _),
        pytest.raises(llm.CallError, match="OPENAI_API_KEY is not set, "),
    ):
        ask(url)


def test_an_address_that_is_no_language_model_says_so(monkeypatch):
    monkeypatch.setattr(llm, "TRIES", 2)
    with serve_llm(lambda n, body: "no json") as (url, _):
        with pytest.raises(llm.CallError, match="no answer after 2 tries"):
            ask(url)
    with pytest.raises(llm.CallError, match=r"no server at http://127\.0\.0\.1:9/v1 .*check llm\.base_url"):
        ask("http://127.0.0.1:9/v1")
