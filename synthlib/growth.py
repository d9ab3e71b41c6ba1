"""Learning while generating: what a classifier learns from a corpus as it grows, and when more of it teaches no more.

Every so many texts of a label, classifiers are trained on the texts so far and scored on real rows that are no test
rows. The rule: growth is flat once the gain in Macro-F1 over the last ``patience`` scorings is surely small, that is,
once the upper end of its interval is below ``min_gain``. Gains are differences within a seed; the interval is
Student's, over seeds. It does not cover the choice of the real rows: with few of them (a hundred, say) the rule may
err. A classifier too small or too briefly trained to learn anything looks flat as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from synthlib import features, metrics, train
from synthlib.asking import ledger
from synthlib.asking.ledger import say_usd
from synthlib.corpus import audits
from synthlib.corpus.markdown import table
from synthlib.draws import stream_of
from synthlib.features import FeatureTable
from synthlib.intervals import mean_interval
from synthlib.params import Generate
from synthlib.scoring import Scoring
from synthlib.tasks import Task

Ask = Callable[[Sequence[str], int], tuple[pd.DataFrame, pd.DataFrame]]
Tell = Callable[[dict[str, Any]], None]
COLUMNS = [
    "setting",
    "n_per_label",
    "rows",
    "cost_usd",
    "f1",
    "f1_low",
    "f1_high",
    "gain",
    "gain_low",
    "gain_high",
    "flat",
]


def pick_validation(real: FeatureTable, task: Task, seed: int) -> tuple[FeatureTable, bool]:
    """Return the real rows on which growth is scored, and whether they had to be taken from the training rows.

    A task with a validation split: its validation rows. Another one: up to 500 training rows outside the few-shot pool,
    drawn by the seed. They count among ``real`` training rows in other notebooks, which here only decide how many texts
    are asked for. Never test rows.

    Raises
    ------
    ValueError
        A label has no such row.
    """
    validation = real.where(real.rows["split"] == "validation")
    drawn = validation.rows.empty
    if drawn:
        training = audits.training_rows(real)
        rng = np.random.default_rng(stream_of(seed, task.name, "validation"))
        chosen = np.isin(np.arange(len(training.rows)), rng.permutation(len(training.rows))[: features.N_VALIDATION])
        validation = training.where(chosen)
    missing = sorted(set(task.label_names) - set(validation.rows["label"]))
    if missing:
        raise ValueError(f"{task.name}: scoring needs real rows of every label; of {missing} there is none to spare")
    return validation, drawn


class Scorer:
    """Scores texts of one task by classifiers trained on them.

    Raises
    ------
    ValueError
        There are no real rows of the task, or none of a label.
    """

    def __init__(self, task: Task, p: Generate) -> None:
        real = audits.load_real(p)
        if real is None:
            raise ValueError(
                f"scoring needs real rows of {task.name!r} with their labels, and data/features has none: "
                "set source to folder or hub, or scoring to {}"
            )
        self.settings, self.confidence = Scoring(**p.scoring), p.confidence
        self.validation, self.drawn = pick_validation(real, task, p.seed)
        self.index = {label: i for i, label in enumerate(task.label_names)}
        self.gold = self.validation.rows["label"].map(self.index).to_numpy()
        self.seeds = np.random.SeedSequence(p.seed).generate_state(self.settings.n_seeds).tolist()

    def score(self, vectors: np.ndarray, labels: Sequence[str], parts: Sequence[np.ndarray]) -> np.ndarray:
        """Return the Macro-F1 on the real rows of one classifier a part and seed, shape (P, n_seeds).

        Parameters
        ----------
        vectors : ndarray of float32, shape (N, D)
            Of texts.
        labels : sequence of str, length N
            What they were asked to be.
        parts : sequence of ndarray of int, length P
            Which texts to learn from; every label of the task must occur in each.
        """
        named = ("hidden_units", "learning_rate", "weight_decay", "n_steps", "batch_size")
        trained = train.Hyperparameters(**{name: getattr(self.settings, name) for name in named}, device="cpu")
        gold = np.array([self.index[label] for label in labels])
        runs = [train.Run(rows, seed) for rows in parts for seed in self.seeds]
        shared = {"n_labels": len(self.index), "hyperparameters": trained}
        probabilities, _ = train.fit_predict(vectors, gold, runs, self.validation.features, **shared)
        scores = metrics.macro_f1(self.gold, probabilities.argmax(-1), n_labels=len(self.index))
        return scores.reshape(len(parts), len(self.seeds))

    def describe(self, scores: Sequence[np.ndarray]) -> dict[str, Any]:
        """Return the last score with its interval, its gain over ``patience`` scorings, and whether growth is flat."""
        row = dict(zip(("f1", "f1_low", "f1_high"), mean_interval(scores[-1], confidence=self.confidence), strict=True))
        gain = (np.nan,) * 3
        if len(scores) > self.settings.patience:
            differences = scores[-1] - scores[-1 - self.settings.patience]
            gain = mean_interval(differences, confidence=self.confidence)
        row |= dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True))
        return row | {"flat": bool(gain[2] < self.settings.min_gain)}


def grow(ask: Ask, task: Task, p: Generate, *, tell: Tell) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return texts asked for in rounds, each scored before the next, and what they cost.

    A round asks for ``every`` more texts of each label; with ``stop``, not of settings that are flat. The same call
    later finds all answers in the store: it stops where it stopped, and pays nothing.

    Parameters
    ----------
    ask : callable
        Takes settings and n_per_label, returns corpus and ledger as :func:`synthlib.asking.live.ask`.
    tell : callable
        Is given each line of the curve.

    Returns
    -------
    corpus, ledger : DataFrame
        ``corpus.attrs["curve"]`` holds the curve, a list of rows with :data:`COLUMNS`.
    """
    from synthlib import encode  # released texts are scored without

    scorer, encoder = Scorer(task, p), encode.load_encoder(p.encoder, "auto")
    parts, vectors, ledgers, curve, growing = {}, {}, [], [], list(p.settings)
    scores = {setting: [] for setting in growing}
    for n in _sizes(scorer.settings.every, p.n_per_label):
        corpus, counted = ask(growing, n)
        ledgers.append(counted)
        new = corpus[~corpus["key"].isin(vectors)]
        vectors |= dict(zip(new["key"], encode.encode(new["text"].tolist(), encoder), strict=True))
        for setting in growing:
            parts[setting] = part = corpus[corpus["setting"] == setting]
            x = np.stack([vectors[key] for key in part["key"]]).astype(np.float32)
            scores[setting].append(scorer.score(x, part["label"].tolist(), [np.arange(len(part))])[0])
            curve.append(_describe_part(scorer, scores[setting], part, setting=setting, n=n))
            tell(curve[-1])
        if scorer.settings.stop:
            flat = {line["setting"] for line in curve if line["flat"]}
            growing = [setting for setting in growing if setting not in flat]
        if not growing:
            break
    grown = pd.concat([parts[setting] for setting in p.settings], ignore_index=True)
    grown.attrs["curve"] = curve
    return grown, ledger.combine(ledgers)


