"""Bootstrap of Bradley-Terry scores: all resamples fitted together against one call of choix a resample.

Run ``python benchmarks/bench_ranking.py``. Both resample the workers of 540 judgements of ten tasks in the same
process; they take turns, and the median of the turns is printed.
"""

from __future__ import annotations

import os
import platform
import statistics
import time

import choix
import numpy as np
import pandas as pd

from synthlib import data, ranking
from synthlib.tasks import task_names

REGULARISATION, N_RESAMPLES, TURNS = 0.01, 1000, 5


def call_choix(wins: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(wins), np.full(len(wins), 1 / len(wins)), size=N_RESAMPLES)
    tables = np.tensordot(weights, wins, axes=1)
    return np.array([choix.ilsr_pairwise_dense(table, alpha=REGULARISATION, max_iter=1000) for table in tables])


def call_ours(wins: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return ranking.bootstrap_scores(wins, regularisation=REGULARISATION, n_resamples=N_RESAMPLES, rng=rng)


def main() -> None:
    tasks = task_names()
    wins = ranking.count_wins(data.load_pair_votes(tasks=tasks), tasks)
    methods = {"choix.ilsr_pairwise_dense, one call per resample": call_choix, "bootstrap_scores": call_ours}
    seconds, draws = {name: [] for name in methods}, {}
    for turn in range(TURNS):
        for name, method in methods.items():
            start = time.perf_counter()
            draws[name] = method(wins, turn)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    slowest = max(medians.values())
    rows = [{"method": n, "seconds": s, "ratio": slowest / s} for n, s in medians.items()]
    first, second = draws.values()
    print(f"{N_RESAMPLES} resamples, {len(tasks)} tasks, {wins.sum():.0f} votes; median of {TURNS} turns")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}")
    print(pd.DataFrame(rows).round(4).to_string(index=False))
    print(f"largest difference between the two: {np.abs(first - second).max():.1e} (log-odds)")


if __name__ == "__main__":
    main()
