"""Reading what the study is about: real texts (folder or hub), synthetic corpora, votes; each checked on the way in."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from synthlib import hub, surface
from synthlib.paths import DATA
from synthlib.splits import check_splits
from synthlib.tasks import Task, load_task, own_files, task_names
from synthlib.votes import annotated, vote_tables

SPLITS = hub.SPLITS
#: Columns of one's own texts that are read; others may mean anything, so they are left out.
COLUMNS = ("text", "label", "split", "key", "evaluation", "text_raw", "head", "tail", "agreement")
STORIES = ("stories", "textbook")  # released texts after published recipes


def check_texts(frame: pd.DataFrame, task: Task, *, origin: str) -> pd.DataFrame:
    """Return ``frame`` if it is a sound table of texts of the task.

    Parameters
    ----------
    frame : DataFrame
        Columns text, label, split, key; further columns are left as they are.
    origin : str
        Where it came from, for messages.

    Raises
    ------
    ValueError
        There are no rows; a column is missing; a key, text, label, split or text_raw is empty, missing or not text; a
        key is repeated; or a label or split is unknown.
    """
    _check_columns(frame, {"text", "label", "split", "key"}, origin)
    if frame.empty:
        raise ValueError(f"{origin}: no rows")
    for column in ("key", "text", "label", "split", *(["text_raw"] if "text_raw" in frame else [])):
        given = frame[column].astype(object)
        blank = given.isna() | (given.astype(str).str.strip() == "")
        if blank.any():
            raise ValueError(
                f"{origin}: {int(blank.sum())} empty {column}(s), the first with key {frame['key'][blank].iloc[0]!r}"
            )
        strange = [value for value in given if not isinstance(value, str)]
        if strange:
            kind = type(strange[0]).__name__
            raise ValueError(f"{origin}: column {column!r} must hold text; its first {kind} is {strange[0]!r}")
    repeated = frame["key"].duplicated()
    if repeated.any():
        raise ValueError(
            f"{origin}: {int(repeated.sum())} repeated key(s), the first is {frame['key'][repeated].iloc[0]!r}"
        )
    for column, allowed in (("label", task.label_names), ("split", SPLITS)):
        unknown = sorted(set(frame[column]) - set(allowed))
        if unknown:
            raise ValueError(f"{origin}: unknown {column}(s) {unknown}; allowed are {list(allowed)}")
    return frame


def load_folder(task: Task, folder: str | Path | None = None) -> pd.DataFrame:
    """Return the real texts of a task from ``<folder>/<task>.parquet``.

    Parameters
    ----------
    folder : path, optional
        None takes the environment variable SYNTHLIB_DATA.

    Returns
    -------
    texts : DataFrame
        text, label, split, key, evaluation (false where the file has no such column: no row is marked for the
        instance study) and what else of :data:`COLUMNS` the file has; with text_raw also irony_tag.

    Raises
    ------
    ValueError
        No folder is given, or the table is unsound (:func:`check_texts`, :func:`synthlib.splits.check_splits`).
    FileNotFoundError
        The folder has no file for the task.
    """
    folder = folder or os.environ.get("SYNTHLIB_DATA")
    if not folder:
        raise ValueError("source 'folder' needs SYNTHLIB_DATA=<folder with one parquet file per task>")
    path = Path(folder) / f"{task.name}.parquet"
    if not path.is_file():
        found = sorted(p.name for p in Path(folder).glob("*.parquet"))
        raise FileNotFoundError(f"{path} does not exist; {folder} has {found or 'no parquet file'}")
    try:
        frame = pd.read_parquet(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read as parquet: {error}") from None
    check_splits(check_texts(frame, task, origin=str(path)), task, origin=str(path))
    frame = _check_evaluation(frame[[name for name in frame if name in COLUMNS]].copy(), path)
    if "text_raw" in frame:
        frame["irony_tag"] = surface.find_irony_tags(frame["text_raw"])
    return frame


def load_hub(task: Task, shipped: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the real texts of a task from its public copy, cleaned as the shipped tables are.

    Texts with two labels are dropped, of several copies of a text one stays. Without official splits texts are drawn
    into them, a label at a time. Rows that data/features knows keep their split and their mark for the instance study.

    Parameters
    ----------
    shipped : DataFrame, optional
        key, split, evaluation; None takes data/features/<task>.parquet.

    Returns
    -------
    texts : DataFrame
        As :func:`load_folder`. ``attrs["dropped"]`` counts the rows left out: other_label, empty, two_labels and
        duplicate.

    Raises
    ------
    ValueError
        The task has no pinned public copy, or the copy is not what it should be.
    ConnectionError
        The copy cannot be read.
    """
    source = task.reference.hub
    if source is None:
        raise ValueError(
            f"task {task.name!r} has no pinned public copy (reference.hub in its file); "
            "use source: folder with SYNTHLIB_DATA, or source: features"
        )
    if shipped is None and task.name not in task_names():
        shipped = pd.DataFrame({"key": pd.Series(dtype=str), "split": "", "evaluation": pd.Series(dtype=bool)})
    elif shipped is None:
        shipped = pd.read_parquet(DATA / "features" / f"{task.name}.parquet", columns=["key", "split", "evaluation"])
    frame = hub.read_texts(source)
    frame = hub.drop_duplicates(_clean_irony(frame) if task.name == "tweet_irony" else frame, shipped)
    if source.fractions:
        rng = np.random.default_rng(hub.SPLIT_SEED)
        frame["split"] = hub.draw_splits(frame, shipped, fractions=source.fractions, rng=rng)
    frame["evaluation"] = frame["key"].isin(shipped.loc[shipped["evaluation"], "key"]) & (frame["split"] == "test")
    return check_texts(frame, task, origin=f"{source.id} at {source.revision[:7]}")


