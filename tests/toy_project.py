"""A small study for testing the runner: four notebooks that count how often they run.

    corpus/<task>  ->  fit/<task>  ->  report/all          side/all

``python toy_project.py ROOT ARGUMENTS...`` runs the real runner on it in a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from synthlib import params, paths, results, run
from synthlib.params import Params, Stage, TaskName, TaskNames


class Corpus(Params):
    task: TaskName
    value: int


class Fit(Params):
    task: TaskName
    value: int


class Report(Params):
    tasks: TaskNames
    value: int


class Side(Params):
    tasks: TaskNames
    value: int


STAGES = {
    "corpus": Stage("01_corpus", Corpus, (), ("features",)),
    "fit": Stage("02_fit", Fit, ("corpus",), ()),
    "report": Stage("03_report", Report, ("fit",), ()),
    "side": Stage("04_side", Side, (), ("votes",)),
}
PROFILE = {
    "name": "toy",
    "description": "for tests",
    "publish": True,
    "shown_task": "imdb",
    "shared": {"seed": 1, "tasks": ["imdb", "humor"], "value": 3},
    "stages": {name: {} for name in STAGES},
}
#: Every notebook does this: note that it ran, do what hook.py says, and write a table and a figure.
BODY = """\
import os
import pandas as pd
from synthlib import paths
folder = paths.ROOT / output
root = next(p for p in folder.resolve().parents if (p / "hook.py").is_file())
name = "/".join((folder.parent.name, folder.name[:-13]))
with (root / "log.txt").open("a") as log: log.write(name + "\\n")
exec((root / "hook.py").read_text())
read = sum(pd.read_parquet(paths.ROOT / inputs[i] / "table.parquet")["value"].sum() for i in inputs)
pd.DataFrame({"value": [value + read]}).to_parquet(folder / "table.parquet")
(folder / f"{number}_value.csv").write_text(str(value + read))
print(name, "sees", os.environ.get("OMP_NUM_THREADS"))"""


def make_notebook(path: Path, model: type[Params], values: dict) -> None:
    """Write a notebook with a question, a parameters cell and :data:`BODY`."""
    lines = [f"{name}: object = {values[name]!r}  # what it is" for name in model.model_fields]
    cells = [
        ("markdown", "# Why?"),
        ("code", "\n".join(lines)),
        ("code", f'number = "{path.name[:2]}"'),
        ("code", BODY),
    ]
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}},
        "cells": [
            {"cell_type": kind, "id": f"cell-{i}", "metadata": {}, "source": text}
            | ({"execution_count": None, "outputs": []} if kind == "code" else {})
            for i, (kind, text) in enumerate(cells)
        ],
    }
    notebook["cells"][1]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(notebook, indent=1))


def create(root: Path) -> Path:
    """Write the study's files below ``root`` and return the path of its profile."""
    values = {"seed": 1, "task": "imdb", "tasks": ["imdb", "humor"], "value": 3, "inputs": {}, "output": ""}
    for folder in ("notebooks", "data/features", "data/votes", "figures"):
        (root / folder).mkdir(parents=True)
    for stage in STAGES.values():
        make_notebook(root / "notebooks" / f"{stage.notebook}.ipynb", stage.model, values)
    for name in ("features/imdb.parquet", "features/humor.parquet", "votes/panel.csv"):
        (root / "data" / name).write_text(name)
    (root / "hook.py").write_text("")
    write_profile(root, PROFILE)
    return root / "toy.yaml"


def write_profile(root: Path, values: dict) -> None:
    """Write the profile."""
    (root / "toy.yaml").write_text(yaml.safe_dump(values))


def install(root: Path, setattr: Callable = setattr) -> None:
    """Point synthlib at the study below ``root``."""
    setattr(params, "STAGES", STAGES)
    setattr(results, "RELEASED", root / "data" / "results" / "toy")
    for name in ("NOTEBOOKS", "DATA", "FIGURES", "RESULTS"):
        setattr(paths, name, root / name.lower())


def executions(root: Path) -> list[str]:
    """Return the names of the jobs whose notebooks ran, in order."""
    log = root / "log.txt"
    return log.read_text().split() if log.is_file() else []


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    install(Path(sys.argv[1]))
    raise SystemExit(run.main(sys.argv[2:]))
