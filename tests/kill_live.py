"""Kill -9 a live run at random moments and start it again, until it ends; the server counts what was paid.

``python tests/kill_live.py 20`` kills 20 times and prints the counts; ``... 20 batch`` does so with batches.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path

from loopback_llm import Ledger, serve_llm

CONCURRENCY = 8
SETTINGS = ["zero_shot", "attributed"]
TEXTS_PER_KILL = 40


def run_child(url: str, n_per_label: int, mode: str) -> None:
    """Ask for texts of sms_spam; SYNTHLIB_CALLS says where answers are kept."""
    from synthlib.asking import batch, live
    from synthlib.asking.backends import Llm
    from synthlib.asking.conversations import Brief
    from synthlib.tasks import load_task, load_wording

    limits = dict.fromkeys(("requests_per_minute", "tokens_per_minute", "max_usd", "max_calls"))
    asked = {"store": "killed", "model": "toy", "base_url": url, "temperature": 1.0, "max_tokens": 50, **limits}
    turns = 4 if mode == "online" else 8 * n_per_label // TEXTS_PER_KILL  # a batch a turn: twice as many as kills
    asked |= {"labels": "mixed", "texts_per_conversation": turns, "asks_per_text": 2, "concurrency": CONCURRENCY}
    asked["mode"] = mode
    batch.FIRST_POLL = batch.LONGEST_POLL = 0.01
    batch.SECOND_LOOK = 0.02
    brief = Brief(load_task("sms_spam"), load_wording(), {}, 3)
    corpus, ledger = live.ask(brief, Llm(**asked, timeout_seconds=20.0), settings=SETTINGS, n_per_label=n_per_label)
    print(json.dumps({"texts": len(corpus), "distinct": corpus["text"].nunique(), "new": int(ledger["new"].sum())}))


def run_children() -> None:
    """Fork a child for every line on stdin (address, n_per_label, mode): say its number, wait for its end, say so."""
    import synthlib.asking.batch
    import synthlib.asking.live  # noqa: F401  the slow part of starting, once

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run_child(line.split()[0], int(line.split()[1]), line.split()[2])
            sys.stdout.flush()
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


def kill_at_random(folder: Path, n_kills: int, *, seed: int, mode: str = "online") -> dict:
    """Return the counts after ``n_kills`` kills and a run to the end; SYNTHLIB_CALLS must be ``folder``.

    Returns
    -------
    counts : dict
        texts, distinct (of them), new (answers of the last run), paid (answers the server wrote), in_flight (calls in
        flight at the kills), paid_again (online: paid beyond those stored and those in flight; in batches: beyond once
        for each id of a line, by the server's count alone), unpaid (stored, never paid).
    """
    rng, n_per_label, in_flight = random.Random(seed), n_kills * TEXTS_PER_KILL // 4, Counter()
    command = [sys.executable, __file__, "--children"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    late = partial(rng.uniform, 0, 0.3)  # a batch is made after that, whatever has become of the client
    with serve_llm(seconds=0.03, late=late) as (url, witness), subprocess.Popen(command, **pipes) as parent:
        for kill in range(n_kills + 1):
            n_before = count(witness)
            parent.stdin.write(f"{url} {n_per_label} {mode}\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            if kill < n_kills:
                given_up = time.monotonic() + 60
                while count(witness) == n_before:
                    if time.monotonic() > given_up:
                        raise TimeoutError(f"run {kill + 1} sends nothing")
                    time.sleep(0.001)
                time.sleep(rng.uniform(0, 0.2))
                os.kill(child, signal.SIGKILL)
            output = parent.stdout.readline()
            if mode == "online":
                time.sleep(0.1)  # the server writes, and bills, what was under way
            in_flight += read_calls(folder, "sent")
        parent.stdin.close()
        time.sleep(0.5)  # batches that are made late
        urllib.request.urlopen(f"{url}/batches").close()  # each is worked off, whoever asked for it
    stored = read_calls(folder, "done")
    counts = {"paid": witness.paid.total(), "in_flight": in_flight.total()}
    in_batches = witness.paid_in_batches
    again = witness.paid - stored - in_flight if mode == "online" else in_batches - Counter(in_batches.keys())
    counts |= {"paid_again": again.total(), "unpaid": (stored - witness.paid).total()}
    return json.loads(output) | counts


def count(witness: Ledger) -> int:
    """Return how many calls and files came to a server."""
    return len(witness.requests) + len(witness.files) + len(witness.deleted)


def read_calls(folder: Path, state: str) -> Counter:
    """Return how many calls of a state the store has for each list of messages."""
    db = sqlite3.connect(folder / "killed.sqlite")
    rows = db.execute("SELECT question FROM calls WHERE state = ?", (state,)).fetchall()
    db.close()
    return Counter(json.dumps(json.loads(question)["messages"], sort_keys=True) for (question,) in rows)


if __name__ == "__main__":
    if sys.argv[1] == "--children":
        run_children()
    else:
        with tempfile.TemporaryDirectory() as made:
            os.environ["SYNTHLIB_CALLS"] = made
            mode = (sys.argv[2:] or ["online"])[0]
            print(kill_at_random(Path(made), int(sys.argv[1]), seed=int(time.time()), mode=mode))
