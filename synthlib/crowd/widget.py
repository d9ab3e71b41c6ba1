"""The form as a widget, for a workshop in notebooks: what it stores and exports is what the HTML form exports."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets

from synthlib.crowd.markup import show_card
from synthlib.crowd.study import Place, Study

INSTRUMENT = "notebook form"


class Form:
    """One person's sitting: show ``Form(...).box`` in a notebook, answer, and call :meth:`save`.

    Parameters
    ----------
    slot : int
        The person's number, from 1 to the number of slots.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is shown.

    Raises
    ------
    ValueError
        The study has no such slot.
    """

    def __init__(self, study: Study, slot: int) -> None:
        if not 1 <= slot <= len(study.slots):
            raise ValueError(f"slot {slot}; the study has slots 1 to {len(study.slots)}")
        self.study, self.slot, self.places = study, slot, study.slots[slot - 1]
        self._session, self._answers, self._at = secrets.token_hex(4), {}, 0
        self._shown_at, self._opening = time.monotonic(), False
        self._progress = ipywidgets.IntProgress(max=len(self.places), layout={"width": "100%"})
        self._head, self._item = ipywidgets.HTML(), ipywidgets.HTML()
        self.choice = ipywidgets.RadioButtons(layout={"width": "max-content"})
        self.back = ipywidgets.Button(description="Back")
        self.next = ipywidgets.Button(description="Next", button_style="primary")
        about = ipywidgets.HTML(
            f"<h2>{escape(study.title)}</h2><p style='line-height:1.5'>{escape(study.instructions)}</p>"
        )
        buttons = ipywidgets.HBox([self.back, self.next])
        parts = [about, self._progress, self._head, self._item, self.choice, buttons]
        self.box = ipywidgets.VBox(parts, layout={"max_width": "60rem"})
        self.choice.observe(self._take, names="value")
        self.back.on_click(lambda _: self._go(-1))
        self.next.on_click(lambda _: self._go(1))
        self._show()

    def sitting(self) -> dict[str, Any]:
        """Return the answers so far, as the HTML form exports them."""
        answers = sorted(self._answers.values(), key=lambda row: row["position"])
        about = {"study": self.study.study, "version": 1, "instrument": INSTRUMENT, "worker": str(self.slot)}
        return about | {"session": self._session, "slot": self.slot, "answers": answers}

    def save(self, folder: str | Path) -> Path:
        """Write the answers so far to a file of this sitting in ``folder`` and return its path.

        Raises
        ------
        ValueError
            Nothing was answered yet.
        """
        if not self._answers:
            raise ValueError("nothing was answered yet")
        path = Path(folder) / f"votes-{self.study.study}-{self.slot}-{self._session}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.sitting(), indent=1, ensure_ascii=False), encoding="utf-8")
        return path

    def _show(self) -> None:
        place = self.places[self._at]
        self._head.value = f"<b>Question {self._at + 1} of {len(self.places)}. {escape(self.study.question)}</b>"
        self._item.value = _show_place(self.study, place)
        self._opening = True  # setting the options is no answer
        self.choice.options = _list_options(self.study, place)
        self.choice.value = self._answers.get(place.item, {}).get("answer")
        self._opening = False
        self._shown_at = time.monotonic()
        self._refresh()

    def _refresh(self) -> None:
        self._progress.value = len(self._answers)
        self.back.disabled = self._at == 0
        self.next.disabled = self.choice.value is None or self._at == len(self.places) - 1
        if len(self._answers) == len(self.places):
            self._head.value = "<b>All questions are answered: thank you. Now save your answers.</b>"

    def _take(self, change: dict[str, Any]) -> None:
        if self._opening or change["new"] is None:
            return
        place = self.places[self._at]
        left, right = self.study.sides(place)
        before, now = self._answers.get(place.item, {}).get("seconds", 0.0), time.monotonic()
        row = {"item": place.item, "position": self._at + 1, "left": left, "right": right, "answer": change["new"]}
        row |= {"seconds": round(before + now - self._shown_at, 2), "time": datetime.now(UTC).isoformat()}
        self._answers[place.item], self._shown_at = row, now
        self._refresh()

    def _go(self, step: int) -> None:
        self._at = min(max(self._at + step, 0), len(self.places) - 1)
        self._show()


def _list_options(study: Study, place: Place) -> list[tuple[str, str]]:
    if study.kind == "instances":
        return [(choice.line, choice.label) for choice in study.choices]
    titles = {card.name: card.title for card in study.cards}
    sides = zip(("left", "right"), study.sides(place), strict=True)
    return [(f"{titles[name]} ({side}) is more objective", name) for side, name in sides]


def _show_place(study: Study, place: Place) -> str:
    if study.kind == "instances":
        style = "font-size:1.15em; max-width:42rem; white-space:pre-wrap"
        return f"<p style='{style}'>{escape(study.item(place.item).text)}</p>"
    cards = {card.name: card for card in study.cards}
    sides = "".join(f"<div style='flex:1 1 18rem'>{show_card(cards[name])}</div>" for name in study.sides(place))
    return f"<div style='display:flex; flex-wrap:wrap; gap:1.5rem; line-height:1.4'>{sides}</div>"
