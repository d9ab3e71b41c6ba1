"""Fine-tunings on a dask cluster, one at a time per worker, as the runner sends train jobs to several cards."""

import os
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fine_tuning import LABELS, TEXTS, make_hyperparameters

from synthlib.finetune import Hyperparameters, fit_predict_texts
from synthlib.runner.pools import connect, open_pool
from synthlib.train import Run


def fit(hyperparameters: Hyperparameters, folder: Path, seed: int) -> tuple[np.ndarray, np.ndarray, int, float, float]:
    """Return probabilities and losses, the process that made them, and when it began and ended."""
    start = time.time()
    probabilities, history = fit_predict_texts(
        TEXTS,
        LABELS,
        [Run(np.arange(96), seed)],
        TEXTS[:20],
        n_labels=2,
        hyperparameters=hyperparameters,
        checkpoint=folder,
    )
    return probabilities, history["loss"].to_numpy(), os.getpid(), start, time.time()


def test_workers_fine_tune_side_by_side_and_one_at_a_time(tmp_path):
    distributed = pytest.importorskip("distributed")
    (tmp_path / "encoder").mkdir()
    hyperparameters = make_hyperparameters(tmp_path / "encoder")
    options = {"n_workers": 2, "threads_per_worker": 1, "resources": {"GPU": 1}, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, open_pool(1, connect(cluster.scheduler.address)) as (pool, n):
        assert n == 2
        jobs = [pool.submit(fit, hyperparameters, tmp_path / f"job-{seed}", seed) for seed in range(4)]
        answers = [job.result(timeout=120) for job in jobs]
    for seed, (probabilities, losses, *_) in enumerate(answers):  # where a run is trained does not matter
        expected, expected_losses, *_ = fit(hyperparameters, tmp_path / f"here-{seed}", seed)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        np.testing.assert_allclose(losses, expected_losses, atol=1e-5)
    by_worker: dict[int, list[tuple[float, float]]] = {}
    for *_, worker, start, end in answers:
        by_worker.setdefault(worker, []).append((start, end))
    assert len(by_worker) == 2 and os.getpid() not in by_worker
    for spans in map(sorted, by_worker.values()):  # a worker's one GPU token is one job's at a time
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