def find_curve(corpus: pd.DataFrame, made: FeatureTable, task: Task, p: Generate) -> pd.DataFrame:
    """Return the curve of a corpus: the one by which it grew, or for released texts the one it would have grown by.

    Parameters
    ----------
    corpus : DataFrame
        Of :func:`synthlib.generate.make_corpus`.
    made : FeatureTable
        The same texts with their vectors.

    Returns
    -------
    curve : DataFrame
        One row per setting and scoring: setting, n_per_label, rows, cost_usd (of the answers that led to these texts),
        f1, gain and their intervals over seeds (fractions), flat (the rule says stop).
    """
    if "curve" in corpus.attrs:
        curve = pd.DataFrame(corpus.attrs["curve"], columns=COLUMNS)
        return pd.concat([curve[curve["setting"] == setting] for setting in p.settings], ignore_index=True)
    scorer, curve, rows = Scorer(task, p), [], made.rows
    sizes = list(_sizes(scorer.settings.every, p.n_per_label))
    for setting in p.settings:
        parts = [np.flatnonzero((rows["setting"] == setting) & (rows["n"] <= n)) for n in sizes]
        scores = scorer.score(made.features, rows["label"].tolist(), parts)
        curve += [
            _describe_part(scorer, scores[: place + 1], rows.iloc[parts[place]], setting=setting, n=n)
            for place, n in enumerate(sizes)
        ]
    return pd.DataFrame(curve, columns=COLUMNS)


