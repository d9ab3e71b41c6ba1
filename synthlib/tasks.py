"""The tasks: names, labels, prompts and sources, one yaml file each, in params/tasks/ or a folder of one's own.

The folder of one's own is named by SYNTHLIB_TASKS; docs/new_task.md shows how a task is written.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

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


class Rule(BaseModel):
    """What a text with an attribute value should bear: a regular expression that it ``holds``, or that it ``lacks``.

    Capital and small letters count as the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    holds: str | None = None
    lacks: str | None = None

    @model_validator(mode="after")
    def _is_one_expression(self) -> Self:
        if (self.holds is None) == (self.lacks is None):
            raise ValueError("a rule is holds: <regular expression> or lacks: <regular expression>, one of them")
        try:
            re.compile(self.holds or self.lacks or "")
        except re.error as error:
            raise ValueError(f"{self.holds or self.lacks!r} is no regular expression: {error}") from None
        return self


class Task(BaseModel):
    """One classification task.

    ``group`` is the study's: least or most subjective. ``words`` is the range from which a request draws its length.
    ``rules`` names for an attribute value the rule of :mod:`synthlib.corpus.compliance` by which texts are checked for
    it, or is one; values without a rule are not checked.
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
    rules: dict[str, str | Rule] = {}
    reference: Reference

    @model_validator(mode="after")
    def _rules_are_of_values(self) -> Self:
        values = {value for listed in self.attributes.values() for value in listed}
        if unknown := sorted(set(self.rules) - values):
            raise ValueError(f"rules has {unknown}, which no attribute has as a value")
        return self

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
    candidates: Annotated[int, Field(ge=2)]
    keep: Literal["one", "all"]
    diversity: str
    imitation: str
    attributed: str
    vocabulary: str
    outline: str
    write: str
    grounded: str
    verbalized: str
    vocabulary_words: dict[Literal["verbs", "nouns", "adjectives"], Annotated[list[str], Field(min_length=1)]]

    def texts_per_request(self, setting: str) -> int:
        """Return how many texts a request of a setting gives: one, but for verbalized ones that keep all."""
        return self.candidates if setting == "verbalized" and self.keep == "all" else 1


@lru_cache
def load_wording() -> Wording:
    """Return the shared part of all prompts: params/prompts.yaml."""
    return Wording(**yaml.safe_load((PARAMS / "prompts.yaml").read_text(encoding="utf-8")))


def task_names() -> tuple[str, ...]:
    """Return the names of the tasks in params/tasks/, in alphabetical order."""
    return tuple(sorted(path.stem for path in (PARAMS / "tasks").glob("*.yaml")))


def own_files() -> dict[str, Path]:
    """Return the file of each task in the folder that SYNTHLIB_TASKS names; none where it is not set.

    Raises
    ------
    ValueError
        It is no folder, or one of its tasks has the name of a task in params/tasks/.
    """
    folder = os.environ.get("SYNTHLIB_TASKS")
    if not folder:
        return {}
    if not Path(folder).is_dir():
        raise ValueError(f"SYNTHLIB_TASKS is {folder!r}, which is no folder")
    files = {path.stem: path.absolute() for path in sorted(Path(folder).glob("*.yaml"))}
    if taken := sorted(set(files) & set(task_names())):
        raise ValueError(f"SYNTHLIB_TASKS={folder} has {taken}, which params/tasks/ has too; rename the file(s)")
    return files


def find_file(name: str) -> Path:
    """Return the file of a task: of one's own, or in params/tasks/.

    Raises
    ------
    ValueError
        There is no such task; the message lists those of both places.
    """
    own = own_files()
    if name not in own and name not in task_names():
        told = "a task of your own needs SYNTHLIB_TASKS=<folder of its file>, see docs/new_task.md"
        if folder := os.environ.get("SYNTHLIB_TASKS"):
            told = f"in SYNTHLIB_TASKS={folder}: {', '.join(own) or 'none'}"
        raise ValueError(f"unknown task {name!r}; known tasks: {', '.join(task_names())}; {told}")
    return own.get(name, PARAMS / "tasks" / f"{name}.yaml")


def load_task(name: str) -> Task:
    """Return a task by name.

    Raises
    ------
    ValueError
        There is no such task, or its file is faulty; the message says which fields.
    """
    from synthlib.params.base import check  # imports this module

    path = find_file(name)
    values = _read_file(path)
    try:
        return check(Task, {"name": name, **values})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from None
    if values is None:
        raise ValueError(f"{path} is empty; docs/new_task.md says what a task's file holds")
    if not isinstance(values, dict):
        raise ValueError(f"{path} must be a mapping of fields to values, not a {type(values).__name__}")
    if "name" in values:
        raise ValueError(f"{path}: take out name: a task's name is that of its file, {path.stem!r}")
    return values


@lru_cache
def task_title(name: str) -> str:
    """Return what figures and prose call a task: the ``title`` of its file.

    Examples
    --------
    >>> task_title("imdb")
    'Movie review sentiment'
    """
    return load_task(name).title


def load_tasks(names: list[str]) -> dict[str, Task]:
    """Return several tasks by name, in the order given."""
    return {name: load_task(name) for name in names}
