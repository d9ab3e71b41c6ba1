"""Prices as they are listed, online and in batches."""

from datetime import date

import pytest
import yaml

from synthlib.asking.prices import Price, load_price
from synthlib.paths import PARAMS


def test_every_listed_price_has_a_day_and_its_share_in_batches_a_source():
    for row in yaml.safe_load((PARAMS / "prices.yaml").read_text()):
        price = load_price(row["model"], row["base_url"])
        assert isinstance(price.noted, date) and price.answer_usd >= price.prompt_usd > 0
        assert isinstance(row["batch"]["noted"], date) and row["batch"]["source"]
        assert price.in_batch().cost(10, 10) == pytest.approx(price.cost(10, 10) * row["batch"]["share"])


def test_an_unknown_share_is_an_unknown_price_but_nothing_stays_nothing():
    assert Price(1.0, 2.0, date(2026, 1, 1)).in_batch() is None
    assert Price(0.0, 0.0, date(2026, 1, 1)).in_batch().cost(5, 5) == 0
    assert load_price("nobody", None) is None
