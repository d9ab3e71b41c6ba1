"""Amazon Mechanical Turk: the layout of a HIT, the csv of a batch, and the batch results that the requester site gives.

A HIT is one slot. Publish the batch with one assignment a HIT. The site cannot keep a worker from taking several HITs;
who does is flagged as repeated when the results are read.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from synthlib.crowd.markup import show_card
from synthlib.crowd.study import Place, Study
from synthlib.crowd.tables import NO_NUMBER, check_columns, is_number, list_problems

INSTRUMENT = "mturk"
_PACKED = "Answer.taskAnswers"  # column
_TEMPLATE = Path(__file__).with_name("mturk.html")


def make_layout(study: Study) -> str:
    """Return the HTML of a HIT, with ``${...}`` where the batch csv fills in a slot."""
    n_places = max(map(len, study.slots))
    choices = [("left", "The first one", ""), ("right", "The second one", "")]
    if study.kind == "instances":
        choices = [(choice.label, choice.say, choice.means) for choice in study.choices]
    questions = "\n".join(_ask(number, n_places, study, choices) for number in range(1, n_places + 1))
    page = _TEMPLATE.read_text(encoding="utf-8").replace("{{title}}", escape(study.title))
    return page.replace("{{instructions}}", escape(study.instructions)).replace("{{questions}}", questions)


def _ask(number: int, n_places: int, study: Study, choices: list[tuple[str, str, str]]) -> str:
    shown = [f"${{left_card_{number}}}", f"${{right_card_{number}}}"]
    if study.kind == "instances":
        shown = [f"${{text_{number}}}"]
    boxes = "".join(f'<div class="card">{part}</div>' for part in shown)
    options = "".join(
        f'<label><input type="radio" name="answer_{number}" value="{escape(value)}" required> <span>{escape(say)}'
        + (f" <small>{escape(means)}</small>" if means else "")
        + "</span></label>"
        for value, say, means in choices
    )
    legend = f"{number} of {n_places}. {escape(study.question)}"
    return f'<fieldset><legend>{legend}</legend><div class="cards">{boxes}</div>{options}</fieldset>'


def make_batch(study: Study) -> pd.DataFrame:
    """Return the csv of a batch: one row a slot, texts escaped for HTML."""
    cards = {card.name: show_card(card) for card in study.cards}
    return pd.DataFrame(
        {"study": study.study, "slot": number}
        | {name: value for i, place in enumerate(slot, 1) for name, value in _fill(i, place, study, cards).items()}
        for number, slot in enumerate(study.slots, 1)
    )


def _fill(number: int, place: Place, study: Study, cards: dict[str, str]) -> dict[str, str]:
    filled = {f"item_{number}": place.item}
    if study.kind == "instances":
        return filled | {f"text_{number}": escape(study.item(place.item).text)}
    left, right = study.sides(place)
    filled |= {f"left_{number}": left, f"right_{number}": right}
    return filled | {f"left_card_{number}": cards[left], f"right_card_{number}": cards[right]}


def read_results(table: pd.DataFrame, study: Study, *, origin: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the raw votes of batch results and their problems.

    Answers are read from ``Answer.answer_N``, from ``Answer.answer_N.VALUE`` (true or false) or from the JSON in
    ``Answer.taskAnswers``. ``WorkTimeInSeconds`` is of the whole HIT, so every answer gets an equal part of it.
    Rejected assignments are problems, and so are unanswered questions and times that are no number.

    Parameters
    ----------
    table : DataFrame of str
        The csv, with ``line``.

    Raises
    ------
    ValueError
        A column is missing.
    """
    needed = ["HITId", "WorkerId", "AssignmentStatus", "WorkTimeInSeconds", "Input.study", "Input.slot"]
    check_columns([c for c in table.columns if c != "line"], needed, origin=origin)
    rows, problems = [], []
    for assignment in table.to_dict("records"):
        line = assignment["line"]
        if assignment["AssignmentStatus"].lower() == "rejected":
            problems.append((origin, line, "AssignmentStatus", "Rejected", "a rejected assignment, not read"))
            continue
        if not is_number(worked := assignment["WorkTimeInSeconds"]):
            problems.append((origin, line, "WorkTimeInSeconds", worked, NO_NUMBER))
            continue
        if (answers := _find_answers(assignment)) is None:
            said = assignment[_PACKED][:80]
            problems.append((origin, line, _PACKED, said, "not the answers of a HIT: a JSON list of one object"))
            continue
        places = sorted(int(n) for name in assignment for n in re.findall(r"^Input\.item_(\d+)$", name))
        asked = [number for number in places if assignment[f"Input.item_{number}"]]
        seconds = pd.to_numeric(worked, errors="coerce") / max(len(asked), 1)
        for number in asked:
            row = _make_row(assignment, number, answers.get(number, ""), study)
            if row["answer"]:
                rows.append(row | {"seconds": seconds, "line": line})
            else:
                problems.append((origin, line, f"Answer.answer_{number}", "", "not answered"))
    columns = "study instrument worker session slot position item left right answer time seconds line".split()
    return pd.DataFrame(rows, columns=columns), list_problems(problems)


def _make_row(assignment: dict[str, Any], number: int, answer: str, study: Study) -> dict[str, Any]:
    row = {"study": assignment["Input.study"], "instrument": INSTRUMENT, "worker": assignment["WorkerId"]}
    row |= {"session": assignment["HITId"], "slot": assignment["Input.slot"], "position": number}
    row |= {"item": assignment[f"Input.item_{number}"], "time": assignment.get("SubmitTime", "")}
    row |= {side: assignment.get(f"Input.{side}_{number}", "") for side in ("left", "right")}
    return row | {"answer": row.get(answer, answer) if study.kind == "pairs" else answer}


def _find_answers(assignment: dict[str, Any]) -> dict[int, str] | None:
    """Return what was answered to each question, in whichever of three forms the site writes it; None if in another."""
    answers = {}
    for name, value in assignment.items():
        plain = re.fullmatch(r"Answer\.answer_(\d+)", str(name))
        ticked = re.fullmatch(r"Answer\.answer_(\d+)\.(.+)", str(name))
        if plain and value:
            answers[int(plain[1])] = value
        elif ticked and value.lower() == "true":
            answers[int(ticked[1])] = ticked[2]
        elif name == _PACKED and value:
            if (unpacked := _unpack(value)) is None:
                return None
            answers |= unpacked
    return answers


def _unpack(text: str) -> dict[int, str] | None:
    answers = {}
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        return None
    if not (isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict)):
        return None
    for name, value in content[0].items():
        if number := re.fullmatch(r"answer_(\d+)", name):
            ticked = [label for label, on in value.items() if on] if isinstance(value, dict) else [value]
            answers[int(number[1])] = str(ticked[0]) if len(ticked) == 1 and ticked[0] is not None else ""
    return answers
