"""Remote Clique and Chamfer at 20,000 x 384 against scikit-learn, and at a small size against the package diversity.

Run ``python benchmarks/bench_diversity.py``. Every timing is of a process of its own, the methods take turns, and the
median of the turns is printed, with the memory that the call added to the loaded vectors. On a machine shared with
others set OMP_NUM_THREADS=1.

``diversity`` 0.2.2 has no measure on vectors. Its ``homogenization_score`` is the mean ROUGE-L of all pairs of texts,
the text-overlap counterpart of Remote Clique: no model is needed, but n (n - 1) comparisons in Python, so it is timed
on few texts and projected to 20,000. The package does not import without spaCy, which it does not declare, so the one
file is loaded by its path.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import pairwise_distances, pairwise_distances_chunked

from synthlib import diversity
from synthlib.paths import DATA

N, DIMENSIONS, N_TEXTS, TURNS = 20_000, 384, 150, 3


def full_remote_clique(features: np.ndarray) -> float:
    return float(
        pairwise_distances(features, metric="cosine").sum(dtype=np.float64) / (len(features) * (len(features) - 1))
    )


def full_chamfer(features: np.ndarray) -> float:
    distances = pairwise_distances(features, metric="cosine")
    np.fill_diagonal(distances, np.inf)
    return float(distances.min(axis=1).mean(dtype=np.float64))


def chunked_remote_clique(features: np.ndarray) -> float:
    chunks = pairwise_distances_chunked(features, metric="cosine", reduce_func=lambda part, start: part.sum(axis=1))
    return float(np.concatenate(list(chunks)).sum(dtype=np.float64) / (len(features) * (len(features) - 1)))


def chunked_chamfer(features: np.ndarray) -> float:
    def nearest(part: np.ndarray, start: int) -> np.ndarray:
        part[np.arange(len(part)), start + np.arange(len(part))] = np.inf
        return part.min(axis=1)

    chunks = pairwise_distances_chunked(features, metric="cosine", reduce_func=nearest)
    return float(np.concatenate(list(chunks)).mean(dtype=np.float64))


METHODS: dict[str, dict[str, Callable[[np.ndarray], float]]] = {
    "Remote Clique": {
        "synthlib": diversity.measure_remote_clique,
        "scikit-learn, full matrix": full_remote_clique,
        "scikit-learn, chunked": chunked_remote_clique,
    },
    "Chamfer": {
        "synthlib": diversity.measure_chamfer,
        "scikit-learn, full matrix": full_chamfer,
        "scikit-learn, chunked": chunked_chamfer,
    },
}


def make_vectors(n: int) -> np.ndarray:
    """Vectors with some structure: fifty clusters, as texts of one topic lie together."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((50, DIMENSIONS), dtype=np.float32)
    return centres[rng.integers(50, size=n)] + rng.standard_normal((n, DIMENSIONS), dtype=np.float32)


def homogenise(texts: list[str]) -> float:
    folder = importlib.util.find_spec("diversity").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("homogenization", Path(folder) / "homogenization.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    start = time.perf_counter()
    module.homogenization_score(texts, verbose=False)
    return time.perf_counter() - start


def time_here(measure: str, method: str) -> dict[str, float]:
    """Time one call in this process; memory is what the peak grew by."""
    if measure == "texts":
        lines = (DATA / "corpora" / "sms_spam.jsonl").read_text(encoding="utf-8").splitlines()[:N_TEXTS]
        if method == "diversity":
            return {"seconds": homogenise([json.loads(line)["text"] for line in lines])}
        call, features = diversity.measure_remote_clique, make_vectors(N_TEXTS)
    else:
        call, features = METHODS[measure][method], make_vectors(N)
    call(features[:100])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    value = call(features)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "megabytes": (after - before) / 1024, "value": value}


def time_apart(measure: str, method: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", measure, "--method", method]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def compare(jobs: list[tuple[str, str]]) -> pd.DataFrame:
    """Run the jobs in turns; return medians and the ratio to synthlib."""
    found = {job: [] for job in jobs}
    for _ in range(TURNS):
        for job in jobs:
            found[job].append(time_apart(*job))
    rows = [
        {"measure": m, "method": name} | {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for (m, name), runs in found.items()
    ]
    table = pd.DataFrame(rows)
    ours = table[table["method"] == "synthlib"].set_index("measure")["seconds"]
    return table.assign(times_as_long=table["seconds"] / table["measure"].map(ours))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", help="internal: time one method in this process")
    parser.add_argument("--method")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(time_here(options.measure, options.method)))
        return
    threads = os.environ.get("OMP_NUM_THREADS", "as many as cores")
    print(f"{platform.platform()}, {os.cpu_count()} cores, threads: {threads}, median of {TURNS}\n")
    print(f"{N:,} x {DIMENSIONS} float32")
    table = compare([(measure, method) for measure, methods in METHODS.items() for method in methods])
    print(table.to_string(index=False, float_format=lambda value: f"{value:,.4f}"))
    small = compare([("texts", "synthlib"), ("texts", "diversity")])
    print(f"\n{N_TEXTS} texts: Remote Clique of their vectors, mean ROUGE-L of their pairs by diversity")
    print(
        small[["method", "seconds", "times_as_long"]].to_string(index=False, float_format=lambda value: f"{value:,.6f}")
    )
    days = small["seconds"].iloc[1] * (N / N_TEXTS) ** 2 / 86_400
    print(f"projected to {N:,} texts (time grows with n squared): {days:,.1f} days for diversity")


if __name__ == "__main__":
    main()
