"""Parameters of the notebooks: one pydantic model a notebook, and the stages of the study.

A value travels: ``params/<profile>.yaml`` -> :mod:`synthlib.runner.profiles` (checked before anything runs) -> the
runner injects it into the notebook -> the notebook's set-up cell builds its model with ``Model.from_cell(globals())``.
The models have no defaults: the literals of a notebook's ``parameters`` cell are the defaults a reader sees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from synthlib import tasks as task_files
from synthlib import voters
from synthlib.backends import Llm

Setting = Literal["zero_shot", "few_shot", "attributed"]
Source = Literal["features", "folder", "hub"]
Backend = Literal["released", "openai"]
TrainingSource = Literal[
    "real",
    "real_matched",
    "pool",
    "zero_shot",
    "few_shot",
    "attributed",
    "zero_shot+attributed",
    "pool+few_shot",
]
SETTINGS: tuple[str, ...] = get_args(Setting)
TRAINING_SOURCES: tuple[str, ...] = get_args(TrainingSource)


def _known_task(name: str) -> str:
    known = task_files.task_names()
    if name not in known:
        raise ValueError(f"unknown task {name!r}; known tasks: {', '.join(known)}")
    return name


def _distinct(values: list) -> list:
    if len(set(values)) != len(values):
        raise ValueError(f"a value is repeated in {values}")
    return values


TaskName = Annotated[str, AfterValidator(_known_task)]
TaskNames = Annotated[list[TaskName], Field(min_length=1), AfterValidator(_distinct)]


def _found_pairs(folder: str) -> str:
    voters.find_votes(folder, voters.PAIRS)
    return folder


def _found_instances(folder: str) -> str:
    voters.find_votes(folder, voters.INSTANCES)
    return folder


Count = Annotated[int, Field(ge=1)]
Resamples = Annotated[int, Field(ge=100, le=100_000)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Params(BaseModel):
    """What every notebook takes: a seed, the folders of earlier stages, and the folder it writes to.

    ``inputs`` maps ``"stage/cell"`` to a folder and ``output`` names one, both relative to the repository root. The
    runner fills them in; left empty (a notebook opened by hand), the last companion run is read and
    ``results/interactive/<stage>`` is written.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    seed: Annotated[int, Field(ge=0)]
    inputs: dict[str, str]
    output: str

    @classmethod
    def from_cell(cls, namespace: Mapping[str, Any]) -> Self:
        """Return the parameters found in a notebook's namespace, checked.

        Parameters
        ----------
        namespace : mapping
            ``globals()`` of the notebook; names that are no parameter are ignored.

        Raises
        ------
        ValueError
            A parameter is missing, of the wrong type or out of range; the message names each one.
        """
        return check(cls, {name: namespace[name] for name in cls.model_fields if name in namespace})


class Tasks(Params):
    """01_tasks: which real texts the study is about."""

    tasks: TaskNames
    source: Source
    encoder: str
    near_duplicate_cosine: Share


