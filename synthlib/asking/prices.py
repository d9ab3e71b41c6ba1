"""Tokens and their price: what a call costs, costs about, and costs at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import yaml

from synthlib.asking.backends import Asked, Llm
from synthlib.paths import PARAMS

CHARACTERS_PER_TOKEN = 4  # OpenAI's rule of thumb for English
TOKENS_PER_WORD = 4 / 3  # the same: 75 words are about 100 tokens
TOKENS_PER_MESSAGE = 4  # what a chat format adds
MOST_TOKENS_PER_MESSAGE = 16


@dataclass(frozen=True)
class Price:
    """USD per million tokens of prompt and of answer, and the day it was noted.

    ``batch_share`` is the part of it that is paid in a batch; None: unknown.
    """

    prompt_usd: float
    answer_usd: float
    noted: date
    batch_share: float | None = None

    def cost(self, prompt_tokens: int, answer_tokens: int) -> float:
        """Return what a call costs in USD.

        Examples
        --------
        >>> Price(0.5, 1.5, date(2026, 1, 1)).cost(2000, 1000)
        0.0025
        """
        return (prompt_tokens * self.prompt_usd + answer_tokens * self.answer_usd) / 1e6

    def in_batch(self) -> Price | None:
        """Return the price of calls in a batch; None where it is unknown.

        Examples
        --------
        >>> Price(0.5, 1.5, date(2026, 1, 1), 0.5).in_batch().cost(2000, 1000)
        0.00125
        """
        free = self.prompt_usd == self.answer_usd == 0
        share = 1.0 if free else self.batch_share
        if share is None:
            return None
        return Price(self.prompt_usd * share, self.answer_usd * share, self.noted, share)


FREE = Price(0.0, 0.0, date.min, 1.0)  # of a model that runs here


def load_price(model: str, base_url: str | None) -> Price | None:
    """Return the price of a model at an address from params/prices.yaml; None where it is unknown."""
    listed = yaml.safe_load((PARAMS / "prices.yaml").read_text(encoding="utf-8"))
    for row in listed:
        if (row["model"], row["base_url"]) == (model, base_url):
            share = row.get("batch", {}).get("share")
            return Price(float(row["prompt_usd"]), float(row["answer_usd"]), row["noted"], share)
    return None


def find_price(llm: Asked) -> Price | None:
    """Return the price of the calls that settings make: in a batch, of a model that runs here; None: unknown."""
    if isinstance(llm, Llm):
        price = load_price(llm.model, llm.base_url)
        return price and price.in_batch() if llm.mode == "batch" else price
    return FREE


def estimate_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """Return about how many tokens messages have, by the rule of thumb for English.

    Examples
    --------
    >>> estimate_tokens([{"role": "user", "content": "Write a joke."}])
    8
    """
    characters = sum(len(message["content"]) for message in messages)
    return -(-characters // CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE * len(messages)


def bound_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """Return how many tokens messages have at most: a token of a byte-level vocabulary is a byte or more.

    Examples
    --------
    >>> bound_tokens([{"role": "user", "content": "Write a joke."}])
    29
    """
    n_bytes = sum(len(message["content"].encode(errors="surrogatepass")) for message in messages)
    return n_bytes + MOST_TOKENS_PER_MESSAGE * len(messages)
