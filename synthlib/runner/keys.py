"""The key of a job: equal keys, equal results, so a job with a finished folder of its key need not run again.

Exactly this decides a key; a change in any of it gives another key, and taking the change back gives the old one:

1. the source of the notebook's code cells (prose, outputs and metadata do not count);
2. its parameters, without ``inputs`` and ``output``, and of ``llm`` without :data:`OPERATIONAL`;
3. the code of the files of synthlib that its code cells import, and of those that they import, and so on
   (comments and docstrings do not count), and the forms (.html) beside these;
4. the files in the folders of data/ that its stage names (``Stage.data``, and ``Stage.optional`` where they are there),
   params/tasks/<task>.yaml and params/prompts.yaml and original.csv; params/prices.yaml for a stage with list prices;
   and the files of a folder of votes of one's own (``votes``). A file called after a task counts only for cells with
   that task; cards (.md) and index.json, which lists hashes of the others, do not count;
5. with ``source: folder``, the tasks' files in SYNTHLIB_DATA; with texts, from there or from the hub, the files with
   people's votes in SYNTHLIB_ANNOTATIONS, and of these for any source what the stage names (``Stage.annotations``);
6. the files of an encoder that is a folder, and of a local model that writes texts;
7. the keys of the jobs whose outputs it reads.

Python, the installed packages and the machine are written to the manifest but are not part of the key.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from synthlib import encoders, paths
from synthlib.asking.backends import name_model
from synthlib.params import Params, Stage
from synthlib.runner import notebooks
from synthlib.tasks import load_task, own_files, task_names
from synthlib.votes import annotated

LIBRARY = paths.ROOT / "synthlib"
#: Values of ``llm`` for the speed and the limits of asking: the texts are the same whatever they are.
OPERATIONAL = set("concurrency requests_per_minute tokens_per_minute max_usd max_calls timeout_seconds".split())
OPERATIONAL |= {"batch_size"}  # of a local model


def job_key(stage: Stage, params: Params, notebook: Path, parents: Mapping[str, str]) -> str:
    """Return the key (64 hexadecimal digits) of one run of a notebook.

    Parameters
    ----------
    parents : mapping
        Name ("stage/cell") to key of the jobs it reads.

    Raises
    ------
    FileNotFoundError, ValueError
        The notebook or a data folder is missing, its code is not plain Python, SYNTHLIB_DATA is not set, a table of
        texts there is missing or unsound, or shipped features are corrupt or of another encoder.
    """
    content = notebooks.read_notebook(notebook)
    try:
        library = library_files(notebooks.source(cell) for cell in notebooks.code_cells(content))
    except SyntaxError as error:
        place = f"{notebook.name} or a file of synthlib that it imports"
        raise ValueError(f"{place} is no plain Python: {error.msg} in {error.text!r}") from None
    tasks = chosen_tasks(params)
    if getattr(params, "source", None) == "features" and hasattr(params, "encoder"):
        for task in tasks:
            _check_features(task, params.encoder)
    files = data_files(data_folders(stage, params), tasks)
    if "models" in stage.model.model_fields:
        files["params/prices.yaml"] = paths.PARAMS / "prices.yaml"
    files |= {f"synthlib/{path.relative_to(LIBRARY).as_posix()}": path for path in _forms(library)}
    source = getattr(params, "source", None)
    read = [*(annotated.SETS if source in ("folder", "hub") else ()), *stage.annotations]
    parts = {
        "code": notebooks.code_sha256(content),
        "parameters": params.model_dump(mode="json", exclude={"inputs": True, "output": True, "llm": OPERATIONAL}),
        "library": {path.relative_to(LIBRARY).as_posix(): _code_sha256(path, _stamp(path)) for path in library},
        "data": {name: file_sha256(path) for name, path in files.items()} | _own_votes(params),
        "folder": _own_texts(tasks) if source == "folder" else {},
        "annotations": {name: file_sha256(path) for name in read if (path := annotated.find_file(name))},
        "models": _own_models(params),
        "parents": dict(parents),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def chosen_tasks(params: Params) -> list[str]:
    """Return the tasks that a cell is about: ``task``, or ``tasks``, ``my_task`` and ``text_task`` if it has them."""
    values: dict[str, Any] = dict(params)
    own = [values[name] for name in ("my_task", "text_task") if name in values]
    return [values["task"]] if "task" in values else list(dict.fromkeys([*values.get("tasks", []), *own]))


def library_files(sources: Iterable[str]) -> list[Path]:
    """Return the files of synthlib that Python sources import, directly or through one another, in order of name."""
    found: set[Path] = set()
    pending = [path for text in sources for path in _imports(text, "")]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _imports_of(path, _stamp(path))
    return sorted(found)


@cache
def _imports_of(path: Path, stamp: tuple[int, int]) -> tuple[Path, ...]:
    package = ".".join(("synthlib", *path.relative_to(LIBRARY).parent.parts))
    return _imports(path.read_text(encoding="utf-8"), package)


def _imports(text: str, package: str) -> tuple[Path, ...]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            outer = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*outer, *([node.module] if node.module else [])])
            modules |= {base, *(f"{base}.{alias.name}" for alias in node.names)}  # a name may be a module of its own
    return tuple(path for module in sorted(modules) for path in _module_files(module))


def _forms(library: Iterable[Path]) -> list[Path]:
    """Return the forms beside modules: html files in their packages."""
    return sorted({form for path in library if path.parent != LIBRARY for form in path.parent.glob("*.html")})


def _module_files(module: str) -> list[Path]:
    """Return the files that importing ``module`` runs: its own and its packages' ``__init__.py``."""
    first, *rest = module.split(".")
    if first != "synthlib":
        return []
    folders = [LIBRARY.joinpath(*rest[:depth]) for depth in range(len(rest) + 1)]
    candidates = [folder / "__init__.py" for folder in folders] + [LIBRARY.joinpath(*rest).with_suffix(".py")]
    return [path for path in candidates if path.is_file()]


