"""Training classifiers: a hidden layer on frozen features, many classifiers at once.

The classifier is the study's (Li et al. 2023, section 4): the encoder's last-layer representation, one hidden layer,
one output a label. All seeds and sources of a task are slices of the same batched matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

SLICE_WEIGHTS = 2_400_000  # of all classifiers trained at once; more, and with Adam's moments they leave the cache


@dataclass(frozen=True)
class Run:
    """One classifier to train: the rows it learns from, and the seed of its weights and of its batches."""

    rows: np.ndarray
    seed: int


@dataclass(frozen=True)
class Settings:
    """How a classifier is trained; the same for every run, so that sources differ in their texts alone.

    Every run takes ``n_steps`` steps of ``batch_size`` rows, whatever its number of rows: a small source is seen more
    often, none is trained for longer. The learning rate falls to zero along a half cosine.
    """

    hidden_units: int
    learning_rate: float
    weight_decay: float
    n_steps: int
    batch_size: int
    device: str


def fit_predict(
    features: np.ndarray,
    labels: np.ndarray,
    runs: Sequence[Run],
    test_features: np.ndarray,
    *,
    n_labels: int,
    settings: Settings,
    progress: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the test probabilities and the loss history of one classifier a run.

    Parameters
    ----------
    features : ndarray of float32, shape (N, D)
        Vectors of all training rows of all sources.
    labels : ndarray of int, shape (N,)
        Label indices, 0 to K - 1.
    runs : sequence of Run, length M
        Which rows each classifier learns from.
    test_features : ndarray of float32, shape (T, D)
        Vectors to predict.
    n_labels : int
        K.
    progress : str, optional
        Title of a progress bar over steps; None shows none.

    Returns
    -------
    probabilities : ndarray of float32, shape (M, T, K)
        In the order of ``runs`` and ``test_features``.
    losses : ndarray of float32, shape (M, n_steps)
        Cross-entropy of each step's batch (nats).

    Raises
    ------
    ValueError
        A run has no rows, lacks a label, or a feature is not finite.
    FloatingPointError
        A loss is not finite; the message says in which run and step, and what to try.
    """
    _check_runs(features, labels, runs, n_labels)
    device = torch.device(settings.device)
    x, y, x_test = (torch.tensor(array, device=device) for array in (features, labels, test_features))
    probabilities = np.empty((len(runs), len(test_features), n_labels), dtype=np.float32)
    losses = np.empty((len(runs), settings.n_steps), dtype=np.float32)
    slices = len(runs) if device.type == "cuda" else max(1, SLICE_WEIGHTS // (x.shape[1] * settings.hidden_units))
    with tqdm(total=len(runs), desc=progress, unit="classifier", disable=progress is None) as bar:
        for start in range(0, len(runs), slices):
            chunk = slice(start, start + slices)
            weights, losses[chunk] = _fit(x, y, runs[chunk], n_labels, settings)
            probabilities[chunk] = _predict(weights, x_test)
            bar.update(len(runs[chunk]))
    if not np.isfinite(losses).all():
        run, step = np.argwhere(~np.isfinite(losses))[0]
        raise FloatingPointError(f"loss of run {run} is not finite at step {step}; lower learning_rate")
    return probabilities, losses


def draw_batches(run: Run, n_steps: int, batch_size: int) -> np.ndarray:
    """Return the rows of every batch of a run, shape (n_steps, batch_size).

    The run's rows are shuffled anew whenever they are used up: each is seen as often as the others, give or take one.
    """
    rng = np.random.default_rng(run.seed)
    n_passes = -(-n_steps * batch_size // len(run.rows))
    order = np.concatenate([rng.permutation(run.rows) for _ in range(n_passes)])
    return order[: n_steps * batch_size].reshape(n_steps, batch_size)


def _fit(
    x: torch.Tensor, y: torch.Tensor, runs: Sequence[Run], n_labels: int, settings: Settings
) -> tuple[list[torch.Tensor], np.ndarray]:
    weights = _draw_weights(runs, (x.shape[1], settings.hidden_units, n_labels), x.device)
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.n_steps)
    batches = np.stack([draw_batches(run, settings.n_steps, settings.batch_size) for run in runs], axis=1)
    batches = torch.as_tensor(batches, device=x.device)  # (steps, M, B)
    x = x.bfloat16()
    losses = torch.empty(settings.n_steps, len(runs), device=x.device)
    for step, rows in enumerate(batches):
        with torch.autocast(x.device.type, torch.bfloat16):
            logits = _forward(weights, x[rows])  # (M, B, K)
        loss = cross_entropy(logits.float().flatten(0, 1), y[rows].flatten(), reduction="none").view(rows.shape)
        optimizer.zero_grad()
        loss.mean(1).sum().backward()  # the runs share no weight: the sum's gradient is each run's own
        optimizer.step()
        schedule.step()
        losses[step] = loss.detach().mean(1)
    return weights, losses.T.cpu().numpy()


def _forward(weights: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    w1, b1, w2, b2 = weights
    hidden = torch.relu(torch.bmm(x, w1) + b1.bfloat16())  # (M, B, D) x (M, D, H) -> (M, B, H)
    return torch.bmm(hidden, w2) + b2  # (M, B, K)


@torch.inference_mode()
def _predict(weights: list[torch.Tensor], x: torch.Tensor) -> np.ndarray:
    n_runs = len(weights[0])
    with torch.autocast(x.device.type, torch.bfloat16):
        logits = _forward(weights, x.expand(n_runs, -1, -1))  # (M, T, K)
    return logits.float().softmax(-1).cpu().numpy()


def _draw_weights(runs: Sequence[Run], sizes: tuple[int, int, int], device: torch.device) -> list[torch.Tensor]:
    """Draw each run's weights from its seed, uniform in +-1/sqrt(inputs) as torch.nn.Linear does."""
    drawn: list[list[torch.Tensor]] = [[], [], [], []]
    for run in runs:
        generator = torch.Generator().manual_seed(run.seed)
        for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
            for offset, n_rows in enumerate((n_in, 1)):
                values = torch.rand(n_rows, n_out, generator=generator)
                drawn[2 * layer + offset].append((2 * values - 1) / n_in**0.5)
    return [torch.stack(values).to(device).requires_grad_() for values in drawn]


def _check_runs(features: np.ndarray, labels: np.ndarray, runs: Sequence[Run], n_labels: int) -> None:
    if not np.isfinite(features).all():
        raise ValueError("a feature is not finite; rebuild the features")
    for number, run in enumerate(runs):
        missing = sorted(set(range(n_labels)) - set(labels[run.rows].tolist()))
        if missing:
            raise ValueError(
                f"run {number} has {len(run.rows)} rows but none of label(s) {missing} of 0..{n_labels - 1}"
            )
