"""A study on disk: what every instrument shows (study.json), and what it must not show (private/key.json).

An instrument is given the study only. A check looks like any other question there; which questions are checks, what is
right, and which text of the task an item is, stands in the key alone.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synthlib.paths import ROOT

Kind = Literal["pairs", "instances"]
STUDY, KEY, ASSIGNMENTS, PRIVATE = "study.json", "key.json", "assignments.csv", "private"
_STRICT = ConfigDict(extra="forbid", frozen=True)


class Choice(BaseModel):
    """A label as workers see it: ``label`` is what a vote says, ``say`` what is shown, ``means`` its explanation."""

    model_config = _STRICT

    label: str
    say: str
    means: str

    @property
    def line(self) -> str:
        """What is shown, with its explanation where that says more."""
        return self.say if self.say == self.means else f"{self.say}: {self.means}"


class Example(BaseModel):
    """An example text of a card, and what its label is called."""

    model_config = _STRICT

    say: str
    text: str


class Card(BaseModel):
    """A task as workers of a pairwise study see it; ``examples_from`` says who wrote the examples."""

    model_config = _STRICT

    name: str
    title: str
    question: str
    choices: list[Choice]
    examples: list[Example]
    examples_from: str


class Item(BaseModel):
    """A question: two cards by name (``left`` and ``right``, shown swapped in about half of the slots), or a text."""

    model_config = _STRICT

    id: str
    left: str = ""
    right: str = ""
    text: str = ""


class Place(BaseModel):
    """A question in a worker's list, and whether its sides are swapped."""

    model_config = _STRICT

    item: str
    swap: bool = False


class Study(BaseModel):
    """What every instrument reads.

    Attributes
    ----------
    study : str
        Its name: the kind and eight digits that depend on everything it holds.
    kind : str
        ``pairs`` (which of two tasks is more objective?) or ``instances`` (which label does a text have?).
    title, instructions, question : str
        What workers read; the instructions hold the study's definition of objective.
    texts_from : str
        Who wrote the texts, for the reader of the votes; not shown to workers.
    seed : int
        Of the draw of items and slots.
    task : str
        Of an instance study; empty in a pairwise one.
    choices : list of Choice
        Answers of an instance study; empty in a pairwise one.
    cards : list of Card
        Tasks of a pairwise study, those of checks among them.
    items : list of Item
        All questions, checks among them.
    slots : list of list of Place
        A worker takes one slot: slot 1 is the first.
    """

    model_config = _STRICT

    study: str
    version: Literal[1]
    kind: Kind
    title: str
    instructions: str
    question: str
    texts_from: str
    seed: int
    task: str = ""
    choices: list[Choice] = []
    cards: list[Card] = []
    items: Annotated[list[Item], Field(min_length=1)]
    slots: Annotated[list[list[Place]], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        known, cards = {item.id for item in self.items}, {card.name for card in self.cards}
        if len(known) < len(self.items):
            raise ValueError("an item's id is repeated")
        if unknown := {place.item for slot in self.slots for place in slot} - known:
            raise ValueError(f"slots name unknown item(s) {sorted(unknown)}")
        named = {side for item in self.items for side in (item.left, item.right)}
        if self.kind == "pairs" and not named <= cards:
            raise ValueError(f"items name unknown card(s) {sorted(named - cards)}")
        if self.kind == "instances" and len(self.choices) < 2:
            raise ValueError("an instance study needs at least two choices")
        return self

    def item(self, name: str) -> Item:
        """Return the item of an id."""
        return next(item for item in self.items if item.id == name)

    def answers_to(self, item: Item) -> list[str]:
        """Return what may be answered to an item: its two cards, or the labels."""
        return [item.left, item.right] if self.kind == "pairs" else [choice.label for choice in self.choices]

    def sides(self, place: Place) -> tuple[str, str]:
        """Return the cards on the left and on the right where an item stands in a slot."""
        item = self.item(place.item)
        return (item.right, item.left) if place.swap else (item.left, item.right)


class Key(BaseModel):
    """What stays with whoever runs a study.

    Attributes
    ----------
    study : str
        Which study this belongs to.
    checks : dict of str to str
        The right answer of each check, by item.
    keys : dict of str to str
        The key of the text of each item of an instance study, but for checks; empty in a pairwise one.
    """

    model_config = _STRICT

    study: str
    checks: dict[str, str]
    keys: dict[str, str]


def name_study(kind: Kind, content: dict[str, Any]) -> str:
    """Return a study's name: its kind, and eight digits of the hash of what it holds.

    Examples
    --------
    >>> name_study("pairs", {"seed": 1})
    'pairs-a4bbadc1'
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def count_items(study: Study, key: Key) -> int:
    """Return how many items, without checks, a slot holds (the same in every slot of a drawn study)."""
    return max(sum(place.item not in key.checks for place in slot) for slot in study.slots)


def write_study(study: Study, key: Key, assignments: pd.DataFrame, folder: Path) -> list[Path]:
    """Write study.json, and into private/ what workers must not see: key.json and assignments.csv; return the paths.

    Raises
    ------
    ValueError
        The folder holds another study, whose key would be lost.
    """
    private = folder / PRIVATE
    for path, model in ((folder / STUDY, Study), (private / KEY, Key)):
        if path.is_file() and (held := _read(path, path.name, model).study) != study.study:
            raise ValueError(
                f"{path} is of the study {held}; write {study.study} to another folder (without its key the answers to "
                f"{held} could not be read)"
            )
    private.mkdir(parents=True, exist_ok=True)
    (private / ".gitignore").write_text("*\n", encoding="utf-8")  # the salt comes here too: never into a repository
    paths = [folder / STUDY, private / KEY, private / ASSIGNMENTS]
    for path, content in zip(paths[:2], (study, key), strict=True):
        path.write_text(content.model_dump_json(indent=1, exclude_defaults=True) + "\n", encoding="utf-8")
    assignments.to_csv(paths[2], index=False)
    return paths


def read_study(path: str | Path) -> Study:
    """Return the study of a file, or of a folder that holds study.json.

    A relative path starts here or, where there is none (in a notebook's folder, say), at the repository root.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is no study; the message says which field is wrong.
    """
    path = Path(path)
    return _read(path if path.exists() or not (ROOT / path).exists() else ROOT / path, STUDY, Study)


def read_key(path: str | Path, study: Study) -> Key:
    """Return the key of a file, or of a study's folder.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is no key, or that of another study.
    """
    path = Path(path)
    key = _read(path / PRIVATE if path.is_dir() else path, KEY, Key)
    if key.study != study.study:
        raise ValueError(f"{path} is the key of {key.study}, not of {study.study}")
    return key


def _read(path: Path, name: str, model: type[BaseModel]) -> Any:
    path = path / name if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; `synthlib crowd design` makes it")
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no {name}: {error}") from None
