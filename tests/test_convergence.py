"""Watching a fine-tuning changes nothing; a run that stops early answers with its best epoch; what is tabulated."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fine_tuning import LABELS, RUNS, TEXTS, interrupt, make_hyperparameters, make_texts, run

from synthlib import finetune
from synthlib.encode import load_encoder
from synthlib.finetune import FineTuner
from synthlib.metrics import macro_f1
from synthlib.train import Run
from synthlib.training import checkpoint, steps
from synthlib.training.convergence import pick_watched, tabulate_losses, tabulate_watched
from synthlib.training.targets import hold_out
from synthlib.training.tokens import tokenize

WATCHED = make_texts(30, seed=7)
NOISY = np.where(np.random.default_rng(5).random(96) < 0.3, 1 - LABELS, LABELS)  # nobody learns these for long
STOPS = {"n_epochs": 12, "learning_rate": 0.02, "patience": 2, "held_out_share": 0.25}


@pytest.fixture(scope="module")
def hyperparameters(tmp_path_factory):
    return make_hyperparameters(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def plain(hyperparameters):
    return run(hyperparameters)


def test_watching_changes_nothing_but_the_history(hyperparameters, plain):
    probabilities, history = run(hyperparameters, watched=WATCHED, watch_points=4)
    np.testing.assert_array_equal(probabilities, plain[0])
    assert history.drop(columns=["seconds", "watched_f1"]).equals(plain[1].drop(columns="seconds"))
    assert np.flatnonzero(history["watched_f1"].notna()).tolist() == [4, 8, 13, 17]  # after 5, 9, 14 and 18 steps
    _, many = run(hyperparameters, watched=WATCHED, watch_points=50)
    assert many["watched_f1"].notna().all()
    assert many["watched_f1"].iloc[-1] == history["watched_f1"].iloc[-1]
    with pytest.raises(ValueError, match="watch_points is 4, but no texts to watch are given"):
        run(hyperparameters, watch_points=4)


def test_the_last_watched_score_is_that_of_the_predictions(hyperparameters):
    texts, labels = WATCHED
    probabilities, history = run(hyperparameters, watched=WATCHED, watch_points=3, test=texts, n_epochs=18)
    f1 = macro_f1(labels, probabilities[0].argmax(-1), n_labels=2)
    assert history["watched_f1"].iloc[-1] == f1 and history["watched_f1"].dropna().iloc[0] < f1


def test_a_run_stops_and_answers_with_its_best_epoch(hyperparameters):
    probabilities, history = run(hyperparameters, labels=NOISY, **STOPS)
    losses = history["held_out_loss"].dropna().to_numpy()
    best = losses.argmin()
    assert 2 < len(losses) < 12 and best == len(losses) - 3  # two idle epochs
    assert history["epoch"].max() == len(losses) - 1 and len(history) == 5 * len(losses)  # 72 of 96 rows: 5 batches
    tuner = stop_after(hyperparameters, best + 1)
    np.testing.assert_array_equal(tuner.predict(TEXTS[:40]), probabilities[0])
    _, held_out = hold_out(RUNS[0], np.eye(2)[NOISY], 0.25)
    asked = tuner.predict([TEXTS[row] for row in held_out])[np.arange(len(held_out)), NOISY[held_out]]
    assert -np.log(asked).mean() == pytest.approx(losses[best], rel=1e-5)


def stop_after(hyperparameters, n_epochs):
    """Return a classifier trained by hand: so many epochs of a run of 12, on the rows that are not held out."""
    hyperparameters = dataclasses.replace(hyperparameters, **STOPS)
    encoder = load_encoder(hyperparameters.encoder, "cpu")
    targets = np.eye(2, dtype=np.float32)[NOISY]
    rows = hold_out(RUNS[0], targets, hyperparameters.held_out_share)[0]
    tuner = FineTuner(encoder, tokenize(TEXTS, encoder.tokenizer, max_length=64, step=4), targets, hyperparameters)
    tuner._restart(1)
    for step in range(5 * n_epochs):
        batch = tuner._batches(Run(rows, 1), step, 5)[0]
        tuner.step(batch, steps.learning_rate(step, 60, hyperparameters))
    return tuner


def test_rows_held_out_are_the_runs_own_of_every_label():
    labels = np.random.default_rng(0).integers(3, size=300)
    rows = np.arange(50, 250)
    kept, held_out = hold_out(Run(rows, 3), np.eye(3)[labels], 0.1)
    assert sorted([*kept, *held_out]) == rows.tolist()
    counts = np.bincount(labels[rows], minlength=3)
    assert np.bincount(labels[held_out]).tolist() == [round(0.1 * n) for n in counts]
    np.testing.assert_array_equal(held_out, hold_out(Run(rows, 3), np.eye(3)[labels], 0.1)[1])
    assert not np.array_equal(held_out, hold_out(Run(rows, 4), np.eye(3)[labels], 0.1)[1])
    kept, _ = hold_out(Run(np.arange(4), 0), np.eye(2)[[0, 1, 1, 1]], 0.9)
    assert 0 in kept and len(kept) == 2  # a row of every label is left to learn from
    with pytest.raises(ValueError, match=r"a run has 4 rows, of which held_out_share 0\.1 holds out none"):
        hold_out(Run(np.arange(4), 0), np.eye(2)[[0, 1, 1, 1]], 0.1)


def test_class_weights_do_not_change_which_rows_are_held_out(hyperparameters, monkeypatch):
    seen = []
    monkeypatch.setattr(finetune, "hold_out", lambda *given: seen.append(hold_out(*given)[1]) or hold_out(*given))
    likely = np.random.default_rng(0).uniform(0.05, 0.95, len(TEXTS))
    changes = STOPS | {"labels": np.stack([likely, 1 - likely], 1), "n_epochs": 1}
    for class_weights in (None, (1.0, 3.0)):
        run(hyperparameters, class_weights=class_weights, **changes)
    np.testing.assert_array_equal(*seen)


def test_without_patience_no_row_is_held_out(hyperparameters, plain):
    probabilities, history = run(hyperparameters, held_out_share=0.25)
    np.testing.assert_array_equal(probabilities, plain[0])
    assert history.drop(columns="seconds").equals(plain[1].drop(columns="seconds"))


@pytest.mark.parametrize("at", [3, 17, 30])
def test_a_kill_costs_nothing_where_runs_are_watched_and_stop(hyperparameters, tmp_path, monkeypatch, at):
    changes = STOPS | {"labels": NOISY, "watch_points": 9, "watched": WATCHED}
    whole, history = run(hyperparameters, **changes)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SAVE_SECONDS", 0.0)
        interrupt(patch, at)
        with pytest.raises(KeyboardInterrupt):
            run(hyperparameters, checkpoint=tmp_path, **changes)
    interrupt(monkeypatch, len(history) - (at - 1) + 1)  # no step is taken twice
    probabilities, resumed = run(hyperparameters, checkpoint=tmp_path, **changes)
    np.testing.assert_array_equal(probabilities, whole)
    assert resumed.drop(columns="seconds").equals(history.drop(columns="seconds"))


# --- tables ---


def test_watched_rows_are_validation_rows_where_there_are_some():
    rows = pd.DataFrame({"split": ["train", "test", "validation"] * 100, "label": ["a", "b", "b", "b"] * 75})
    places, split = pick_watched(rows, n=40, seed=1)
    assert split == "validation" and len(places) == 40 == len(set(places.tolist()))
    assert (rows["split"].iloc[places] == "validation").all()
    assert (rows["label"].iloc[places] == "a").sum() == 10  # a quarter, as of all
    np.testing.assert_array_equal(places, pick_watched(rows, n=40, seed=1)[0])
    assert not np.array_equal(places, pick_watched(rows, n=40, seed=2)[0])
    places, split = pick_watched(rows[rows["split"] != "validation"], n=1000, seed=1)
    assert split == "test" and len(places) == 100


PLAN = pd.DataFrame(
    [("main", "real", 0), ("main", "pool", 1), ("learning", "real", 2), ("main", "real", 3), ("main", "pool", 1)],
    columns=["experiment", "source", "run"],
)


def test_watched_scores_are_averaged_over_the_seeds_of_a_source():
    f1 = [np.nan, 0.2, np.nan, 0.4]
    history = pd.DataFrame(
        {"run": np.repeat([0, 1, 2, 3], 4), "step": [0, 1, 2, 3] * 4, "watched_f1": [*f1, *f1, *f1, *np.add(f1, 0.2)]}
    )
    table = tabulate_watched(history, PLAN).set_index(["source", "step"])
    assert table.loc[("real", 2)].tolist() == pytest.approx([0.3, 0.2, 0.4, 2])
    assert table.loc[("pool", 4)].tolist() == pytest.approx([0.4, 0.4, 0.4, 2])
    assert table.index.tolist() == [("real", 2), ("real", 4), ("pool", 2), ("pool", 4)]


def test_losses_are_means_over_windows():
    losses = np.arange(28.0).reshape(4, 7)
    table = tabulate_losses(losses, PLAN, window=3).set_index(["source", "step"])
    assert table.loc[("real", 3)].tolist() == [11.5, 1, 22, 2]  # of steps 0, 1, 2 of runs 0 and 3
    assert table.index.tolist() == [("real", 3), ("real", 6), ("pool", 3), ("pool", 6)]
