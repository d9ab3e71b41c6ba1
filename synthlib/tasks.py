"""The tasks of the study: names, labels, prompts and sources, one yaml file each in params/tasks/."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from synthlib.paths import PARAMS

GROUPS = ("least_subjective", "most_subjective")


class Label(BaseModel):
    """What a label is called in prompts (``say``) and what it means.

    ``attributes`` narrows the task's attributes to the values that go with this label.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    say: str
    means: str
    attributes: dict[str, list[str]] = {}


class Reference(BaseModel):
    """Where the real texts come from; ``hub_id`` and ``revision`` name the public copy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    citation: str
    licence: str
    labels_from: str
    hub_id: str
    hub_config: str | None = None
    revision: str


class Task(BaseModel):
    """One classification task.

    ``group`` is the study's: least or most subjective. ``words`` is the range from which a request draws its length.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    group: Literal["least_subjective", "most_subjective"]
    question: str
    context: str
    generate: str
    words: Annotated[list[int], Field(min_length=2, max_length=2)]
    labels: Annotated[dict[str, Label], Field(min_length=2)]
    draws: dict[str, list[str]] = {}
    vocabulary: bool
    attributes: dict[str, list[str]]
    reference: Reference | None = None

    @property
    def label_names(self) -> list[str]:
        """Labels in the order in which every array of the project counts them."""
        return list(self.labels)

    def attributes_of(self, label: str) -> dict[str, list[str]]:
        """Return the attributes from which requests of a label draw: the task's, narrowed by the label's own."""
        return self.attributes | self.labels[label].attributes


class Wording(BaseModel):
    """What every task's prompts share: sentences, words to draw from, and how much a request draws."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch: Annotated[int, Field(ge=1)]
    examples_per_request: Annotated[int, Field(ge=1)]
    attributes_per_request: Annotated[int, Field(ge=1)]
    vocabulary_share: Annotated[float, Field(ge=0, le=1)]
    diversity: str
    imitation: str
    attributed: str
    vocabulary: str
    vocabulary_words: dict[Literal["verbs", "nouns", "adjectives"], Annotated[list[str], Field(min_length=1)]]


@lru_cache
def load_wording() -> Wording:
    """Return the shared part of all prompts: params/prompts.yaml."""
    return Wording(**yaml.safe_load((PARAMS / "prompts.yaml").read_text(encoding="utf-8")))


@lru_cache
def task_names() -> tuple[str, ...]:
    """Return the names of the tasks in params/tasks/, in alphabetical order."""
    return tuple(sorted(path.stem for path in (PARAMS / "tasks").glob("*.yaml")))


def load_task(name: str) -> Task:
    """Return the task of params/tasks/<name>.yaml.

    Raises
    ------
    ValueError
        There is no such task, or its file is faulty; the message says which field.
    """
    path = PARAMS / "tasks" / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"unknown task {name!r}; known tasks: {', '.join(task_names())}")
    try:
        return Task(name=name, **yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def load_tasks(names: list[str]) -> dict[str, Task]:
    """Return several tasks by name, in the order given."""
    return {name: load_task(name) for name in names}
