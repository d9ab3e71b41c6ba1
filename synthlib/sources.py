"""Which rows each classifier of a task learns from: the training sources, the learning curve and the mixing curve."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from synthlib.settings import REAL_SOURCES, RELEASED_SETTINGS, SETTINGS
from synthlib.train import Run

MIXED = ("zero_shot", "attributed")
ENOUGH = 0.9  # share of a curve's texts per label that every label must have: live.ask lets a tenth be missing


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
    of larger ones, and all classifiers of a seed start from the same weights. Of a source, sizes of a curve for which a
    label has fewer than 90 % of the texts are left out (:func:`say_left_out`).

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
    sources, curve_sizes, given = list(sources), list(curve_sizes), set(corpus["setting"])
    for source in sources:
        if absent := [part for part in source.split("+") if part not in (*REAL_SOURCES, *given)]:
            raise ValueError(f"source {source!r} needs texts of {absent}; the corpus has {sorted(given)}")
    learning = ("real", *(setting for setting in SETTINGS if setting in given))
    fewest = _count_fewest(real, corpus)
    mixing_sizes = [n for n in mixing_sizes if _has_enough(fewest["real"], n)] if given & set(MIXED) else []
    plan, runs, known = [], [], {}
    for seed_number, seed_sequence in enumerate(np.random.SeedSequence(seed).spawn(n_seeds)):
        draws = _Draws(real, corpus, np.random.default_rng(seed_sequence))
        run_seed = int(seed_sequence.generate_state(1)[0])
        wanted = [("main", source, None, draws.source(source)) for source in sources]
        fitting = [(s, n) for s in learning for n in curve_sizes if _has_enough(fewest[s], n)]
        wanted += [("learning", s, n, draws.take(s, n)) for s, n in fitting]
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


def say_left_out(
    real: pd.DataFrame, corpus: pd.DataFrame, *, curve_sizes: Iterable[int], mixing_sizes: Iterable[int]
) -> str:
    """Return which sizes :func:`plan_runs` leaves out of the curves, and why; empty if none."""
    fewest, curve_sizes, said = _count_fewest(real, corpus), list(curve_sizes), []
    wanted = [("learning", source, curve_sizes) for source in fewest]
    wanted += [("mixing", "real", list(mixing_sizes))] if fewest.keys() & set(MIXED) else []
    for curve, source, sizes in wanted:
        if beyond := [str(n) for n in sizes if not _has_enough(fewest[source], n)]:
            said.append(f"{', '.join(beyond)} of {source} ({curve} curve; a label has {fewest[source]})")
    return f"Sizes left out, as there are not so many texts per label: {'; '.join(said)}." if said else ""


def _count_fewest(real: pd.DataFrame, corpus: pd.DataFrame) -> dict[str, int]:
    """Return how many rows the scarcest label has, of the real rows and of each setting of the corpus."""
    labels, of_setting = sorted(set(real["label"])), dict(list(corpus.groupby("setting")["label"]))
    parts = {"real": real["label"], **{name: of_setting[name] for name in SETTINGS if name in of_setting}}
    return {name: int(part.value_counts().reindex(labels, fill_value=0).min()) for name, part in parts.items()}


def _has_enough(n_fewest: int, n_per_label: int) -> bool:
    return n_fewest >= ENOUGH * n_per_label


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
