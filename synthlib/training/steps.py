"""One optimiser step of a fine-tuning: forward, backward, clip, update; on a graphics card recorded and replayed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from synthlib.training.classifier import Classifier, TextsOnDevice, autocast


@dataclass(frozen=True)
class Hyperparameters:
    """How classifiers are fine-tuned; the same for every run of a call.

    Attributes
    ----------
    encoder : str
        As for :func:`synthlib.encoders.locate`.
    pooling : str
        ``cls``: the first token's last-layer state stands for the text; ``mean``: the mean over its tokens.
    n_epochs, min_steps : int
        A run passes ``n_epochs`` times over its rows, and again until it has taken ``min_steps`` steps: 150 texts in
        batches of 64 are 3 steps an epoch, too few to learn from (Mosbach et al. 2021, section 5).
    warmup_share : float
        Share of the steps in which the learning rate rises to ``learning_rate``; then it falls to zero, both linearly.
    max_grad_norm : float
        A longer gradient is cut to this length.
    max_length : int
        Tokens of a text that are read.
    weight_decay : float
        AdamW's, on matrices only (not on biases and norms).
    class_weights : tuple of float, optional
        One a label: how much its texts count.
    precision : str
        ``bfloat16`` or ``float32`` matrix products; ``auto``: bfloat16 where the hardware has it.
    replayed : bool
        Whether a graphics card replays recorded steps (:class:`ReplayedStep`); a processor never does.
    watch_points : int
        How often, at equal distances up to the last step, a run is asked for the texts that are watched; 0: never.
    patience : int
        After so many epochs without a lower loss on its held-out rows a run stops, and the weights of the best epoch
        are asked; 0: no row is held out, every run takes all its steps, and the last weights are asked.
    held_out_share : float
        Share of a run's own training rows, of every label, that are held out where ``patience`` is above 0. They are
        drawn from the run's seed. Nothing else decides when to stop: no real text that the source does not have.
    """

    encoder: str
    pooling: Literal["cls", "mean"]
    hidden_units: int
    learning_rate: float
    batch_size: int
    n_epochs: int
    min_steps: int
    warmup_share: float
    max_grad_norm: float
    max_length: int
    weight_decay: float
    device: str
    class_weights: tuple[float, ...] | None = None
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    replayed: bool = True
    watch_points: int = 0
    patience: int = 0
    held_out_share: float = 0.0

    def count_steps(self, n_rows: int) -> tuple[int, int]:
        """Return the epochs of a run of ``n_rows`` texts, and the steps of each."""
        n_batches = -(-n_rows // self.batch_size)
        return max(self.n_epochs, -(-self.min_steps // n_batches)), n_batches

    def find_watch_points(self, n_steps: int) -> set[int]:
        """Return after how many steps a run of ``n_steps`` is asked for the watched texts.

        Fewer than ``watch_points`` where there are fewer steps.
        """
        return {-(-n_steps * point // self.watch_points) for point in range(1, self.watch_points + 1)}


class Step:
    """Takes optimiser steps; all that a step needs is on the device, and nothing waits for it."""

    def __init__(self, model: Classifier, texts: TextsOnDevice, hyperparameters: Hyperparameters) -> None:
        self.model, self.texts, self.hyperparameters = model, texts, hyperparameters
        self.rate = torch.tensor(hyperparameters.learning_rate, device=texts.ids.device)
        self.optimizer = make_optimizer(model, hyperparameters, self.rate)

    def __call__(self, rows: np.ndarray, rate: float) -> torch.Tensor:
        """Learn from the texts ``rows`` at a learning rate; return the loss, on the device."""
        self.rate.fill_(rate)
        return self.compute(*self.texts.locate(rows))

    def compute(self, index: torch.Tensor, width: int) -> torch.Tensor:
        """Forward, backward, clip, update."""
        ids, mask, targets = self.texts.take(index, width)  # (B, W), (B, W), (B, K)
        with autocast(ids.device, self.hyperparameters.precision):
            logits = self.model(ids, mask)  # (B, K)
        loss = cross_entropy(logits.float(), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.hyperparameters.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach()

    def restart(self) -> None:
        """Forget the optimiser's past."""
        for values in self.optimizer.state.values():
            for tensor in values.values():
                tensor.zero_()

    def load_state_dict(self, values: dict) -> None:
        """Take up the optimiser's past; the learning rate stays the tensor that :meth:`__call__` fills."""
        self.optimizer.load_state_dict(values)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate


class ReplayedStep(Step):
    """Records the kernels of a step once for each width (a CUDA graph) and replays them.

    A step on short texts is about a thousand kernels of a few microseconds: sent one by one from Python, most of the
    time goes into sending them. Batches of another size than ``batch_size`` (an epoch's last one) are sent so.
    """

    def __init__(self, model: Classifier, texts: TextsOnDevice, hyperparameters: Hyperparameters) -> None:
        super().__init__(model, texts, hyperparameters)
        self.index = torch.zeros(hyperparameters.batch_size, dtype=torch.long, device=texts.ids.device)  # (B,)
        self.recorded: dict[int, tuple[torch.cuda.CUDAGraph, torch.Tensor]] = {}
        self.seen: set[int] = set()
        self.pool = torch.cuda.graph_pool_handle()

    def __call__(self, rows: np.ndarray, rate: float) -> torch.Tensor:
        """Learn from the texts ``rows`` at a learning rate; return the loss, on the device."""
        width = int(self.texts.widths[rows].max())
        if len(rows) != self.hyperparameters.batch_size or width not in self.seen:
            if len(rows) == self.hyperparameters.batch_size:
                self.seen.add(width)  # the first step of a width is sent, the second recorded: libraries are set up
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*capturable.*")
                return super().__call__(rows, rate)
        self.rate.fill_(rate)
        self.index.copy_(self.texts.locate(rows)[0])
        if width not in self.recorded:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool):
                loss = self.compute(self.index, width)
            self.recorded[width] = graph, loss
        graph, loss = self.recorded[width]
        graph.replay()
        return loss


def make_step(model: Classifier, texts: TextsOnDevice, hyperparameters: Hyperparameters) -> Step:
    """Return what takes the steps of a fine-tuning on the device of ``texts``."""
    return (ReplayedStep if texts.ids.is_cuda and hyperparameters.replayed else Step)(model, texts, hyperparameters)


def make_optimizer(model: Classifier, hyperparameters: Hyperparameters, rate: torch.Tensor) -> torch.optim.AdamW:
    """Return AdamW with the learning rate in a tensor; weight decay is on matrices only."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": hyperparameters.weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=rate.is_cuda and hyperparameters.replayed)


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy (nats) of logits (B, K) and target probabilities (B, K), weighted by class.

    ``targets`` are probabilities times class weights. With one-hot probabilities this is what
    ``torch.nn.functional.cross_entropy`` makes of label indices and a weight.
    """
    return -(targets * logits.log_softmax(-1)).sum() / targets.sum()


def learning_rate(step: int, n_steps: int, hyperparameters: Hyperparameters) -> float:
    """Return the learning rate of a step: it rises in equal parts over the warm-up, then falls to zero likewise."""
    n_warmup = round(hyperparameters.warmup_share * n_steps)
    share = (step + 1) / (n_warmup + 1) if step < n_warmup else (n_steps - step) / (n_steps - n_warmup)
    return hyperparameters.learning_rate * share
