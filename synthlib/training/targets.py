"""What classifiers learn from: labels as probabilities, runs that have every label, rows held out of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthlib.train import Run

HELD_OUT = 1  # names the random stream of held-out rows beside those of a run's batches


def as_probabilities(labels: np.ndarray, n_labels: int) -> np.ndarray:
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
        raise ValueError(f"soft labels must be {n_labels} probabilities per text; row {bad.argmax()} is no such")
    return labels.astype(np.float32)


def check_runs(targets: np.ndarray, runs: Sequence[Run], class_weights: tuple[float, ...] | None) -> None:
    """Raise ValueError if there are no runs, a run lacks a label, or a label lacks its weight."""
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


def hold_out(run: Run, targets: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that a run learns from, and those held out of them to decide when it stops.

    Of every label a ``share`` of the run's own rows, rounded, at most all but one; drawn from the run's seed.

    Parameters
    ----------
    targets : ndarray of float, shape (N, K)
        The probability of every label; a row counts as one of its likeliest.

    Raises
    ------
    ValueError
        The run has too few rows for any to be held out.

    Examples
    --------
    >>> labels = np.repeat([0, 1], [20, 10])
    >>> kept, held_out = hold_out(Run(np.arange(30), 1), np.eye(2)[labels], 0.2)
    >>> len(kept), labels[held_out].tolist()
    (24, [0, 0, 0, 0, 1, 1])
    """
    rng = np.random.default_rng([run.seed, 0, HELD_OUT])
    labels = targets[run.rows].argmax(1)
    held_out = np.zeros(len(run.rows), dtype=bool)
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        held_out[places[: min(round(share * len(places)), len(places) - 1)]] = True
    if not held_out.any():
        raise ValueError(
            f"a run has {len(run.rows)} rows, of which held_out_share {share:g} holds out none; raise it, or set "
            "patience to 0"
        )
    return run.rows[~held_out], run.rows[held_out]
