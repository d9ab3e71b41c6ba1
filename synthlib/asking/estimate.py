"""What texts will cost, by driver, before a model is asked: calls, tokens of prompts and of answers, prices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from synthlib import paths
from synthlib.asking.backends import MODELS, Llm
from synthlib.asking.conversations import Brief, Conversation, estimate_calls, plan
from synthlib.asking.ledger import say_usd
from synthlib.asking.prices import Price, find_price
from synthlib.asking.stored import Place, find_stored
from synthlib.generate import make_brief
from synthlib.params import Generate
from synthlib.runner.profiles import expand, load_profile
from synthlib.tasks import load_task, load_wording


def estimate_costs(
    conversations: Sequence[Conversation],
    brief: Brief,
    *,
    price: Price | None,
    stored: Collection[Place] = (),
) -> pd.DataFrame:
    """Return about what is left to pay for conversations if no further answer is broken.

    Parameters
    ----------
    price : Price or None
        None: unknown, and so are the costs.
    stored : collection
        Requests whose answers are in the store (:func:`synthlib.asking.stored.find_stored`).

    Returns
    -------
    costs : DataFrame
        A row per setting: task, setting, calls (all), stored (of them), and of those that remain prompt_tokens,
        answer_tokens (:func:`estimate_calls`), prompt_usd, answer_usd, cost_usd (NaN: unknown).
    """
    rows: dict[str, np.ndarray] = {}
    for conversation in conversations:
        requests, setting = conversation.requests, conversation.requests[0].setting
        n_calls = np.array([request.n_calls for request in requests])  # (T,)
        held = np.array([(setting, request.label, request.n) in stored for request in requests])  # (T,)
        tokens = estimate_calls(conversation, brief)[~held].sum(0)  # (2,)
        counted = np.array([n_calls.sum(), n_calls[held].sum(), *tokens])
        rows[setting] = rows.get(setting, 0) + counted
    columns = ["calls", "stored", "prompt_tokens", "answer_tokens"]
    costs = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("setting").reset_index()
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
    return estimate_cells([cell.params for cell in expand(load_profile(path)) if isinstance(cell.params, Generate)])


def estimate_cells(cells: Sequence[Generate]) -> str:
    """Return what the texts of several tasks would cost, as text to read.

    Raises
    ------
    ValueError, FileNotFoundError
        Real texts for few-shot requests cannot be read.
    """
    asked = [p for p in cells if p.backend != "released"]
    if not asked:
        return "USD 0: the texts are replayed, no model is asked."
    llm = MODELS[asked[0].backend](**asked[0].llm)
    if not isinstance(llm, Llm):
        return f"USD 0: the model runs here, from {llm.model}."
    price, tables, wording = find_price(llm), [], load_wording()
    for p in asked:
        brief = make_brief(load_task(p.task), p, wording=wording)
        shape = {"labels": llm.labels, "texts_per_conversation": llm.texts_per_conversation}
        conversations = plan(brief, p.settings, n_per_label=p.n_per_label, **shape)
        stored = find_stored(conversations, brief, llm, path=paths.CALLS / f"{llm.store}.sqlite")
        tables.append(estimate_costs(conversations, brief, price=price, stored=stored))
    said = _describe(pd.concat(tables), llm, price)
    if any(p.scoring.get("stop") for p in asked):
        said += "\nAt most: scoring asks for no more texts of a setting once their growth is flat."
    return said


def _describe(costs: pd.DataFrame, llm: Llm, price: Price | None) -> str:
    shown = costs.copy()
    for name in ("prompt_usd", "answer_usd", "cost_usd"):
        shown[name] = [say_usd(usd) for usd in costs[name]]
    left, at = say_usd(costs["cost_usd"].sum(skipna=False)), llm.base_url or "OpenAI"
    n_calls, n_stored = costs[["calls", "stored"]].sum()
    sums = f"Sum: {n_calls:,} calls, {left}."
    if n_stored:
        about = left if price is None else f"about {left}"
        sums = f"{n_stored:,} of {n_calls:,} calls are stored in {llm.store}; {n_calls - n_stored:,} remain, {about}."
    said = f"The price of {llm.model} at {at} is unknown: params/prices.yaml does not list it."
    if price is not None:
        said = f"Price of {llm.model} at {at}, noted {price.noted}: USD {price.prompt_usd:g} for a million tokens of "
        said += f"prompt, {price.answer_usd:g} of answer."
    return f"""{shown.to_string(index=False)}

{sums} {said}
Assumed: 4 characters a token, 75 words 100 tokens, answers as long as asked, none broken."""