def load_corpus(task: Task, settings: list[str], folder: str | Path | None = None) -> pd.DataFrame:
    """Return the released synthetic texts of a task.

    Parameters
    ----------
    settings : list of str
        Of zero_shot, few_shot and attributed.
    folder : path, optional
        None takes data/corpora.

    Returns
    -------
    corpus : DataFrame
        key (``setting/label/n``), task, setting, label, n (1-based within setting and label), text, request (dict: what
        was drawn for it), examples (keys of the real texts shown before it; empty but for few_shot).

    Raises
    ------
    ValueError
        A line is not JSON or lacks a field, or a label, setting or text is unsound.
    """
    path = Path(folder or DATA / "corpora") / f"{task.name}.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"no released texts of task {task.name!r} ({path}); ask a model: set backend to openai")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n"), 1):
        try:
            row = json.loads(line)
            rows.append({name: row[name] for name in ("task", "setting", "label", "n", "text", "request", "examples")})
        except (json.JSONDecodeError, KeyError) as error:
            raise ValueError(f"{path}, line {number}: {error!r}") from None
    corpus = pd.DataFrame(rows)
    absent = sorted(set(settings) - set(corpus["setting"]))
    if absent:
        raise ValueError(f"{path}: no texts of setting(s) {absent}; it has {sorted(set(corpus['setting']))}")
    corpus = corpus[corpus["setting"].isin(settings)].reset_index(drop=True)
    key = corpus["setting"] + "/" + corpus["label"] + "/" + corpus["n"].astype(str)
    corpus.insert(0, "key", key)
    check_texts(corpus.assign(split="train"), task, origin=str(path))
    return corpus


def load_stories(kind: str) -> pd.DataFrame:
    """Return the released TinyStories (``stories``) or Phi-1 (``textbook``) texts: n, text, request (stories: form)."""
    if kind not in STORIES:
        raise ValueError(f"unknown kind {kind!r}; allowed are {', '.join(STORIES)}")
    return pd.read_json(DATA / "corpora" / f"{kind}.jsonl", lines=True)


