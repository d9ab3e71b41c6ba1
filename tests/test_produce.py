"""``synthlib generate``: the command itself, on released texts and against a server on this machine."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml
from huggingface_hub import DatasetCard
from loopback_llm import serve_llm
from test_llm import KEY, SETTINGS
from tiny_encoder import write_tiny_encoder

from synthlib import cli, features, generate, llm, paths, produce
from synthlib.corpus import audits
from synthlib.params import Generate
from synthlib.runner import profiles
from synthlib.tasks import load_task, load_wording


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Results and stores in a folder of the test; a tiny encoder, and no real rows of it."""
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(paths, "CALLS", tmp_path / "calls")
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(features, "FOLDER", tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (tmp_path / "encoder").mkdir()
    return tmp_path


def write_profile(folder, stage=(), **llm_changes):
    """A profile that asks a model for zero-shot texts of two tasks, without scoring."""
    values = yaml.safe_load((paths.PARAMS / "smoke.yaml").read_text())
    asked = {"backend": "openai", "llm": SETTINGS | llm_changes, "n_per_label": 10, "scoring": {}} | dict(stage)
    values["shared"] |= {"settings": ["zero_shot"], "encoder": write_tiny_encoder(folder / "encoder")}
    values["stages"] = {"generate": values["stages"]["generate"] | asked}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(values | {"name": "mine"}))
    return path


def test_released_texts_are_written_at_no_cost_and_without_a_question(folders, capsys):
    path = write_profile(folders, {"backend": "released", "llm": {}})
    assert cli.main(["generate", str(path), "--task", "sms_spam", "--setting", "few_shot", "--n-per-label", "7"]) == 0
    folder = folders / "results" / "generated" / "mine" / "sms_spam"
    assert {p.name for p in folder.iterdir()} == {"README.md", *(f"{n}.parquet" for n in ("corpus", "ledger", "audit"))}
    assert len(pd.read_parquet(folder / "corpus.parquet")) == 14
    assert DatasetCard.load(folder / "README.md").data.tags == ["synthetic", "few_shot"]
    shown = capsys.readouterr()
    assert shown.out.startswith("USD 0: the texts are replayed") and "sms_spam: 14 texts in" in shown.out


def test_notebook_and_command_ask_the_same_calls_once(folders, capsys):
    with serve_llm() as (url, witness):
        path = write_profile(folders, base_url=url)
        assert cli.main(["generate", str(path), "--task", "sms_spam", "--yes", "--output", str(folders / "o")]) == 0
        assert len(witness.requests) == 20
        (p,) = [cell.params for cell in profiles.expand(profiles.load_profile(path)) if cell.name == "sms_spam"]
        corpus, counted = generate.make_corpus(load_task("sms_spam"), p, wording=load_wording())  # as 02_generate
        assert len(witness.requests) == 20 and counted["new"].sum() == 0
        first = capsys.readouterr().out
        assert cli.main(["generate", str(path), "--yes", "--output", str(folders / "o")]) == 0
        assert len(witness.requests) == 20 + 40, "the other task of the profile"
    written = pd.read_parquet(folders / "o" / "sms_spam" / "corpus.parquet")
    assert written["text"].tolist() == corpus["text"].tolist()
    assert "Sum: 20 calls" in first and "20 of 60 calls are stored in s; 40 remain, cost unk" in capsys.readouterr().out
    assert first.index("cost unknown. The price of toy") < first.index("20 of them asked for in this run")
    assert [p for p in folders.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()] == []


