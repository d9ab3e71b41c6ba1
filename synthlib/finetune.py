"""Fine-tuning: an encoder and a hidden layer on top, trained together on texts.

The classifier is the study's (Li et al. 2023, section 4): the encoder's last-layer representation, one hidden layer,
one output a label. Texts are tokenised once and stay on the device; batches hold texts of like length
(:mod:`synthlib.tokens`); losses are read at the end of an epoch, so that the device never waits for Python.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from synthlib.checkpoint import Checkpoint, State, describe
from synthlib.classifier import Classifier, TextsOnDevice, autocast, only_used_rows
from synthlib.encode import Encoder, load_encoder
from synthlib.tokens import Tokens, draw_batches, tokenize
from synthlib.train import Run

PREDICTION_BATCH = 128


@dataclass(frozen=True)
class Settings:
    """How classifiers are fine-tuned; the same for every run of a call.

    Attributes
    ----------
    encoder : str
        As for :func:`synthlib.encode.load_encoder`.
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

    def count_steps(self, n_rows: int) -> tuple[int, int]:
        """Return the epochs of a run of ``n_rows`` texts, and the steps of each."""
        n_batches = -(-n_rows // self.batch_size)
        return max(self.n_epochs, -(-self.min_steps // n_batches)), n_batches


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
    _check_runs(targets, runs)
    encoder = load_encoder(settings.encoder, settings.device)
    tokens, test_tokens = (_tokenize(part, encoder, settings) for part in (texts, test_texts))
    kept = Checkpoint(checkpoint, describe(settings, encoder.sha256, tokens, test_tokens, targets, runs))
    results = []
    n_seen = [len(run.rows) * settings.count_steps(len(run.rows))[0] for run in runs]
    with tqdm(total=sum(n_seen), desc=progress, unit="text", disable=progress is None) as bar, _advice(settings):
        for number, run in enumerate(runs):
            result = kept.read_result(number)
            if result is None:
                with torch.random.fork_rng():
                    torch.manual_seed(run.seed)
                    model = Classifier(encoder, settings.pooling, settings.hidden_units, n_labels)
                    history = fit(model, tokens, targets, run, settings=settings, number=number, kept=kept, bar=bar)
                result = predict_tokens(model, test_tokens, settings=settings), history
                kept.write_result(number, *result)
            bar.update(sum(n_seen[: number + 1]) - bar.n)
            results.append(result)
    return np.stack([probabilities for probabilities, _ in results]), pd.concat(
        [h for _, h in results], ignore_index=True
    )


def fit(
    model: Classifier,
    tokens: Tokens,
    targets: np.ndarray,
    run: Run,
    *,
    settings: Settings,
    number: int,
    kept: Checkpoint,
    bar: tqdm,
) -> pd.DataFrame:
    """Train a classifier on the rows of run ``number`` and return its history; see :func:`fit_predict_texts`."""
    device = next(model.parameters()).device
    texts = TextsOnDevice(tokens, device, targets * np.float32(settings.class_weights or 1))
    n_epochs, n_batches = settings.count_steps(len(run.rows))
    n_steps = n_epochs * n_batches
    learning_rates = [learning_rate(step, n_steps, settings) for step in range(n_steps)]
    with only_used_rows(model.encoder, tokens.ids[run.rows]):
        state = State(model, make_optimizer(model, settings), n_steps, device)
        kept.read_state(number, state)
        start = time.perf_counter() - state.seconds.max().item()
        model.train()
        while state.step < n_steps:
            epoch, n_taken = divmod(state.step, n_batches)
            rng = np.random.default_rng([run.seed, epoch])
            batches = draw_batches(run.rows, tokens.widths, batch_size=settings.batch_size, rng=rng)
            for n_rows in take_steps(state, batches[n_taken:], texts, learning_rates, settings):
                state.seconds[state.step - 1] = time.perf_counter() - start
                kept.write_state(number, state)
                bar.update(n_rows)
            losses = state.losses[: state.step].cpu().numpy()
            _check_losses(losses, number, settings)
            bar.set_postfix(loss=f"{losses[-n_batches:].mean():.3f}")
    steps = np.arange(n_steps)
    columns = {"run": number, "step": steps, "epoch": steps // n_batches, "loss": losses}
    return pd.DataFrame(columns | {"learning_rate": learning_rates, "seconds": state.seconds.numpy()})


def take_steps(
    state: State, batches: list[np.ndarray], texts: TextsOnDevice, learning_rates: list[float], settings: Settings
) -> Iterator[int]:
    """Take one optimiser step a batch, and yield the number of its texts after each."""
    model, optimizer = state.model, state.optimizer
    for rows in batches:
        ids, mask, targets = texts.take(rows)  # (B, W), (B, W), (B, K)
        with autocast(ids.device, settings.precision):
            logits = model(ids, mask)  # (B, K)
        loss = cross_entropy(logits.float(), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = learning_rates[state.step]
        optimizer.step()
        optimizer.zero_grad()
        state.losses[state.step] = loss.detach()
        state.step += 1
        yield len(rows)


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy (nats) of logits (B, K) and target probabilities (B, K), weighted by class.

    ``targets`` are probabilities times class weights. With one-hot probabilities this is what
    ``torch.nn.functional.cross_entropy`` makes of label indices and a weight.
    """
    return -(targets * logits.log_softmax(-1)).sum() / targets.sum()


def learning_rate(step: int, n_steps: int, settings: Settings) -> float:
    """Return the learning rate of a step: it rises in equal parts over the warm-up, then falls to zero likewise."""
    n_warmup = round(settings.warmup_share * n_steps)
    share = (step + 1) / (n_warmup + 1) if step < n_warmup else (n_steps - step) / (n_steps - n_warmup)
    return settings.learning_rate * share


def make_optimizer(model: Classifier, settings: Settings) -> torch.optim.AdamW:
    """Return AdamW; weight decay is on matrices only."""
    weights = [w for w in model.parameters() if w.requires_grad]
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


@torch.inference_mode()
def predict_tokens(model: Classifier, tokens: Tokens, *, settings: Settings) -> np.ndarray:
    """Return the probabilities (T, K) of tokenised texts, in their order; they are batched by length."""
    model.eval()
    texts = TextsOnDevice(tokens, next(model.parameters()).device)
    order = np.argsort(tokens.widths, kind="stable")
    parts = []
    for start in range(0, len(order), PREDICTION_BATCH):
        ids, mask, _ = texts.take(order[start : start + PREDICTION_BATCH])
        with autocast(ids.device, settings.precision):
            logits = model(ids, mask)
        parts.append(logits.float().softmax(-1))  # (B, K)
    probabilities = np.empty((len(order), model.output.out_features), dtype=np.float32)
    if parts:
        probabilities[order] = torch.cat(parts).cpu().numpy()
    return probabilities


def predict(model: Classifier, texts: Sequence[str], encoder: Encoder, *, settings: Settings) -> np.ndarray:
    """Return the probabilities (T, K) of texts, in the order given."""
    return predict_tokens(model, _tokenize(texts, encoder, settings), settings=settings)


def _tokenize(texts: Sequence[str], encoder: Encoder, settings: Settings) -> Tokens:
    positions = getattr(encoder.model.config, "max_position_embeddings", None) or settings.max_length
    most = min(positions, encoder.tokenizer.model_max_length)
    if settings.max_length > most:
        raise ValueError(f"max_length {settings.max_length} is more than the {most} tokens that {encoder.name} reads")
    return tokenize(texts, encoder.tokenizer, max_length=settings.max_length)


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


def _check_runs(targets: np.ndarray, runs: Sequence[Run]) -> None:
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
