"""Markdown that no text can break: whatever a model or a server wrote stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

import pandas as pd

from synthlib.prompts import clean

CELL_LIMIT, FENCE_LIMIT = 100, 20_000  # characters shown


def cell(value: object, limit: int = CELL_LIMIT) -> str:
    r"""Return a value as text within a line or a table: one line, no markup, cut.

    Examples
    --------
    >>> cell("a|b <script>\n`c`")
    'a\\|b &lt;script&gt; \\`c\\`'
    """
    line = " ".join(clean(str(value), limit).split())
    return re.sub(r"([\\`*\[\]|~])", r"\\\1", html.escape(line, quote=False))


def fence(text: str, limit: int = FENCE_LIMIT) -> str:
    """Return a text verbatim in a code fence, longer than any run of backticks in it; control characters made visible.

    Examples
    --------
    >>> print(fence("Write a joke."))
    ```text
    Write a joke.
    ```
    """
    shown = clean(text, limit)
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{ticks}text\n{shown}\n{ticks}"


def table(frame: pd.DataFrame) -> str:
    r"""Return a frame (its columns, not its index) as a Markdown table.

    Examples
    --------
    >>> print(table(pd.DataFrame({"label": ["a|b"], "texts": [2]})))
    | label | texts |
    |---|---|
    | a\|b | 2 |
    """
    rows = [frame.columns, *frame.itertuples(index=False)]
    lines = [_line(row) for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(frame.columns), *lines[1:]])


def bullets(items: Sequence[str]) -> str:
    """Return a list, one item a line."""
    return "\n".join(f"- {item}" for item in items)


def _line(values: Iterable[object]) -> str:
    return "| " + " | ".join(cell(value) for value in values) + " |"
