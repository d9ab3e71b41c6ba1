"""The audit of a corpus as Markdown, for its card."""

from __future__ import annotations

import pandas as pd

from synthlib.corpus import audit, label_check
from synthlib.corpus.audit import TITLES
from synthlib.corpus.markdown import bullets, cell, table
from synthlib.params import Generate

REPEATS = ("exact_duplicate", "near_duplicate", "near_duplicate_other_label", "test_copy", "example_copy")
OBEDIENCE = ("written_words", "length_ratio", "length_kept", "attribute_kept", "vocabulary_held")
OPENINGS = ("first_word", "first_two_words", "first_word_entropy", "distinct_1", "distinct_2")
STYLE = ("function_words_f1", "function_words_to_real_f1")


def describe(audited: pd.DataFrame, rows: pd.DataFrame, p: Generate) -> str:
    """Return the audit by topic; a measure that was not taken is left out, and so is a topic without any.

    Parameters
    ----------
    audited : DataFrame
        Columns :data:`synthlib.corpus.audit.COLUMNS`.
    rows : DataFrame
        The texts: setting, label, key, text.
    """
    near, share = p.near_duplicate_cosine, 100 * p.length_tolerance
    topics = [
        (
            "Repeats",
            f"Near: cosine of {near:g} or more between encoder vectors. Copies of test rows are leaks.",
            _tabulate(audited, REPEATS),
        ),
        (
            "What was asked",
            f"A length counts as kept within {share:g}% of the one asked for; attributes are checked by simple marks, "
            "where a mark can tell.",
            _tabulate(audited, OBEDIENCE),
        ),
        ("Openings and words", _say_openings(rows), _tabulate(audited, OPENINGS)),
        (
            "Style shortcuts",
            "Macro-F1 of a classifier that sees function words alone. Where it is higher than within real texts, style "
            "and label are tied.",
            _tabulate(audited, STYLE),
        ),
        (
            "Labels",
            "Share of texts for which a classifier trained on real text (frozen features) finds the label asked for. "
            "It errs: `real` is its own score on real rows, by cross-validation.",
            _tabulate_labels(audited),
        ),
    ]
    parts = [f"### {title}\n\n{said}\n\n{shown}" for title, said, shown in topics if shown]
    return "\n\n".join([_open(audited, p), *parts])


def _open(audited: pd.DataFrame, p: Generate) -> str:
    said = f"In parentheses: intervals at {100 * p.confidence:g}%."
    if not (audited["measure"] == "test_cosine").any():
        said += " No real rows of this task were at hand: leaks, labels and style are not compared with real text."
    return said


def _tabulate(audited: pd.DataFrame, measures: tuple[str, ...]) -> str:
    taken = [name for name in measures if (audited["measure"] == name).any()]
    if not taken:
        return ""
    return table(audit.tabulate(audited, taken).rename_axis("setting").reset_index())


def _tabulate_labels(audited: pd.DataFrame) -> str:
    if not (audited["measure"] == "label_agreed").any():
        return ""
    return f"{TITLES['label_agreed']}:\n\n{table(label_check.pivot(audited).reset_index())}"


def _say_openings(rows: pd.DataFrame) -> str:
    items = []
    openings = audit.find_openings(rows)
    for setting, part in openings.groupby("setting", sort=False):
        top = part["first_word"].replace("", "(no word)").value_counts().head(3)
        begun = ", ".join(f"“{cell(word, 30)}” ({100 * n / len(part):.0f}%)" for word, n in top.items())
        items.append(f"`{setting}` texts begin most often with {begun}.")
    return bullets(items)