class Generate(Params):
    """02_generate: the synthetic texts of one task, and what came back.

    ``llm`` holds the fields of :class:`synthlib.backends.Llm` where the backend is openai, and is empty otherwise.
    """

    task: TaskName
    source: Source
    encoder: str
    backend: Backend
    llm: dict[str, Any]
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(_distinct)]
    n_per_label: Count
    near_duplicate_cosine: Share
    length_tolerance: Share
    n_resamples: Resamples
    confidence: Share

    @field_validator("llm")
    @classmethod
    def _llm_suits_the_backend(cls, llm: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if info.data.get("backend") == "openai":
            check(Llm, llm)
        elif llm:
            raise ValueError("must be empty where backend is 'released': no model is asked")
        return llm

    @model_validator(mode="after")
    def _examples_are_texts(self) -> Self:
        if self.backend != "released" and "few_shot" in self.settings and self.source == "features":
            raise ValueError("few_shot requests show real texts to the model; they need source 'folder' or 'hub'")
        return self


class FineTuning(BaseModel):
    """How 03_train fine-tunes encoders; the fields are those of :class:`synthlib.finetune.Settings`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    pooling: Literal["cls", "mean"]
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    batch_size: Count
    n_epochs: Count
    min_steps: Annotated[int, Field(ge=0)]
    warmup_share: Annotated[float, Field(ge=0, lt=1)]
    max_grad_norm: Annotated[float, Field(gt=0)]
    max_length: Annotated[int, Field(ge=8)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]


def _checked_fine_tuning(values: dict[str, Any]) -> dict[str, Any]:
    return check(FineTuning, values).model_dump() if values else {}


class Train(Params):
    """03_train: classifiers of one task from every source, by seed.

    ``fine_tuning`` is empty (a hidden layer on the frozen encoder is trained) or holds the fields of
    :class:`FineTuning`; then texts are needed, and the frozen learning rate, decay, steps and batch size are not used.
    """

    task: TaskName
    source: Source
    encoder: str
    sources: Annotated[list[TrainingSource], Field(min_length=1), AfterValidator(_distinct)]
    n_seeds: Count
    hidden_units: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    n_steps: Count
    batch_size: Count
    curve_sizes: list[Count]
    mixing_sizes: list[Annotated[int, Field(ge=0)]]
    fine_tuning: Annotated[dict[str, Any], AfterValidator(_checked_fine_tuning)]
    n_resamples: Resamples
    confidence: Share
    device: str

    @model_validator(mode="after")
    def _fine_tuning_has_texts(self) -> Self:
        if self.fine_tuning and self.source == "features":
            raise ValueError("fine_tuning needs texts, source 'features' has none: set source to folder or hub")
        return self


class TaskSubjectivity(Params):
    """04_task_subjectivity: from pairwise judgements to levels and scores of subjectivity."""

    tasks: TaskNames
    votes: Annotated[str, AfterValidator(_found_pairs)]
    min_pairs: Count
    regularisation: Annotated[float, Field(gt=0)]
    n_resamples: Resamples
    confidence: Share


class TaskComparison(Params):
    """05_task_comparison: real against synthetic by task, and how the gap goes with subjectivity."""

    tasks: TaskNames
    n_resamples: Resamples
    n_permutations: Resamples
    confidence: Share


class Diversity(Params):
    """06_diversity: how spread out the texts are, and how close to real ones."""

    tasks: TaskNames
    source: Source
    encoder: str
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(_distinct)]
    n_per_label: Count
    n_nearest: Count
    n_resamples: Resamples
    confidence: Share
    map_task: TaskName

    @model_validator(mode="after")
    def _map_task_is_listed(self) -> Self:
        if self.map_task not in self.tasks:
            raise ValueError(f"map_task {self.map_task!r} is not among the tasks {self.tasks}")
        return self


class InstanceSubjectivity(Params):
    """07_instance_subjectivity: does a text on which readers disagree fare worse?"""

    tasks: TaskNames
    source: Source
    encoder: str
    sources: Annotated[list[TrainingSource], Field(min_length=1), AfterValidator(_distinct)]
    votes: Annotated[str, AfterValidator(_found_instances)]
    rating_threshold: Annotated[float, Field(gt=1, lt=6)]
    min_texts: Count
    n_resamples: Resamples
    confidence: Share


class Validation(Params):
    """11_validation: whether intervals hold the truth, on made-up crowds."""

    n_simulations: Annotated[int, Field(ge=10)]
    n_tasks: Annotated[int, Field(ge=2)]
    score_range: Annotated[float, Field(gt=0)]
    workers: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1), AfterValidator(_distinct)]
    n_pairs: Count
    spammer_share: Share
    texts: Annotated[list[Annotated[int, Field(ge=10)]], Field(min_length=1), AfterValidator(_distinct)]
    n_votes: Annotated[int, Field(ge=2)]
    regularisation: Annotated[float, Field(gt=0)]
    n_resamples: Resamples
    confidence: Share


@dataclass(frozen=True)
class Stage:
    """One notebook's place in the study.

    Attributes
    ----------
    notebook : str
        File stem in notebooks/.
    model : type[Params]
        Its parameters.
    needs : tuple of str
        Stages whose folders it reads.
    data : tuple of str
        Folders of data/ it reads.
    """

    notebook: str
    model: type[Params]
    needs: tuple[str, ...]
    data: tuple[str, ...]

    @property
    def per_task(self) -> bool:
        """Whether the stage runs once a task (True) or once (False)."""
        return "task" in self.model.model_fields


STAGES: dict[str, Stage] = {
    "tasks": Stage("01_tasks", Tasks, (), ("features",)),
    "generate": Stage("02_generate", Generate, (), ("corpora", "features")),
    "train": Stage("03_train", Train, ("generate",), ("features",)),
    "task_subjectivity": Stage("04_task_subjectivity", TaskSubjectivity, (), ("votes",)),
    "task_comparison": Stage("05_task_comparison", TaskComparison, ("train", "task_subjectivity"), ()),
    "diversity": Stage("06_diversity", Diversity, ("generate",), ("features",)),
    "instance_subjectivity": Stage(
        "07_instance_subjectivity", InstanceSubjectivity, ("train", "task_subjectivity"), ("features", "votes")
    ),
    "validation": Stage("11_validation", Validation, (), ()),
}


def check(model: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """Return ``model(**values)``, with every fault in one message that names the value given.

    Raises
    ------
    ValueError
        Any value is unknown, missing, of the wrong type or out of range.
    """
    try:
        return model(**values)
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            name = ".".join(str(part) for part in fault["loc"])
            given = "" if fault["type"] == "missing" else f" (got {fault['input']!r})"
            lines.append(f"  {name}: {fault['msg']}{given}{_hint(fault['input'])}")
            if fault["type"] == "extra_forbidden":
                lines[-1] += f"; parameters are: {', '.join(model.model_fields)}"
        raise ValueError(f"{model.__name__}: {len(lines)} bad parameter(s)\n" + "\n".join(lines)) from None


def _hint(value: Any) -> str:
    """Return what to write instead of 2e-5, which YAML takes for text."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+e[+-]?\d+", value, re.IGNORECASE):
        return f"; write {value.lower().replace('e', '.0e')}: YAML takes a number with e and no point for text"
    return ""
