"""Asking a server of fixed latency: the engine, a plain loop over the openai client, and bespokelabs-curator.

Run ``python benchmarks/bench_generate.py [--only PART ...] [--curator PYTHON] [--turns N] [--rounds N]``. PYTHON is one
that has bespokelabs-curator, which needs packages of its own; without it its rows are left out. Every measurement runs
in a process of its own against a server in another; the methods take turns; medians are printed. The ceiling is
concurrency divided by latency, or the server's limit. The part ``resume`` takes up a finished run of 100,000 calls.

A measurement has as many calls as the ceiling allows in ``rounds`` latencies, for every method alike. All slots send
their first call at once, and answers of a fixed latency come back at once: it takes some rounds until the calls are
spread over the latency. That beginning, and the end, in which slots fall idle, count; few rounds measure little else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
#: latency, concurrency, the server's limit (calls per second; 0: none), whether the engine is told of it
CASES = {
    "second": [(1.0, concurrency, 0, False) for concurrency in (8, 64, 256)],
    "tenth": [(0.1, concurrency, 0, False) for concurrency in (8, 64, 256)],
    "limit": [(1.0, 64, 40, True), (1.0, 64, 40, False)],
}
N_STORED = 100_000


def ask_with_engine(port: int, concurrency: int, n_calls: int, per_minute: int) -> tuple[float, float]:
    """Return seconds and processor seconds of so many calls, every answer stored before it counts."""
    from synthlib.asking.backends import Llm
    from synthlib.asking.store import Store
    from synthlib.llm import Asker

    limits = {"requests_per_minute": per_minute or None, "tokens_per_minute": None, "max_usd": None, "max_calls": None}
    asked = {"store": "b", "model": "m", "base_url": f"http://127.0.0.1:{port}/v1", "temperature": 1.0, **limits}
    asked |= {"labels": "mixed", "texts_per_conversation": 1, "asks_per_text": 1, "max_tokens": 50}
    settings = Llm(**asked, concurrency=concurrency, timeout_seconds=60.0)

    async def ask(asker: Asker, n_calls: int, first: int) -> None:
        waiting = iter(range(first, first + n_calls))

        async def work() -> None:
            for i in waiting:
                await asker.ask([{"role": "user", "content": f"Question {i}. " + "word " * 80}], replicate="1")

        await asyncio.gather(*(work() for _ in range(concurrency)))

    async def measure(store: Store) -> tuple[float, float]:
        async with Asker(settings, store) as asker:
            await ask(asker, min(concurrency, n_calls), n_calls)  # connections
            started, processor = time.perf_counter(), time.process_time()
            await ask(asker, n_calls, 0)
            return time.perf_counter() - started, time.process_time() - processor

    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "b.sqlite", "b") as store:
        return asyncio.run(measure(store))


def resume(n_calls: int) -> dict[str, float]:
    """Return the seconds of a run of so many calls, conversations of five turns, and of taking it up when finished."""
    from synthlib import paths
    from synthlib.asking import live
    from synthlib.asking.backends import Llm
    from synthlib.asking.calls import Answer
    from synthlib.asking.conversations import Brief
    from synthlib.llm import Asker
    from synthlib.tasks import load_task, load_wording

    async def answer(self: Asker, question: object) -> Answer:
        self.n_made = getattr(self, "n_made", 0) + 1
        made = Answer(f"Text {self.n_made} " + "word " * 30, "text", "stop", 110, 36, None, 1.0, "m", "2026", "x" * 900)
        await self._writer.do(self.store.reserve, question, bound_usd=0.0, max_usd=None, max_calls=None)
        await self._writer.do(self.store.record, question.key, made)
        return made

    limits = dict.fromkeys(("requests_per_minute", "tokens_per_minute", "max_usd", "max_calls"))
    asked = {"store": "b", "model": "m", "base_url": "http://127.0.0.1:9/v1", "temperature": 1.0, **limits}
    asked |= {"labels": "mixed", "texts_per_conversation": 5, "asks_per_text": 1, "max_tokens": 50}
    settings = Llm(**asked, concurrency=256, timeout_seconds=60.0)
    brief, seconds, asking = Brief(load_task("sms_spam"), load_wording(), {}, 1), {}, Asker._answer
    with tempfile.TemporaryDirectory() as folder:
        paths.CALLS = Path(folder)
        for name, method in (("filling", answer), ("resuming", asking)):
            Asker._answer = method
            started, processor = time.perf_counter(), time.process_time()
            corpus, ledger = live.ask(brief, settings, settings=["zero_shot"], n_per_label=n_calls // 2)
            seconds |= {name: time.perf_counter() - started, "processor": time.process_time() - processor}
    assert len(corpus) == n_calls and ledger["new"].sum() == 0
    return seconds


def measure(command: list[str], latency: float, limit: int) -> tuple[float, float]:
    """Return what a process prints last, while a server of its own runs."""
    serving = [sys.executable, str(HERE / "loopback_timed.py"), str(latency), str(limit)]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().strip()
            command = [part.replace("PORT", port) for part in command]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        finally:
            server.kill()
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return tuple(json.loads(done.stdout.strip().splitlines()[-1]))


def list_commands(concurrency: int, n_calls: int, per_minute: int, curator: str | None) -> dict[str, list[str]]:
    shared = ["PORT", str(concurrency), str(n_calls)]
    commands = {
        "plain openai loop": [sys.executable, str(HERE / "ask_plainly.py"), *shared],
        "engine": [sys.executable, __file__, "--child", *shared, str(per_minute)],
    }
    if curator:
        commands["bespokelabs-curator"] = [curator, str(HERE / "ask_curator.py"), *shared]
    return commands


def compare(case: tuple, *, turns: int, curator: str | None, rounds: int) -> list[dict]:
    latency, concurrency, limit, told = case
    ceiling = min(concurrency / latency, limit or float("inf"))
    n_calls = round(rounds * latency * ceiling)
    commands, found = list_commands(concurrency, n_calls, 60 * limit if told else 0, curator), {}
    for _ in range(turns):
        for name, command in commands.items():
            found.setdefault(name, []).append(measure(command, latency, limit))
    rows = []
    for name, measured in found.items():
        seconds, processor = (statistics.median(values) for values in zip(*measured, strict=True))
        row = {"latency": latency, "side by side": concurrency, "limit": limit or "", "told": told, "method": name}
        row |= {"calls": n_calls, "calls/s": n_calls / seconds, "of ceiling %": 100 * n_calls / seconds / ceiling}
        rows.append(row | {"ms processor/call": 1000 * processor / n_calls})
    plain = rows[0]["ms processor/call"]
    return [row | {"ratio": row["ms processor/call"] / plain} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curator", help="a Python that has bespokelabs-curator")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=40, help="latencies that a measurement lasts at the ceiling")
    parser.add_argument("--only", nargs="+", choices=[*CASES, "resume"], default=[*CASES, "resume"], metavar="PART")
    parser.add_argument("--child", nargs=4, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return print(json.dumps(ask_with_engine(*options.child)))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]}"
    )
    shared = {"turns": options.turns, "curator": options.curator, "rounds": options.rounds}
    cases = [case for name, group in CASES.items() if name in options.only for case in group]
    if rows := [row for case in cases for row in compare(case, **shared)]:
        print(f"median of {options.turns} turns; ratio: processor time of a call against the plain loop")
        print(pd.DataFrame(rows).round(2).to_string(index=False))
        if not options.curator:
            print("bespokelabs-curator is left out: give --curator a Python that has it")
    if "resume" in options.only:
        times = resume(N_STORED)
        print(f"{N_STORED:,} calls stored in {times['filling']:.1f} s, taken up again in {times['resuming']:.1f} s")
        print(f"(processor time of taking up: {times['processor']:.1f} s)")


if __name__ == "__main__":
    main()
