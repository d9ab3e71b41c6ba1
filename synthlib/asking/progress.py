"""How far a live run has come: one line for a person, a log of JSON lines for machines.

The log stands beside the store, ``calls/<store>.<task>.log.jsonl``, and is only added to. A line has counts and sums,
never a text, a prompt or the key:

- ``time``: ISO 8601, UTC. ``event``: start, progress, end, or stopped (then ``error`` names its type).
- ``task``, ``model``. ``planned``: texts this run (or round) is for; ``texts``: of these, how many are there;
  ``missing``: how many stayed without a sound answer.
- ``answers``: all for these texts; ``new``: of them, asked for in this run; ``refusal``, ``empty``, ``cut_off`` and so
  on: broken ones by kind.
- ``spent_usd``: of all answers so far; ``spent_now_usd``: of the new ones; ``projected_usd``: of all at the end. null
  is unknown.
- ``texts_per_minute``: of those asked for in this run; ``seconds_left``: at this rate. null before the first.

A line with the event ``scored`` has time, task and model, and a row of the curve: :func:`synthlib.growth.find_curve`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from synthlib import paths
from synthlib.asking.conversations import Brief, Conversation, Outcome, estimate_calls
from synthlib.asking.ledger import BROKEN, add_up, say_usd
from synthlib.asking.prices import Price

SHOW_SECONDS = 0.2
LOG_TEXTS, LOG_SECONDS = 100, 5.0  # a line of the log after so many texts, or so long


class Progress:
    """Shows and logs the outcomes of a run as they come; use it in a ``with`` block.

    Parameters
    ----------
    price : Price or None
        None: unknown, and so is the money.
    log : Path
        File to which lines are added; made if there is none.
    model : str
        Its name, for the log.
    """

    def __init__(
        self, brief: Brief, conversations: Sequence[Conversation], *, price: Price | None, log: Path, model: str
    ) -> None:
        self.log, self.names = log, {"task": brief.task.name, "model": model}
        self.n_planned = sum(request.n_texts for held in conversations for request in held.requests)
        self.planned = {} if price is None else _plan_costs(brief, conversations, price)
        self.planned_usd = math.fsum(self.planned.values())
        self.counts: Counter[str] = Counter(dict.fromkeys(("texts", "missing", "answers", "new", *BROKEN), 0))
        self.spent = self.spent_now = self.planned_done = 0.0
        self.n_asked = 0  # texts asked for in this run
        self.shown = 0.0

    def __enter__(self) -> Self:
        self.started = self.logged = time.monotonic()
        interval = 0.5 if sys.stderr.isatty() else 10
        self.bar = tqdm(
            total=self.n_planned,
            desc=self.names["task"],
            bar_format="{desc}: {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} texts{postfix}",
            mininterval=interval,
            maxinterval=interval,
        )
        self._write("start")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.bar.set_postfix_str(self.say())
        self.bar.close()
        if kind is None:
            self._write("end")
        else:
            self._write("stopped", error=kind.__name__)

    def tell(self, outcome: Outcome) -> None:
        """Take in what came of one request."""
        request, answers = outcome.request, outcome.answers
        self.counts["texts"] += len(outcome.texts)
        self.counts["missing"] += request.n_texts - len(outcome.texts)
        for answer in answers:
            self.counts["answers"] += 1
            if answer.kind != "text":
                self.counts[answer.kind] += 1
        self.counts["new"] += outcome.n_new
        self.n_asked += request.n_texts if outcome.n_new else 0
        self.spent += add_up(answer.cost_usd for answer in answers)
        if outcome.n_new:
            self.spent_now += add_up(answer.cost_usd for answer in answers[len(answers) - outcome.n_new :])
        self.planned_done += self.planned.get((request.setting, request.label, request.n), math.nan)
        now = time.monotonic()
        if now - self.shown >= SHOW_SECONDS:
            self.shown = now
            self.bar.set_postfix_str(self.say(), refresh=False)
        self.bar.update(request.n_texts)
        if self.bar.n // LOG_TEXTS > (self.bar.n - request.n_texts) // LOG_TEXTS or now - self.logged >= LOG_SECONDS:
            self._write("progress")

    def tell_stand(self, stand: str) -> None:
        """Show how work in bulk stands (batches handed in, texts being written here)."""
        self.bar.set_description_str(f"{self.names['task']}, {stand}")

    def say(self) -> str:
        """Return the line for a person: rate, money so far and in the end, broken answers, time left."""
        now, rate, left = self.measure(), "", ""
        if now["texts_per_minute"] is not None:
            rate, left = f"{now['texts_per_minute']:.0f}/min, ", f", {say_seconds(now['seconds_left'])} left"
        money = say_usd(now["spent_usd"])
        if now["projected_usd"] is not None:
            money += f" of about {say_usd(now['projected_usd'])}"
        return f"{rate}{money}, {sum(self.counts[kind] for kind in BROKEN)} broken{left}"

    def measure(self) -> dict[str, Any]:
        """Return the numbers of a line of the log; None where one is not known."""
        minutes = (time.monotonic() - self.started) / 60
        rate = round(self.n_asked / minutes, 1) if self.n_asked and minutes > 0 else None
        left = self.n_planned - self.counts["texts"] - self.counts["missing"]
        projected = self.spent * self.planned_usd / self.planned_done if self.planned_done else math.nan
        money = {"spent_usd": self.spent, "spent_now_usd": self.spent_now, "projected_usd": projected}
        seconds = {"texts_per_minute": rate, "seconds_left": rate and round(60 * left / rate, 1)}
        known = {name: None if math.isnan(usd) else round(usd, 6) for name, usd in money.items()}
        return {"planned": self.n_planned, **self.counts, **known, **seconds}

    def _write(self, event: str, **more: str) -> None:
        self.logged = time.monotonic()
        _add_line(self.log, {"event": event, **self.names, **more, **self.measure()})


def find_log(store: str, task: str) -> Path:
    """Return the log of a task's runs with a store."""
    return paths.CALLS / f"{store}.{task}.log.jsonl"


def tell_score(log: Path, task: str, model: str, line: Mapping[str, Any]) -> None:
    """Show and log how a growing corpus scored: ``line`` is a row of the curve."""
    known = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in line.items()}
    _add_line(log, {"event": "scored", "task": task, "model": model, **known})
    gain = "" if known["gain"] is None else f", gain {100 * known['gain']:+.1f}{' (flat)' if known['flat'] else ''}"
    said = f"{task}, {known['setting']}: Macro-F1 {100 * known['f1']:.1f} points from {known['rows']} texts{gain}"
    tqdm.write(said, file=sys.stderr)


def _add_line(log: Path, values: Mapping[str, Any]) -> None:
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **values}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _plan_costs(brief: Brief, conversations: Sequence[Conversation], price: Price) -> dict[tuple[str, str, int], float]:
    """Return about what each request should cost in USD, by setting, label and number."""
    planned = {}
    for conversation in conversations:
        tokens = estimate_calls(conversation, brief).tolist()
        for request, pair in zip(conversation.requests, tokens, strict=True):
            planned[request.setting, request.label, request.n] = price.cost(*pair)
    return planned


def say_seconds(seconds: float) -> str:
    """Return a duration to read.

    Examples
    --------
    >>> say_seconds(42), say_seconds(600), say_seconds(8000)
    ('42 s', '10 min', '2 h 13 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
