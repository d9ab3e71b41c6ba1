"""Parameters of the notebooks: one pydantic model per notebook, and the stages of the study.

A value travels: ``params/<profile>.yaml`` -> :mod:`synthlib.runner.profiles` (checked before anything runs) -> the
runner injects it into the notebook -> the notebook's set-up cell builds its model with ``Model.from_cell(globals())``.
The models have no defaults: the literals of a notebook's ``parameters`` cell are the defaults a reader sees.
"""

from __future__ import annotations

from dataclasses import dataclass

from synthlib.params.base import SHIPPED_ROWS, Params, TaskName, TaskNames, check
from synthlib.params.beyond import Collect, Report, Stories, Validation, Why
from synthlib.params.study import (
    Diversity,
    FineTuning,
    Generate,
    InstanceSubjectivity,
    TaskComparison,
    Tasks,
    TaskSubjectivity,
    Train,
)

__all__ = [
    "SHIPPED_ROWS",
    "STAGES",
    "Collect",
    "Diversity",
    "FineTuning",
    "Generate",
    "InstanceSubjectivity",
    "Params",
    "Report",
    "Stage",
    "Stories",
    "TaskComparison",
    "TaskName",
    "TaskNames",
    "TaskSubjectivity",
    "Tasks",
    "Train",
    "Validation",
    "Why",
    "check",
]


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
    annotations : tuple of str
        Sets in SYNTHLIB_ANNOTATIONS it reads where they are there, whatever the source of the tasks' texts.
    welcomes : tuple of str
        Stages whose folders it reads where the profile names them.
    """

    notebook: str
    model: type[Params]
    needs: tuple[str, ...]
    data: tuple[str, ...]
    optional: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    welcomes: tuple[str, ...] = ()

    @property
    def per_task(self) -> bool:
        """Whether the stage runs once per task (True) or once (False)."""
        return "task" in self.model.model_fields


FINE_TUNED = "results/finetuned/train"  # released predictions of params/finetuned.yaml
STAGES: dict[str, Stage] = {
    "tasks": Stage("01_tasks", Tasks, (), ("features",)),
    "generate": Stage("02_generate", Generate, (), ("corpora", "features", "vectors")),
    "train": Stage("03_train", Train, ("generate",), ("features",), (FINE_TUNED,)),
    "task_subjectivity": Stage("04_task_subjectivity", TaskSubjectivity, (), ("votes",)),
    "task_comparison": Stage("05_task_comparison", TaskComparison, ("train", "task_subjectivity"), (), (FINE_TUNED,)),
    "diversity": Stage("06_diversity", Diversity, ("generate",), ("features",)),
    "instance_subjectivity": Stage(
        "07_instance_subjectivity",
        InstanceSubjectivity,
        ("train",),
        ("features", "votes"),
        (FINE_TUNED,),
        ("crowdtruth_relation",),
        ("task_subjectivity",),
    ),
    "why": Stage("08_why", Why, ("generate", "train", "task_subjectivity", "diversity"), ("features",)),
    "stories": Stage("09_stories", Stories, ("generate",), ("corpora", "vectors")),
    "collect": Stage("10_collect", Collect, (), ("corpora",)),
    "validation": Stage("11_validation", Validation, (), ()),
    "report": Stage(
        "12_report", Report, ("train", "task_subjectivity", "task_comparison", "instance_subjectivity"), ("votes",)
    ),
}
