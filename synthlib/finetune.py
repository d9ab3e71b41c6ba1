"""Fine-tuning: an encoder and a hidden layer on top, trained together on texts.

The classifier is the study's (Li et al. 2023, section 4): the encoder's last-layer representation, one hidden layer,
one output a label. Texts are tokenised once and stay on the device; batches hold texts of like length
(:mod:`synthlib.tokens`); losses are read at the end of an epoch, so that the device never waits for Python.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from synthlib.checkpoint import Checkpoint, State, describe
from synthlib.classifier import Classifier, TextsOnDevice, all_rows, autocast, use_rows
from synthlib.dropout import use_fast_dropout
from synthlib.encode import Encoder, load_encoder
from synthlib.steps import Settings, learning_rate, make_step
from synthlib.tokens import STEP, Tokens, draw_batches, tokenize
from synthlib.train import Run

PREDICTION_BATCH = {"cpu": 64, "cuda": 512}


def fit_predict_texts(
    texts: Sequence[str],
    labels: np.ndarray,
    runs: Sequence[Run],
    test_texts: Sequence[str],
    *,
    n_labels: int,
    settings: Settings,
    progress: str | None = None,
    checkpoint: str | Path | None = None,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the test probabilities and the history of one fine-tuned classifier a run.

    Parameters
    ----------
    texts : sequence of str, length N
        All training texts of all sources.
    labels : ndarray of int, shape (N,), or of float, shape (N, K)
        Label indices, 0 to K - 1, or the probability of every label.
    runs : sequence of Run, length M
        Which rows each classifier learns from, and the seed of its weights, batches and dropout.
    test_texts : sequence of str, length T
        Texts to predict.
    n_labels : int
        K.
    progress : str, optional
        Title of a progress bar over training texts; None shows none.
    checkpoint : path, optional
        Folder that keeps finished runs and the one under way. Called again after a kill, the function goes on where it
        stopped, and returns what an uninterrupted call returns.

    Returns
    -------
    probabilities : ndarray of float32, shape (M, T, K)
        In the order of ``runs`` and ``test_texts``.
    history : DataFrame, one row a step
        run, step, epoch (each from 0), loss (nats), learning_rate, seconds (since the run began).

    Raises
    ------
    ValueError
        A text is blank, a label is bad or missing from a run, or the checkpoint is of another configuration.
    FloatingPointError
        A loss is not finite; the message says in which run and step, and what to try.
    MemoryError
        The device has too little memory; the message says what to lower.
    """
    targets = _as_probabilities(labels, n_labels)
    _check_runs(targets, runs, settings.class_weights)
    encoder = load_encoder(settings.encoder, settings.device)
    tokens, test_tokens = (tokenize_checked(part, encoder, settings) for part in (texts, test_texts))
    kept = Checkpoint(checkpoint, describe(settings, encoder.sha256, tokens, test_tokens, targets, runs))
    n_seen = np.cumsum([len(run.rows) * settings.count_steps(len(run.rows))[0] for run in runs])
    results = []
    bar = tqdm(total=int(n_seen[-1]), desc=progress, unit="text", mininterval=2, disable=progress is None)
    with bar, _advice(settings), torch.random.fork_rng():  # the caller's random numbers are left alone
        tuner = FineTuner(encoder, tokens, targets, settings)
        for number, run in enumerate(runs):
            result = kept.read_result(number)
            if result is None:
                history = tuner.fit(run, number=number, kept=kept, bar=bar)
                result = tuner.predict_tokens(test_tokens), history
                kept.write_result(number, *result)
            bar.update(int(n_seen[number]) - bar.n)
            results.append(result)
    probabilities, histories = zip(*results, strict=True)
    return np.stack(probabilities), pd.concat(histories, ignore_index=True)


