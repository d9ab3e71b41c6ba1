"""Jobs: what a profile asks for, in order, each with the folder that holds its results and what is already there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import networkx as nx
from filelock import FileLock

from synthlib import params, paths
from synthlib.files import replacing
from synthlib.runner.keys import job_key
from synthlib.runner.profiles import Cell, Profile, expand

MANIFEST = "manifest.json"
#: Environment variables that name a folder, perhaps from where the command was given; a notebook runs in another one.
FOLDER_VARIABLES = tuple(f"SYNTHLIB_{name}" for name in ("TASKS", "DATA", "ANNOTATIONS", "RESULTS", "CALLS"))


@dataclass(frozen=True)
class Job:
    """One notebook to run with one set of parameters; plain values only, so that it can be sent to any machine.

    Attributes
    ----------
    stage, cell : str
        Which cell of the profile.
    notebook : Path
        The notebook to run.
    parameters : dict
        Checked values, without ``inputs`` and ``output``.
    inputs : dict of str to str
        Name ("stage/cell") of every job it reads, and that job's folder as notebooks are told it.
    key : str
        See :mod:`synthlib.runner.keys`.
    folders : dict of str to str
        :func:`set_folders`: a worker elsewhere may have others set.
    folder : Path
        results/<profile>/<stage>/<cell>-<first 12 digits of the key>.
    """

    stage: str
    cell: str
    notebook: Path
    parameters: dict[str, Any]
    inputs: dict[str, str]
    key: str
    folders: dict[str, str]
    folder: Path

    @property
    def name(self) -> str:
        """``stage/cell``."""
        return f"{self.stage}/{self.cell}"

    @property
    def lock(self) -> Path:
        """The file that a process holds while it works on the job; the system lets go of it when the process dies."""
        return self.folder.parent.parent / ".locks" / f"{self.stage}-{self.folder.name}.lock"

    @property
    def executed(self) -> Path:
        """The executed notebook."""
        return self.folder / "notebook.ipynb"


def plan(profile: Profile, *, only: str | None = None) -> dict[str, Job]:
    """Return the jobs of a profile by name, every job after those it reads.

    Parameters
    ----------
    only : str, optional
        A stage: leave out what neither belongs to it nor is needed by it.

    Raises
    ------
    ValueError, FileNotFoundError
        A parameter, a stage, a notebook or a data folder is at fault; nothing has been started.
    """
    cells = {f"{cell.stage}/{cell.name}": cell for cell in expand(profile)}
    graph = nx.DiGraph()
    graph.add_nodes_from(cells)
    graph.add_edges_from((parent, name) for name, cell in cells.items() for parent in _parents(cell, cells))
    if only is not None:
        wanted = {name for name, cell in cells.items() if cell.stage == only}
        if not wanted:
            raise ValueError(f"unknown stage {only!r}; this profile has {', '.join(profile.stages)}")
        graph = graph.subgraph(wanted.union(*(nx.ancestors(graph, name) for name in wanted)))
    position = {name: place for place, name in enumerate(cells)}
    jobs: dict[str, Job] = {}
    for name in nx.lexicographical_topological_sort(graph, key=position.__getitem__):
        jobs[name] = _job(cells[name], [jobs[parent] for parent in sorted(graph.predecessors(name))], profile)
    return jobs


def _parents(cell: Cell, cells: dict[str, Cell]) -> list[str]:
    """Return the cells that a cell reads: of its own task where both stages run by task, else all of the stage."""
    stage, found = params.STAGES[cell.stage], []
    for name, other in cells.items():
        if other.stage in (*stage.needs, *stage.welcomes):
            both = stage.per_task and params.STAGES[other.stage].per_task
            if not both or other.name == cell.name:
                found.append(name)
    return found


def _job(cell: Cell, parents: list[Job], profile: Profile) -> Job:
    stage = params.STAGES[cell.stage]
    notebook = paths.NOTEBOOKS / f"{stage.notebook}.ipynb"
    key = job_key(stage, cell.params, notebook, {parent.name: parent.key for parent in parents})
    return Job(
        stage=cell.stage,
        cell=cell.name,
        notebook=notebook,
        parameters=cell.params.model_dump(mode="json", exclude={"inputs", "output"}),
        inputs={parent.name: relative(parent.folder) for parent in parents},
        key=key,
        folders=set_folders(),
        folder=paths.RESULTS / profile.name / cell.stage / f"{cell.name}-{key[:12]}",
    )


def set_folders() -> dict[str, str]:
    """Return the :data:`FOLDER_VARIABLES` that are set, as absolute paths."""
    return {name: os.path.abspath(os.environ[name]) for name in FOLDER_VARIABLES if os.environ.get(name)}


def find_changed(jobs: dict[str, Job]) -> set[str]:
    """Return the names of the jobs whose key is no longer what it was, or cannot be told, with those that read one."""
    keys: dict[str, str] = {}
    for name, job in jobs.items():
        stage = params.STAGES[job.stage]
        try:
            values = params.check(stage.model, job.parameters | {"inputs": {}, "output": ""})
            keys[name] = job_key(stage, values, job.notebook, {parent: keys[parent] for parent in job.inputs})
        except (ValueError, OSError, KeyError):  # KeyError: a job it reads is one of these
            continue
    return {name for name, job in jobs.items() if keys.get(name) != job.key}


def relative(path: Path) -> str:
    """Return a path as notebooks and manifests are told it: from the repository root, so that it names no machine."""
    return Path(os.path.relpath(path, paths.ROOT)).as_posix()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what a finished job wrote last, or None where the folder is missing or its job did not finish.

    A manifest that is no JSON (the machine lost power while it was written, say) is one of an unfinished job.
    """
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def is_finished(job: Job) -> bool:
    """Return whether the results of a job are there."""
    manifest = read_manifest(job.folder)
    return manifest is not None and manifest["key"] == job.key


def write_json(value: Any, path: Path) -> None:
    """Write a JSON file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def record_latest(jobs: list[Job]) -> None:
    """Note the folders of finished jobs of one profile in its latest.json, which notebooks opened by hand read."""
    if not jobs:
        return
    folder = jobs[0].folder.parent.parent
    (folder / ".locks").mkdir(parents=True, exist_ok=True)
    path = folder / "latest.json"
    with FileLock(folder / ".locks" / "latest.lock"):
        latest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        changed = latest | {job.name: relative(job.folder) for job in jobs}
        if changed != latest:
            write_json(changed, path)


def estimate_seconds(jobs: dict[str, Job], profile: Profile) -> dict[str, float]:
    """Return the seconds that a job of each stage took on average when it last ran; a stage that never ran is left out.

    A profile whose runs are released (data/results/<profile>) starts from the times released with it.
    """
    seconds: dict[str, float] = {}
    for stage in {job.stage for job in jobs.values()}:
        for root in (paths.RESULTS / profile.name, paths.DATA / "results" / profile.name):
            read = [read_manifest(path.parent) for path in (root / stage).glob(f"*/{MANIFEST}")]
            if manifests := [manifest for manifest in read if manifest is not None]:
                last = {m["cell"]: m["seconds"] for m in sorted(manifests, key=lambda m: m["started"])}
                seconds[stage] = mean(last.values())
                break
    return seconds
