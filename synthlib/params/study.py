"""Parameters of the notebooks that rebuild the study: 01 to 07."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from synthlib.asking.backends import MODELS
from synthlib.fields import Count
from synthlib.params.base import (
    SHIPPED_ROWS,
    Backend,
    Device,
    EncoderName,
    Params,
    Resamples,
    Share,
    Source,
    TaskName,
    TaskNames,
    check,
    distinct,
)
from synthlib.scoring import Scoring
from synthlib.settings import RELEASED_SETTINGS, SHOWING_SETTINGS, Setting, TrainingSource
from synthlib.votes import voters


def _found_pairs(folder: str) -> str:
    voters.find_votes(folder, voters.PAIRS)
    return folder


def _found_instances(folder: str) -> str:
    voters.find_votes(folder, voters.INSTANCES)
    return folder


class Tasks(Params):
    """01_tasks: which real texts the study is about."""

    tasks: TaskNames
    source: Source
    encoder: EncoderName
    near_duplicate_cosine: Share


def _checked_scoring(values: dict[str, Any]) -> dict[str, Any]:
    return check(Scoring, values).model_dump() if values else {}


class Generate(Params):
    """02_generate: the synthetic texts of one task, and what came back.

    ``llm`` holds the fields of :class:`synthlib.asking.backends.Llm` where the backend is openai, those of
    :class:`synthlib.asking.backends.Local` where it is local, and is empty otherwise. ``scoring`` holds those of
    :class:`synthlib.scoring.Scoring`, or is empty: then nothing is scored while texts come.
    """

    task: TaskName
    source: Source
    encoder: EncoderName
    backend: Backend
    llm: dict[str, Any]
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(distinct)]
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
    """How 03_train fine-tunes encoders; the fields are those of :class:`synthlib.finetune.Hyperparameters`."""

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
    watch_points: Annotated[int, Field(ge=0)]
    patience: Annotated[int, Field(ge=0)]
    held_out_share: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _patience_has_rows(self) -> Self:
        if self.patience and not self.held_out_share:
            raise ValueError(f"patience {self.patience} needs held-out rows: set held_out_share, 0.1 for a tenth")
        return self


def _checked_fine_tuning(values: dict[str, Any]) -> dict[str, Any]:
    return check(FineTuning, values).model_dump() if values else {}


class Train(Params):
    """03_train: classifiers of one task from every source, by seed.

    ``fine_tuning`` is empty (a hidden layer on the frozen encoder is trained) or holds the fields of
    :class:`FineTuning`; then texts are needed, and the frozen learning rate, decay, steps and batch size are not used.
    """

    task: TaskName
    source: Source
    encoder: EncoderName
    sources: Annotated[list[TrainingSource], Field(min_length=1), AfterValidator(distinct)]
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
    device: Device

    @property
    def looks_at_released(self) -> bool:
        """Only a frozen run: a fine-tuned one is what is released, and would wait for itself."""
        return not self.fine_tuning

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
    encoder: EncoderName
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(distinct)]
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
    encoder: EncoderName
    sources: Annotated[list[TrainingSource], Field(min_length=1), AfterValidator(distinct)]
    votes: Annotated[str, AfterValidator(_found_instances)]
    rating_threshold: Annotated[float, Field(gt=1, lt=6)]
    min_texts: Count
    n_resamples: Resamples
    confidence: Share
