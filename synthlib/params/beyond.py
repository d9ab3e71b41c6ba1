"""Parameters of the notebooks that go beyond the study: 08 and after."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from synthlib.fields import Count
from synthlib.params.base import (
    Device,
    EncoderName,
    Params,
    Resamples,
    Share,
    Source,
    TaskName,
    TaskNames,
    distinct,
)
from synthlib.settings import Setting
from synthlib.votes import annotated, voters


class Why(Params):
    """08_why: what else explains the gap, and can the texts be repaired?"""

    tasks: TaskNames
    source: Source
    encoder: EncoderName
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(distinct)]
    repaired: Annotated[list[Setting], Field(min_length=1), AfterValidator(distinct)]
    n_seeds: Count
    hidden_units: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    n_steps: Count
    batch_size: Count
    stages: Annotated[list[Count], Field(min_length=2), AfterValidator(distinct)]
    odd_share: Annotated[float, Field(gt=0, lt=0.5)]
    tag_shares: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1), AfterValidator(distinct)]
    map_task: TaskName
    n_resamples: Resamples
    n_permutations: Resamples
    confidence: Share
    device: Device

    @model_validator(mode="after")
    def _what_is_shown_is_listed(self) -> Self:
        if self.map_task not in self.tasks:
            raise ValueError(f"map_task {self.map_task!r} is not among the tasks {self.tasks}")
        if unknown := [setting for setting in self.repaired if setting not in self.settings]:
            raise ValueError(f"repaired setting(s) {unknown} are not among the settings {self.settings}")
        return self


class Stories(Params):
    """09_stories: texts after the recipes of TinyStories and Phi-1; what the draw in a request does.

    The classifier's fields are those of :class:`synthlib.train.Hyperparameters`; from ``models`` on, all is about
    money.
    """

    tasks: TaskNames
    encoder: EncoderName
    settings: Annotated[list[Setting], Field(min_length=1), AfterValidator(distinct)]
    n_texts: Annotated[int, Field(ge=2, le=60)]
    opening_words: Annotated[list[Count], Field(min_length=1), AfterValidator(distinct)]
    n_folds: Annotated[int, Field(ge=2, le=20)]
    n_seeds: Count
    hidden_units: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    n_steps: Count
    batch_size: Count
    n_resamples: Resamples
    confidence: Share
    models: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]
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
    crowd_sizes: Annotated[list[Count], Field(min_length=1), AfterValidator(distinct)]
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
    """11_validation: whether intervals hold the truth, on made-up crowds, classifiers and gaps."""

    n_simulations: Annotated[int, Field(ge=10)]
    n_tasks: Annotated[int, Field(ge=2)]
    score_range: Annotated[float, Field(gt=0)]
    workers: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1), AfterValidator(distinct)]
    n_pairs: Count
    spammer_share: Share
    texts: Annotated[list[Annotated[int, Field(ge=10)]], Field(min_length=1), AfterValidator(distinct)]
    n_votes: Annotated[int, Field(ge=2)]
    seeds: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1), AfterValidator(distinct)]
    test_texts: Annotated[int, Field(ge=10)]
    n_gaps: Annotated[int, Field(ge=4)]
    rhos: Annotated[list[Annotated[float, Field(gt=-1, lt=1)]], Field(min_length=1), AfterValidator(distinct)]
    regularisation: Annotated[float, Field(gt=0)]
    n_resamples: Resamples
    confidence: Share


def _found_any(folder: str) -> str:
    if folder:
        voters.find_any_votes(folder)
    return folder


class Report(Params):
    """12_report: how subjective is a task of one's own, and can synthetic data be expected to be good enough?"""

    my_task: TaskName
    votes: Annotated[str, AfterValidator(_found_any)]
    example: Literal[tuple(annotated.SETS)]
    tasks: TaskNames
    min_pairs: Count
    regularisation: Annotated[float, Field(gt=0)]
    n_resamples: Resamples
    confidence: Share

    @model_validator(mode="after")
    def _example_is_of_the_task(self) -> Self:
        known = annotated.SETS[self.example].task
        if not self.votes and self.my_task != known:
            raise ValueError(
                f"votes is empty, so the example {self.example!r} is shown, and my_task must be {known!r}, not "
                f"{self.my_task!r}; or name the folder of your votes"
            )
        return self
