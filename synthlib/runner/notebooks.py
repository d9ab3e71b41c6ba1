"""Notebooks as files: their code, the literals of their parameters cell, and the hash that ties outputs to code."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

from synthlib.files import replacing


def read_notebook(path: str | Path) -> dict[str, Any]:
    """Return a notebook as the dict that its file holds.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not JSON, or has no cells.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no notebook {path}")
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
        notebook["cells"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no notebook: {error!r}") from None
    return notebook


def write_notebook(notebook: dict[str, Any], path: str | Path) -> None:
    """Write a notebook the way Jupyter does: one space a level, a line break at the end; never half of it."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def source(cell: dict[str, Any]) -> str:
    """Return a cell's text; the file may hold it as one string or as lines."""
    text = cell["source"]
    return text if isinstance(text, str) else "".join(text)


def tags(cell: dict[str, Any]) -> list[str]:
    """Return a cell's tags."""
    return cell.get("metadata", {}).get("tags", [])


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the code cells that an author wrote: all but the one that papermill injects."""
    return [c for c in notebook["cells"] if c["cell_type"] == "code" and "injected-parameters" not in tags(c)]


def code_sha256(notebook: dict[str, Any]) -> str:
    """Return the hash of a notebook's code cells, white space at their ends aside; prose and outputs do not count.

    Examples
    --------
    >>> def notebook(prose, code):
    ...     cells = [{"cell_type": "markdown", "source": prose}, {"cell_type": "code", "source": code}]
    ...     return {"cells": cells}
    >>> code_sha256(notebook("Why?", "x = 1")) == code_sha256(notebook("What for?", ["x ", "= 1"]))
    True
    >>> code_sha256(notebook("Why?", "x = 1")) == code_sha256(notebook("Why?", "x = 2"))
    False
    """
    texts = [source(cell).strip() for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def parameters_cell(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the cell tagged ``parameters``.

    Raises
    ------
    ValueError
        There is none, or more than one.
    """
    found = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    if len(found) != 1:
        raise ValueError(f"a notebook needs one cell tagged 'parameters'; this one has {len(found)}")
    return found[0]


def literals(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the names and values of the parameters cell.

    Raises
    ------
    ValueError
        A line of it is anything but ``name: type = literal``, or a name is given twice.
    """
    values: dict[str, Any] = {}
    for node in ast.parse(source(parameters_cell(notebook))).body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            raise ValueError(f"parameters cell, line {node.lineno}: not of the form 'name: type = literal'")
        if node.target.id in values:
            raise ValueError(f"parameters cell, line {node.lineno}: {node.target.id} is given twice")
        try:
            values[node.target.id] = ast.literal_eval(node.value)
        except ValueError:
            raise ValueError(f"parameters cell, line {node.lineno}: {ast.unparse(node.value)} is no literal") from None
    return values
