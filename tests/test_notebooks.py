"""The contract of the committed notebooks; nothing is executed. They are made by ``synthlib release``."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from statistics import median

import nbformat
import pytest

from synthlib import params, paths
from synthlib.runner import notebooks, profiles, release
from synthlib.runner.jobs import Job

PROFILE = profiles.load_profile(paths.PARAMS / "companion.yaml")
SHOWN = {c.stage: c for c in profiles.expand(PROFILE) if c.name in ("all", PROFILE.shown_task)}
COUNTS = re.compile(r"^(Reads|Writes|Cost)\b", re.MULTILINE)


def check_notebook(path: Path, stage: str, model: type[params.Params], values: dict) -> None:
    """Assert that a committed notebook keeps the contract."""
    nbformat.validate(nbformat.read(path, as_version=4))
    notebook = notebooks.read_notebook(path)
    assert path.stat().st_size < release.MAX_NOTEBOOK
    check_parameters(notebook, model, values)
    check_anatomy(notebook)
    check_execution(notebook, stage)


def check_parameters(notebook: dict, model: type[params.Params], values: dict) -> None:
    """Assert that the parameters cell has the model's fields, the companion run's values and a comment each."""
    literals = notebooks.literals(notebook)
    assert list(literals) and set(literals) == set(model.model_fields)
    params.check(model, literals)
    assert literals == values
    text = notebooks.source(notebooks.parameters_cell(notebook))
    for node in ast.parse(text).body:
        lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
        assert any("  # " in line for line in lines), f"no comment: {lines[0]}"


def check_anatomy(notebook: dict) -> None:
    """Assert the opening (question, Reads, Writes, Cost), the length of cells, and that no cell leaves Python."""
    first = notebook["cells"][0]
    opening = re.sub(r"[*_`]", "", notebooks.source(first))
    assert first["cell_type"] == "markdown"
    assert opening.splitlines()[0].startswith("# ") and opening.splitlines()[0].rstrip().endswith("?")
    assert COUNTS.findall(re.sub(r"^[-|>\s]+", "", opening, flags=re.MULTILINE)) == ["Reads", "Writes", "Cost"]
    sizes = []
    for cell in notebooks.code_cells(notebook):
        text = notebooks.source(cell).strip()
        assert text, "an empty code cell"
        ast.parse(text)  # plain Python: no magics, no shell
        sizes.append(len(text.splitlines()))
    assert median(sizes) <= 8 and max(sizes) <= 30, sorted(sizes)


def check_execution(notebook: dict, stage: str) -> None:
    """Assert that outputs are of this code, run from top to bottom, without errors or paths of a machine."""
    cells = notebooks.code_cells(notebook)
    assert len(cells) == sum(cell["cell_type"] == "code" for cell in notebook["cells"]), "injected parameters"
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert all(output["output_type"] != "error" for output in cell["outputs"])
        assert release.find_machine_path(cell) is None, release.find_machine_path(cell)
    made = notebook["metadata"]["synthlib"]
    assert (made["profile"], made["stage"]) == ("companion", stage)
    assert made["code_sha256"] == notebooks.code_sha256(notebook), "code has changed since its outputs were made"


@pytest.mark.parametrize("stage", params.STAGES)
def test_a_notebook_keeps_the_contract(stage):
    path = paths.NOTEBOOKS / f"{params.STAGES[stage].notebook}.ipynb"
    check_notebook(path, stage, params.STAGES[stage].model, SHOWN[stage].params.model_dump())


def test_every_notebook_belongs_to_a_stage():
    found = {path.stem for path in paths.NOTEBOOKS.glob("*.ipynb")}
    assert found == {stage.notebook for stage in params.STAGES.values()}


# --- release and contract together, on a notebook made here ---

CELL = SHOWN["task_subjectivity"]
OPENING = (
    "# Which tasks are subjective?\nTwo sentences.\n\n**Reads:** votes  \n**Writes:** scores  \n**Cost:** 1 minute"
)


def make_job(folder: Path) -> Job:
    """Write a notebook and what papermill makes of it; return the finished job."""
    values = CELL.params.model_dump()
    lines = "\n".join(f"{name}: {type(v).__name__} = {v!r}  # {name}" for name, v in values.items())
    texts = [("markdown", OPENING), ("code", lines), ("code", "x = 1"), ("code", "x")]
    fields = {"code": {"execution_count": None, "outputs": []}, "markdown": {}}
    cells = [
        {"cell_type": kind, "id": f"c{i}", "metadata": {}, "source": text.splitlines(keepends=True)} | fields[kind]
        for i, (kind, text) in enumerate(texts)
    ]
    cells[1]["metadata"]["tags"] = ["parameters"]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    given = CELL.params.model_dump(exclude={"inputs", "output"})
    job = Job("task_subjectivity", "all", folder / "04.ipynb", given, {}, "k" * 64, {}, folder / "job")
    job.folder.mkdir()
    notebooks.write_notebook(notebook, job.notebook)
    executed = json.loads(json.dumps(notebook))
    executed["cells"].insert(2, {**executed["cells"][2], "id": "new", "metadata": {"tags": ["injected-parameters"]}})
    for count, cell in enumerate((c for c in executed["cells"] if c["cell_type"] == "code"), 1):
        cell |= {"execution_count": count, "metadata": cell["metadata"] | {"papermill": {"duration": 1.5}}}
    shown = {"output_type": "execute_result", "execution_count": 4, "metadata": {}, "data": {"text/plain": "1"}}
    executed["cells"][-1]["outputs"] = [shown]
    executed["metadata"]["papermill"] = {"input_path": "04.ipynb"}
    notebooks.write_notebook(executed, job.executed)
    return job


@pytest.fixture
def job(tmp_path):
    return make_job(tmp_path)


def replaced(cell: dict, old: str, new: str) -> None:
    assert old in notebooks.source(cell)
    cell["source"] = notebooks.source(cell).replace(old, new)


def show(notebook: dict, text: str) -> None:
    notebook["cells"][-1]["outputs"][0]["data"]["text/plain"] = text


def edit(path: Path, change) -> None:
    notebook = notebooks.read_notebook(path)
    change(notebook)
    notebooks.write_notebook(notebook, path)


def released(job: Job) -> Path:
    notebooks.write_notebook(release.with_outputs(job, "companion"), job.notebook)
    return job.notebook


def check(path: Path) -> None:
    check_notebook(path, "task_subjectivity", params.TaskSubjectivity, CELL.params.model_dump())


def test_a_released_notebook_keeps_the_contract(job):
    edit(job.notebook, lambda n: n["cells"][0]["source"].append("\n\nProse written after the run."))
    with pytest.raises(AssertionError):
        check(job.notebook)
    check(released(job))
    notebook = notebooks.read_notebook(job.notebook)
    assert "after the run" in notebooks.source(notebook["cells"][0])
    assert notebook["cells"][-1]["outputs"][0]["execution_count"] == 3
    assert [cell["id"] for cell in notebook["cells"]] == ["c0", "c1", "c2", "c3"]
    assert "papermill" not in job.notebook.read_text()
    before = job.notebook.read_text()
    assert released(job).read_text() == before


def test_release_refuses_what_breaks_the_contract(job):
    path = "/home/someone/x"
    changes = [
        (job.notebook, lambda n: n["cells"][1]["source"].insert(0, "seed: int = 5  # twice\n"), "seed is given twice"),
        (job.notebook, lambda n: n["cells"][3].update(source="x + 1"), "its code is not that of"),
        (job.executed, lambda n: show(n, path), "names a path"),
        (
            job.executed,
            lambda n: show(n, "1" * 10**6),
            "bytes with",
        ),
        (job.executed, lambda n: n["cells"][-1]["outputs"][0].update(output_type="error"), "shows an error"),
    ]
    for file, change, message in changes:
        before = file.read_text()
        edit(file, change)
        with pytest.raises(ValueError, match=message):
            release.with_outputs(job, "companion")
        file.write_text(before)
    job.parameters["min_pairs"] = 2
    with pytest.raises(ValueError, match="min_pairs: notebook 1, profile 2"):
        release.with_outputs(job, "companion")


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n["cells"][3].update(source="x + 1"),
        lambda n: n["cells"][3].update(execution_count=7),
        lambda n: n["cells"][3].update(source="\n".join(["x"] * 31)),
        lambda n: replaced(n["cells"][0], "?", "."),
        lambda n: replaced(n["cells"][0], "Cost", "Price"),
        lambda n: replaced(n["cells"][1], "  # seed", ""),
        lambda n: n["cells"][1].update(
            source=notebooks.source(n["cells"][1]).replace("min_pairs: int = 1", "min_pairs: int = 2")
        ),
        lambda n: n["metadata"].pop("synthlib"),
        lambda n: n["cells"].append({**n["cells"][3], "id": "d", "execution_count": None}),
    ],
)
def test_the_contract_sees_every_breach(job, change):
    path = released(job)
    edit(path, change)
    with pytest.raises((AssertionError, KeyError)):
        check(path)


def test_tables_are_released_without_corpora(job, tmp_path):
    for name, size in (("scores", 10), ("corpus", 10), ("curves", 2_000_001), ("predictions", 2_000_001)):
        (job.folder / f"{name}.parquet").write_bytes(b"x" * size)
    (job.folder / "manifest.json").write_text("{}")
    target = tmp_path / "released"
    (target / "train" / "gone").mkdir(parents=True)
    (target / "README.md").write_text("card")
    release.copy_tables([job], target, stages=["train", "task_subjectivity"])
    found = sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file())
    inside = ["manifest.json", "predictions.parquet", "scores.parquet"]
    assert found == ["README.md", *(f"task_subjectivity/all/{name}" for name in inside)]