def load_pair_votes(path: str | Path | None = None, *, tasks: list[str] | None) -> pd.DataFrame:
    """Return pairwise judgements: worker, left, right, more_objective, check_passed.

    Parameters
    ----------
    path : path, optional
        None takes data/votes/panel_pairs.csv: a panel of language-model personas, not people.
    tasks : list of str or None
        Pairs with another task are left out; None leaves out none. Tasks of one's own (SYNTHLIB_TASKS) are known.

    Raises
    ------
    ValueError
        The file is unsound: see :mod:`synthlib.votes.vote_tables`, whose messages name the lines.
    """
    path = Path(path or DATA / "votes" / "panel_pairs.csv")
    votes = vote_tables.read_votes(path, {"worker", "left", "right", "more_objective", "check_passed"})
    votes = vote_tables.check_pairs(votes, [*task_names(), *own_files()], path).drop(columns="line")
    return votes if tasks is None else votes[votes[["left", "right"]].isin(tasks).all(axis=1)].reset_index(drop=True)


def load_instance_votes(name: str, path: str | Path | None = None) -> pd.DataFrame:
    """Return votes on single texts: key, annotator, label.

    Parameters
    ----------
    name : str
        A task (the panel of language-model personas), or one of :data:`HUMAN_VOTES` (people).
    path : path, optional
        None takes the released file.

    Raises
    ------
    ValueError
        A column is missing, an annotator votes twice on a text, or a label is unknown to the task.
    """
    human = name in HUMAN_VOTES
    path = Path(path or DATA / "votes" / (f"human_{name}.csv" if human else "panel_instances.csv"))
    votes = vote_tables.read_votes(path, {"key", "annotator", "label"} | (set() if human else {"task"}))
    task = load_task(HUMAN_VOTES.get(name, name))
    if not human:
        votes = votes[votes["task"] == name].reset_index(drop=True)
        if votes.empty:
            raise ValueError(f"{path}: no votes on task {name!r}")
    vote_tables.check_labels(votes, task.label_names, path)
    if "label_is_default" in votes:
        votes["label_is_default"] = votes["label_is_default"] == "True"
    if "rating" in votes:
        votes["rating"] = votes["rating"].astype(float)
    return votes.drop(columns="line")


def list_voted_tasks(path: Path, tasks: list[str]) -> list[str]:
    """Return those of ``tasks`` on whose texts a file of votes (column task) has votes."""
    voted = set(pd.read_csv(path, usecols=["task"])["task"])
    return [task for task in tasks if task in voted]


#: Sets with people's votes, and the task whose classifiers are tested on them (labels already translated).
HUMAN_VOTES = {name: known.task for name, known in annotated.SETS.items()}


def check_vote_keys(votes: pd.DataFrame, keys: pd.Series | list[str], *, origin: str) -> None:
    """Raise ValueError if a vote is on a text that is not among ``keys``."""
    unknown = sorted(set(votes["key"]) - set(keys))
    if unknown:
        raise ValueError(f"{origin}: votes on {len(unknown)} unknown key(s), the first is {unknown[0]!r}")


def _check_columns(frame: pd.DataFrame, wanted: set[str], path: str | Path) -> None:
    missing = wanted - set(frame.columns)
    if missing:
        raise ValueError(f"{path}: missing column(s) {sorted(missing)}; it has {list(frame.columns)}")


def _check_evaluation(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    if "evaluation" not in frame:
        frame["evaluation"] = False
    if frame["evaluation"].dtype != bool:
        value = frame["evaluation"][[not isinstance(v, bool) for v in frame["evaluation"]]].iloc[0]
        raise ValueError(f"{path}: column 'evaluation' must hold true or false; its first other value is {value!r}")
    astray = frame["evaluation"] & (frame["split"] != "test")
    if astray.any():
        raise ValueError(f"{path}: evaluation row {frame['key'][astray].iloc[0]!r} is not in split 'test'")
    return frame


def _clean_irony(frame: pd.DataFrame) -> pd.DataFrame:
    """Return TweetEval's irony rows with the tags that give the label away taken out of ``text``."""
    raw = frame["text"]
    frame = frame.assign(text=surface.drop_irony_tags(raw), text_raw=raw, irony_tag=surface.find_irony_tags(raw))
    return frame.assign(key=[hub.make_key(text) for text in frame["text"]])
