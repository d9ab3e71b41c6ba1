"""The gap on test texts with and without a mark that synthetic text lacks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthlib.explaining import conventions

LABELS = ["irony", "non_irony"]


@pytest.fixture
def study():
    """Half of 400 real texts mention a user; the synthetic classifier guesses on these and is right on the others."""
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"key": [f"k{i}" for i in range(400)], "label": np.tile(LABELS, 200)})
    real = real.assign(**dict.fromkeys(conventions.MARKS, 0)).assign(mention=np.repeat([0, 1], 200))
    frames = []
    for source in ("real_matched", "zero_shot"):
        for seed in range(2):
            guessed = rng.choice(LABELS, 400)
            told = np.where((source == "zero_shot") & real["mention"].eq(1), guessed, real["label"])
            frames.append(real[["key", "label"]].assign(source=source, seed=seed, predicted=told))
    return pd.concat(frames), real


def split(study, synthetic):
    options = {"pair": ("real_matched", "zero_shot"), "n_resamples": 300, "confidence": 0.95}
    return conventions.split_gaps(*study, synthetic, LABELS, **options, rng=np.random.default_rng(0))


def test_the_gap_is_measured_on_either_side_of_a_mark(study):
    (row,) = split(study, study[1].assign(mention=0)).itertuples()
    assert (row.mark, row.share_real, row.share_synthetic, row.n_with, row.n_without) == ("mention", 0.5, 0, 200, 200)
    assert row.without_mark == 0 and row.with_mark == pytest.approx(0.5, abs=0.1)
    assert row.difference == row.with_mark - row.without_mark and row.difference_low > 0.3
    table = conventions.tabulate_gaps(pd.DataFrame([row._asdict()]).assign(title="Tweet irony"))
    assert table.loc[("Tweet irony", "@user or another mention"), "real / synthetic texts with it (%)"] == "50 / 0"


def test_a_mark_that_both_bear_or_that_a_label_never_bears_is_left_out(study):
    assert split(study, study[1]).empty
    predictions, real = study
    one_sided = real.assign(mention=real["mention"] * real["label"].eq("irony"))
    assert split((predictions, one_sided), real.assign(mention=0)).empty