def data_folders(stage: Stage, params: Params) -> list[str]:
    """Return the folders of data/ that decide a key: those its stage needs, and optional ones that it looks at."""
    found = [name for name in stage.optional if (paths.DATA / name).is_dir()] if params.looks_at_released else []
    return [*stage.data, *found]


def data_files(folders: Iterable[str], tasks: list[str]) -> dict[str, Path]:
    """Return name to path of the files that decide a cell's key: see point 4 above.

    Raises
    ------
    FileNotFoundError
        data/ has no such folder.
    """
    files: dict[str, Path] = {}
    others = set(task_names()) - set(tasks)
    for name in folders:
        folder = paths.DATA / name
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} does not exist; restore it: git checkout -- data/{name}")
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            about = {path.stem, *path.relative_to(folder).parts}
            if path.suffix != ".md" and path.name != "index.json" and others.isdisjoint(about):
                files[f"data/{name}/{path.relative_to(folder).as_posix()}"] = path
    own, shipped = own_files(), paths.PARAMS / "tasks"
    files |= {f"params/tasks/{task}.yaml": own.get(task, shipped / f"{task}.yaml") for task in tasks}
    return files | {f"params/{name}": paths.PARAMS / name for name in ("prompts.yaml", "original.csv")}


def _own_votes(params: Params) -> dict[str, str]:
    """Return the sha256 of the files in a folder of votes of one's own."""
    given = getattr(params, "votes", "")
    files = sorted((paths.ROOT / given).iterdir()) if given else []
    return {f"votes/{path.name}": file_sha256(path) for path in files if path.is_file()}


def _own_texts(tasks: list[str]) -> dict[str, str]:
    """Return the sha256 of one's own texts by task."""
    folder = os.environ.get("SYNTHLIB_DATA")
    if not folder:
        raise ValueError("source 'folder' needs SYNTHLIB_DATA=<folder with one parquet file per task>")
    files = {task: Path(folder) / f"{task}.parquet" for task in tasks}
    absent = [str(path) for path in files.values() if not path.is_file()]
    if absent:
        raise FileNotFoundError(f"SYNTHLIB_DATA lacks {', '.join(absent)}")
    for task, path in files.items():
        _check_texts(task, path, _stamp(path))
    return {task: file_sha256(path) for task, path in files.items()}


@cache
def _check_texts(task: str, path: Path, stamp: tuple[int, int]) -> None:
    """Raise ValueError if a task's file of texts is unsound, once for each state of the file."""
    from synthlib import data  # only a run on texts of one's own has to wait for this import

    data.load_folder(load_task(task), path.parent)


@cache
def _check_features(task: str, encoder: str) -> None:
    """Raise ValueError if a task's shipped features are corrupt or of another encoder, once in a process."""
    from synthlib import features  # as above

    features.load(task, "features", encoder)


def _own_models(params: Params) -> dict[str, str]:
    """Return what identifies the encoder and the writer of texts, where these are folders."""
    models = {}
    if hasattr(params, "encoder") and encoders.is_folder(params.encoder):
        encoder = Path(encoders.locate(params.encoder)[0])
        models["encoder"] = _fingerprint_encoder(params.encoder, tuple(map(_stamp, sorted(encoder.iterdir()))))
    if getattr(params, "backend", None) == "local":
        writer = paths.ROOT / Path(params.llm["model"]).expanduser()
        models["llm"] = name_model(writer) if writer.is_dir() else ""
    return models


@cache
def _fingerprint_encoder(encoder: str, stamps: tuple[tuple[int, int], ...]) -> str:
    """Return what identifies an encoder that is a folder, once for each state of its files."""
    return encoders.fingerprint(encoder)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file; one that has not changed since is not read again in this process."""
    return _sha256(path, _stamp(path))


@cache
def _sha256(path: Path, stamp: tuple[int, int]) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _code_sha256(path: Path, stamp: tuple[int, int]) -> str:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
