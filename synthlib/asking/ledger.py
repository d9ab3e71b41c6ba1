"""What texts have cost: counted from the answers that came for them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import get_args

import numpy as np
import pandas as pd

from synthlib.asking.calls import Kind
from synthlib.asking.conversations import Outcome

BROKEN = tuple(kind for kind in get_args(Kind) if kind != "text")
COUNTS = ["texts", "missing", *BROKEN, "answers", "new", "prompt_tokens", "answer_tokens", "cost_usd", "new_usd"]
WHEN = ["asked_from", "asked_to", "served_by"]
CELL = ["setting", "label"]
_WHOLE = ["texts", "missing", *BROKEN, "answers", "new"]


class Ledger:
    """Counts what texts cost, by setting and label, as the outcomes come; what it has counted it does not hold.

    Parameters
    ----------
    settings, labels : sequence of str
        Their order is that of the table.
    """

    def __init__(self, settings: Sequence[str], labels: Sequence[str]) -> None:
        cells = itertools.product(settings, labels)
        self._sums = {cell: dict.fromkeys([*COUNTS, "waited"], 0.0) for cell in cells}
        self._times: dict[tuple[str, str], tuple[str, str]] = {}
        self._names: dict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, outcome: Outcome) -> None:
        """Count what came of one request."""
        request, answers = outcome.request, outcome.answers
        cell = request.setting, request.label
        sums, times = self._sums[cell], [answer.asked_at for answer in answers]
        sums["texts"] += len(outcome.texts)
        sums["missing"] += request.n_texts - len(outcome.texts)
        sums["answers"] += len(answers)
        sums["new"] += outcome.n_new
        for place, answer in enumerate(answers, 1):
            if answer.kind != "text":
                sums[answer.kind] += 1
            cost = _known(answer.cost_usd)
            sums["cost_usd"] += cost
            sums["new_usd"] += cost if place > len(answers) - outcome.n_new else 0.0
            sums["prompt_tokens"] += _known(answer.prompt_tokens)
            sums["answer_tokens"] += _known(answer.answer_tokens)
            sums["waited"] += answer.seconds
            self._names[cell].add(answer.served_by or "")
        first, last = self._times.get(cell, (times[0], times[0]))
        self._times[cell] = min(first, *times), max(last, *times)

    def tabulate(self) -> pd.DataFrame:
        """Return what texts cost, by setting and label.

        Returns
        -------
        ledger : DataFrame
            setting, label, texts, missing (texts asked for without a sound answer), refusal, empty, cut_off, off_format
            (broken answers), answers (all), new (of them, asked for now), prompt_tokens, answer_tokens, cost_usd (of
            all answers), new_usd (of the new ones), seconds (mean wait for an answer), asked_from and asked_to (first
            and last time of sending, ISO 8601, UTC), served_by (the model's names as the server gave them). A sum with
            an unknown part is NaN. Without an answer, seconds is NaN and the times are empty.
        """
        rows = []
        for cell, sums in self._sums.items():
            first, last = self._times.get(cell, ("", ""))
            names = ", ".join(sorted(filter(None, self._names[cell])))
            row = dict(zip(CELL, cell, strict=True)) | sums | {"asked_from": first, "asked_to": last}
            rows.append(row | {"served_by": names, "seconds": sums["waited"] / (sums["answers"] or np.nan)})
        ledger = pd.DataFrame(rows).astype(dict.fromkeys(_WHOLE, int))
        return ledger[[*CELL, *COUNTS, "seconds", *WHEN]]


def combine(ledgers: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the ledger of several runs, each of which holds the texts of those before it and more.

    A setting's last ledger counts; what is new is summed over all of them.
    """
    rows = pd.concat(ledgers, ignore_index=True).groupby(CELL, sort=False)
    new = rows[["new", "new_usd"]].agg(lambda column: column.sum(skipna=False))
    return rows.tail(1).set_index(CELL).assign(**new).reset_index()


def count_replayed(corpus: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger of texts that were replayed: no answer, no cost."""
    ledger = corpus.groupby(CELL, sort=False).size().rename("texts").reset_index()
    counts = {name: 0.0 if name.endswith("usd") else 0 for name in COUNTS[1:]}
    return ledger.assign(**counts, seconds=np.nan, **dict.fromkeys(WHEN, ""))


def describe_ledger(ledger: pd.DataFrame) -> str:
    """Return the sums of a ledger as a sentence or two."""
    sums = ledger[COUNTS].sum(skipna=False)
    if not sums["answers"]:
        return "No model was asked: USD 0."
    spent, spent_now = say_usd(sums["cost_usd"]), say_usd(sums["new_usd"])
    broken = ", ".join(f"{sums[kind]:.0f} {kind}" for kind in BROKEN)
    return (
        f"{sums['answers']:,.0f} answers ({spent}), {sums['new']:,.0f} of them asked for in this run ({spent_now}). "
        f"Broken answers: {broken}; {sums['missing']:.0f} texts are missing."
    )


def say_usd(usd: float | None) -> str:
    """Return an amount as text; None and NaN are unknown.

    Examples
    --------
    >>> say_usd(0.01234), say_usd(136.1561), say_usd(None)
    ('USD 0.0123', 'USD 136.16', 'cost unknown')
    """
    return "cost unknown" if usd is None or np.isnan(usd) else f"USD {usd:,.2f}" if usd >= 1 else f"USD {usd:.4f}"


def add_up(values: Iterable[float | None]) -> float:
    """Return a sum; NaN where a part is unknown (None)."""
    return float(sum(map(_known, values)))


def _known(value: float | None) -> float:
    return np.nan if value is None else value
