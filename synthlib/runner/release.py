"""What leaves results/: figures for citing, and the released run (notebooks with outputs, tables, manifests)."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from synthlib import params, paths
from synthlib.runner import notebooks
from synthlib.runner.jobs import MANIFEST, Job, is_finished, plan
from synthlib.runner.profiles import load_profile

MAX_NOTEBOOK = 1_000_000  # bytes
MAX_TABLE = 2_000_000  # bytes; predictions may be larger
_FIGURE = re.compile(r"\d\d_[a-z0-9_]+\.(pdf|png|csv)")
_MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|Users|tmp|work|mnt|opt|usr|var|private)/[\w.-]|[A-Z]:\\Users")


def shown_jobs(jobs: dict[str, Job], shown_task: str) -> list[Job]:
    """Return one job per stage, the one a reader is shown: the shown task's where the stage runs by task."""
    return [job for job in jobs.values() if job.cell in ("all", shown_task)]


def publish_figures(jobs: dict[str, Job], *, shown_task: str) -> list[str]:
    """Copy the figures of the shown jobs to figures/, remove all others there, and return the names that changed.

    A figure is a file NN_name.pdf, .png or .csv, NN being its notebook's number. Hidden files stay.
    """
    found: dict[str, Path] = {}
    for job in shown_jobs(jobs, shown_task):
        files = sorted(job.folder.glob(f"{job.notebook.name[:2]}_*"))
        found |= {path.name: path for path in files if _FIGURE.fullmatch(path.name)}
    paths.FIGURES.mkdir(exist_ok=True)
    old = {path.name: path for path in paths.FIGURES.iterdir() if not path.name.startswith(".")}
    for name in old.keys() - found.keys():
        old[name].unlink()
    changed = [n for n, path in found.items() if n not in old or old[n].read_bytes() != path.read_bytes()]
    for name in changed:
        shutil.copyfile(found[name], paths.FIGURES / name)
    return sorted([*changed, *(old.keys() - found.keys())])


def release(profile_path: Path, *, only: str | None = None) -> list[str]:
    """Write the outputs of a finished run to notebooks/ and its tables to data/results/<profile>; return their names.

    Parameters
    ----------
    only : str, optional
        A stage: its tables alone are released, and no notebook. For a profile that is set beside the released one.

    Raises
    ------
    ValueError
        A job of the profile is not finished, a notebook's literals differ from the profile's values, or a notebook with
        outputs is too large, shows an error, or names a path of this machine. Nothing has been written.
    """
    profile = load_profile(profile_path)
    jobs = plan(profile, only=only)
    missing = [name for name, job in jobs.items() if not is_finished(job)]
    if missing:
        again = f"python -m synthlib.run {profile_path}{f' --only {only}' if only else ''}"
        raise ValueError(f"not finished: {', '.join(missing)}; first: {again}")
    tables = paths.DATA / "results" / profile.name
    if only is not None:
        return copy_tables([job for job in jobs.values() if job.stage == only], tables, stages=[only])
    shown = {job.notebook: with_outputs(job, profile.name) for job in shown_jobs(jobs, profile.shown_task)}
    for path, notebook in shown.items():
        notebooks.write_notebook(notebook, path)
    return [*(path.name for path in shown), *copy_tables(jobs.values(), tables, stages=params.STAGES)]


def with_outputs(job: Job, profile: str) -> dict[str, Any]:
    """Return the job's notebook as it stands in notebooks/, with the outputs of the job.

    Prose may have changed since the job ran; code cannot, as it is part of the job's key.

    Raises
    ------
    ValueError
        See :func:`release`.
    """
    notebook, executed = notebooks.read_notebook(job.notebook), notebooks.read_notebook(job.executed)
    check_literals(notebook, job)
    digest = notebooks.code_sha256(notebook)
    if notebooks.code_sha256(executed) != digest:
        raise ValueError(f"{job.notebook.name}: its code is not that of {job.executed}; run it again")
    pairs = zip(notebooks.code_cells(notebook), notebooks.code_cells(executed), strict=True)
    for count, (cell, done) in enumerate(pairs, 1):
        outputs = [o | {"execution_count": count} if "execution_count" in o else o for o in done["outputs"]]
        cell |= {"execution_count": count, "outputs": outputs}
    for cell in notebook["cells"]:
        cell["metadata"] = {name: v for name, v in cell["metadata"].items() if name not in ("papermill", "execution")}
    notebook["metadata"] = {name: v for name, v in notebook["metadata"].items() if name != "papermill"}
    notebook["metadata"]["synthlib"] = {
        "profile": profile,
        "stage": job.stage,
        "cell": job.cell,
        "key": job.key,
        "code_sha256": digest,
    }
    check_outputs(notebook, job.notebook.name)
    return notebook


def check_literals(notebook: dict[str, Any], job: Job) -> None:
    """Raise ValueError unless the parameters cell holds the values that the job ran with, its folders left empty."""
    written, wanted = notebooks.literals(notebook), {**job.parameters, "inputs": {}, "output": ""}
    names = [n for n in {**wanted, **written} if n not in written or n not in wanted or written[n] != wanted[n]]
    if names:
        lines = [f"  {n}: notebook {written.get(n, 'absent')!r}, profile {wanted.get(n, 'absent')!r}" for n in names]
        raise ValueError(f"{job.notebook.name}: the parameters cell differs from the run\n" + "\n".join(lines))


def check_outputs(notebook: dict[str, Any], name: str) -> None:
    """Raise ValueError if a notebook is too large, or an output is an error or names a path of a machine."""
    size = len(json.dumps(notebook, indent=1, ensure_ascii=False).encode())
    if size >= MAX_NOTEBOOK:
        raise ValueError(f"{name}: {size} bytes with its outputs; it must stay under {MAX_NOTEBOOK}")
    for cell in notebooks.code_cells(notebook):
        if any(output["output_type"] == "error" for output in cell["outputs"]):
            raise ValueError(f"{name}, In [{cell['execution_count']}] shows an error")
        found = find_machine_path(cell)
        if found:
            raise ValueError(f"{name}, In [{cell['execution_count']}] names a path of a machine: {found!r}")


def find_machine_path(cell: dict[str, Any]) -> str | None:
    """Return the first absolute path in a code cell's source or text outputs, with what follows it, or None."""
    texts = [notebooks.source(cell)]
    for output in cell["outputs"]:
        shown = [value for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]
        texts += [part if isinstance(part, str) else json.dumps(part) for part in (output.get("text", ""), *shown)]
    for text in texts:
        match = _MACHINE_PATH.search(text)
        if match:
            return text[match.start() : match.start() + 80].split("\n")[0]
    return None


def copy_tables(jobs: Iterable[Job], folder: Path, *, stages: Iterable[str]) -> list[str]:
    """Replace the folders of ``stages`` by the tables and manifests of all jobs, by stage and cell; return the names.

    Left out are corpora (their texts are in data/corpora) and tables over 2 MB that are not predictions. Files that
    stand beside the stages' folders stay.
    """
    names = []
    for stage in stages:
        shutil.rmtree(folder / stage, ignore_errors=True)
    for job in jobs:
        target = folder / job.stage / job.cell
        target.mkdir(parents=True)
        for path in (*sorted(job.folder.glob("*.parquet")), job.folder / MANIFEST):
            large = path.stat().st_size > MAX_TABLE and path.stem != "predictions"
            if path.stem != "corpus" and not large:
                shutil.copyfile(path, target / path.name)
                names.append(f"{job.name}/{path.name}")
    return names
