"""The tasks of the study: names, labels, prompts and sources, one yaml file each in params/tasks/."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synthlib.paths import PARAMS


class Label(BaseModel):
    """What a label is called in prompts (``say``) and what it means.

    ``attributes`` narrows the task's attributes to the values that go with this label.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    say: str
    means: str
    attributes: dict[str, list[str]] = {}


class Hub(BaseModel):
    """A public copy of a task's texts: plain files at one commit, read by :mod:`synthlib.hub`.

    Attributes
    ----------
    host : str
        The model hub, or GitHub where the hub has no plain files at a known commit.
    id : str
        Repository, or a folder on disk that holds the same files.
    revision : str
        Commit, 40 hexadecimal digits; unused for a folder.
    format : str
        Of the files, as the ``datasets`` library names it; json_by_label is one object of label to list of rows.
    encoding : str or None
        Of csv and text files; None is UTF-8.
    separator : str or None
        Text files hold ``text<separator>label`` a line.
    text, label : str
        Columns; a text may be a list of words.
    labels : dict
        What the copy writes for a label (a list of one label: that label), to ours. Rows of other labels are left out.
    files : dict
        Our split to a file; ``all`` is a file without official split, divided by ``fractions``. A file within an
        archive is written ``zip://<inner>::<archive>``.
    fractions : tuple of float or None
        Shares of train, validation and test.
    agreement : dict or None
        Strength of the majority among the annotators (percent) to the file of the texts that reach it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Literal["hub", "github"] = "hub"
    id: str
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    format: Literal["parquet", "csv", "text", "json_by_label"]
    encoding: str | None = None
    separator: str | None = None
    text: str
    label: str
    labels: Annotated[dict[str, str], Field(min_length=2)]
    files: Annotated[dict[Literal["train", "validation", "test", "all"], str], Field(min_length=1)]
    fractions: tuple[float, float, float] | None = None
    agreement: dict[int, str] | None = None

    @model_validator(mode="after")
    def _splits_are_known(self) -> Self:
        official = {"train", "test"} <= set(self.files) <= {"train", "validation", "test"}
        drawn = set(self.files) == {"all"} and self.fractions is not None and abs(sum(self.fractions) - 1) < 1e-9
        if not official and not drawn:
            raise ValueError("files needs train and test (validation if there is one), or all with fractions of sum 1")
        return self


class Reference(BaseModel):
    """Where the real texts come from, and who or what assigned their labels.

    ``hub`` is None where no public copy in plain files at a known commit is known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    citation: str
    licence: str
    labels_from: str
    hub: Hub | None


class Task(BaseModel):
    """One classification task.

    ``group`` is the study's: least or most subjective. ``words`` is the range from which a request draws its length.
    ``language`` is that of the texts (ISO 639).
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
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] = "en"
    vocabulary: bool
    attributes: dict[str, list[str]]
    reference: Reference

    @model_validator(mode="after")
    def _hub_labels_are_ours(self) -> Self:
        hub = self.reference.hub
        if hub and set(hub.labels.values()) != set(self.labels):
            raise ValueError(f"reference.hub.labels gives {sorted(set(hub.labels.values()))}, not {list(self.labels)}")
        return self

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
