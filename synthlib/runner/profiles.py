"""Profiles: the files of params/ that say which stages run with which values; checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from synthlib import params, paths
from synthlib.params import Params, Stage, TaskName, TaskNames, check
from synthlib.runner.across import find_faults

#: Names that the runner fills in; a stage's own values may not set them.
_FILLED = ("task", "inputs", "output")
#: Files of params/ that are no profiles.
NO_PROFILES = ("prompts.yaml", "prices.yaml")
#: Folders of results/ that belong to no profile.
_RESERVED = ("cache", "generated", "interactive")


class Profile(BaseModel):
    """A run of the whole study: ``shared`` values go to every stage that takes them, ``stages`` override by stage."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: str
    publish: bool
    shown_task: TaskName
    shared: dict[str, Any]
    stages: dict[str, dict[str, Any]]

    @property
    def tasks(self) -> list[str]:
        """The tasks of the run."""
        return self.shared["tasks"]


@dataclass(frozen=True)
class Cell:
    """One run of one notebook: its stage, its name (a task, or ``all``) and its checked parameters."""

    stage: str
    name: str
    params: Params


def load_profile(path: str | Path) -> Profile:
    """Return the profile of a yaml file, its own fields checked (its cells are checked by :func:`expand`).

    With ``base: other.yaml`` (in the same folder) a profile takes over all values of another one that it does not set:
    field by field, and within ``shared`` and each stage value by value.

    Raises
    ------
    FileNotFoundError
        There is no such file; the message names the profiles there are.
    ValueError
        It is not a mapping, or a field is missing or unknown, or profiles are each other's base, or its name is that of
        another profile in params/, whose results it would mix with its own.
    """
    path = Path(path)
    profile = check(Profile, _read(path, ()))
    _check_name(profile.name, path.resolve())
    if profile.name in _RESERVED:
        raise ValueError(f"{path}: the name {profile.name!r} is taken: results/{profile.name} holds other things")
    if "tasks" not in profile.shared:
        raise ValueError(f"{path}: shared.tasks is missing")
    unknown = set(profile.stages) - set(params.STAGES)
    if unknown:
        raise ValueError(f"{path}: unknown stage(s) {sorted(unknown)}; stages are {', '.join(params.STAGES)}")
    known_names = {name for stage in params.STAGES.values() for name in stage.model.model_fields} - set(_FILLED)
    unknown = set(profile.shared) - known_names
    if unknown:
        raise ValueError(f"{path}: no stage takes shared value(s) {sorted(unknown)}; known: {sorted(known_names)}")
    return profile


def _check_name(name: str, path: Path) -> None:
    """Raise ValueError unless a profile in params/ is named as its file, and one elsewhere as none of params/."""
    own = (paths.PARAMS / f"{name}.yaml").resolve()
    if path != own and (path.parent == own.parent or own.is_file()):
        other = path.stem if path.stem != name else "one of its own"
        raise ValueError(
            f"{path}: its name is {name!r}, but results/{name} are those of params/{name}.yaml; change `name: {name}` "
            f"in the file to {other}"
        )


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in above:
        raise ValueError(f"{path.name} is its own base: {' -> '.join(p.name for p in (*above, path))}")
    if not path.is_file():
        known = sorted(p.name for p in paths.PARAMS.glob("*.yaml") if p.name not in NO_PROFILES)
        raise FileNotFoundError(f"no profile {path}; params/ has {', '.join(known)}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} is {'empty' if values is None else 'no mapping of names to values'}")
    if "base" not in values:
        return values
    base = _read(path.parent / str(values.pop("base")), (*above, path))
    base_stages, own_stages = (_mapping(part, "stages", path) for part in (base, values))
    stages = {
        name: _mapping(base_stages, name, path) | _mapping(own_stages, name, path) for name in base_stages | own_stages
    }
    shared = _mapping(base, "shared", path) | _mapping(values, "shared", path)
    return base | values | {"shared": shared, "stages": stages}


def _mapping(values: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Return a part of a profile that must be a mapping; nothing written there is an empty one."""
    part = values.get(name) or {}
    if not isinstance(part, dict):
        raise ValueError(f"{path}: {name} must be a mapping of names to values, not {part!r}")
    return part


def expand(profile: Profile) -> list[Cell]:
    """Return the cells of a profile in the order of :data:`synthlib.params.STAGES`, with their parameters checked.

    A stage that the profile does not name is left out. ``inputs`` and ``output`` stay empty: the runner fills them.

    Raises
    ------
    ValueError
        Parameters of a stage are bad, a stage is named without one it needs, it names a task that does not run, or it
        asks for what an earlier one does not make (:func:`synthlib.runner.across.find_faults`). The message names the
        faults of all stages.
    """
    check(_TaskList, {"tasks": profile.tasks})
    cells, faults = [], []
    if profile.shown_task not in profile.tasks:
        faults.append(f"shown_task {profile.shown_task!r} is not among the profile's tasks {profile.tasks}")
    for name, stage in params.STAGES.items():
        if name in profile.stages:
            missing = [need for need in stage.needs if need not in profile.stages]
            if missing:
                faults.append(f"stage {name} needs {', '.join(missing)}, which the profile does not name")
            try:
                cells += _expand_stage(name, stage, profile)
            except ValueError as error:
                faults.append(f"stage {name}: {error}")
    faults += find_faults({cell.stage: cell.params for cell in cells}, profile.tasks)
    if faults:
        raise ValueError("\n".join([f"profile {profile.name}:", *faults]))
    return cells


def _expand_stage(name: str, stage: Stage, profile: Profile) -> list[Cell]:
    own = profile.stages[name]
    filled = sorted(set(own) & set(_FILLED))
    if filled:
        raise ValueError(f"{', '.join(filled)} cannot be set here; the runner does it")
    values = {field: profile.shared[field] for field in stage.model.model_fields if field in profile.shared}
    values |= own | {"inputs": {}, "output": ""}
    if stage.per_task:
        return [Cell(name, task, check(stage.model, values | {"task": task})) for task in profile.tasks]
    cell = Cell(name, "all", check(stage.model, values))
    if strange := [task for task in values.get("tasks", []) if task not in profile.tasks]:
        raise ValueError(f"task(s) {strange} do not run in this profile; its tasks are {profile.tasks}")
    return [cell]


class _TaskList(BaseModel):
    tasks: TaskNames
