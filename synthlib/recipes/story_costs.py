"""What texts after the recipes cost at list prices, and what a classifier of one's own saves against asking an API.

Tokens are counted by the rule of thumb of :mod:`synthlib.asking.prices` (four characters a token): every model cuts
words up in its own way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from synthlib.asking.prices import CHARACTERS_PER_TOKEN, estimate_tokens, load_price
from synthlib.recipes.stories import TEXTBOOK

_STORY = """Write a short story with very simple words only, such as a child of three or four knows. It must use the
verb "{verb}", the noun "{noun}" and the adjective "{adjective}", and have these features: {features}."""
_OUTLINE = """Do not write the story yet. Write a summary of it in one sentence, and one sentence that must occur in
it."""
_FILLED_IN = """Summary: {summary}
This sentence must occur in it: {sentence}"""
_PASSAGE = """Write a short passage of a textbook about {topic}, for readers at the level of {audience}, with a short
piece of Python code."""

_HEADS = {
    "set_usd": ("these\ntexts", 2),
    "corpus_usd": ("a large\ncorpus", 0),
    "api_usd": ("10⁶ labels\nby API", 0),
    "break_even_texts": ("paid off\nafter (texts)", 0),
}


def render_calls(recipe: str, request: dict, summary: str | None, sentence: str | None) -> list[str]:
    """Return the user messages of the calls that a request takes, one a call.

    What was drawn is the request's; the words around it are ours, after the recipe's.

    Parameters
    ----------
    summary, sentence : str or None
        What the first call of a hierarchical story wrote.

    Examples
    --------
    >>> render_calls("textbook", {"topic": "heaps", "audience": "high_school"}, None, None)[0][:46]
    'Write a short passage of a textbook about heap'
    """
    said = {name: str(value).replace("_", " ") for name, value in request.items()}
    if recipe == TEXTBOOK:
        return [_one_line(_PASSAGE.format(**said))]
    said["features"] = ", ".join(request["features"]).replace("_", " ")
    story = _one_line(_STORY.format(**said))
    if recipe == "direct":
        return [story]
    return [f"{story} {_one_line(_OUTLINE)}", f"{story}\n\n{_FILLED_IN.format(summary=summary, sentence=sentence)}"]


def count_tokens(texts: pd.DataFrame) -> pd.DataFrame:
    """Return about how many tokens the texts of each recipe took.

    Returns
    -------
    tokens : DataFrame
        recipe, texts, calls, prompt_tokens, answer_tokens (of all calls).
    """
    rows = []
    for row in texts.itertuples():
        calls = render_calls(row.recipe, row.request, row.summary, row.sentence)
        answers = [row.text] if len(calls) == 1 else [f"{row.summary}\n{row.sentence}", row.text]
        prompt = sum(estimate_tokens([{"role": "user", "content": call}]) for call in calls)
        rows.append((row.recipe, 1, len(calls), prompt, sum(_tokens(len(answer)) for answer in answers)))
    names = ["recipe", "texts", "calls", "prompt_tokens", "answer_tokens"]
    return pd.DataFrame(rows, columns=names).groupby("recipe", sort=False).sum().reset_index()


def price_corpora(tokens: pd.DataFrame, models: Sequence[str], *, corpus_tokens: int) -> pd.DataFrame:
    """Return what the counted texts cost at each model's list price, and a corpus of ``corpus_tokens`` made likewise.

    Returns
    -------
    costs : DataFrame
        model, prompt_usd, answer_usd, set_usd (both), corpus_answer_usd, corpus_prompt_usd (as many prompt tokens an
        answer token as counted). NaN where params/prices.yaml does not list the model at OpenAI's own address.
    """
    prompt, answer = (int(tokens[f"{kind}_tokens"].sum()) for kind in ("prompt", "answer"))
    rows = []
    for model in models:
        price = load_price(model, None)
        usd = [np.nan] * 2 if price is None else [price.cost(prompt, 0), price.cost(0, answer)]
        rows.append((model, *usd, sum(usd), usd[1] * corpus_tokens / answer, usd[0] * corpus_tokens / answer))
    names = ["model", "prompt_usd", "answer_usd", "set_usd", "corpus_answer_usd", "corpus_prompt_usd"]
    return pd.DataFrame(rows, columns=names)


def price_at(n_tokens: int, *, usd_per_thousand_tokens: float) -> float:
    """Return what tokens cost in USD at one price for a thousand.

    Examples
    --------
    >>> price_at(1_000_000_000, usd_per_thousand_tokens=0.002)
    2000.0
    """
    return n_tokens / 1000 * usd_per_thousand_tokens


def price_labelling(
    models: Sequence[str],
    *,
    text_characters: float,
    instruction_tokens: int,
    label_tokens: int,
    texts_per_second: float,
    machine_usd_per_hour: float,
    training_usd: Sequence[float],
) -> pd.DataFrame:
    """Return what a million texts cost to label: by asking an API for each, or by a classifier of one's own.

    Parameters
    ----------
    text_characters : float
        Mean length of a text.
    instruction_tokens, label_tokens : int
        Tokens of the instruction that goes with every text, and of the answer.
    texts_per_second, machine_usd_per_hour : float
        Of the own classifier.
    training_usd : sequence of float
        What the classifier's training texts cost, by model.

    Returns
    -------
    labelling : DataFrame
        model, api_usd, own_usd (for a million texts), saved_usd (api - own), break_even_texts: labelled texts after
        which the training texts have paid off. NaN where a price is unknown, infinite where nothing is saved.

    Raises
    ------
    ValueError
        ``texts_per_second`` is not above 0.
    """
    if texts_per_second <= 0:
        raise ValueError(f"texts_per_second is {texts_per_second}; it must be above 0")
    own = 1e6 / texts_per_second / 3600 * machine_usd_per_hour
    rows = []
    for model, spent in zip(models, training_usd, strict=True):
        price = load_price(model, None)
        prompt = instruction_tokens + text_characters / CHARACTERS_PER_TOKEN
        api = np.nan if price is None else 1e6 * price.cost(prompt, label_tokens)
        saved = api - own
        rows.append((model, api, own, saved, np.inf if saved <= 0 else 1e6 * spent / saved))
    return pd.DataFrame(rows, columns=["model", "api_usd", "own_usd", "saved_usd", "break_even_texts"])


def tabulate_costs(costs: pd.DataFrame, labelling: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`price_corpora` and :func:`price_labelling` as one table to read, in USD; NaN is ``unknown``."""
    merged = costs.merge(labelling, on="model")
    merged["corpus_usd"] = merged["corpus_answer_usd"] + merged["corpus_prompt_usd"]
    shown = {"model": merged["model"]}
    for name, (head, digits) in _HEADS.items():
        shown[head] = [f"{x:,.{digits}f}" if np.isfinite(x) else _say_other(x) for x in merged[name]]
    return pd.DataFrame(shown)


def _say_other(x: float) -> str:
    return "never" if np.isinf(x) else "unknown"


def _tokens(n_characters: int) -> int:
    return -(-n_characters // CHARACTERS_PER_TOKEN)


def _one_line(text: str) -> str:
    return " ".join(text.split())
