"""Bootstrap of Krippendorff's alpha: one matrix product against one call of krippendorff.alpha a resample.

Run ``python benchmarks/bench_agreement.py``. Both draw their resamples, of 200 and of 1,400 texts with 5 votes each, in
the same process; they take turns, and the median of the turns is printed.
"""

from __future__ import annotations

import os
import platform
import statistics
import time

import krippendorff
import numpy as np
import pandas as pd

from synthlib import agreement

N_TEXTS = (200, 1400)  # of a task of the study; of all tasks of a large one
N_VOTES, N_LABELS, N_RESAMPLES, TURNS = 5, 4, 2000, 5


def make_votes(n_texts: int, rng: np.random.Generator) -> np.ndarray:
    preferred = rng.integers(N_LABELS, size=(n_texts, 1))
    labels = np.where(rng.random((n_texts, N_VOTES)) < 0.8, preferred, rng.integers(N_LABELS, size=(n_texts, N_VOTES)))
    return (labels[:, :, None] == np.arange(N_LABELS)).sum(axis=1)


def call_krippendorff(counts: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    draws = [counts[rng.integers(len(counts), size=len(counts))] for _ in range(N_RESAMPLES)]
    return np.array([krippendorff.alpha(value_counts=draw, level_of_measurement="nominal") for draw in draws])


def call_ours(counts: np.ndarray, seed: int) -> np.ndarray:
    return agreement.bootstrap_agreement(counts, n_resamples=N_RESAMPLES, rng=np.random.default_rng(seed))[1]


def measure(n_texts: int) -> list[dict]:
    counts = make_votes(n_texts, np.random.default_rng(0))
    methods = {"krippendorff.alpha, one call per resample": call_krippendorff, "bootstrap_agreement": call_ours}
    seconds, draws = {name: [] for name in methods}, {}
    for turn in range(TURNS):
        for name, method in methods.items():
            start = time.perf_counter()
            draws[name] = method(counts, turn)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    slowest = max(medians.values())
    return [
        {
            "texts": n_texts,
            "method": name,
            "seconds": medians[name],
            "ratio": slowest / medians[name],
            "alpha_low": low,
            "alpha_high": high,
        }
        for name in methods
        for low, high in [np.quantile(draws[name], [0.025, 0.975])]
    ]


def main() -> None:
    rows = [row for n_texts in N_TEXTS for row in measure(n_texts)]
    print(f"{N_RESAMPLES} resamples, {N_VOTES} votes per text, {N_LABELS} labels; median of {TURNS} turns")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}")
    print(pd.DataFrame(rows).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
