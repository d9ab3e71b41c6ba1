"""Votes from every instrument in one tidy table, and what was wrong with the files they came in.

A row of votes: study, kind (pairs or instances), instrument, file, line, worker (pseudonym), session, slot, position,
item, left, right, task, key, answer, check (is it one?), correct (of checks; else missing), check_passed (what a plain
csv itself says of its worker's checks), seconds, time. What an instrument does not say is missing. A row that cannot be
a vote stands in the table of problems, with its line, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from synthlib.crowd import labelstudio, mturk
from synthlib.crowd.pseudonyms import hide
from synthlib.crowd.study import Key, Study
from synthlib.crowd.tables import NO_NUMBER, check_columns, is_number, list_problems, no_problems, read_table, read_text
from synthlib.votes.vote_tables import FALSE, TRUE

VOTE_COLUMNS = (
    "study kind instrument file line worker session slot position item left right task key answer check correct "
    "check_passed seconds time"
).split()
_GIVEN = "study instrument session slot position item left right key answer check_passed seconds time".split()
_NUMBERS = ("slot", "position", "seconds")
_TIES = ("", "tie", "equal", "both", "neither", "same", "draw", "?")


@dataclass(frozen=True)
class Collection:
    """Votes (see above) and problems: file, line (None: the whole file), column, value, problem."""

    votes: pd.DataFrame
    problems: pd.DataFrame


def read_votes(
    paths: list[Path],
    study: Study,
    key: Key,
    *,
    salt: bytes,
    rename: Mapping[str, str] | None = None,
    encoding: str | None = None,
) -> Collection:
    """Return the votes of several files of any instrument.

    Parameters
    ----------
    paths : list of Path
        JSON of the form, the notebook's form or the panel; csv of the form; an export of Label Studio (JSON); batch
        results of MTurk (csv); or a plain csv with worker, left, right and more_objective (pairs) or worker, key and
        label (instances). A folder stands for all .json and .csv files in it.
    salt : bytes
        For the pseudonyms (:func:`synthlib.crowd.pseudonyms.open_salt`).
    rename : mapping, optional
        Column in a csv to the name it should have.
    encoding : str, optional
        Of csv files; None is UTF-8.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no file, or a file as a whole cannot be read; the message says why.
    """
    files = [file for path in paths for file in (_list_folder(path) if path.is_dir() else [path])]
    if not files:
        raise FileNotFoundError("no files to read votes from")
    raw, problems = [], [no_problems()]
    for file in files:
        rows, faults = _read_file(file, study, rename=rename or {}, encoding=encoding)
        raw.append(rows.assign(file=file.name))
        problems.append(faults)
    rows = pd.concat(raw, ignore_index=True)
    votes, faults = _check_rows(rows, study, key)
    votes, copies = _drop_copies(votes)
    problems.append(copies)
    votes["worker"] = [hide(str(name).strip(), salt) for name in votes["worker"]]
    problems.append(faults)
    found = pd.concat([part for part in problems if len(part)] or [no_problems()], ignore_index=True)
    return Collection(votes.reindex(columns=VOTE_COLUMNS).reset_index(drop=True), found)


def _drop_copies(votes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return votes without those read before: a sitting saved twice, or as JSON and as csv; and these as problems."""
    same = ["worker", "session", "item", "answer", "time"]
    known = votes[["session", "time"]].notna().all(axis=1) & (votes["session"] != "") & (votes["time"] != "")
    copied = votes.astype({name: str for name in same}).duplicated(same) & known
    told = [
        (file, None, "", f"{n} answer(s)", "the same answers of the same sitting were read before")
        for file, n in votes.loc[copied, "file"].value_counts(sort=False).items()
    ]
    return votes[~copied], list_problems(told)


def _list_folder(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".json", ".csv"))


