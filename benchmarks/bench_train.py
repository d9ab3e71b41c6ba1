"""All sources and seeds of a task in one batched pass, against scikit-learn's MLPClassifier one by one.

Same features, rows, hidden units, batch size, epochs and learning rate; both in one run, medians of several. The
classifiers are those of 03_train on shipped real features (tweet emotions): 40 of them, the main comparison's number.

    python benchmarks/bench_train.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from synthlib import features, metrics
from synthlib.tasks import load_task
from synthlib.train import Hyperparameters, Run, fit_predict

TASK, ENCODER = "tweet_emotion", "all-MiniLM-L6-v2"
N_ROWS, EPOCHS, BATCH_SIZE, HIDDEN_UNITS, LEARNING_RATE = 800, 16, 128, 768, 0.003


def main() -> None:
    """Print seconds, ratio and Macro-F1 of both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40, help="classifiers to train")
    parser.add_argument("--repeats", type=int, default=3, help="timings to take the median of")
    options = parser.parse_args()
    labels = load_task(TASK).label_names
    table = features.load(TASK, "features", ENCODER)
    y = table.rows["label"].map({label: number for number, label in enumerate(labels)}).to_numpy()
    train, test = (np.flatnonzero(table.rows["split"] == split) for split in ("train", "test"))
    rng = np.random.default_rng(0)
    runs = [Run(rng.permutation(train)[:N_ROWS], seed) for seed in range(options.runs)]
    timings: dict[str, list[float]] = {"batched": [], "scikit-learn": []}
    scores = {}
    for _ in range(options.repeats):
        for name, fit in (("batched", _fit_batched), ("scikit-learn", _fit_one_by_one)):
            start = time.perf_counter()
            predicted = fit(table.features, y, runs, test, len(labels))
            timings[name].append(time.perf_counter() - start)
            scores[name] = (predicted, metrics.macro_f1(y[test], predicted, n_labels=len(labels)))
    _report(timings, scores, y[test], len(labels), options)


def _fit_batched(x: np.ndarray, y: np.ndarray, runs: list[Run], test: np.ndarray, n_labels: int) -> np.ndarray:
    steps = EPOCHS * -(-N_ROWS // BATCH_SIZE)
    hyperparameters = Hyperparameters(HIDDEN_UNITS, LEARNING_RATE, 0.01, steps, BATCH_SIZE, "cpu")
    return fit_predict(x, y, runs, x[test], n_labels=n_labels, hyperparameters=hyperparameters)[0].argmax(-1)


def _fit_one_by_one(x: np.ndarray, y: np.ndarray, runs: list[Run], test: np.ndarray, n_labels: int) -> np.ndarray:
    predicted = []
    for run in runs:
        model = MLPClassifier(
            HIDDEN_UNITS,
            batch_size=BATCH_SIZE,
            max_iter=EPOCHS,
            learning_rate_init=LEARNING_RATE,
            random_state=run.seed,
            n_iter_no_change=EPOCHS,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            predicted.append(model.fit(x[run.rows], y[run.rows]).predict(x[test]))
    return np.array(predicted)


def _report(timings: dict, scores: dict, gold: np.ndarray, n_labels: int, options: argparse.Namespace) -> None:
    seconds = {name: statistics.median(values) for name, values in timings.items()}
    print(
        f"{options.runs} classifiers, {N_ROWS} rows, {EPOCHS} epochs, {HIDDEN_UNITS} hidden units, batch {BATCH_SIZE}"
    )
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads, median of {options.repeats}\n")
    print(f"{'':14}{'seconds':>9}{'ratio':>8}{'Macro-F1':>10}")
    for name, (_, f1) in scores.items():
        print(f"{name:14}{seconds[name]:9.2f}{seconds[name] / seconds['batched']:8.1f}{f1.mean():10.3f}")
    resampling = metrics.draw_resampling(len(gold), options.runs, n_resamples=1000, rng=np.random.default_rng(0))
    draws = [
        metrics.bootstrap_scores(gold, predicted, n_labels=n_labels, resampling=resampling).f1_draws
        for predicted, _ in scores.values()
    ]
    low, high = metrics.interval(draws[0] - draws[1], confidence=0.95)
    print(f"\nbatched minus scikit-learn, Macro-F1: 95% interval {low:+.3f} to {high:+.3f}")


if __name__ == "__main__":
    main()
