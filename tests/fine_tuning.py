"""Small fine-tunings for tests: texts that a few words tell apart, hyperparameters of seconds, a kill at a step."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from tiny_encoder import write_tiny_encoder

from synthlib.finetune import Hyperparameters, fit_predict_texts
from synthlib.train import Run

ANIMALS = ("cat", "dog")


def make_texts(n, seed=0):
    """Return texts of 3 to 40 words and their label: which of two words they hold."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    words = [rng.choice(["a", "the", "sat", "on", "mat", "and"], rng.integers(2, 40)).tolist() for _ in range(n)]
    return [" ".join([*w[:3], ANIMALS[y], *w[3:]]) for w, y in zip(words, labels, strict=True)], labels


TEXTS, LABELS = make_texts(96)
RUNS = [Run(np.arange(96), 1)]


def make_hyperparameters(folder: Path) -> Hyperparameters:
    """Return hyperparameters of an encoder that is written into ``folder``."""
    return Hyperparameters(
        encoder=write_tiny_encoder(folder),
        pooling="mean",
        hidden_units=16,
        learning_rate=0.005,
        batch_size=16,
        n_epochs=3,
        min_steps=0,
        warmup_share=0.1,
        max_grad_norm=1.0,
        max_length=64,
        weight_decay=0.01,
        device="cpu",
        precision="float32",
    )


def run(hyperparameters, texts=TEXTS, labels=LABELS, runs=RUNS, test=TEXTS[:40], n_labels=2, **changes):
    where = {name: changes.pop(name) for name in ("checkpoint", "progress", "watched") if name in changes}
    hyperparameters = dataclasses.replace(hyperparameters, **changes)
    return fit_predict_texts(texts, labels, runs, test, n_labels=n_labels, hyperparameters=hyperparameters, **where)


def interrupt(monkeypatch, at):
    """Let the optimiser's step number ``at`` raise, as Ctrl-C would; return what undoes it."""
    real, count = torch.optim.AdamW.step, [0]

    def step(self, *arguments):
        count[0] += 1
        if count[0] == at:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
