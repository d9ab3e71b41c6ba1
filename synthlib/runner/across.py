"""What the stages of a profile ask of one another, of the tasks' files and of this machine; looked at before a run."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from synthlib import params, paths
from synthlib.asking.backends import Llm
from synthlib.asking.prices import find_price
from synthlib.params import Generate, Params
from synthlib.prompts import check_label, check_prompts
from synthlib.settings import REAL_SOURCES
from synthlib.tasks import load_task, load_wording

if TYPE_CHECKING:
    from synthlib.runner.jobs import Job


def find_faults(stages: Mapping[str, Params], tasks: Sequence[str]) -> list[str]:
    """Return where a stage asks for what an earlier one does not make, or a task's file cannot be asked from.

    Parameters
    ----------
    stages : mapping of str to Params
        By name; of a stage that runs by task, the parameters of any task.
    tasks : sequence of str
        Those of the profile.
    """
    faults: list[str] = []
    generate, train, diversity, instances = (
        stages.get(name) for name in ("generate", "train", "diversity", "instance_subjectivity")
    )
    if generate:
        faults += _find_asked(generate, tasks)
        for name in (name for name in stages if "generate" in params.STAGES[name].needs):
            if unwritten := [part for part in _list_settings(stages[name]) if part not in generate.settings]:
                faults.append(
                    f"stage {name}: texts of {unwritten} are not generated, only of {generate.settings}; add them to "
                    "the settings of stage generate, or take them out here"
                )
    if generate and diversity and 2 * diversity.n_per_label > generate.n_per_label:
        faults.append(
            f"stage diversity: n_per_label is {diversity.n_per_label}; at most half of the {generate.n_per_label} "
            f"generated texts per label can be drawn at a time: set it to {generate.n_per_label // 2} or fewer"
        )
    if train and instances and (untrained := [name for name in instances.sources if name not in train.sources]):
        faults.append(
            f"stage instance_subjectivity: no classifier learns from source(s) {untrained}; stage train has "
            f"{train.sources}"
        )
    return faults


def _list_settings(p: Params) -> list[str]:
    """Return the settings whose texts a stage reads: those it names, or those in its training sources."""
    parts = [part for source in getattr(p, "sources", []) for part in source.split("+")]
    return [part for part in dict.fromkeys([*getattr(p, "settings", []), *parts]) if part not in REAL_SOURCES]


def _find_asked(p: Generate, tasks: Sequence[str]) -> Iterator[str]:
    """Yield why texts cannot be asked for, or why not so many are released."""
    for name in tasks:
        try:
            task = load_task(name)
            check_prompts(task, load_wording())
            for setting in p.settings:
                check_label(task, setting, task.label_names[0], 1)
        except ValueError as error:
            yield f"stage generate: {error}"
    if p.backend == "released":
        counts = {name: _count_released(name, p.settings) for name in tasks}
        if short := [name for name, n in counts.items() if n < p.n_per_label]:
            most = min(counts.values())
            fewer = f"set it to {most} or fewer, or " if most else ""
            yield (
                f"stage generate: n_per_label is {p.n_per_label}; {most} texts per label and setting are released of "
                f"{', '.join(short)}: {fewer}set backend to openai or local to ask a model"
            )


def _count_released(task: str, settings: Sequence[str]) -> int:
    """Return how many texts of a task are released for the scarcest label and setting."""
    path = paths.DATA / "corpora" / f"{task}.jsonl"
    if not path.is_file():
        return 0
    rows = map(json.loads, path.read_text(encoding="utf-8").rstrip("\n").split("\n"))
    counts = Counter((row["setting"], row["label"]) for row in rows)
    return min(counts[setting, label] for setting in settings for label in load_task(task).labels)


def check_means(jobs: Iterable[Job]) -> None:
    """Raise ValueError if this machine has not what jobs need: a device, a key, the price behind a limit in USD."""
    lacks: list[str] = []
    for job in jobs:
        values = job.parameters
        for device in (values.get("device"), values.get("llm", {}).get("device")):
            lacks += [f"stage {job.stage}: {said}" for said in _miss_device(device or "auto")]
        if values.get("backend") == "openai":
            lacks += [f"stage {job.stage}: {said}" for said in _miss_payment(Llm(**values["llm"]))]
    if lacks:
        raise ValueError("\n".join(dict.fromkeys(lacks)))


def _miss_payment(llm: Llm) -> Iterator[str]:
    if llm.base_url is None and not os.environ.get("OPENAI_API_KEY"):
        yield "OPENAI_API_KEY is not set; put the key there, or name a server of your own as llm.base_url"
    if llm.max_usd is not None and find_price(llm) is None:
        yield (
            f"llm.max_usd is {llm.max_usd}, but the price of {llm.model!r} at {llm.base_url or 'OpenAI'} "
            f"({llm.mode}) is unknown: add it to params/prices.yaml (0 for a server of your own), or set max_usd to "
            "null"
        )


def _miss_device(device: str) -> Iterator[str]:
    if not device.startswith("cuda"):
        return
    import torch  # slow to import: only where a graphics card is asked for

    cards = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if device not in (*cards, *(["cuda"] if cards else [])):
        yield f"device is {device!r}; this machine has {', '.join(['cpu', *cards])}: set one of these, or auto"