def _read_file(
    path: Path, study: Study, *, rename: Mapping[str, str], encoding: str | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if path.suffix.lower() == ".json":
        try:
            content = json.loads(read_text(path))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {error.lineno}: this is no JSON ({error.msg})") from None
        if isinstance(content, list) and content and isinstance(content[0], dict) and "data" in content[0]:
            return labelstudio.read_export(content, study, origin=path.name)
        return _read_sittings(content if isinstance(content, list) else [content], path)
    table, problems = read_table(path, encoding=encoding)
    table = table.rename(columns=dict(rename))
    if "HITId" in table or "WorkerId" in table:
        rows, faults = mturk.read_results(table, study, origin=path.name)
    else:
        rows, faults = _read_plain(table, study, path)
    return rows, pd.concat([part for part in (problems, faults) if len(part)] or [no_problems()], ignore_index=True)


def _read_sittings(sittings: list[Any], path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of one or more exports of a form or panel; ``line`` counts the answers of each from 1."""
    rows, problems = [], []
    for sitting in sittings:
        if not isinstance(sitting, dict) or not isinstance(sitting.get("answers"), list) or "worker" not in sitting:
            raise ValueError(f"{path}: neither an export of a form (study, worker, answers) nor one of Label Studio")
        shared = {name: sitting.get(name) for name in ("study", "instrument", "worker", "session", "slot")}
        for number, answer in enumerate(sitting["answers"], 1):
            if isinstance(answer, dict):
                rows.append(shared | answer | {"line": number})
            else:
                problems.append((path.name, number, "answers", str(answer), "no answer of a form"))
    if not rows and not problems:
        problems.append((path.name, None, "", "", "no answers in this file"))
    return pd.DataFrame(rows), list_problems(problems)


def _read_plain(table: pd.DataFrame, study: Study, path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of a csv: that of the form, or a plain one."""
    if "more_objective" in table or (study.kind == "instances" and "label" in table):
        table = table.rename(columns={"more_objective": "answer", "label": "answer"})
    if study.kind == "instances" and "annotator" in table and "worker" not in table:
        table = table.rename(columns={"annotator": "worker"})
    plain = "item" not in table
    theirs = {"pairs": ["left", "right", "more_objective"], "instances": ["key", "label"]}[study.kind]
    if plain:
        named = {"answer": theirs[-1]}
        check_columns([named.get(c, c) for c in table.columns if c != "line"], ["worker", *theirs], origin=str(path))
        table = table.assign(item="", instrument="csv")
    else:
        check_columns([c for c in table.columns if c != "line"], ["worker", "item", "answer"], origin=str(path))
    extra = sorted(set(table.columns) - {*_GIVEN, "worker", "line"})
    told = [(path.name, None, name, "", "column not known, not read") for name in extra]
    return table.drop(columns=extra), list_problems(told)


def _check_rows(rows: pd.DataFrame, study: Study, key: Key) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that are votes, with what study and key say of them, and the problems of the others."""
    rows = rows.reindex(columns=[*dict.fromkeys(["file", "line", "worker", *_GIVEN, *rows.columns])])
    of_text = {text: item for item, text in key.keys.items()}
    of_pair = {frozenset((item.left, item.right)): item.id for item in study.items if study.kind == "pairs"}
    items = {item.id: item for item in study.items}
    votes, problems = [], []
    for row in rows.to_dict("records"):
        row = {name: _tidy(value) for name, value in row.items()}
        if study.kind == "instances":
            row["item"] = row["item"] or of_text.get(str(row["key"]), "")
        else:
            row["item"] = row["item"] or of_pair.get(frozenset((row["left"], row["right"])), "")
        if fault := _find_fault(row, study, items):
            problems.append((row["file"], row["line"] or None, *fault))
        else:
            votes.append(_complete(row, study, key, items[row["item"]]))
    return pd.DataFrame(votes, columns=VOTE_COLUMNS), list_problems(problems)


def _tidy(value: Any) -> Any:
    """Return a cell's value: "" where there is none, text for what is neither text nor a number."""
    if value is None or value != value:
        return ""
    return value if isinstance(value, (str, int, float)) else str(value)


def _find_fault(row: dict[str, Any], study: Study, items: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return column, value and what is wrong of a row that is no vote; None where it is one."""
    if row["study"] and row["study"] != study.study:
        return "study", row["study"], f"vote of another study than {study.study}"
    if not row["study"] and row["instrument"] != "csv":
        return "study", "", "it does not say of which study this is an answer"
    if str(row["worker"]).strip() == "":
        return "worker", "", "no worker is named"
    if study.kind == "pairs" and row["left"] and row["left"] == row["right"]:
        return "right", row["right"], "a pair of a task with itself"
    if (passed := str(row["check_passed"]).lower()) not in ("", *TRUE, *FALSE):
        return "check_passed", passed, "must be true or false"
    if wrong := [name for name in _NUMBERS if not is_number(row[name])]:
        return wrong[0], str(row[wrong[0]]), NO_NUMBER
    if row["item"] not in items:
        return _unknown_item(row, study)
    sides = {items[row["item"]].left, items[row["item"]].right}
    if study.kind == "pairs" and (row["left"] or row["right"]) and {row["left"], row["right"]} != sides:
        return "left", f"{row['left']}, {row['right']}", f"the item is of {' and '.join(sorted(sides))}"
    answers = study.answers_to(items[row["item"]])
    answer = str(row["answer"]).strip()
    if answer in answers:
        return None
    fault = "no answer, or a tie; a vote names one" if answer.lower() in _TIES else "unknown answer; it must be one"
    return "answer", answer, f"{fault} of {', '.join(answers)}"


def _unknown_item(row: dict[str, Any], study: Study) -> tuple[str, str, str]:
    if row["item"]:
        return "item", row["item"], "the study has no such item"
    if study.kind == "instances":
        return "key", str(row["key"]), "the study has no text of this key"
    for side in ("left", "right"):
        names = [card.name for card in study.cards]
        if row[side] not in names:
            return side, str(row[side]), "unknown task; the study has " + ", ".join(names)
    return "right", f"{row['left']}, {row['right']}", "the study does not ask about this pair"


def _complete(row: dict[str, Any], study: Study, key: Key, item: Any) -> dict[str, Any]:
    """Return a vote with everything that study and key know of it."""
    right = key.checks.get(item.id)
    answer = str(row["answer"]).strip()
    row |= {"study": study.study, "kind": study.kind, "task": study.task, "check": right is not None, "answer": answer}
    row |= {"correct": None if right is None else answer == right, "key": key.keys.get(item.id, "")}
    if study.kind == "pairs":
        row |= {"left": row["left"] or item.left, "right": row["right"] or item.right}
    passed = str(row["check_passed"]).lower()
    row["check_passed"] = None if passed == "" else passed in TRUE
    numbers = {name: pd.to_numeric(row[name], errors="coerce") for name in _NUMBERS}
    return {name: row.get(name) for name in VOTE_COLUMNS} | numbers
