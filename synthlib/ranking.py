"""Ranking tasks by subjectivity from pairwise judgements: majority graph, levels, Bradley-Terry scores.

A judgement names the more objective task of a pair, so the other one wins the comparison "more subjective". Everywhere
a higher level or score means a more subjective task.
"""

from __future__ import annotations

from itertools import combinations

import choix
import networkx as nx
import numpy as np
import pandas as pd
from scipy import stats

from synthlib.votes.bradley_terry import fit_many


def keep_attentive(votes: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the judgements of workers who passed every attention check, and the workers left out.

    Parameters
    ----------
    votes : DataFrame
        worker, check_passed (bool) and further columns; one row per judgement.

    Raises
    ------
    ValueError
        There is no judgement, or no worker passed.

    Examples
    --------
    >>> votes = pd.DataFrame({"worker": ["w1", "w1", "w2"], "check_passed": [True, True, False]})
    >>> kept, failed = keep_attentive(votes)
    >>> len(kept), failed
    (2, ['w2'])
    """
    if votes.empty:
        raise ValueError("there is no judgement to rank from")
    passed = votes.groupby("worker")["check_passed"].transform("all").astype(bool)
    if not passed.any():
        raise ValueError(f"no valid worker: none of {votes['worker'].nunique()} passed the attention check")
    return votes[passed].reset_index(drop=True), sorted(votes["worker"][~passed].unique())


def count_wins(votes: pd.DataFrame, tasks: list[str]) -> np.ndarray:
    """Return how often each worker held one task to be more subjective than another.

    Parameters
    ----------
    votes : DataFrame
        worker, left, right, more_objective (one of the two); one row per judgement.
    tasks : list of str
        Every task named in the votes, in the order of the result.

    Returns
    -------
    wins : ndarray of float, shape (W, T, T)
        By worker (sorted by name), more subjective task and more objective task.

    Raises
    ------
    ValueError
        There is no judgement, or a task is not in ``tasks``.
    """
    if votes.empty:
        raise ValueError("there is no judgement to rank from")
    unknown = sorted((set(votes["left"]) | set(votes["right"])) - set(tasks))
    if unknown:
        raise ValueError(f"votes on unknown task(s) {unknown}; tasks are {tasks}")
    place = {task: number for number, task in enumerate(tasks)}
    objective = votes["more_objective"].map(place).to_numpy()
    both = votes["left"].map(place).to_numpy() + votes["right"].map(place).to_numpy()
    workers, worker = np.unique(votes["worker"].to_numpy(dtype=str), return_inverse=True)
    wins = np.zeros((len(workers), len(tasks), len(tasks)))
    np.add.at(wins, (worker, both - objective, objective), 1)
    return wins


def find_parts(wins: np.ndarray) -> np.ndarray:
    """Return the part (1, 2, ...) of each task, shape (T,): tasks that a chain of comparisons joins are in one part.

    Examples
    --------
    >>> find_parts(np.array([[0, 0, 2], [0, 0, 0], [1, 0, 0]])).tolist()
    [1, 2, 1]
    """
    numbers = np.zeros(len(wins), dtype=int)
    for number, part in enumerate(nx.weakly_connected_components(nx.DiGraph(np.asarray(wins, dtype=float))), 1):
        numbers[list(part)] = number
    return numbers


def compare_pairs(wins: np.ndarray, tasks: list[str], *, min_pairs: int) -> pd.DataFrame:
    """Return the majority verdict on each pair of tasks.

    Parameters
    ----------
    wins : ndarray, shape (T, T)
        Judgements by more subjective and more objective task.
    min_pairs : int
        Fewest judgements for a pair to have a verdict.

    Returns
    -------
    edges : DataFrame
        One row a judged pair: more_subjective, more_objective, n_votes, n_majority, margin (share of the majority minus
        share of the others, 0 to 1) and verdict: ``majority``, ``tie`` (no edge; the two in the order of ``tasks``) or
        ``too few`` (no edge).

    Examples
    --------
    >>> compare_pairs(np.array([[0, 3], [1, 0]]), ["irony", "spam"], min_pairs=1).to_dict("records")
    [{'more_subjective': 'irony', 'more_objective': 'spam', 'n_votes': 4, 'n_majority': 3, 'margin': 0.5,
      'verdict': 'majority'}]
    """
    rows = []
    for i, j in combinations(range(len(tasks)), 2):
        first, second = (i, j) if wins[i, j] >= wins[j, i] else (j, i)
        n_majority, n_votes = int(wins[first, second]), int(wins[i, j] + wins[j, i])
        if n_votes:
            verdict = "too few" if n_votes < min_pairs else "tie" if 2 * n_majority == n_votes else "majority"
            margin = (2 * n_majority - n_votes) / n_votes
            rows.append((tasks[first], tasks[second], n_votes, n_majority, margin, verdict))
    return pd.DataFrame(
        rows, columns=["more_subjective", "more_objective", "n_votes", "n_majority", "margin", "verdict"]
    )


def build_graph(edges: pd.DataFrame, tasks: list[str]) -> nx.DiGraph:
    """Return the majority graph: an edge from the more to the less subjective task of each pair with a majority.

    Edges carry n_votes, n_majority and margin of :func:`compare_pairs`; pairs without a majority have none.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(tasks)
    for row in edges[edges["verdict"] == "majority"].itertuples():
        measured = {"n_votes": row.n_votes, "n_majority": row.n_majority, "margin": row.margin}
        graph.add_edge(row.more_subjective, row.more_objective, **measured)
    return graph


def find_levels(graph: nx.DiGraph) -> pd.DataFrame:
    """Return each task's level: cycles merged into one node, the rest sorted topologically.

    Level 1 is held by the tasks that are more subjective than no other; any other task stands one level above the
    highest task it is more subjective than. Without an edge all tasks stand on level 1.

    Returns
    -------
    levels : DataFrame
        task, level (1 = least subjective), n_merged (tasks merged with it, itself among them; 1 is none) and cycle (one
        cycle through the merged tasks, ``a > b > c > a``; empty without). Sorted by level and task.

    References
    ----------
    Li, Zhu, Lu & Yin (2023), section 4: tasks on a cycle share a level.

    Examples
    --------
    >>> find_levels(nx.DiGraph([("irony", "humor"), ("humor", "joy"), ("joy", "humor"), ("joy", "spam")]))
        task  level  n_merged                cycle
    0   spam      1         1
    1  humor      2         2  humor > joy > humor
    2    joy      2         2  humor > joy > humor
    3  irony      3         1
    """
    merged = nx.condensation(graph)
    rows = []
    for level, parts in enumerate(nx.topological_generations(merged.reverse()), 1):
        for part in parts:
            members = sorted(merged.nodes[part]["members"])
            cycle = ""
            if len(members) > 1:
                steps = [a for a, _ in nx.find_cycle(graph.subgraph(members), members[0])]
                cycle = " > ".join([*steps, steps[0]])
            rows += [(task, level, len(members), cycle) for task in members]
    levels = pd.DataFrame(rows, columns=["task", "level", "n_merged", "cycle"])
    return levels.sort_values(["level", "task"], ignore_index=True)


def fit_scores(wins: np.ndarray, *, regularisation: float) -> np.ndarray:
    """Return Bradley-Terry scores: the log-odds that one task is held more subjective than another is their difference.

    Parameters
    ----------
    wins : ndarray, shape (T, T)
        Judgements by more subjective and more objective task.
    regularisation : float
        Above 0; pulls scores together and keeps them finite where a task wins or loses every comparison.

    Returns
    -------
    scores : ndarray, shape (T,)
        Natural log-odds, mean 0; higher is more subjective.

    References
    ----------
    Bradley & Terry (1952); Maystre & Grossglauser (2015), Iterative Luce spectral ranking.

    Examples
    --------
    >>> fit_scores(np.array([[0, 3], [1, 0]]), regularisation=1e-9).round(4).tolist()  # half of log(3 / 1)
    [0.5493, -0.5493]
    """
    scores = choix.ilsr_pairwise_dense(np.asarray(wins, dtype=float), alpha=regularisation, max_iter=1000)
    return scores - scores.mean()


def bootstrap_scores(
    wins: np.ndarray, *, regularisation: float, n_resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return Bradley-Terry scores refitted on resampled workers, shape (R, T); workers are drawn whole.

    Parameters
    ----------
    wins : ndarray, shape (W, T, T)
        By worker, from :func:`count_wins`.

    Raises
    ------
    ValueError
        There is only one worker: how far workers differ is then not known.
    """
    if len(wins) < 2:
        raise ValueError(f"{len(wins)} worker(s); an interval over workers needs at least 2")
    weights = rng.multinomial(len(wins), np.full(len(wins), 1 / len(wins)), size=n_resamples)  # (R, W)
    start = fit_scores(wins.sum(axis=0), regularisation=regularisation)
    return fit_many(np.tensordot(weights, wins, axes=1), regularisation=regularisation, start=start)


def separate_groups(values: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return the chance that a task outside the ``least`` group has the higher value than one inside (AUC; ties half).

    NaN where all tasks are in one group.

    Parameters
    ----------
    values : ndarray, shape (..., T)
        Scores or levels.
    least : ndarray of bool, shape (T,)
        The tasks of the least subjective group.

    Examples
    --------
    >>> float(separate_groups(np.array([1, 2, 3, 3]), np.array([True, False, True, False])))
    0.625
    """
    if least.all() or not least.any():
        return np.full(values.shape[:-1], np.nan)
    difference = values[..., ~least][..., :, None] - values[..., least][..., None, :]
    return (np.sign(difference).mean((-1, -2)) + 1) / 2


def compare_with_groups(values: np.ndarray, least: np.ndarray) -> dict[str, float]:
    """Return how well values agree with a grouping of the tasks into least subjective and others.

    Parameters
    ----------
    values, least
        See :func:`separate_groups`.

    Returns
    -------
    agreement : dict
        lowest_share (with k tasks in the group: its share among the k lowest values, ties counted by part), auc, rho
        (Spearman, of value and group) and p (two-sided, exact over all ways to choose the group). All are NaN where all
        tasks are in one group; rho and p also where all values are equal.

    Examples
    --------
    >>> compare_with_groups(np.array([1, 2, 3, 4]), np.array([True, True, False, False]))["lowest_share"]
    1.0
    """
    auc, rho, p = float(separate_groups(values, least)), np.nan, np.nan
    if np.isnan(auc):
        return dict.fromkeys(("lowest_share", "auc", "rho", "p"), np.nan)
    k = int(least.sum())
    boundary = np.sort(values)[k - 1]
    below, level = values < boundary, values == boundary
    hits = least[below].sum() + (k - below.sum()) * least[level].mean()
    if np.ptp(values):
        rho = float(stats.spearmanr(values, ~least).statistic)
        choices = [np.isin(np.arange(len(values)), chosen) for chosen in combinations(range(len(values)), k)]
        others = np.array([separate_groups(values, choice) for choice in choices])
        p = float((np.abs(others - 0.5) >= abs(auc - 0.5) - 1e-9).mean())
    return {"lowest_share": float(hits / k), "auc": auc, "rho": rho, "p": p}