def find_stops(curve: pd.DataFrame) -> dict[str, int | None]:
    """Return by setting at how many texts per label growth is flat for the first time; None if it never is."""
    stops = {}
    for setting, part in curve.groupby("setting", sort=False):
        flat = part.loc[part["flat"], "n_per_label"]
        stops[setting] = int(flat.iloc[0]) if len(flat) else None
    return stops


def say_stops(curve: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Return where growth is flat and what it was worth to go on, in words; ``names`` says what settings are called."""
    said = []
    for setting, stop in find_stops(curve).items():
        part = curve[curve["setting"] == setting].set_index("n_per_label")["f1"] * 100
        end = f"{part.iloc[-1]:.1f} points at {part.index[-1]}"
        if stop is None:
            said.append(f"{names[setting]} is not flat yet ({end})")
        elif stop == part.index[-1]:
            said.append(f"{names[setting]} is flat at the last scoring ({end})")
        else:
            said.append(f"{names[setting]} is flat at {stop} texts per label ({part[stop]:.1f} points; {end})")
    return "; ".join(said)


def say_rule(p: Generate) -> str:
    """Return the stop rule in words."""
    s = Scoring(**p.scoring)
    return (
        f"Growth is flat once the upper end of the {100 * p.confidence:g}% interval (over {s.n_seeds} seeds) of the "
        f"gain over the last {s.patience} scorings, {s.patience * s.every} texts per label, is below "
        f"{100 * s.min_gain:g} in points of Macro-F1."
    )


def describe_curve(curve: pd.DataFrame, task: Task, p: Generate) -> str:
    """Return the curve, the rule and what they cost in real labels as Markdown, for the card."""
    shown = curve[["setting", "n_per_label", "rows"]].assign(
        cost=[say_usd(usd) for usd in curve["cost_usd"]],
        f1=[_say_points(row.f1, row.f1_low, row.f1_high) for row in curve.itertuples()],
        gain=[_say_points(row.gain, row.gain_low, row.gain_high) for row in curve.itertuples()],
        flat=np.where(curve["flat"], "yes", "no"),
    )
    if curve["cost_usd"].eq(0).all():  # replayed
        shown = shown.drop(columns="cost")
    names = {"n_per_label": "texts per label", "f1": "Macro-F1 (points)", "gain": f"gain over {p.scoring['patience']}"}
    return f"{say_rule(p)} {say_validation(task, p)}\n\n{table(shown.rename(columns=names))}"


def _say_points(value: float, low: float, high: float) -> str:
    return "–" if np.isnan(value) else f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def say_validation(task: Task, p: Generate) -> str:
    """Return what scoring costs in real labels."""
    scorer = Scorer(task, p)
    n = f"{len(scorer.gold):,} real rows with their labels"
    if scorer.drawn:
        return (
            f"This takes {n}, drawn from the training rows outside the few-shot pool: the task has no validation rows."
        )
    return f"This takes {n}, the task's validation rows."


def _describe_part(
    scorer: Scorer, scores: Sequence[np.ndarray], part: pd.DataFrame, *, setting: str, n: int
) -> dict[str, Any]:
    """Return the line of the curve for the texts of a setting so far, whose score is the last of ``scores``."""
    spent = float(part["cost_usd"].sum(skipna=False))
    line = {"setting": setting, "n_per_label": n, "rows": len(part), "cost_usd": spent}
    return line | scorer.describe(scores)


def _sizes(every: int, n_per_label: int) -> Iterator[int]:
    yield from range(every, n_per_label, every)
    yield n_per_label