class FineTuner:
    """A classifier that is trained anew for every run, and asked afterwards.

    Parameters
    ----------
    tokens : Tokens of N texts
        All training texts of all runs.
    targets : ndarray of float32, shape (N, K)
        The probability of every label.
    """

    def __init__(self, encoder: Encoder, tokens: Tokens, targets: np.ndarray, settings: Settings) -> None:
        self.encoder, self.tokens, self.settings = encoder, tokens, settings
        self.device = encoder.device
        self.model = Classifier(encoder, settings.pooling, settings.hidden_units, targets.shape[1])
        use_rows(self.model.encoder, tokens.ids)
        if self.device.type == "cpu":
            use_fast_dropout(self.model.encoder, in_attention=self.model.masked)
        self.untrained = {name: weight.clone() for name, weight in self.model.encoder.state_dict().items()}
        weighted = targets * np.float32(settings.class_weights or 1)
        self.step = make_step(self.model, TextsOnDevice(tokens, self.device, weighted), settings)

    def fit(self, run: Run, *, number: int, kept: Checkpoint, bar: tqdm) -> pd.DataFrame:
        """Train on the rows of a run from its seed, and return its history; see :func:`fit_predict_texts`."""
        n_epochs, n_batches = self.settings.count_steps(len(run.rows))
        n_steps = n_epochs * n_batches
        rates = [learning_rate(step, n_steps, self.settings) for step in range(n_steps)]
        self._restart(run.seed)
        state = State(self.model, self.step, n_steps, self.device)
        kept.read_state(number, state)
        start = time.perf_counter() - state.seconds.max().item()
        while state.step < n_steps:
            for rows in self._batches(run, state.step, n_batches):
                state.losses[state.step] = self.step(rows, rates[state.step])
                state.seconds[state.step] = time.perf_counter() - start
                state.step += 1
                kept.write_state(number, state)
                bar.update(len(rows))
            losses = state.losses[: state.step].cpu().numpy()  # here the device is waited for: once an epoch
            _check_losses(losses, number, self.settings)
            bar.set_postfix(loss=f"{losses[-n_batches:].mean():.3f}")
        steps = np.arange(n_steps)
        losses = state.losses.cpu().numpy()
        columns = {"run": number, "step": steps, "epoch": steps // n_batches, "loss": losses}
        return pd.DataFrame(columns | {"learning_rate": rates, "seconds": state.seconds.numpy()})

    def _restart(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.model.encoder.load_state_dict(self.untrained)
        self.model.hidden.reset_parameters()
        self.model.output.reset_parameters()
        self.model.train()
        self.step.restart()

    def _batches(self, run: Run, step: int, n_batches: int) -> list[np.ndarray]:
        """Return the batches of the epoch of a step, from that step on."""
        epoch, n_taken = divmod(step, n_batches)
        rng = np.random.default_rng([run.seed, epoch])
        batches = draw_batches(run.rows, self.tokens.widths, batch_size=self.settings.batch_size, rng=rng)
        return batches[n_taken:]

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probabilities (T, K) of texts, in the order given."""
        return self.predict_tokens(tokenize_checked(texts, self.encoder, self.settings))

    @torch.inference_mode()
    def predict_tokens(self, tokens: Tokens) -> np.ndarray:
        """Return the probabilities (T, K) of tokenised texts in their order; they are batched by length."""
        self.model.eval()
        texts = TextsOnDevice(tokens, self.device)
        order = np.argsort(tokens.widths, kind="stable")
        batch_size = PREDICTION_BATCH[self.device.type]
        parts = []
        with all_rows(self.model.encoder), autocast(self.device, self.settings.precision):
            for start in range(0, len(order), batch_size):
                ids, mask, _ = texts.take(*texts.locate(order[start : start + batch_size]))  # (B, W), (B, W)
                parts.append(self.model(ids, mask).float().softmax(-1))  # (B, K)
        probabilities = np.empty((len(order), self.model.output.out_features), dtype=np.float32)
        if parts:
            probabilities[order] = torch.cat(parts).cpu().numpy()
        return probabilities


def tokenize_checked(texts: Sequence[str], encoder: Encoder, settings: Settings) -> Tokens:
    """Return the token numbers of texts for an encoder; ValueError if it cannot read ``max_length`` tokens."""
    positions = getattr(encoder.model.config, "max_position_embeddings", None) or settings.max_length
    most = min(positions, encoder.tokenizer.model_max_length)
    if settings.max_length > most:
        raise ValueError(f"max_length {settings.max_length} is more than the {most} tokens that {encoder.name} reads")
    return tokenize(texts, encoder.tokenizer, max_length=settings.max_length, step=STEP[encoder.device.type])


def _as_probabilities(labels: np.ndarray, n_labels: int) -> np.ndarray:
    """Return labels as probabilities, shape (N, K)."""
    labels = np.asarray(labels)
    if n_labels < 2:
        raise ValueError(f"{n_labels} label(s): a classifier needs two or more")
    if labels.ndim == 1:
        bad = sorted(set(labels.tolist()) - set(range(n_labels)))
        if bad:
            raise ValueError(f"label(s) {bad[:5]} are not of 0..{n_labels - 1}")
        return np.eye(n_labels, dtype=np.float32)[labels.astype(int)]
    bad = ~((labels >= 0).all(1) & np.isclose(labels.sum(1), 1, atol=1e-3))
    if labels.shape[1] != n_labels or bad.any():
        raise ValueError(f"soft labels must be {n_labels} probabilities a text; row {bad.argmax()} is no such")
    return labels.astype(np.float32)


def _check_runs(targets: np.ndarray, runs: Sequence[Run], class_weights: tuple[float, ...] | None) -> None:
    if not runs:
        raise ValueError("no runs to train")
    if class_weights and len(class_weights) != targets.shape[1]:
        raise ValueError(f"{len(class_weights)} class_weights for {targets.shape[1]} labels")
    for number, run in enumerate(runs):
        missing = np.flatnonzero(targets[run.rows].sum(0) == 0).tolist()
        if missing:
            raise ValueError(
                f"run {number} has {len(run.rows)} rows but none of label(s) {missing} of 0..{targets.shape[1] - 1}"
            )


def _check_losses(losses: np.ndarray, number: int, settings: Settings) -> None:
    if not np.isfinite(losses).all():
        step = int(np.argmax(~np.isfinite(losses)))
        raise FloatingPointError(
            f"loss of run {number} is {losses[step]} at step {step}; lower learning_rate ({settings.learning_rate:g}), "
            "raise warmup_share, or set precision to float32"
        )


@contextmanager
def _advice(settings: Settings) -> Iterator[None]:
    """Say what to lower where memory runs out."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; on a processor the message alone tells
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        raise MemoryError(
            f"{settings.device} is out of memory; lower batch_size ({settings.batch_size}) or max_length "
            f"({settings.max_length}), or take a smaller encoder; finished runs are kept where checkpoint is set"
        ) from error
