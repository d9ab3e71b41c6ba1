"""Reading tables that people made: every fault is told with its line, and nothing is mended in silence."""

from __future__ import annotations

import csv
import difflib
import io
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

NO_NUMBER = "no number; decimals take a point"  # of a cell for which is_number is false
PROBLEM_COLUMNS = ["file", "line", "column", "value", "problem"]
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def no_problems() -> pd.DataFrame:
    """Return an empty table of problems: file, line (None: the whole file), column, value, problem."""
    return pd.DataFrame(columns=PROBLEM_COLUMNS, dtype=object)


def list_problems(rows: Iterable[tuple]) -> pd.DataFrame:
    """Return a table of problems from tuples in the order of its columns."""
    return pd.DataFrame(list(rows), columns=PROBLEM_COLUMNS, dtype=object)


def read_text(path: Path, *, encoding: str | None = None) -> str:
    """Return the text of a file; ``encoding`` None takes UTF-8, and UTF-16 where the file says so in its first bytes.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is in another encoding; the message names the line and what to do.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    content = path.read_bytes()
    marked = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding or marked)
    except (UnicodeDecodeError, LookupError) as error:
        if isinstance(error, LookupError):
            raise ValueError(f"unknown encoding {encoding!r}; usual ones are utf-8, utf-16, cp1252, latin-1") from None
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not {encoding or marked}. Save the file as "
            "UTF-8, or name its encoding (files of older spreadsheets are often cp1252)"
        ) from None


def read_table(path: Path, *, encoding: str | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a csv's rows as text, with their ``line``, and the problems of its form.

    Commas, semicolons and tabs are told apart by the header. Lines with more or fewer cells than the header, and empty
    ones between others, are left out and told.

    Returns
    -------
    rows : DataFrame of str
        The file's columns, stripped, and line (int): the line on which the row ends.
    problems : DataFrame
        See :func:`no_problems`.

    Raises
    ------
    ValueError
        The encoding is wrong, there is no header or no row, a column's name is repeated, or the file is no csv (a cell
        is too long, say, since a quotation mark was left open).
    """
    text = read_text(path, encoding=encoding)
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    try:
        lines = [(cells, reader.line_num) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}; is a quotation mark left open?") from None
    names = [name.strip().lstrip("\ufeff") for name in lines[0][0]] if lines else []
    if not any(names):
        raise ValueError(f"{path}: the file is empty; its first line must name the columns")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path}: column name(s) {repeated} are repeated")
    rows, problems = [], []
    for cells, line in lines[1:]:
        if len(cells) == len(names):
            rows.append([*(cell.strip() for cell in cells), line])
        elif cells:
            fault = f"{len(cells)} cells, the header has {len(names)}"
            problems.append((path.name, line, "", ",".join(cells)[:80], fault))
    if not rows:
        fault = f"; line {problems[0][1]} has {problems[0][4]}" if problems else ""
        raise ValueError(f"{path}: no rows below the header {names}{fault}")
    return pd.DataFrame(rows, columns=[*names, "line"]), list_problems(problems)


def is_number(value: str | float) -> bool:
    """Return whether a cell is empty or holds a finite number.

    Examples
    --------
    >>> [is_number(value) for value in ("", "0.4", "0,4", "nan")]
    [True, True, False, False]
    """
    return value == "" or bool(abs(pd.to_numeric(value, errors="coerce")) <= sys.float_info.max)


def check_columns(found: Iterable[str], wanted: Iterable[str], *, origin: str) -> None:
    """Raise ValueError if a wanted column is missing, with the likeliest column that was renamed.

    Examples
    --------
    >>> check_columns(["worker", "lable"], ["worker", "label"], origin="votes.csv")
    Traceback (most recent call last):
    ValueError: votes.csv: missing column(s) 'label' (is it 'lable'?); it has ['worker', 'lable']. Rename them in the
    file, or say which is which with --rename their=ours
    """
    found = list(found)
    missing = [name for name in wanted if name not in found]
    if missing:
        said = []
        for name in missing:
            close = difflib.get_close_matches(name, set(found) - set(wanted), n=1)
            said.append(f"{name!r}" + (f" (is it {close[0]!r}?)" if close else ""))
        raise ValueError(
            f"{origin}: missing column(s) {', '.join(said)}; it has {found}. Rename them in the file, or say which is "
            "which with --rename their=ours"
        )
