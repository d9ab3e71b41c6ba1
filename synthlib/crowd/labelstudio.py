"""Label Studio: a project made of a study, through its API, and its export (JSON) read back.

Every task of the project is one place of one slot. Its Data Manager can filter by ``slot``, so that each annotator sees
the tasks of one slot in order. The open edition does not hand out tasks by itself.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from xml.sax.saxutils import quoteattr

import pandas as pd
from pydantic import BaseModel, ValidationError

from synthlib.crowd.markup import show_card
from synthlib.crowd.study import Study
from synthlib.crowd.tables import list_problems

INSTRUMENT = "label studio"
TIMEOUT = 120.0  # seconds


def make_config(study: Study) -> str:
    """Return the labelling interface (XML)."""
    if study.kind == "pairs":
        sides = "".join(
            f'<View style="flex: 1 1 20rem"><HyperText name="{side}" value="${side}_card"/></View>'
            for side in ("left", "right")
        )
        shown = f'<View style="display: flex; flex-wrap: wrap; gap: 1.5rem">{sides}</View>'
        named, choices = "left", [("left", "the one on the left", ""), ("right", "the one on the right", "")]
    else:
        shown, named = '<Text name="text" value="$text"/>', "text"
        choices = [(choice.label, choice.say, choice.means) for choice in study.choices]
    options = "".join(
        f"<Choice alias={quoteattr(label)} value={quoteattr(say)} hint={quoteattr(means)}/>"
        for label, say, means in choices
    )
    header = f"<Header value={quoteattr(study.question)}/>"
    asked = f'<Choices name="answer" toName="{named}" choice="single-radio" required="true">{options}</Choices>'
    return f"<View>{header}{shown}{asked}</View>"


def make_tasks(study: Study) -> list[dict[str, Any]]:
    """Return the tasks to import: one a place, in the order of slots; nothing tells a check from another item."""
    cards = {card.name: show_card(card) for card in study.cards}
    tasks = []
    for number, slot in enumerate(study.slots, 1):
        for position, place in enumerate(slot, 1):
            data = {"study": study.study, "slot": number, "position": position, "item": place.item}
            if study.kind == "pairs":
                left, right = study.sides(place)
                data |= {"left": left, "right": right, "left_card": cards[left], "right_card": cards[right]}
            else:
                data["text"] = study.item(place.item).text
            tasks.append({"data": data})
    return tasks


class Server:
    """A running Label Studio.

    Parameters
    ----------
    url : str
        Such as http://localhost:8080.
    token : str
        An access token of a user (Account & Settings): a personal one, or a legacy one.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        if token.count(".") == 2:  # personal tokens are exchanged for one that lasts minutes
            self._authorization = ""
            self._authorization = "Bearer " + self.call("POST", "token/refresh", {"refresh": token})["access"]
        else:
            self._authorization = f"Token {token}"

    def call(self, method: str, path: str, content: Any = None) -> Any:
        """Return the JSON that a call to the API answers.

        Raises
        ------
        ValueError
            The server refuses; the message holds what it says.
        ConnectionError
            No server answers at the address.
        """
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/api/{path}", data=body, method=method)
        request.add_header("Content-Type", "application/json")
        if self._authorization:
            request.add_header("Authorization", self._authorization)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")[:300]
            raise ValueError(f"Label Studio at {self.url} refuses {method} {path} ({error.code}): {said}") from None
        except urllib.error.URLError as error:
            raise ConnectionError(f"no Label Studio at {self.url} ({error.reason})") from None

    def create_project(self, study: Study) -> int:
        """Make a project of a study, with all its tasks, and return its number."""
        about = {"title": f"{study.title} ({study.study})"[:50], "expert_instruction": study.instructions}
        about |= {"label_config": make_config(study), "show_instruction": True}
        project = self.call("POST", "projects/", about)["id"]
        self.call("POST", f"projects/{project}/import", make_tasks(study))
        return project

    def export(self, project: int) -> list[dict[str, Any]]:
        """Return a project's annotated tasks: what its JSON export holds."""
        return self.call("GET", f"projects/{project}/export?exportType=JSON")


class _Task(BaseModel):
    """What is read of a task of an export."""

    data: dict[str, Any]
    annotations: list[dict[str, Any]] = []


class _Value(BaseModel):
    choices: list[str] = []


class _Part(BaseModel):
    value: _Value = _Value()


class _Annotation(BaseModel):
    """What is read of an annotation of a task."""

    completed_by: Any = ""
    was_cancelled: Any = False
    lead_time: Any = None
    created_at: Any = None
    result: list[_Part] = []


def _parse(model: type[BaseModel], content: Any) -> Any:
    """Return the model of what a file holds; None where it has another form."""
    try:
        return model.model_validate(content)
    except ValidationError:
        return None


def read_export(tasks: list[Any], study: Study, *, origin: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the raw votes of an export and its problems; ``line`` counts the tasks of the file from 1.

    A worker is an annotator of Label Studio. Skipped tasks and those of another study are problems, and so is
    what has not the form of a task or an annotation.
    """
    rows, problems = [], []
    for number, task in enumerate(tasks, 1):
        if (asked := _parse(_Task, task)) is None:
            problems.append((origin, number, "", "", "no task of Label Studio, with data and annotations"))
            continue
        data = asked.data
        for content in asked.annotations:
            if (annotation := _parse(_Annotation, content)) is None:
                problems.append((origin, number, "result", "", "no annotation of Label Studio, with a list of choices"))
                continue
            worker = annotation.completed_by
            worker = worker.get("email", worker.get("id")) if isinstance(worker, dict) else worker
            chosen = [choice for part in annotation.result for choice in part.value.choices]
            if annotation.was_cancelled or len(chosen) != 1:
                problems.append((origin, number, "answer", "; ".join(chosen), "skipped, or not one answer"))
                continue
            answer = data.get(chosen[0], "") if study.kind == "pairs" else chosen[0]
            row = {"study": data.get("study", "none named"), "instrument": INSTRUMENT, "worker": str(worker)}
            row |= {name: data.get(name, "") for name in ("slot", "position", "item", "left", "right")}
            row |= {"answer": answer, "seconds": annotation.lead_time, "time": annotation.created_at}
            rows.append(row | {"line": number})
    columns = "study instrument worker slot position item left right answer seconds time line".split()
    return pd.DataFrame(rows, columns=columns), list_problems(problems)
