"""Training classifiers: a hidden layer on frozen features, many classifiers at once.

The classifier is the study's (Li et al. 2023, section 4): the encoder's last-layer representation, one hidden layer,
one output per label. All seeds and sources of a task are slices of the same batched matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from torch.optim.adamw import adamw  # the class AdamW takes a second to set up: it imports torch's compiler
from tqdm import tqdm

SLICE_WEIGHTS = 1_200_000  # of all classifiers trained at once; more, and with Adam's moments they leave the cache


@dataclass(frozen=True)
class Run:
    """One classifier to train: the rows it learns from, and the seed of its weights and of its batches."""

    rows: np.ndarray
    seed: int


@dataclass(frozen=True)
class Hyperparameters:
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
    hyperparameters: Hyperparameters,
    progress: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the test probabilities and the loss history of one classifier per run.

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
    _check_features(features, "training")
    _check_features(test_features, "test")
    _check_runs(labels, runs, n_labels)
    device = torch.device(hyperparameters.device)
    x, x_test = (torch.tensor(array, device=device).bfloat16() for array in (features, test_features))
    targets = torch.eye(n_labels, device=device)[torch.tensor(labels, device=device)]  # (N, K)
    probabilities = np.empty((len(runs), len(test_features), n_labels), dtype=np.float32)
    losses = np.empty((len(runs), hyperparameters.n_steps), dtype=np.float32)
    slices = (
        len(runs) if device.type == "cuda" else max(1, SLICE_WEIGHTS // (x.shape[1] * hyperparameters.hidden_units))
    )
    learner = None
    with tqdm(total=len(runs), desc=progress, unit="classifier", disable=progress is None) as bar:
        for start in range(0, len(runs), slices):
            chunk = slice(start, start + slices)
            if learner is None or learner.n_runs != len(runs[chunk]):
                learner = _Learner(
                    len(runs[chunk]), (x.shape[1], hyperparameters.hidden_units, n_labels), hyperparameters
                )
            losses[chunk] = learner.fit(x, targets, runs[chunk])
            probabilities[chunk] = learner.predict(x_test)
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


class _Learner:
    """Trains M classifiers at once: products in bfloat16, weights and AdamW's moments in float32.

    Gradients are written out rather than left to autograd, so that every large array is made once: made anew in every
    step, they go back to the operating system and are asked for again, which takes longer than the products.
    """

    def __init__(self, n_runs: int, sizes: tuple[int, int, int], hyperparameters: Hyperparameters) -> None:
        self.n_runs, self.sizes, self.hyperparameters = n_runs, sizes, hyperparameters
        on_device = {"device": hyperparameters.device}
        shapes = [(n_runs, n_rows, n_out) for n_in, n_out in pairwise(sizes) for n_rows in (n_in, 1)]
        #: First layer's weights (M, D, H) and biases (M, 1, H), second layer's (M, H, K) and (M, 1, K).
        self.weights, self.gradients, *self.moments = (
            [torch.zeros(shape, **on_device) for shape in shapes] for _ in range(4)
        )
        self.n_taken = [torch.zeros((), **on_device) for _ in shapes]
        on_device["dtype"] = torch.bfloat16
        self.rounded, self.rounded_gradients = ([torch.empty(shape, **on_device) for shape in shapes] for _ in range(2))
        self.x, self.hidden, self.d_hidden = (
            torch.empty(n_runs, hyperparameters.batch_size, width, **on_device)
            for width in (sizes[0], sizes[1], sizes[1])
        )

    @torch.inference_mode()
    def fit(self, x: torch.Tensor, targets: torch.Tensor, runs: Sequence[Run]) -> np.ndarray:
        """Train from each run's seed on its rows of ``x`` (N, D) and ``targets`` (N, K); return losses (M, n_steps)."""
        self._restart(runs)
        n_steps, batch_size = self.hyperparameters.n_steps, self.hyperparameters.batch_size
        batches = np.stack([draw_batches(run, n_steps, batch_size) for run in runs], axis=1)
        batches = torch.as_tensor(batches, device=x.device)  # (n_steps, M, B)
        losses = torch.empty(n_steps, self.n_runs, device=x.device)
        for step, rows in enumerate(batches):
            losses[step] = self._find_gradients(x, targets, rows)
            self._update(self.hyperparameters.learning_rate * (1 + math.cos(math.pi * step / n_steps)) / 2)
        return losses.T.cpu().numpy()

    @torch.inference_mode()
    def predict(self, x: torch.Tensor) -> np.ndarray:
        """Return the probabilities (M, T, K) of ``x`` (T, D)."""
        w1, b1, w2, _ = self.rounded
        hidden = torch.bmm(x.expand(self.n_runs, -1, -1), w1).add_(b1).relu_()  # (M, T, H)
        return (torch.bmm(hidden, w2) + self.weights[3]).softmax(-1).cpu().numpy()

    def _restart(self, runs: Sequence[Run]) -> None:
        for place, run in enumerate(runs):
            for weight, values in zip(self.weights, _draw_weights(run.seed, self.sizes), strict=True):
                weight[place] = values
        torch._foreach_copy_(self.rounded, self.weights)
        torch._foreach_zero_([*self.moments[0], *self.moments[1], *self.n_taken])

    def _find_gradients(self, x: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Set the gradients of each classifier's mean loss on its rows (M, B); return the losses (M,)."""
        (w1, b1, w2, _), (d_w1, d_b1, d_w2, _) = self.rounded, self.rounded_gradients
        torch.index_select(x, 0, rows.flatten(), out=self.x.view(-1, self.sizes[0]))
        hidden = torch.bmm(self.x, w1, out=self.hidden).add_(b1).relu_()  # (M, B, H)
        log_probabilities = (torch.bmm(hidden, w2) + self.weights[3]).log_softmax(-1)  # (M, B, K)
        gold = targets[rows]  # (M, B, K)
        d_logits = (log_probabilities.exp() - gold) / rows.shape[1]
        torch.sum(d_logits, 1, keepdim=True, out=self.gradients[3])
        d_logits = d_logits.bfloat16()
        torch.bmm(hidden.transpose(1, 2), d_logits, out=d_w2)
        d_hidden = torch.bmm(d_logits, w2.transpose(1, 2), out=self.d_hidden)
        torch.ops.aten.threshold_backward.grad_input(d_hidden, hidden, 0, grad_input=d_hidden)  # of relu
        torch.sum(d_hidden, 1, keepdim=True, out=d_b1)
        torch.bmm(self.x.transpose(1, 2), d_hidden, out=d_w1)
        torch._foreach_copy_(self.gradients[:3], [d_w1, d_b1, d_w2])
        return -(gold * log_probabilities).sum(-1).mean(1)

    def _update(self, learning_rate: float) -> None:
        adamw(
            self.weights,
            self.gradients,
            *self.moments,
            max_exp_avg_sqs=[],
            state_steps=self.n_taken,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=self.hyperparameters.weight_decay,
            eps=1e-8,
            maximize=False,
        )
        torch._foreach_copy_(self.rounded, self.weights)


@lru_cache(maxsize=8)  # sources are trained from the same few seeds
def _draw_weights(seed: int, sizes: tuple[int, int, int]) -> list[torch.Tensor]:
    """Draw weights and biases of both layers, uniform in +-1/sqrt(inputs) as torch.nn.Linear does."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (2 * torch.rand(n_rows, n_out, generator=generator) - 1) / n_in**0.5
        for n_in, n_out in pairwise(sizes)
        for n_rows in (n_in, 1)
    ]


def _check_features(features: np.ndarray, kind: str) -> None:
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} {kind} row(s) have a feature that is not finite, the first is row {bad.argmax()}; "
            "rebuild the features"
        )


def _check_runs(labels: np.ndarray, runs: Sequence[Run], n_labels: int) -> None:
    for number, run in enumerate(runs):
        missing = sorted(set(range(n_labels)) - set(labels[run.rows].tolist()))
        if missing:
            raise ValueError(
                f"run {number} has {len(run.rows)} rows but none of label(s) {missing} of 0..{n_labels - 1}"
            )
