"""Running one job: papermill executes its notebook, a manifest is written last. Called in a process of its own."""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
import subprocess
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from synthlib import paths
from synthlib.runner import notebooks
from synthlib.runner.jobs import FOLDER_VARIABLES, MANIFEST, Job, is_finished, relative, write_json

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: Errors with which synthlib says what to do; their traceback says no more.
_SAYING = ("ValueError", "FileNotFoundError", "CallError", "BudgetError")
_RAISED = re.compile(r"^File (.+?):\d+, in .*^-+> \d+ +raise\b", re.MULTILINE | re.DOTALL)
OUT_OF_MEMORY = "Was memory short? Run fewer jobs at once (--jobs 1) or lower the sizes in the profile."


@dataclass(frozen=True)
class Outcome:
    """How a job went: what became of it, how long it took, and why it failed or was skipped."""

    status: Literal["run", "cached", "failed", "skipped"]
    seconds: float = 0.0
    message: str = ""


def execute(job: Job) -> Outcome:
    """Run a job unless its results are there, and return how it went; a failure is returned, not raised.

    Only one process works on a job at a time; a second one waits and then finds the results. What an unfinished run
    has left in the folder is deleted first.
    """
    job.lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(job.lock):
        if is_finished(job):
            return Outcome("cached")
        if job.folder.exists():
            shutil.rmtree(job.folder)
        job.folder.mkdir(parents=True)
        started, clock = datetime.now(UTC), time.perf_counter()
        message = run_notebook(job)
        if job.executed.is_file():
            _remove_paths(job)
        seconds = time.perf_counter() - clock
        if message:
            return Outcome("failed", seconds, message)
        write_json(_manifest(job, started, seconds), job.folder / MANIFEST)
        return Outcome("run", seconds)


def run_notebook(job: Job) -> str:
    """Execute the notebook into the job's folder; return why it failed, or an empty string."""
    import papermill  # slow to import: only where a notebook runs
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    from synthlib.runner.kernels import ForkingKernelManager, can_fork

    logging.getLogger("papermill").setLevel(logging.ERROR)
    for name in FOLDER_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(job.folders)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # else every kernel warns about its debugger
    values = {**job.parameters, "inputs": job.inputs, "output": relative(job.folder)}
    kernel = {
        "config": Config(KernelManager={"transport": _transport()}),
        "extra_arguments": ["--log-level=50"],
        "shutdown_kernel": "immediate",  # all is written; a kernel with torch takes two seconds to leave by itself
    }
    if can_fork():
        kernel["kernel_manager_class"] = ForkingKernelManager
    try:
        papermill.execute_notebook(job.notebook, job.executed, values, cwd=job.folder, progress_bar=False, **kernel)
    except papermill.PapermillExecutionError as error:
        return _describe(job, error)
    except DeadKernelError:
        return f"The notebook's kernel was killed. {OUT_OF_MEMORY}"
    except Exception as error:  # whatever else is wrong with one notebook must not stop the others
        return f"{type(error).__name__}: {error}"
    return ""


def _transport() -> str:
    """Return how to talk to a kernel: by socket files, or by ports where a file's path would be too long or on Windows.

    Two kernels that start at the same time in two processes may choose the same ports; files are never shared.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    longest = f"{jupyter_runtime_dir()}/kernel-{uuid.UUID(int=0)}-ipc-5"
    return "ipc" if os.name == "posix" and len(longest.encode()) < 100 else "tcp"


def _describe(job: Job, error: Any) -> str:
    """Return where a cell failed, what stands there, and its traceback; of an error raised by synthlib what it says."""
    place = f"{job.notebook.name}, In [{error.exec_count}]:"
    code = "\n".join(f"    {line}" for line in error.source.strip().splitlines()[:5])
    trace = _COLOUR.sub("", "\n".join(error.traceback)) or f"{error.ename}: {error.evalue}"
    if error.ename in _SAYING and _is_raised_here(trace):
        return f"{place} {_COLOUR.sub('', error.evalue)}"
    return f"{place}\n{code}\n\n{trace}"


def _is_raised_here(trace: str) -> bool:
    """Return whether the innermost frame of a traceback, as IPython writes it, is a raise statement of synthlib."""
    innermost = re.split(r"^(?=(?:File|Cell) )", trace, flags=re.MULTILINE)[-1]
    found = _RAISED.match(innermost)
    return found is not None and Path(found[1]).expanduser().is_relative_to(paths.ROOT / "synthlib")


def _remove_paths(job: Job) -> None:
    """Take the paths of this machine out of what papermill wrote about the run."""
    notebook = notebooks.read_notebook(job.executed)
    about = notebook["metadata"].get("papermill", {})
    about.update(input_path=relative(job.notebook), output_path=relative(job.executed))
    notebooks.write_notebook(notebook, job.executed)


def _manifest(job: Job, started: datetime, seconds: float) -> dict[str, Any]:
    return {
        "stage": job.stage,
        "cell": job.cell,
        "key": job.key,
        "parameters": job.parameters,
        "inputs": job.inputs,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "versions": _versions(),
        "git": _git_state(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": _graphics_cards() or ["cpu"],
    }


@lru_cache
def _versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the project asks for."""
    direct = [line for line in metadata.requires("synthlib") or [] if "extra ==" not in line]
    names = [re.split(r"[^\w.-]", line)[0] for line in direct]
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}


def _git_state() -> dict[str, Any]:
    """Return the commit that is checked out and whether files differ from it; None for both outside a repository."""
    try:
        commit, changes = (
            subprocess.run(["git", *words], cwd=paths.ROOT, capture_output=True, text=True, check=True).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit.strip(), "dirty": bool(changes.strip())}


@lru_cache
def _graphics_cards() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.split("\n")[:-1]
