"""A report on one task: whose votes there are, and where they put the task.

The evidence is of two kinds that do not meet: agreement on single texts can be held against other sets of texts that
the same kind of voter read; the tasks of the study are ordered by judgements on pairs of tasks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from synthlib import data, ranking
from synthlib.agreement import count_votes, summarise_agreement
from synthlib.paths import DATA
from synthlib.reporting.expectation import MIN_TASKS
from synthlib.tasks import load_task
from synthlib.votes import annotated, firmness, vote_tables, voters


@dataclass(frozen=True)
class Own:
    """The votes that a report is about.

    Attributes
    ----------
    task, title : str
        The task's name, and what figures call these votes.
    votes_by : str
        A key of :data:`synthlib.votes.voters.VOTERS`.
    texts, pairs : DataFrame or None
        Votes on single texts (key, annotator, label), on pairs of tasks; None where there are none on the task.
    persons : bool
        Whether an annotator's name is one person's.
    studies : dict
        By study of the crowd package, what its export says: texts_from, rule, account. Empty for other votes.
    example : str
        Title of the shipped set, empty where the votes are the user's.
    """

    task: str
    title: str
    votes_by: str
    texts: pd.DataFrame | None
    pairs: pd.DataFrame | None
    persons: bool
    studies: dict[str, Any]
    example: str

    @property
    def judges(self) -> str:
        """How figures and sentences call the voters."""
        return voters.VOTERS[self.votes_by]


def load_own(task: str, folder: str, *, example: str, tasks: list[str]) -> Own:
    """Return the votes of a folder on a task, or the shipped set named as an example where no folder is given.

    Parameters
    ----------
    folder : str
        With instances.csv, pairs.csv or both, and votes.json (:mod:`synthlib.votes.voters`); "" takes the example.
    tasks : list of str
        The study's; votes on pairs of these and of ``task`` are read.

    Raises
    ------
    ValueError
        A file is unsound (the message names its lines), or the folder has no vote on the task.
    """
    title = load_task(task).title
    if not folder:
        known = annotated.SETS[example]
        return Own(task, title, "people", data.load_instance_votes(example), None, known.persons, {}, known.title)
    files = voters.find_any_votes(folder)
    texts = pairs = None
    has = []
    if given := files.get(voters.INSTANCES):
        voted = sorted(set(vote_tables.read_votes(given.path, {"task", "key", "annotator", "label"})["task"]))
        texts = data.load_instance_votes(task, given.path) if task in voted else None
        has.append(f"{voters.INSTANCES} is on {', '.join(voted)}")
    if given := files.get(voters.PAIRS):
        found = data.load_pair_votes(given.path, tasks=list(dict.fromkeys([*tasks, task])))
        compared = sorted({*found["left"], *found["right"]})
        pairs = found if task in compared else None
        has.append(f"{voters.PAIRS} compares {', '.join(compared) or 'none of these tasks'}")
    if texts is None and pairs is None:
        raise ValueError(f"{folder} has no votes on task {task!r}: {'; '.join(has)}")
    given = next(iter(files.values()))
    about = json.loads((given.path.parent / voters.ABOUT).read_text(encoding="utf-8"))
    return Own(task, title, given.votes_by, texts, pairs, True, about.get("studies", {}), "")


def tabulate_collection(studies: dict[str, Any]) -> pd.DataFrame:
    """Return where the rows of every collection went: step, study, workers, votes."""
    rows = [row | {"study": name} for name, said in studies.items() for row in said["account"]]
    return pd.DataFrame(rows, columns=["step", "study", "workers", "votes"])


def place_sets(own: Own, tasks: list[str], released: pd.DataFrame, **resampled: Any) -> pd.DataFrame:
    """Return agreement on single texts of the user's votes and of the released ones.

    Parameters
    ----------
    tasks : list of str
        Tasks of which the panel's votes are shown.
    released : DataFrame
        ``agreement`` of 07; of it the sets without single votes are taken.
    resampled
        n_resamples, confidence and rng of :func:`synthlib.agreement.summarise_agreement`.

    Returns
    -------
    sets : DataFrame
        title, kind (``own``, ``people`` or ``panel``), and the columns of summarise_agreement; the own one first.
    """
    rows = []
    if own.texts is not None:
        labels = load_task(own.task).label_names
        title = f"{own.title} ({own.example})" if own.example else f"{own.title} (your votes)"
        counts = count_votes(own.texts, labels)
        rows.append({"title": title, "kind": "own"} | summarise_agreement(counts, **resampled))
    for name, known in annotated.SETS.items():
        if known.title != own.example:
            task = load_task(known.task)
            counts = count_votes(data.load_instance_votes(name), task.label_names)
            title = f"{task.title} ({known.title})"
            rows.append({"title": title, "kind": "people"} | summarise_agreement(counts, **resampled))
    classes = released[(released["votes_of"] == "people") & released["votes"].isna()]
    wanted = [
        name for name in classes if name in {"title", "texts", "unanimous", "note"} or name.startswith("agreement")
    ]
    rows += classes[wanted].assign(kind="people").to_dict("records")
    voted = data.list_voted_tasks(DATA / "votes" / "panel_instances.csv", tasks)
    for task in map(load_task, voted):
        counts = count_votes(data.load_instance_votes(task.name), task.label_names)
        rows.append({"title": f"{task.title}, panel", "kind": "panel"} | summarise_agreement(counts, **resampled))
    return pd.DataFrame(rows)


def rank_own(
    own: Own, *, min_pairs: int, regularisation: float, n_resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return scores and levels of the tasks that the user's votes on pairs join with the user's task.

    Returns
    -------
    scores : DataFrame
        task, title, score, score_low, score_high (log-odds; NaN ends with one worker) and level; tasks that no
        chain of comparisons joins with the user's are left out. Empty without votes on pairs.

    Raises
    ------
    ValueError
        No worker passed the attention check.
    """
    columns = ["task", "title", "score", "score_low", "score_high", "level"]
    if own.pairs is None:
        return pd.DataFrame(columns=columns)
    valid, _ = ranking.keep_attentive(own.pairs)
    tasks = sorted({*valid["left"], *valid["right"]})
    wins = ranking.count_wins(valid, tasks)
    shape = {"n_resamples": n_resamples, "confidence": confidence, "rng": rng}
    scores, _ = firmness.score_tasks(wins, tasks, regularisation=regularisation, **shape)
    edges = ranking.compare_pairs(wins.sum(axis=0), tasks, min_pairs=min_pairs)
    scores = scores.merge(ranking.find_levels(ranking.build_graph(edges, tasks))[["task", "level"]], on="task")
    scores["title"] = [load_task(task).title for task in scores["task"]]
    mine = scores.loc[scores["task"] == own.task, "part"]
    joined = scores[scores["part"].isin(mine)].sort_values("score", ignore_index=True)
    return joined[columns]


def choose_scores(own: Own, ranked: pd.DataFrame, released: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the scores on which gaps are regressed, and whose judgements they are.

    They are those of the user's votes where these join five other tasks of the study with the user's, else the run's.

    Parameters
    ----------
    ranked : DataFrame
        From :func:`rank_own`.
    released : DataFrame
        ``scores`` of 04: task, score, score_low, score_high.
    """
    others = ranked["task"].isin(released["task"]) & (ranked["task"] != own.task)
    return (ranked, own.judges) if others.sum() >= MIN_TASKS else (released, voters.VOTERS[voters.PANEL])


def find_places(scores: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return places on the scale of subjectivity: the ends of the other tasks, and the user's task if it has a score.

    Returns
    -------
    places : DataFrame
        place (``least``, ``most``, ``mine``), score, score_low, score_high (NaN but for ``mine``).
    """
    others, mine = scores.loc[scores["task"] != task, "score"], scores[scores["task"] == task]
    rows = [("least", others.min(), np.nan, np.nan), ("most", others.max(), np.nan, np.nan)]
    rows += [("mine", row.score, row.score_low, row.score_high) for row in mine.itertuples()]
    return pd.DataFrame(rows, columns=["place", "score", "score_low", "score_high"])
