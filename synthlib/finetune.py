"""Fine-tuning: an encoder and a hidden layer on top, trained together on texts.

The classifier is the study's (Li et al. 2023, section 4): the encoder's last-layer representation, one hidden layer,
one output per label. Texts are tokenised once and stay on the device; batches hold texts of like length
(:mod:`synthlib.training.tokens`); losses are read at the end of an epoch, so that the device never waits for Python.
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

from synthlib.encode import Encoder, load_encoder
from synthlib.metrics import macro_f1
from synthlib.train import Run
from synthlib.training.checkpoint import Checkpoint, State, describe
from synthlib.training.classifier import Classifier, TextsOnDevice, all_rows, autocast, use_rows
from synthlib.training.dropout import use_fast_dropout
from synthlib.training.steps import Hyperparameters, cross_entropy, learning_rate, make_step
from synthlib.training.targets import as_probabilities, check_runs, hold_out
from synthlib.training.tokens import STEP, Tokens, draw_batches, tokenize

PREDICTION_BATCH = {"cpu": 32, "cuda": 512}  # texts; more fall out of a processor's cache where they are long


def fit_predict_texts(
    texts: Sequence[str],
    labels: np.ndarray,
    runs: Sequence[Run],
    test_texts: Sequence[str],
    *,
    n_labels: int,
    hyperparameters: Hyperparameters,
    progress: str | None = None,
    checkpoint: str | Path | None = None,
    watched: tuple[Sequence[str], np.ndarray] | None = None,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the test probabilities and the history of one fine-tuned classifier per run.

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
    watched : sequence of str and ndarray of int, optional
        Texts, and their label indices, for which every run is asked ``hyperparameters.watch_points`` times while it
        learns. Nothing is chosen by them: weights and predictions are those of a call without.

    Returns
    -------
    probabilities : ndarray of float32, shape (M, T, K)
        In the order of ``runs`` and ``test_texts``.
    history : DataFrame, one row per step
        run, step, epoch (each from 0), loss (nats), learning_rate, seconds (since the run began). With ``watch_points``
        also watched_f1 (Macro-F1), with ``patience`` held_out_loss (nats): after the step, NaN where not asked. A run
        that stopped early has the steps it took.

    Raises
    ------
    ValueError
        A text is blank, a label is bad or missing from a run, there are too few rows to hold any out, texts are to be
        watched but not given, or the checkpoint is of another configuration.
    FloatingPointError
        A loss is not finite; the message says in which run and step, and what to try.
    MemoryError
        The device has too little memory; the message says what to lower.
    """
    targets = as_probabilities(labels, n_labels)
    check_runs(targets, runs, hyperparameters.class_weights)
    encoder = load_encoder(hyperparameters.encoder, hyperparameters.device)
    tokens, test_tokens = (tokenize_checked(part, encoder, hyperparameters) for part in (texts, test_texts))
    looked_at = _tokenize_watched(watched, encoder, hyperparameters)
    kept = Checkpoint(
        checkpoint, describe(hyperparameters, encoder.sha256, tokens, test_tokens, targets, runs, looked_at)
    )
    n_seen = np.cumsum([len(run.rows) * hyperparameters.count_steps(len(run.rows))[0] for run in runs])
    results = []
    bar = tqdm(total=int(n_seen[-1]), desc=progress, unit="text", mininterval=2, disable=progress is None)
    with bar, _advice(hyperparameters), torch.random.fork_rng():  # the caller's random numbers are left alone
        tuner = FineTuner(encoder, tokens, targets, hyperparameters, looked_at)
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
    watched : Tokens of V texts and ndarray of int, shape (V,), optional
        See :func:`fit_predict_texts`.
    """

    def __init__(
        self,
        encoder: Encoder,
        tokens: Tokens,
        targets: np.ndarray,
        hyperparameters: Hyperparameters,
        watched: tuple[Tokens, np.ndarray] | None = None,
    ) -> None:
        self.encoder, self.tokens, self.hyperparameters, self.watched = encoder, tokens, hyperparameters, watched
        self.device = encoder.device
        self.model = Classifier(encoder, hyperparameters.pooling, hyperparameters.hidden_units, targets.shape[1])
        use_rows(self.model.encoder, tokens.ids)
        if self.device.type == "cpu":
            use_fast_dropout(self.model.encoder, in_attention=self.model.masked)
        self.untrained = {name: weight.clone() for name, weight in self.model.encoder.state_dict().items()}
        self.targets, self.weighted = targets, targets * np.float32(hyperparameters.class_weights or 1)  # both (N, K)
        self.step = make_step(self.model, TextsOnDevice(tokens, self.device, self.weighted), hyperparameters)

    def fit(self, run: Run, *, number: int, kept: Checkpoint, bar: tqdm) -> pd.DataFrame:
        """Train on the rows of a run from its seed, and return its history; see :func:`fit_predict_texts`."""
        hyperparameters, held_out = self.hyperparameters, None
        if hyperparameters.patience:
            rows, held_out = hold_out(run, self.targets, hyperparameters.held_out_share)
            run = Run(rows, run.seed)
        n_epochs, n_batches = hyperparameters.count_steps(len(run.rows))
        n_steps = n_epochs * n_batches
        rates = [learning_rate(step, n_steps, hyperparameters) for step in range(n_steps)]
        points = hyperparameters.find_watch_points(n_steps)
        self._restart(run.seed)
        state = State(self.model, self.step, n_steps, self.device)
        kept.read_state(number, state)
        start = time.perf_counter() - state.seconds.max().item()
        while state.step < n_steps and not (
            held_out is not None and state.count_idle_epochs() >= hyperparameters.patience
        ):
            for rows in self._batches(run, state.step, n_batches):
                state.losses[state.step] = self.step(rows, rates[state.step])
                state.seconds[state.step] = time.perf_counter() - start
                state.step += 1
                if state.step in points:
                    state.watched_f1[state.step - 1] = self._score_watched()
                if held_out is not None and state.step % n_batches == 0:
                    state.note_held_out(self._loss_of(held_out))
                kept.write_state(number, state)
                bar.update(len(rows))
            losses = state.losses[: state.step].cpu().numpy()  # here the device is waited for: once an epoch
            _check_losses(losses, number, hyperparameters)
            bar.set_postfix(loss=f"{losses[-n_batches:].mean():.3f}")
        if state.best:
            self.model.load_state_dict(state.best)
        return self._tabulate(state, number, n_batches, rates)

    def _tabulate(self, state: State, number: int, n_batches: int, rates: list[float]) -> pd.DataFrame:
        steps = np.arange(state.step)
        columns = {"run": number, "step": steps, "epoch": steps // n_batches}
        columns |= {"loss": state.losses[: state.step].cpu().numpy(), "learning_rate": rates[: state.step]}
        columns["seconds"] = state.seconds[: state.step].numpy()
        if self.hyperparameters.watch_points:
            columns["watched_f1"] = state.watched_f1[: state.step].numpy()
        if self.hyperparameters.patience:
            columns["held_out_loss"] = state.held_out_loss[: state.step].numpy()
        return pd.DataFrame(columns)

    def _score_watched(self) -> float:
        """Return Macro-F1 on the watched texts; training goes on as if nothing had been asked."""
        tokens, labels = self.watched
        predicted = self.predict_tokens(tokens).argmax(-1)
        self.model.train()
        return float(macro_f1(labels, predicted, n_labels=self.targets.shape[1]))

    def _loss_of(self, rows: np.ndarray) -> float:
        """Return the loss (nats) on some of the training texts, without dropout; training goes on as before."""
        logits = self._ask(self.tokens.take(rows))
        self.model.train()
        return cross_entropy(logits, torch.from_numpy(self.weighted[rows])).item()

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
        batches = draw_batches(run.rows, self.tokens.widths, batch_size=self.hyperparameters.batch_size, rng=rng)
        return batches[n_taken:]

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probabilities (T, K) of texts, in the order given."""
        return self.predict_tokens(tokenize_checked(texts, self.encoder, self.hyperparameters))

    def predict_tokens(self, tokens: Tokens) -> np.ndarray:
        """Return the probabilities (T, K) of tokenised texts in their order."""
        return self._ask(tokens).softmax(-1).numpy()

    @torch.inference_mode()
    def _ask(self, tokens: Tokens) -> torch.Tensor:
        """Return the logits (T, K), on the host, of tokenised texts in their order; they are batched by length."""
        self.model.eval()
        texts = TextsOnDevice(tokens, self.device)
        order = np.argsort(tokens.widths, kind="stable")
        batch_size = PREDICTION_BATCH[self.device.type]
        logits = torch.empty(len(order), self.model.output.out_features, device=self.device)
        with all_rows(self.model.encoder), autocast(self.device, self.hyperparameters.precision):
            for start in range(0, len(order), batch_size):
                index, width = texts.locate(order[start : start + batch_size])
                ids, mask, _ = texts.take(index, width)  # (B, W), (B, W)
                logits[index] = self.model(ids, mask).float()  # (B, K)
        return logits.cpu()


