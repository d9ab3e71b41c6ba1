"""Parameters of the notebooks: one pydantic model a notebook, and the stages of the study.

A value travels: ``params/<profile>.yaml`` -> :mod:`synthlib.runner.profiles` (checked before anything runs) -> the
runner injects it into the notebook -> the notebook's set-up cell builds its model with ``Model.from_cell(globals())``.
The models have no defaults: the literals of a notebook's ``parameters`` cell are the defaults a reader sees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

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

from synthlib import voters
from synthlib.backends import MODELS
from synthlib.scoring import Scoring
from synthlib.settings import RELEASED_SETTINGS, SHOWING_SETTINGS, Setting, TrainingSource
from synthlib.tasks import find_file

Source = Literal["features", "folder", "hub"]
Backend = Literal["released", "openai", "local"]
SHIPPED_ROWS = 2000  # real training rows a task in data/features


def _known_task(name: str) -> str:
    find_file(name)
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


def _checked_scoring(values: dict[str, Any]) -> dict[str, Any]:
    return check(Scoring, values).model_dump() if values else {}


class Generate(Params):
    """02_generate: the synthetic texts of one task, and what came back.

    ``llm`` holds the fields of :class:`synthlib.backends.Llm` where the backend is openai, those of
    :class:`synthlib.backends.Local` where it is local, and is empty otherwise. ``scoring`` holds those of
    :class:`synthlib.scoring.Scoring`, or is empty: then nothing is scored while texts come.
    """

    task: TaskName
    source: Source
    encoder: str
    backend: Backend
    llm: dict[str, Any]
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(_distinct)]
    n_per_label: Count
    scoring: Annotated[dict[str, Any], AfterValidator(_checked_scoring)]
    near_duplicate_cosine: Share
    length_tolerance: Share
    n_resamples: Resamples
    confidence: Share

    @field_validator("llm")
    @classmethod
    def _llm_suits_the_backend(cls, llm: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if model := MODELS.get(info.data.get("backend")):
            check(model, llm)
        elif llm:
            raise ValueError("must be empty where backend is 'released': no model is asked")
        return llm

    @model_validator(mode="after")
    def _settings_can_be_had(self) -> Self:
        if self.backend == "released":
            if unreleased := [setting for setting in self.settings if setting not in RELEASED_SETTINGS]:
                raise ValueError(
                    f"no texts of setting(s) {unreleased} are released, only of {', '.join(RELEASED_SETTINGS)}; ask a "
                    "model for the others: set backend to openai and llm to the model, as params/paper.yaml does"
                )
        elif self.source == "features" and (shown := [s for s in self.settings if s in SHOWING_SETTINGS]):
            raise ValueError(
                f"{' and '.join(shown)} requests show real texts to the model; they need source 'folder' or 'hub'"
            )
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
    n_real: Count
    n_seeds: Count
    hidden_units: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    n_steps: Count
    batch_size: Count
    curve_sizes: list[Count]
    mixing_sizes: list[Annotated[int, Field(ge=0)]]
    fine_tuning: Annotated[dict[str, Any], AfterValidator(_checked_fine_tuning)]
    tfidf_strengths: list[Annotated[float, Field(gt=0)]]
    n_resamples: Resamples
    confidence: Share
    device: str

    @model_validator(mode="after")
    def _source_has_what_is_asked(self) -> Self:
        if self.fine_tuning and self.source == "features":
            raise ValueError("fine_tuning needs texts, source 'features' has none: set source to folder or hub")
        if self.tfidf_strengths and self.source == "features":
            raise ValueError("tfidf_strengths needs texts, source 'features' has none: set source to folder or hub")
        if self.n_real > SHIPPED_ROWS and self.source == "features":
            raise ValueError(f"n_real {self.n_real}: {SHIPPED_ROWS} real rows are shipped; set source to folder or hub")
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


class Why(Params):
    """08_why: what else explains the gap, and can the texts be repaired?"""

    tasks: TaskNames
    source: Source
    encoder: str
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(_distinct)]
    repaired: Annotated[list[Setting], Field(min_length=1), AfterValidator(_distinct)]
    n_seeds: Count
    hidden_units: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    n_steps: Count
    batch_size: Count
    stages: Annotated[list[Count], Field(min_length=2), AfterValidator(_distinct)]
    odd_share: Annotated[float, Field(gt=0, lt=0.5)]
    tag_shares: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1), AfterValidator(_distinct)]
    map_task: TaskName
    n_resamples: Resamples
    n_permutations: Resamples
    confidence: Share
    device: str

    @model_validator(mode="after")
    def _what_is_shown_is_listed(self) -> Self:
        if self.map_task not in self.tasks:
            raise ValueError(f"map_task {self.map_task!r} is not among the tasks {self.tasks}")
        if unknown := [setting for setting in self.repaired if setting not in self.settings]:
            raise ValueError(f"repaired setting(s) {unknown} are not among the settings {self.settings}")
        return self


class Stories(Params):
    """09_stories: texts after the recipes of TinyStories and Phi-1; what the draw in a request does.

    The classifier's fields are those of :class:`synthlib.train.Settings`; from ``models`` on, all is about money.
    """

    tasks: TaskNames
    encoder: str
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(_distinct)]
    n_texts: Annotated[int, Field(ge=2, le=60)]
    opening_words: Annotated[list[Count], Field(min_length=1), AfterValidator(_distinct)]
    n_folds: Annotated[int, Field(ge=2, le=20)]
    n_seeds: Count
    hidden_units: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    n_steps: Count
    batch_size: Count
    n_resamples: Resamples
    confidence: Share
    models: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)]
    corpus_tokens: Count
    usd_per_thousand_tokens: Annotated[float, Field(gt=0)]
    prompt_tokens_per_answer_token: Annotated[float, Field(ge=0)]
    instruction_tokens: Annotated[int, Field(ge=0)]
    label_tokens: Count
    texts_per_second: Annotated[float, Field(gt=0)]
    machine_usd_per_hour: Annotated[float, Field(ge=0)]


class Collect(Params):
    """10_collect: a crowd study of one's own, from design to votes, walked through with simulated workers."""

    tasks: Annotated[TaskNames, Field(min_length=2)]
    text_task: TaskName
    source: Source
    crowd_size: Annotated[int, Field(ge=2)]
    pairs_per_worker: Count
    texts_per_worker: Annotated[int, Field(ge=2)]
    texts_per_label: Count
    min_votes: Count
    crowd_sizes: Annotated[list[Count], Field(min_length=1), AfterValidator(_distinct)]
    score_spread: Annotated[float, Field(gt=0)]
    noise: Annotated[float, Field(gt=0)]
    agreement: Share
    agreement_spread: Annotated[float, Field(gt=0, lt=0.5)]
    spammer_share: Annotated[float, Field(ge=0, lt=1)]
    min_seconds: Annotated[float, Field(ge=0)]
    n_simulations: Annotated[int, Field(ge=10, le=10_000)]
    regularisation: Annotated[float, Field(gt=0)]
    n_resamples: Resamples
    confidence: Share

    @model_validator(mode="after")
    def _pairs_suffice(self) -> Self:
        n_pairs = len(self.tasks) * (len(self.tasks) - 1) // 2
        if self.pairs_per_worker > n_pairs:
            raise ValueError(
                f"pairs_per_worker is {self.pairs_per_worker}; {len(self.tasks)} tasks make {n_pairs} pairs"
            )
        return self


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
    optional : tuple of str
        Folders of data/ it reads where they are there.
    """

    notebook: str
    model: type[Params]
    needs: tuple[str, ...]
    data: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def per_task(self) -> bool:
        """Whether the stage runs once a task (True) or once (False)."""
        return "task" in self.model.model_fields


STAGES: dict[str, Stage] = {
    "tasks": Stage("01_tasks", Tasks, (), ("features",)),
    "generate": Stage("02_generate", Generate, (), ("corpora", "features")),
    "train": Stage("03_train", Train, ("generate",), ("features",)),
    "task_subjectivity": Stage("04_task_subjectivity", TaskSubjectivity, (), ("votes",)),
    "task_comparison": Stage(
        "05_task_comparison", TaskComparison, ("train", "task_subjectivity"), (), ("results/finetuned/train",)
    ),
    "diversity": Stage("06_diversity", Diversity, ("generate",), ("features",)),
    "instance_subjectivity": Stage(
        "07_instance_subjectivity", InstanceSubjectivity, ("train", "task_subjectivity"), ("features", "votes")
    ),
    "why": Stage("08_why", Why, ("generate", "train", "task_subjectivity", "diversity"), ("features",)),
    "stories": Stage("09_stories", Stories, ("generate",), ("corpora",)),
    "collect": Stage("10_collect", Collect, (), ("corpora",)),
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
