"""Which rows each classifier of a task learns from: the training sources, the learning curve and the mixing curve."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from synthlib.settings import REAL_SOURCES, RELEASED_SETTINGS, SETTINGS
from synthlib.train import Run

MIXED = ("zero_shot", "attributed")


def plan_runs(
    real: pd.DataFrame,
    corpus: pd.DataFrame,
    *,
    sources: Iterable[str],
    curve_sizes: Iterable[int],
    mixing_sizes: Iterable[int],
    n_seeds: int,
    seed: int,
) -> tuple[pd.DataFrame, list[Run]]:
    """Return every classifier that a task needs.

    Rows are counted over the real training rows followed by the synthetic ones. Within a seed, smaller draws are part
    of larger ones, and all classifiers of a seed start from the same weights.

    Parameters
    ----------
    real : DataFrame
        Real training rows: label, pool.
    corpus : DataFrame
        Synthetic rows: label, setting.
    sources : iterable of str
        Training sources of the main comparison.
    curve_sizes : iterable of int
        Rows per label of the learning curves (real and each setting of the corpus).
    mixing_sizes : iterable of int
        Real rows per label that are added to zero-shot and attributed texts, and that are used alone; not used where
        the corpus has neither.

    Returns
    -------
    plan : DataFrame, one row per classifier
        experiment (main, learning, mixing), source, n_per_label (main: NaN), n_real, n_synthetic, n_train, seed, and
        ``run``: which of ``runs`` it is.
    runs : list of Run
        Each once, though the plan may name it twice (25 real texts per label are on the learning and the mixing curve).

    Raises
    ------
    ValueError
        A source takes texts of a setting that the corpus does not have.
    """
    sources, mixing_sizes, given = list(sources), list(mixing_sizes), set(corpus["setting"])
    for source in sources:
        if absent := [part for part in source.split("+") if part not in (*REAL_SOURCES, *given)]:
            raise ValueError(f"source {source!r} needs texts of {absent}; the corpus has {sorted(given)}")
    learning = ("real", *(setting for setting in SETTINGS if setting in given))
    mixing_sizes = mixing_sizes if given & set(MIXED) else []
    plan, runs, known = [], [], {}
    for seed_number, seed_sequence in enumerate(np.random.SeedSequence(seed).spawn(n_seeds)):
        draws = _Draws(real, corpus, np.random.default_rng(seed_sequence))
        run_seed = int(seed_sequence.generate_state(1)[0])
        wanted = [("main", source, None, draws.source(source)) for source in sources]
        wanted += [("learning", s, n, draws.take(s, n)) for s in learning for n in curve_sizes]
        wanted += [
            ("mixing", source, n, rows)
            for n in mixing_sizes
            for source, rows in (("real", draws.take("real", n)), ("real+synthetic", draws.mix(n)))
            if len(rows)
        ]
        for experiment, source, n_per_label, rows in wanted:
            n_real = int((rows < len(real)).sum())
            row = {"experiment": experiment, "source": source, "n_per_label": n_per_label, "seed": seed_number}
            row |= {"n_real": n_real, "n_synthetic": len(rows) - n_real, "n_train": len(rows)}
            run = known.setdefault((seed_number, rows.tobytes()), len(runs))
            if run == len(runs):
                runs.append(Run(rows, run_seed))
            plan.append(row | {"run": run})
    return pd.DataFrame(plan), runs


class _Draws:
    """One seed's shuffled order of the rows of every label, real and by setting, from which all sizes are taken."""

    def __init__(self, real: pd.DataFrame, corpus: pd.DataFrame, rng: np.random.Generator) -> None:
        self.pool = np.flatnonzero(real["pool"])
        self.real = np.arange(len(real))
        self.synthetic = {
            setting: len(real) + np.flatnonzero(corpus["setting"] == setting)
            for setting in sorted(set(corpus["setting"]), key=lambda name: (name not in RELEASED_SETTINGS, name))
        }
        labels = np.concatenate([real["label"], corpus["label"]])
        self.order = {
            name: [rng.permutation(rows[labels[rows] == label]) for label in sorted(set(real["label"]))]
            for name, rows in {"real": self.real, **self.synthetic}.items()
        }

    def take(self, name: str, n_per_label: int) -> np.ndarray:
        """Return the first rows of every label, all where there are fewer."""
        return np.sort(np.concatenate([rows[:n_per_label] for rows in self.order[name]]))

    def mix(self, n_per_label: int) -> np.ndarray:
        """Return so many real rows per label, and all texts of the mixed settings."""
        mixed = [self.synthetic[setting] for setting in MIXED if setting in self.synthetic]
        return np.concatenate([self.take("real", n_per_label), *mixed])

    def source(self, name: str) -> np.ndarray:
        """Return the rows of a training source; ``real_matched`` has as many a label as one synthetic setting."""
        return np.concatenate([self._part(part) for part in name.split("+")])

    def _part(self, name: str) -> np.ndarray:
        if name == "real_matched":
            n_synthetic = max(len(rows) for setting in self.synthetic for rows in self.order[setting])
            return self.take("real", n_synthetic)
        return {"real": self.real, "pool": self.pool, **self.synthetic}[name]
