"""How training converges: the rows on which a classifier is asked while it learns, and what was seen, by source."""

from __future__ import annotations

import numpy as np
import pandas as pd

N_WATCHED = 100  # texts: asked 8 times they cost a small run (40 steps) under a tenth of its time
WATCHED = 1  # names the random stream of watched rows beside others of the seed


def pick_watched(rows: pd.DataFrame, *, n: int, seed: int) -> tuple[np.ndarray, str]:
    """Return which real rows to watch while classifiers learn, and of which split they are.

    Validation rows where the task has them, else test rows: watching describes, and nothing is chosen by it. Labels
    keep their shares.

    Parameters
    ----------
    rows : DataFrame
        Real rows: split, label.
    n : int
        Rows at most.

    Returns
    -------
    places : ndarray of int, ascending
        Positions in ``rows``.
    split : str
        ``validation`` or ``test``.
    """
    split = "validation" if (rows["split"] == "validation").any() else "test"
    places = np.random.default_rng([seed, WATCHED]).permutation(np.flatnonzero(rows["split"] == split))
    labels = rows["label"].iloc[places]
    rank = (labels.groupby(labels).cumcount() + 0.5) / labels.groupby(labels).transform("size")  # in (0, 1), by label
    return np.sort(places[np.argsort(rank.to_numpy(), kind="stable")[:n]]), split


def tabulate_watched(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return Macro-F1 on the watched texts by source and step: mean, lowest and highest over seeds.

    Parameters
    ----------
    history : DataFrame
        Of :func:`synthlib.finetune.fit_predict_texts`: run, step, watched_f1.
    plan : DataFrame
        Of :func:`synthlib.sources.plan_runs`: experiment, source, run.

    Returns
    -------
    convergence : DataFrame, one row per source and step
        source, step (steps taken), value, value_low, value_high, seeds. A source whose seeds stopped at different
        steps has rows of fewer seeds.
    """
    watched = history[history["watched_f1"].notna()].assign(step=lambda frame: frame["step"] + 1)
    return _over_seeds(watched.rename(columns={"watched_f1": "value"}), plan)


def tabulate_losses(losses: np.ndarray, plan: pd.DataFrame, *, window: int) -> pd.DataFrame:
    """Return the training loss by source and step, as :func:`tabulate_watched` returns Macro-F1.

    Parameters
    ----------
    losses : ndarray of float, shape (M, n_steps)
        Of :func:`synthlib.train.fit_predict`.
    window : int
        Losses are of one batch and noisy: each value is the mean over so many steps, named by the last of them.
    """
    n_windows = losses.shape[1] // window
    means = losses[:, : n_windows * window].reshape(len(losses), n_windows, window).mean(-1)  # (M, n_windows)
    run, place = np.indices(means.shape).reshape(2, -1)
    return _over_seeds(pd.DataFrame({"run": run, "step": (place + 1) * window, "value": means.ravel()}), plan)


def _over_seeds(values: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    main = plan.loc[plan["experiment"] == "main", ["source", "run"]]
    by_step = main.merge(values, on="run").groupby(["source", "step"], sort=False)["value"]
    names = {"value": "mean", "value_low": "min", "value_high": "max", "seeds": "size"}
    return by_step.agg(**names).reset_index()
