"""Votes in the form that 04_task_subjectivity and 07_instance_subjectivity read: a folder, given to them as ``votes``.

The folder holds pairs.csv (worker, pair, left, right, more_objective, check_passed, study, instrument), instances.csv
(task, key, annotator, label, study, instrument), and votes.json, which says who voted and by which rule votes were
kept. A folder holds the votes of people, of a language-model panel, or of made-up workers, never a mixture.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from synthlib.crowd.flags import Rule
from synthlib.crowd.pseudonyms import SALT
from synthlib.crowd.study import Study
from synthlib.files import replacing
from synthlib.votes.voters import ABOUT, INSTANCES, PAIRS, PANEL, PEOPLE, SIMULATED, read_voters

FILES = {"pairs": PAIRS, "instances": INSTANCES}


def say_voters(instruments: set[str]) -> str:
    """Return who voted: people, a language-model panel, or simulated workers.

    Raises
    ------
    ValueError
        There is none, or they are of several kinds.

    Examples
    --------
    >>> say_voters({"html form", "mturk"})
    'people'
    """
    kinds = {name if name in (PANEL, SIMULATED) else PEOPLE for name in instruments}
    if len(kinds) != 1:
        raise ValueError(
            f"votes by {sorted(kinds) or 'nobody'}; a folder of votes is of one kind of voter: export apart"
        )
    return kinds.pop()


def to_pair_votes(kept: pd.DataFrame, workers: pd.DataFrame) -> pd.DataFrame:
    """Return kept votes as :func:`synthlib.data.load_pair_votes` reads them; who had no check failed none."""
    failed = set(workers.loc[workers["failed_check"].astype(bool), "worker"])
    number = kept.groupby("worker").cumcount() + 1
    votes = kept.assign(pair=number, more_objective=kept["answer"], check_passed=~kept["worker"].isin(failed))
    return votes[["worker", "pair", "left", "right", "more_objective", "check_passed", "study", "instrument"]]


def to_instance_votes(kept: pd.DataFrame) -> pd.DataFrame:
    """Return kept votes as :func:`synthlib.data.load_instance_votes` reads them."""
    votes = kept.rename(columns={"worker": "annotator", "answer": "label"})
    return votes[["task", "key", "annotator", "label", "study", "instrument"]]


def export_votes(
    kept: pd.DataFrame, workers: pd.DataFrame, account: pd.DataFrame, *, study: Study, rule: Rule, folder: Path
) -> list[Path]:
    """Write the kept votes of a study to a folder of votes, in place of what it holds of that study; return the paths.

    Parameters
    ----------
    kept, account : DataFrame
        From :func:`synthlib.crowd.flags.keep_votes`.
    workers : DataFrame
        From :func:`synthlib.crowd.flags.flag_workers`.

    Raises
    ------
    ValueError
        No vote is left, voters are of several kinds or not of the folder's kind, or the folder holds a salt, votes
        that name no study, or a votes.json that is none.
    """
    if kept.empty:
        steps = "; ".join(f"{row.step}: {row.workers} workers, {row.votes} votes" for row in account.itertuples())
        raise ValueError(f"no valid worker is left, nothing to export ({steps})")
    if (folder / SALT).exists():
        raise ValueError(f"{folder} holds the salt of the pseudonyms: export to another folder")
    by = say_voters(set(kept["instrument"]))
    about = _read_about(folder)
    if about and about["votes_by"] != by:
        raise ValueError(f"{folder} holds votes by {about['votes_by']}; votes by {by} go to another folder")
    votes = to_pair_votes(kept, workers) if study.kind == "pairs" else to_instance_votes(kept)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILES[study.kind]
    if path.is_file():
        before = pd.read_csv(path, dtype={"key": str, "label": str}, keep_default_na=False)
        if "study" not in before:
            raise ValueError(f"{path} has no column 'study': these votes are not of a study; export to another folder")
        votes = pd.concat([before[before["study"] != study.study], votes], ignore_index=True)
    said = {
        "texts_from": study.texts_from,
        "task": study.task,
        "rule": vars(rule),
        "account": account.to_dict("records"),
    }
    about = {"votes_by": by, "studies": about.get("studies", {}) | {study.study: said}}
    with replacing(path) as table, replacing(folder / ABOUT) as note:
        votes.to_csv(table, index=False)
        note.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [path, folder / ABOUT]


def _read_about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    if not path.is_file():
        return {}
    read_voters(path)
    return json.loads(path.read_text(encoding="utf-8"))