def tokenize_checked(texts: Sequence[str], encoder: Encoder, hyperparameters: Hyperparameters) -> Tokens:
    """Return the token numbers of texts for an encoder; ValueError if it cannot read ``max_length`` tokens."""
    positions = getattr(encoder.model.config, "max_position_embeddings", None) or hyperparameters.max_length
    most = min(positions, encoder.tokenizer.model_max_length)
    if hyperparameters.max_length > most:
        raise ValueError(
            f"max_length {hyperparameters.max_length} is more than the {most} tokens that {encoder.name} reads"
        )
    return tokenize(texts, encoder.tokenizer, max_length=hyperparameters.max_length, step=STEP[encoder.device.type])


def _tokenize_watched(
    watched: tuple[Sequence[str], np.ndarray] | None, encoder: Encoder, hyperparameters: Hyperparameters
) -> tuple[Tokens, np.ndarray] | None:
    if not hyperparameters.watch_points:
        return None
    if watched is None or not len(watched[0]):
        raise ValueError(
            f"watch_points is {hyperparameters.watch_points}, but no texts to watch are given; give some, or 0"
        )
    return tokenize_checked(watched[0], encoder, hyperparameters), np.asarray(watched[1])


def _check_losses(losses: np.ndarray, number: int, hyperparameters: Hyperparameters) -> None:
    if not np.isfinite(losses).all():
        step = int(np.argmax(~np.isfinite(losses)))
        raise FloatingPointError(
            f"loss of run {number} is {losses[step]} at step {step}; lower learning_rate "
            f"({hyperparameters.learning_rate:g}), raise warmup_share, or set precision to float32"
        )


@contextmanager
def _advice(hyperparameters: Hyperparameters) -> Iterator[None]:
    """Say what to lower where memory runs out."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; on a processor the message alone tells
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        raise MemoryError(
            f"{hyperparameters.device} is out of memory; lower batch_size ({hyperparameters.batch_size}) or max_length "
            f"({hyperparameters.max_length}), or take a smaller encoder; finished runs are kept where checkpoint is set"
        ) from error
