"""What texts will cost, by driver, before a model is asked: calls, tokens of prompts and of answers, prices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from synthlib.backends import Llm
from synthlib.conversations import Brief, Conversation, estimate_calls, plan
from synthlib.generate import make_brief
from synthlib.ledger import say_usd
from synthlib.params import Generate
from synthlib.prices import Price, load_price
from synthlib.runner.profiles import expand, load_profile
from synthlib.tasks import load_task, load_wording


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


def estimate_profile(path: Path) -> str:
    """Return what the texts of a profile would cost, as text to read.

    Raises
    ------
    ValueError, FileNotFoundError
        The profile is at fault, or real texts for few-shot requests cannot be read.
    """
    cells = [cell.params for cell in expand(load_profile(path)) if isinstance(cell.params, Generate)]
    asked = [p for p in cells if p.backend == "openai"]
    if not asked:
        return "USD 0: the texts are replayed, no model is asked."
    llm = Llm(**asked[0].llm)
    price, tables, wording = load_price(llm.model, llm.base_url), [], load_wording()
    if price is not None and llm.mode == "batch":
        price = price.in_batch()
    for p in asked:
        brief = make_brief(load_task(p.task), p, wording=wording)
        shape = {"labels": llm.labels, "texts_per_conversation": llm.texts_per_conversation}
        conversations = plan(brief, p.settings, n_per_label=p.n_per_label, **shape)
        tables.append(estimate_costs(conversations, brief, price=price))
    return _describe(pd.concat(tables), llm, price)


def _describe(costs: pd.DataFrame, llm: Llm, price: Price | None) -> str:
    shown = costs.copy()
    for name in ("prompt_usd", "answer_usd", "cost_usd"):
        shown[name] = [say_usd(usd) for usd in costs[name]]
    in_all, at = say_usd(costs["cost_usd"].sum(skipna=False)), llm.base_url or "OpenAI"
    said = f"The price of {llm.model} at {at} is unknown: params/prices.yaml does not list it."
    if price is not None:
        said = f"Price of {llm.model} at {at}, noted {price.noted}: USD {price.prompt_usd:g} for a million tokens of "
        said += f"prompt, {price.answer_usd:g} of answer."
    return f"""{shown.to_string(index=False)}

Sum: {costs["calls"].sum():,} calls, {in_all}. {said}
Assumed: 4 characters a token, 75 words 100 tokens, answers as long as asked, nothing stored, none broken."""
