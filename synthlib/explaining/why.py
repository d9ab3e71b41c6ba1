"""What 08_why trains: first classifiers of every source as it is, then those of repaired texts; and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthlib import compare, metrics
from synthlib.explaining import cartography, moderators, repairs
from synthlib.explaining.repairs import Texts
from synthlib.metrics import Scores
from synthlib.train import Hyperparameters, Run, fit_predict

#: Sources whose classifiers say something about the synthetic texts.
JUDGES = ("real", "pool")


@dataclass(frozen=True)
class Trained:
    """Classifiers of a task's sources as they are.

    Attributes
    ----------
    test : dict of ndarray of float32, shape (S, T, K)
        Probabilities of the test rows by source, S seeds.
    corpus : dict of ndarray of float32, shape (S, C, K)
        Probabilities of all synthetic rows.
    maps : DataFrame
        Of the settings: setting, key, label, text, the columns of
        :func:`synthlib.explaining.cartography.draw_map`, other_label (of the classifiers trained on real text together)
        and disagrees (whether it is another than the one asked for).
    """

    test: dict[str, np.ndarray]
    corpus: dict[str, np.ndarray]
    maps: pd.DataFrame


def train_sources(
    texts: Texts,
    settings: Sequence[str],
    seeds: Sequence[int],
    *,
    hyperparameters: Hyperparameters,
    stages: Sequence[int],
    share: float,
) -> Trained:
    """Return classifiers trained on real text, on the pool and on each setting, and the maps of the settings.

    Parameters
    ----------
    stages : sequence of int
        Optimiser steps at which the maps look (:func:`synthlib.explaining.cartography.record_stages`), besides the end.
    share : float
        Of :func:`synthlib.explaining.cartography.draw_map`.
    """
    sources = [*JUDGES, *settings]
    runs = [Run(texts.find(source), seed) for source in sources for seed in seeds]
    n_labels, n_test = len(texts.labels), len(texts.gold)
    asked = np.concatenate([texts.test.features, texts.corpus.features])
    probabilities, _ = fit_predict(
        texts.features, texts.y, runs, asked, n_labels=n_labels, hyperparameters=hyperparameters
    )
    by_source = dict(zip(sources, np.split(probabilities, len(sources)), strict=True))
    of_settings = runs[len(JUDGES) * len(seeds) :]
    rows = len(texts.train.rows) + np.arange(len(texts.corpus.rows))
    own = cartography.record_stages(
        texts.features, texts.y, of_settings, rows, n_labels=n_labels, stages=stages, hyperparameters=hyperparameters
    )
    last = probabilities[len(JUDGES) * len(seeds) :, n_test:]  # (M, C, K): the whole training is one stage more
    own = np.concatenate([own, np.take_along_axis(last, texts.y[None, rows, None], axis=-1)[None, ..., 0]])
    judged = by_source["real"][:, n_test:].mean(0)  # (C, K)
    maps = [
        _draw_map(texts, setting, own[:, place * len(seeds) : (place + 1) * len(seeds)], judged, share)
        for place, setting in enumerate(settings)
    ]
    return Trained(
        {source: found[:, :n_test] for source, found in by_source.items()},
        {source: found[:, n_test:] for source, found in by_source.items()},
        pd.concat(maps, ignore_index=True),
    )


def _draw_map(texts: Texts, setting: str, own: np.ndarray, judged: np.ndarray, share: float) -> pd.DataFrame:
    rows = texts.find(setting) - len(texts.train.rows)
    corpus = texts.corpus.rows.iloc[rows].reset_index(drop=True)
    said = judged[rows].argmax(-1)
    about = corpus[["key", "label", "text"]].assign(setting=setting)
    drawn = cartography.draw_map(own[..., rows], share=share)
    other = np.asarray(texts.labels, dtype=object)[said]
    return pd.concat([about, drawn], axis=1).assign(other_label=other, disagrees=other != corpus["label"])


def measure_moderators(texts: Texts, trained: Trained, settings: Sequence[str]) -> pd.DataFrame:
    """Return the moderators that are measured here, one row per setting (:mod:`synthlib.explaining.moderators`)."""
    rows = []
    gold, predicted_test = texts.gold, trained.test["real"].argmax(-1)
    for setting in settings:
        found = texts.find(setting)
        synthetic = texts.corpus.where(texts.corpus.rows["setting"] == setting)
        predicted = trained.corpus["real"][:, found - len(texts.train.rows)].argmax(-1)
        noise = moderators.measure_label_noise(predicted, texts.y[found], predicted_test, gold)
        rows.append({"setting": setting} | moderators.compare_styles(texts.train, synthetic) | noise)
    return pd.DataFrame(rows).set_index("setting")


def train_repairs(
    texts: Texts,
    trained: Trained,
    settings: Sequence[str],
    seeds: Sequence[int],
    *,
    hyperparameters: Hyperparameters,
    share: float,
) -> tuple[pd.DataFrame, dict[tuple[str, str], np.ndarray]]:
    """Return what was repaired, and the labels predicted for the test rows.

    Returns
    -------
    plan : DataFrame
        Of :func:`synthlib.explaining.repairs.plan_repairs`.
    predicted : dict of ndarray of int, shape (S, T)
        By (setting, repair); ``("", "pool")`` and ``("", "real")`` are the pool alone and all real rows.
    """
    confidence = {setting: rows["confidence"].to_numpy() for setting, rows in trained.maps.groupby("setting")}
    plan, runs, rows, y = repairs.plan_repairs(
        texts,
        settings,
        seeds,
        by_pool=trained.corpus["pool"],
        by_setting=trained.corpus,
        confidence=confidence,
        share=share,
    )
    probabilities, _ = fit_predict(
        texts.features[rows], y, runs, texts.test.features, n_labels=len(texts.labels), hyperparameters=hyperparameters
    )
    predicted = {("", source): trained.test[source].argmax(-1) for source in JUDGES}
    predicted |= {(setting, "as_is"): trained.test[setting].argmax(-1) for setting in settings}
    for pair, part in plan.groupby(["setting", "repair"], sort=False):
        predicted[pair] = probabilities[part.index].argmax(-1)
    return plan, predicted


def score_sources(
    predicted: Mapping[tuple[str, str], np.ndarray],
    gold: np.ndarray,
    *,
    n_labels: int,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[tuple[str, str], Scores]:
    """Return the scores of every source of a task, all on the same resamples of test rows and seeds."""
    n_seeds = len(next(iter(predicted.values())))
    resampling = metrics.draw_resampling(len(gold), n_seeds, n_resamples=n_resamples, rng=rng)
    return {
        source: metrics.bootstrap_scores(gold, labels, n_labels=n_labels, resampling=resampling)
        for source, labels in predicted.items()
    }


def compare_repairs(
    by_task: Mapping[str, dict[tuple[str, str], Scores]], settings: Sequence[str], *, confidence: float
) -> pd.DataFrame:
    """Return what every repair gains over the texts as they are, and over the pool alone; by task and in the mean.

    Returns
    -------
    gains : DataFrame
        task (``all``: mean over tasks, which are held fixed), setting, repair (``pool``: the pool alone), than
        (``as_is`` or ``pool``), f1, f1_low, f1_high, accuracy, accuracy_low, accuracy_high: fractions.
    """
    pairs = []
    for setting in settings:
        changed = [(setting, repair) for repair in repairs.REPAIRS if repair != "as_is"]
        pairs += [(first, (setting, "as_is")) for first in [*changed, ("", "pool")]]
        pairs += [(first, ("", "pool")) for first in [(setting, "as_is"), *changed]]
    frames = [
        compare.contrast(scores, pairs, confidence=confidence).assign(task=task) for task, scores in by_task.items()
    ]
    frames.append(compare.average_contrast(by_task, pairs, confidence=confidence).assign(task="all"))
    gains = pd.concat(frames, ignore_index=True)
    gains["than"] = [repair for _, repair in gains["second"]]
    gains["repair"] = [repair for _, repair in gains["first"]]
    gains["setting"] = [first[0] or second[0] for first, second in zip(gains["first"], gains["second"], strict=True)]
    return gains.drop(columns=["first", "second"])
