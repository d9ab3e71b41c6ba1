"""The plan of runs: every source has the rows its name says, smaller draws are nested, nothing is trained twice."""

import numpy as np
import pandas as pd
import pytest

from synthlib.sources import plan_runs, say_left_out

SOURCES = ["real", "real_matched", "pool", "zero_shot", "few_shot", "attributed"]
SOURCES += ["zero_shot+attributed", "pool+few_shot"]


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"label": ["a"] * 40 + ["b"] * 25, "pool": rng.random(65) < 0.2})
    settings = np.repeat(["zero_shot", "few_shot", "attributed"], 20)
    corpus = pd.DataFrame({"label": ["a", "b"] * 30, "setting": settings})
    return real, corpus


@pytest.fixture
def planned(frames):
    return plan_runs(*frames, sources=SOURCES, curve_sizes=[2, 10], mixing_sizes=[0, 2, 10], n_seeds=2, seed=1)


def rows_of(planned, experiment, source, n=None, seed=0):
    plan, runs = planned
    chosen = plan[(plan["experiment"] == experiment) & (plan["source"] == source) & (plan["seed"] == seed)]
    (run,) = (chosen if n is None else chosen[chosen["n_per_label"] == n])["run"]
    return set(runs[run].rows.tolist())


def test_sources_hold_the_rows_their_names_say(frames, planned):
    real, corpus = frames
    few = set((65 + np.flatnonzero(corpus["setting"] == "few_shot")).tolist())
    pool = set(np.flatnonzero(real["pool"]).tolist())
    assert rows_of(planned, "main", "real") == set(range(65))
    assert rows_of(planned, "main", "few_shot") == few
    assert rows_of(planned, "main", "pool+few_shot") == pool | few
    matched = sorted(rows_of(planned, "main", "real_matched"))
    assert real["label"][matched].value_counts().to_dict() == {"a": 10, "b": 10}


def test_smaller_draws_are_part_of_larger_ones_and_seeds_differ(planned):
    assert rows_of(planned, "learning", "real", 2) < rows_of(planned, "learning", "real", 10)
    assert rows_of(planned, "mixing", "real", 2) < rows_of(planned, "mixing", "real+synthetic", 10)
    assert rows_of(planned, "learning", "real", 10) != rows_of(planned, "learning", "real", 10, seed=1)


def test_the_plan_counts_rows_and_trains_nothing_twice(planned):
    plan, runs = planned
    assert (plan["n_real"] + plan["n_synthetic"] == plan["n_train"]).all()
    assert all(len(runs[row.run].rows) == row.n_train for row in plan.itertuples())
    assert len({(run.seed, run.rows.tobytes()) for run in runs}) == len(runs) < len(plan)
    assert rows_of(planned, "mixing", "real+synthetic", 0) == rows_of(planned, "main", "zero_shot+attributed")


def test_no_real_rows_alone_is_not_a_run(planned):
    plan, _ = planned
    assert plan[(plan["experiment"] == "mixing") & (plan["source"] == "real")]["n_per_label"].min() == 2


def test_without_curves_there_are_the_main_sources_only(frames):
    plan, runs = plan_runs(*frames, sources=["real", "pool"], curve_sizes=[], mixing_sizes=[], n_seeds=2, seed=1)
    assert plan["experiment"].unique().tolist() == ["main"] and len(plan) == len(runs) == 4


def test_sizes_that_a_label_cannot_fill_are_left_out_and_said(frames):
    """The scarcest label has 25 real texts, which is enough for 27 (a tenth may be missing), and 10 of a setting."""
    sizes = {"curve_sizes": [10, 27, 28], "mixing_sizes": [0, 27, 50]}
    plan, _ = plan_runs(*frames, sources=["real"], **sizes, n_seeds=1, seed=1)
    learned = plan[plan["experiment"] == "learning"].groupby("source")["n_per_label"].agg(list).to_dict()
    assert learned == {"real": [10, 27], "zero_shot": [10], "few_shot": [10], "attributed": [10]}
    assert sorted(plan.loc[plan["experiment"] == "mixing", "n_per_label"]) == [0, 27, 27]
    said = say_left_out(*frames, **sizes)
    assert "28 of real (learning curve; a label has 25)" in said and "50 of real (mixing curve" in said
    assert "27, 28 of zero_shot (learning curve; a label has 10)" in said
    assert say_left_out(*frames, curve_sizes=[2, 10], mixing_sizes=[0, 10]) == ""
