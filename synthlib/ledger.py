"""What texts cost: before a run, estimated from its plan, and after it, counted from its answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from synthlib.backends import Llm, Price
from synthlib.conversations import Brief, Conversation, Outcome, estimate_calls

BROKEN = ("refusal", "empty", "cut_off")
COUNTS = ["texts", "missing", *BROKEN, "answers", "new", "prompt_tokens", "answer_tokens", "cost_usd", "new_usd"]


def estimate_costs(conversations: Sequence[Conversation], brief: Brief, *, price: Price | None) -> pd.DataFrame:
    """Return about what conversations will cost if nothing is stored yet and no answer is broken.

    Parameters
    ----------
    price : Price or None
        None: unknown, and so are the costs.

    Returns
    -------
    costs : DataFrame
        A row a setting: task, setting, calls, prompt_tokens, answer_tokens (:func:`estimate_calls`), prompt_usd,
        answer_usd, cost_usd (NaN: unknown).
    """
    rows: dict[str, np.ndarray] = {}
    for conversation in conversations:
        tokens = estimate_calls(conversation, brief)  # (T, 2)
        setting = conversation.requests[0].setting
        rows[setting] = rows.get(setting, np.zeros(3, dtype=int)) + np.array([len(tokens), *tokens.sum(0)])
    costs = pd.DataFrame.from_dict(rows, orient="index", columns=["calls", "prompt_tokens", "answer_tokens"])
    costs = costs.rename_axis("setting").reset_index()
    for kind in ("prompt", "answer"):
        usd = np.nan if price is None else getattr(price, f"{kind}_usd")
        costs[f"{kind}_usd"] = costs[f"{kind}_tokens"] * usd / 1e6
    costs.insert(0, "task", brief.task.name)
    return costs.assign(cost_usd=costs["prompt_usd"] + costs["answer_usd"])


def count_outcomes(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return what texts cost, by setting and label.

    Returns
    -------
    ledger : DataFrame
        setting, label, texts, missing (requests that stayed without a sound answer), refusal, empty, cut_off (broken
        answers), answers (all), new (of them, asked for now), prompt_tokens, answer_tokens, cost_usd (of all answers),
        new_usd (of the new ones), seconds (mean wait for an answer). A sum with an unknown part is NaN.
    """
    rows = []
    for outcome in outcomes:
        answers = outcome.answers
        row = {"setting": outcome.request.setting, "label": outcome.request.label}
        row |= {"texts": int(answers[-1].kind == "text"), "missing": int(answers[-1].kind != "text")}
        row |= {kind: sum(answer.kind == kind for answer in answers) for kind in BROKEN}
        row |= {"answers": len(answers), "new": outcome.n_new}
        for name in ("prompt_tokens", "answer_tokens", "cost_usd"):
            row[name] = add_up(getattr(answer, name) for answer in answers)
        row["new_usd"] = add_up(answer.cost_usd for answer in answers[len(answers) - outcome.n_new :])
        rows.append(row | {"waited": sum(answer.seconds for answer in answers)})
    table = pd.DataFrame(rows).groupby(["setting", "label"], sort=False)
    ledger = table[[*COUNTS, "waited"]].agg(lambda column: column.sum(skipna=False)).reset_index()
    return ledger.assign(seconds=ledger["waited"] / ledger["answers"]).drop(columns="waited")


def count_replayed(corpus: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger of texts that were replayed: no answer, no cost."""
    ledger = corpus.groupby(["setting", "label"], sort=False).size().rename("texts").reset_index()
    return ledger.assign(**{name: 0.0 if name.endswith("usd") else 0 for name in COUNTS[1:]}, seconds=np.nan)


def describe_costs(costs: pd.DataFrame, llm: Llm, price: Price | None) -> str:
    """Return an estimate as text to read: the table, its sum, the price and what is assumed."""
    shown = costs.copy()
    for name in ("prompt_usd", "answer_usd", "cost_usd"):
        shown[name] = [say_usd(usd) for usd in costs[name]]
    at = llm.base_url or "OpenAI"
    lines = [
        shown.to_string(index=False),
        "",
        f"Sum: {costs['calls'].sum():,} calls, {say_usd(costs['cost_usd'].sum(skipna=False))}",
    ]
    if price is None:
        lines.append(f"The price of {llm.model} at {at} is unknown; params/prices.yaml does not list it.")
    else:
        lines.append(
            f"Price of {llm.model} at {at}, noted {price.noted}: USD {price.prompt_usd:g} for a million tokens of "
            f"prompt, {price.answer_usd:g} of answer."
        )
    lines.append(
        "Assumed: 4 characters a token, 75 words 100 tokens, answers as long as asked, nothing stored, none broken."
    )
    return "\n".join(lines)


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
