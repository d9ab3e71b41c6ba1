"""What texts have cost: counted from the answers that came for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

import numpy as np
import pandas as pd

from synthlib.calls import Kind
from synthlib.conversations import Outcome

BROKEN = tuple(kind for kind in get_args(Kind) if kind != "text")
COUNTS = ["texts", "missing", *BROKEN, "answers", "new", "prompt_tokens", "answer_tokens", "cost_usd", "new_usd"]
WHEN = ["asked_from", "asked_to", "served_by"]


def count_outcomes(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return what texts cost, by setting and label.

    Returns
    -------
    ledger : DataFrame
        setting, label, texts, missing (texts asked for without a sound answer), refusal, empty, cut_off, off_format
        (broken answers), answers (all), new (of them, asked for now), prompt_tokens, answer_tokens, cost_usd (of all
        answers), new_usd (of the new ones), seconds (mean wait for an answer), asked_from and asked_to (first and last
        time of sending, ISO 8601, UTC), served_by (the model's names as the server gave them). A sum with an unknown
        part is NaN.
    """
    rows = []
    for outcome in outcomes:
        answers = outcome.answers
        row = {"setting": outcome.request.setting, "label": outcome.request.label}
        row |= {"texts": len(outcome.texts), "missing": outcome.request.n_texts - len(outcome.texts)}
        row |= {kind: sum(answer.kind == kind for answer in answers) for kind in BROKEN}
        row |= {"answers": len(answers), "new": outcome.n_new}
        for name in ("prompt_tokens", "answer_tokens", "cost_usd"):
            row[name] = add_up(getattr(answer, name) for answer in answers)
        row["new_usd"] = add_up(answer.cost_usd for answer in answers[len(answers) - outcome.n_new :])
        times = [answer.asked_at for answer in answers]
        row |= {"asked_from": min(times), "asked_to": max(times)}
        row["served_by"] = sorted({answer.served_by for answer in answers if answer.served_by})
        rows.append(row | {"waited": sum(answer.seconds for answer in answers)})
    table = pd.DataFrame(rows).groupby(["setting", "label"], sort=False)
    ledger = table[[*COUNTS, "waited"]].agg(lambda column: column.sum(skipna=False))
    ledger = ledger.assign(seconds=ledger["waited"] / ledger["answers"]).drop(columns="waited")
    ledger = ledger.assign(asked_from=table["asked_from"].min(), asked_to=table["asked_to"].max())
    names = table["served_by"].agg(lambda lists: ", ".join(sorted({name for each in lists for name in each})))
    return ledger.assign(served_by=names).reset_index()


def combine(ledgers: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the ledger of several runs, each of which holds the texts of those before it and more.

    A setting's last ledger counts; what is new is summed over all of them.
    """
    rows = pd.concat(ledgers, ignore_index=True).groupby(["setting", "label"], sort=False)
    new = rows[["new", "new_usd"]].agg(lambda column: column.sum(skipna=False))
    return rows.tail(1).set_index(["setting", "label"]).assign(**new).reset_index()


def count_replayed(corpus: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger of texts that were replayed: no answer, no cost."""
    ledger = corpus.groupby(["setting", "label"], sort=False).size().rename("texts").reset_index()
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
    >>> say_usd(0.01234), say_usd(None), say_usd(0.0)
    ('USD 0.0123', 'USD unknown', 'USD 0.0000')
    """
    return "USD unknown" if usd is None or np.isnan(usd) else f"USD {usd:,.4f}"


def add_up(values: Iterable[float | None]) -> float:
    """Return a sum; NaN where a part is unknown (None)."""
    return float(sum(np.nan if value is None else value for value in values))