def test_without_a_terminal_or_a_yes_nothing_is_asked(folders, capsys, monkeypatch):
    with serve_llm() as (url, witness):
        path = str(write_profile(folders, base_url=url))
        monkeypatch.setattr("sys.stdin", open(os.devnull))
        assert cli.main(["generate", path]) == produce.NOT_CONFIRMED
        assert "add --yes" in capsys.readouterr().err
        master, slave = pty.openpty()
        monkeypatch.setattr("sys.stdin", os.fdopen(slave))
        monkeypatch.setattr("builtins.input", lambda question: print(question) or "n")
        assert cli.main(["generate", path]) == produce.NOT_CONFIRMED
        assert "Nothing was asked." in capsys.readouterr().out and not witness.requests
        monkeypatch.setattr("builtins.input", lambda question: "y")
        assert cli.main(["generate", path, "--task", "sms_spam"]) == produce.DONE and len(witness.requests) == 20
        os.close(master)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "poetry"], "unknown task 'poetry'; known tasks"),
        (["--setting", "one_shot"], "settings.0"),
        (["--n-per-label", "0"], "n_per_label"),
        (["--setting", "few_shot"], "need source 'folder' or 'hub'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(folders, arguments, message, capsys):
    assert cli.main(["generate", str(write_profile(folders)), "--yes", *arguments]) == produce.BAD_INPUT
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("taken", ["out", "out/sms_spam"])
def test_an_output_that_is_a_file_is_refused_before_the_estimate(folders, taken, capsys):
    (folders / taken).parent.mkdir(exist_ok=True)
    (folders / taken).touch()
    with serve_llm() as (url, witness):
        path = str(write_profile(folders, base_url=url))
        given = ["--task", "sms_spam", "--yes", "--output", str(folders / "out")]
        assert cli.main(["generate", path, *given]) == produce.BAD_INPUT
    shown = capsys.readouterr()
    assert f"{taken} is a file; give --output a folder" in shown.err and not shown.out and not witness.requests


def test_an_estimate_is_an_upper_bound_where_growth_may_stop_and_refuses_what_is_no_store(folders, capsys):
    smoke = yaml.safe_load((paths.PARAMS / "smoke.yaml").read_text())["stages"]["generate"]
    path = write_profile(folders, {"scoring": smoke["scoring"]})
    assert cli.main(["estimate", str(path)]) == 0
    assert "At most: scoring asks for no more texts" in capsys.readouterr().out
    paths.CALLS.mkdir()
    (paths.CALLS / "s.sqlite").write_text("no database at all, but long enough to be looked at")
    assert cli.main(["estimate", str(path)]) == 2
    assert "is no store of calls" in capsys.readouterr().err


def test_an_estimate_leaves_out_what_is_stored(folders, capsys):
    with serve_llm() as (url, _):
        produced = write_profile(folders, base_url=url, model="gpt-4o-mini", texts_per_conversation=4)
        assert cli.main(["generate", str(produced), "--task", "sms_spam", "--yes"]) == 0
    priced = {"base_url": None, "model": "gpt-4o-mini", "texts_per_conversation": 4}
    capsys.readouterr()
    assert cli.main(["estimate", str(write_profile(folders, **priced))]) == 0
    shown = capsys.readouterr().out
    assert "20 of 60 calls are stored in s; 40 remain, about USD 0.00" in shown
    row = next(line.split() for line in shown.splitlines() if "sms_spam" in line)
    assert row[2:6] == ["20", "20", "0", "0"] and row[-1] == "0.0000"
    assert cli.main(["estimate", str(write_profile(folders, {"n_per_label": 12}, **priced))]) == 0
    assert "20 of 72 calls are stored in s; 52 remain" in capsys.readouterr().out


def test_profiles_at_fault_and_limits_have_their_own_status(folders, capsys):
    assert cli.main(["generate", str(folders / "nil.yaml")]) == produce.BAD_INPUT
    with serve_llm() as (url, _):
        path = write_profile(folders, base_url=url, max_calls=5)
        assert cli.main(["generate", str(path), "--yes"]) == produce.FAILED
    assert "llm.max_calls is 5" in capsys.readouterr().err
    with serve_llm(lambda n, body: "401") as (url, _):
        path = write_profile(folders, base_url=url, store="other")
        assert cli.main(["generate", str(path), "--yes"]) == produce.FAILED
    assert "the server refuses" in capsys.readouterr().err
    assert not (folders / "results").exists()


def restore_interrupts():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background


@pytest.mark.last
def test_ctrl_c_keeps_what_is_paid_and_says_how_to_go_on(folders):
    moved = {"SYNTHLIB_RESULTS": folders / "results", "SYNTHLIB_CALLS": folders / "calls", "OMP_NUM_THREADS": 1}
    environment = os.environ | {name: str(value) for name, value in moved.items()}
    with serve_llm(seconds=0.2) as (url, witness):
        path = write_profile(folders, {"n_per_label": 40}, base_url=url, concurrency=4)
        command = [sys.executable, "-m", "synthlib.cli", "generate", str(path), "--task", "sms_spam", "--yes"]
        pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "preexec_fn": restore_interrupts}
        with subprocess.Popen(command, env=environment, **pipes) as child:
            while len(witness.requests) < 9 and child.poll() is None:
                time.sleep(0.02)
            child.send_signal(signal.SIGINT)
            said = child.communicate()[1].decode()
        assert child.returncode == produce.INTERRUPTED and "run the same command to go on" in said
        assert "Traceback" not in said
        n_paid = witness.paid.total()
        assert 8 <= n_paid < 80
        last = (folders / "calls" / "s.sms_spam.log.jsonl").read_text().splitlines()[-1]
        assert json.loads(last)["event"] == "stopped" and json.loads(last)["texts"] == n_paid
        witness.requests.clear()
        assert cli.main(command[3:]) == 0 and len(witness.requests) == 80 - n_paid


def test_real_rows_are_used_where_they_are(folders, monkeypatch):
    monkeypatch.undo()
    p = next(
        c.params for c in profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml")) if c.stage == "generate"
    )
    assert isinstance(p, Generate) and len(audits.load_real(p).rows) > 1000
