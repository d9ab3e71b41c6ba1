"""What a fine-tuning leaves on disk, so that after a kill it goes on exactly where it stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from synthlib.files import replacing
from synthlib.train import Run
from synthlib.training.steps import Step
from synthlib.training.tokens import Tokens

FORMAT = 4  # of checkpoints: raised when the same run gives other numbers (another loop, other draws of dropout)
SAVE_SECONDS = 120.0  # the run under way is written at most so often


class State:
    """Where a run stands: all that its next step depends on.

    Attributes
    ----------
    losses : Tensor of float32, shape (n_steps,), on the device
        Of the steps taken; NaN for those to come.
    seconds : Tensor of float64, shape (n_steps,), on the host
        From the beginning of the run to each step's end.
    watched_f1, held_out_loss : Tensor of float64, shape (n_steps,), on the host
        After a step: Macro-F1 on the watched texts, and loss (nats) on the held-out rows; NaN where not asked.
    best : dict of Tensor
        The weights of the epoch with the lowest ``held_out_loss``; empty before there is one.
    step : int
        Steps taken; the epoch, its batches and the learning rate follow from it.
    """

    def __init__(self, model: torch.nn.Module, stepper: Step, n_steps: int, device: torch.device) -> None:
        self.model, self.stepper, self.step = model, stepper, 0
        self.losses = torch.full((n_steps,), torch.nan, device=device)
        self.seconds = torch.zeros(n_steps, dtype=torch.float64)
        self.watched_f1, self.held_out_loss = torch.full((2, n_steps), torch.nan, dtype=torch.float64)
        self.best: dict[str, torch.Tensor] = {}

    def note_held_out(self, loss: float) -> None:
        """Take down the loss on the held-out rows after an epoch, and the weights if they are the best so far."""
        before = self.held_out_loss[~self.held_out_loss.isnan()]
        if not len(before) or loss < before.min():
            self.best = {name: weight.clone() for name, weight in self.model.state_dict().items()}
        self.held_out_loss[self.step - 1] = loss

    def count_idle_epochs(self) -> int:
        """Return the epochs since the one with the lowest loss on the held-out rows; 0 where none is held out."""
        known = self.held_out_loss[~self.held_out_loss.isnan()]
        return len(known) - 1 - int(known.argmin()) if len(known) else 0

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and numbers that :meth:`load_state_dict` takes, the random generators among them."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.stepper.optimizer.state_dict(),
            "losses": self.losses,
            "seconds": self.seconds,
            "watched_f1": self.watched_f1.clone(),
            "held_out_loss": self.held_out_loss.clone(),
            "best": self.best,
            "step": self.step,
            "rng": torch.get_rng_state(),
            "rng_cuda": torch.cuda.get_rng_state() if self.losses.is_cuda else None,
        }

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Go back to where :meth:`state_dict` was called."""
        self.model.load_state_dict(values["model"])
        self.stepper.load_state_dict(values["optimizer"])
        self.losses.copy_(values["losses"])
        for name in ("seconds", "watched_f1", "held_out_loss"):
            getattr(self, name).copy_(values[name])
        self.best = values["best"]
        self.step = values["step"]
        torch.set_rng_state(values["rng"])
        if self.losses.is_cuda:
            torch.cuda.set_rng_state(values["rng_cuda"])


def describe(
    hyperparameters: Any,
    encoder: str,
    texts: Tokens,
    test_texts: Tokens,
    targets: np.ndarray,
    runs: Sequence[Run],
    watched: tuple[Tokens, np.ndarray] | None,
) -> dict[str, Any]:
    """Return what decides the result of a fine-tuning: :data:`FORMAT`, its hyperparameters, and hashes of all else."""
    drawn = [array for run in runs for array in (run.rows, np.array([len(run.rows), run.seed]))]
    return {
        "format": FORMAT,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in asdict(hyperparameters).items()},
        "encoder_sha256": encoder,
        "texts_sha256": _hash(texts.ids, texts.lengths),
        "test_texts_sha256": _hash(test_texts.ids, test_texts.lengths),
        "labels_sha256": _hash(targets),
        "runs_sha256": _hash(*drawn),
        "watched_sha256": _hash(watched[0].ids, watched[0].lengths, watched[1]) if watched else None,
    }


class Checkpoint:
    """A folder of finished runs and of the one under way; with no folder nothing is read or written.

    Raises
    ------
    ValueError
        The folder is of another configuration; the message says in what it differs.
    """

    def __init__(self, folder: str | Path | None, configuration: dict[str, Any]) -> None:
        self.folder = None if folder is None else Path(folder)
        self.saved = time.monotonic()
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "configuration.json"
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            differing = [name for name, value in configuration.items() if before.get(name) != value]
            if differing:
                changes = "; ".join(f"{name} {before.get(name)!r}, not {configuration[name]!r}" for name in differing)
                raise ValueError(f"checkpoint {folder} is of another configuration: {changes}; name another folder")
        _write(path, lambda file: file.write(json.dumps(configuration, indent=1).encode()))

    def read_result(self, number: int) -> tuple[np.ndarray, pd.DataFrame] | None:
        """Return the probabilities (T, K) and the history of a finished run; None if it is not finished."""
        path = self._path(number, "npz")
        if path is None or not path.is_file():
            return None
        with np.load(path) as values:
            history = pd.DataFrame({name: values[name] for name in values.files if name != "probabilities"})
            return values["probabilities"], history

    def write_result(self, number: int, probabilities: np.ndarray, history: pd.DataFrame) -> None:
        """Keep a finished run; its state is no longer needed."""
        if (path := self._path(number, "npz")) is not None:
            columns = {name: history[name].to_numpy() for name in history}
            _write(path, lambda file: np.savez(file, probabilities=probabilities, **columns))
            self._path(number, "pt").unlink(missing_ok=True)

    def read_state(self, number: int, state: State) -> None:
        """Bring a run to where it was last written, if it was."""
        if (path := self._path(number, "pt")) is not None and path.is_file():
            state.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    def write_state(self, number: int, state: State) -> None:
        """Keep where a run stands, if that was not done for :data:`SAVE_SECONDS`."""
        path = self._path(number, "pt")
        if path is not None and time.monotonic() - self.saved >= SAVE_SECONDS:
            _write(path, lambda file: torch.save(state.state_dict(), file))
            self.saved = time.monotonic()

    def _path(self, number: int, suffix: str) -> Path | None:
        return None if self.folder is None else self.folder / f"run-{number:04d}.{suffix}"


def _write(path: Path, write: Callable[[Any], Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        write(file)


def _hash(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
