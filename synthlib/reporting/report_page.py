"""``synthlib report``: checks a folder of votes, runs 12_report on it, and writes the result as one HTML file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

from synthlib import params, paths
from synthlib.reporting import report
from synthlib.runner import notebooks
from synthlib.runner.execute import run_notebook
from synthlib.runner.jobs import Job, set_folders
from synthlib.tasks import load_task
from synthlib.votes import vote_tables, voters

_FRAME = Path(__file__).with_name("report.html")
_LEFT_OUT, _FIRST = "notebook-only", "summary"  # tags of cells


def make_report(votes: Path, output: Path, *, task: str | None) -> list[Path]:
    """Write the report on a task from a folder of votes and return its files: the page and the executed notebook.

    The notebook, its tables and figures go to a folder beside the page that has its name without ``.html``. Earlier
    stages are read from the last companion run, else from the released one.

    Parameters
    ----------
    votes : Path
        Folder with pairs.csv, instances.csv or both, and votes.json.
    output : Path
        The page.
    task : str or None
        None: the only task on whose texts there are votes.

    Raises
    ------
    ValueError
        The votes are unsound, no task is named and there is not just one, or the output is no .html file.
    RuntimeError
        The notebook failed; the message says in which cell.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"output {output} must end in .html")
    votes, output = votes.absolute(), output.absolute()
    source = paths.NOTEBOOKS / f"{params.STAGES['report'].notebook}.ipynb"
    values = notebooks.literals(notebooks.read_notebook(source))
    values |= {"votes": str(votes), "my_task": task or find_task(votes)}
    p = params.check(params.Report, values)
    own = report.load_own(p.my_task, p.votes, example=p.example, tasks=p.tasks)
    target = output.with_suffix("")
    target.mkdir(parents=True, exist_ok=True)
    given = p.model_dump(mode="json", exclude={"inputs", "output"})
    job = Job("report", "own", source, given, inputs={}, key="", folders=set_folders(), folder=target)
    if fault := run_notebook(job):
        raise RuntimeError(fault)
    about = f"Votes: {own.judges} (folder {votes.name}). Made by synthlib on {datetime.now(UTC):%d %B %Y}."
    title = f"{load_task(p.my_task).title}: how subjective is it, and can I expect synthetic data to be good enough?"
    page = render_page(notebooks.read_notebook(job.executed), title=title, about=about)
    output.write_text(page, encoding="utf-8")
    return [output, job.executed]


def find_task(votes: Path) -> str:
    """Return the only task on whose texts a folder has votes.

    Raises
    ------
    ValueError
        There is none, or more than one; the message names them.
    """
    files = voters.find_any_votes(str(votes))
    if voters.INSTANCES not in files:
        raise ValueError(f"{votes} has votes on pairs of tasks only; say which task the report is on with --task")
    table = vote_tables.read_votes(files[voters.INSTANCES].path, {"task", "key", "annotator", "label"})
    found = sorted(set(table["task"]))
    if len(found) > 1:
        raise ValueError(f"{votes} has votes on {', '.join(found)}; say which of them the report is on with --task")
    return found[0]


def render_page(notebook: Mapping[str, Any], *, title: str, about: str) -> str:
    """Return an executed notebook as one page that needs no other file: outputs and prose, no code.

    Cells tagged ``summary`` come first, those tagged ``notebook-only`` are left out. A figure is described by the cell
    of prose below it, its caption.
    """
    import nbformat
    from nbconvert import HTMLExporter

    cells = [cell for cell in notebook["cells"] if _LEFT_OUT not in notebooks.tags(cell)]
    for above, below in pairwise(cells):
        for output in above.get("outputs", []):
            if "image/png" in output.get("data", {}) and below["cell_type"] == "markdown":
                output["metadata"]["image/png"] = {"alt": notebooks.source(below).replace("*", "").replace("\n", " ")}
    cells.sort(key=lambda cell: _FIRST not in notebooks.tags(cell))
    shown = nbformat.reads(json.dumps({**notebook, "cells": cells}), as_version=4)
    hidden = {"exclude_input": True, "exclude_input_prompt": True, "exclude_output_prompt": True}
    body, _ = HTMLExporter(template_name="basic", **hidden).from_notebook_node(shown)
    frame = Template(_FRAME.read_text(encoding="utf-8"))
    return frame.substitute(title=escape(title), about=escape(about), body=body)
