"""Sentences of the report on one task (12_report), from its tables."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
from scipy import stats

from synthlib.plots.style import SOURCE_NAMES
from synthlib.reporting.report import Own
from synthlib.reporting.tables import join_names, say_interval, say_number

#: How figures and sentences call a difference between two sources.
GAP_NAMES = {
    ("real", "zero_shot"): "All real text minus zero-shot",
    ("real", "few_shot"): "All real text minus few-shot",
    ("real_matched", "zero_shot"): "As much real text minus zero-shot",
    ("real_matched", "few_shot"): "As much real text minus few-shot",
}
_LITTLE, _MUCH = 0.1, 0.5  # skill below, above: the score helped little, much


def say_votes(title: str, question: str, labels: list[str], own: Own) -> str:
    """Return whose votes there are, on what, and on whose texts."""
    text = f"*{title}*: {question} Labels: {', '.join(labels)}. The votes come from {own.judges}. "
    if own.texts is not None:
        text += f"There are {len(own.texts):,} votes on {own.texts['key'].nunique():,} single texts. "
    if own.pairs is not None:
        text += (
            f"There are {len(own.pairs):,} judgements of {own.pairs['worker'].nunique()} workers on pairs of tasks. "
        )
    text += " ".join(
        f"Source of the texts shown in {name}: {said['texts_from']}." for name, said in own.studies.items()
    )
    if own.example:
        text += f"**This is an example**: the shipped votes of {own.example} stand in for votes of your own."
    return text


def say_place(sets: pd.DataFrame, judges: str) -> str:
    """Return where the user's votes lie among the sets that people voted on.

    Parameters
    ----------
    sets : DataFrame
        From :func:`synthlib.reporting.report.place_sets`.
    judges : str
        Who the user's voters are.
    """
    if not (sets["kind"] == "own").any():
        return "There are no votes on single texts of this task, so nothing can be said about its texts."
    mine, people = sets.iloc[0], sets[(sets["kind"] == "people") & sets["alpha"].notna()]
    text = (
        f"The voters are {judges}. The share of the majority label is {say_interval(mine, 'agreement')} on average; "
        f"{mine.unanimous:.0%} of {mine.texts:,} texts are unanimous. "
    )
    if np.isnan(mine.alpha):
        return f"{text}Krippendorff's {mine.note}."
    below, above = people["alpha_high"] < mine.alpha_low, people["alpha_low"] > mine.alpha_high
    text += (
        f"Krippendorff's alpha is {say_interval(mine, 'alpha')}. On {len(people)} other sets people's alpha lies "
        f"between {people['alpha'].min():.2f} and {people['alpha'].max():.2f}; it is lower on {below.sum()} of them "
        f"and higher on {above.sum()} (the intervals do not overlap)."
    )
    return text if judges == "people" else f"{text} Your voters are of another kind, so this comparison says little."


def say_score(scores: pd.DataFrame, task: str, *, judges: str) -> str:
    """Return where a task's score stands among others; it must have one."""
    row = scores[scores["task"] == task].iloc[0]
    return (
        f"Judged by {judges}, the task has a score of {say_interval(row, 'score', signed=True)} and stands on level "
        f"{row.level} of {scores['level'].max()}; {(scores['score'] < row.score).sum()} of {len(scores) - 1} other "
        "tasks have a lower score. Higher is more subjective."
    )


def say_expected(expected: pd.DataFrame, pair: tuple[str, str], place: str) -> str:
    """Return a predicted gap and its interval in points at a place, from ``expectation.expect_gaps``."""
    rows = expected[(expected["first"] == pair[0]) & (expected["second"] == pair[1])]
    return say_interval(rows[rows["place"] == place].iloc[0], "gap", digits=1, scale=100, signed=True)


def say_width(expected: pd.DataFrame, place: str) -> str:
    """Return what may be expected of zero-shot text, and how much the prediction leaves open."""
    rows = expected[(expected["place"] == place) & (expected["first"] == "real") & (expected["second"] == "zero_shot")]
    if rows.empty:
        return "Too few tasks were studied in this run to say what one more may expect."
    row = rows.iloc[0]
    ends = say_interval(row, "gap", digits=1, scale=100)
    text = (
        "On one more task like these, real text is expected to beat zero-shot text by "
        f"{ends.replace(' (', ' points (', 1)}. The interval is {100 * (row.gap_high - row.gap_low):.0f} points wide"
    )
    return text + (
        " and includes 0: even which of the two is better is open." if row.gap_low < 0 < row.gap_high else "."
    )


def tabulate_expected(expected: pd.DataFrame, measured: pd.DataFrame, place: str) -> pd.DataFrame:
    """Return what the task may expect in points, a row per pair of sources, beside the ends of the scale.

    Parameters
    ----------
    expected : DataFrame
        From :func:`synthlib.reporting.expectation.expect_gaps`.
    measured : DataFrame
        The task's own gaps (first, second, gap) where the run has them; may be empty.
    place : str
        The task's.

    Returns
    -------
    shown : DataFrame
        gap (its name), your task and without score (only where it has one, else "a further task"), least subjective,
        most subjective and, where the run has gaps of the task, in this run.
    """
    places = {"mine": "your task"} if place == "mine" else {}
    places |= {"not known": "without score" if places else "a further task"}
    places |= {"least": "least subjective", "most": "most subjective"}
    gaps, rows = measured.set_index(["first", "second"])["gap"], []
    for pair in dict.fromkeys(zip(expected["first"], expected["second"], strict=True)):
        row = {"gap": GAP_NAMES[pair]} | {head: say_expected(expected, pair, name) for name, head in places.items()}
        if len(gaps):
            row["in this run"] = say_number(100 * gaps[pair], digits=1, signed=True) if pair in gaps else None
        rows.append(row)
    return pd.DataFrame(rows)


def say_skill(row: pd.Series) -> str:
    """Return how much the score helped to predict gaps, from a row of ``expectation.summarise_checks``."""
    helped = "did not help" if row.skill <= 0 else "helped little" if row.skill < _LITTLE else "helped"
    helped = "helped much" if row.skill > _MUCH else helped
    did = f"takes {row.skill:.0%} off" if row.skill > 0 else f"adds {-row.skill:.0%} to"
    return (
        f"{GAP_NAMES[row['first'], row['second']]}: the subjectivity score {helped}. Predictions are off by "
        f"{100 * row.line_error:.1f} points on average with the score and by {100 * row.mean_error:.1f} without it; "
        f"the score {did} the squared error. The interval contains the gap of {row.line_held} of {row.n_tasks} tasks "
        f"with the score and of {row.mean_held} without it."
    )


def say_disputed(slopes: pd.DataFrame, unanimous: float | None) -> str:
    """Return on how many sets classifiers are more often right on texts on which readers agree.

    Parameters
    ----------
    slopes : DataFrame
        ``slopes`` of 07, people's sets: source, balanced_slope_low, balanced_slope_high; at least one row.
    unanimous : float or None
        Share of the user's texts on which all agree.
    """
    firm = (slopes["balanced_slope_low"] > 0).groupby(slopes["source"], sort=False).agg(["sum", "size"])
    held = [f"{row['sum']} of {row['size']} sets ({SOURCE_NAMES[name]})" for name, row in firm.iterrows()]
    turned = (slopes["balanced_slope_high"] < 0).groupby(slopes["source"], sort=False).sum()
    opposite = [f"{count} ({SOURCE_NAMES[name]})" for name, count in turned[turned > 0].items()]
    text = "Are classifiers more often right where more readers agree? By the source of their training text, the "
    text += f"interval of the rise lies above 0 on {join_names(held)}. "
    text += f"It lies below 0 on {join_names(opposite)}. " if opposite else ""
    text += "" if unanimous is None else f"Of your texts {1 - unanimous:.0%} are disputed. "
    return (
        f"{text}The label of a disputed text is itself less certain: part of any fall in accuracy is due to the label."
    )


def say_needed(needed: pd.DataFrame, source: str, *, n_labels: int) -> str:
    """Return how few real texts did as well as synthetic ones, and what that makes for a task of K labels.

    Parameters
    ----------
    needed : DataFrame
        From :func:`synthlib.reporting.expectation.count_real_needed`.
    """
    rows = needed[needed["source"] == source]
    reached, most = rows["n_real"].dropna(), rows["n_synthetic"].max()
    if reached.empty:
        return f"No number of real texts tried did as well as {most} {SOURCE_NAMES[source]} texts per label."
    middle = int(reached.median())
    (first, n_first), *others = reached.value_counts().sort_index().items()
    counts = [f"{first:.0f} real texts per label were enough on {n_first} of {len(rows)} tasks"]
    counts += [f"{size:.0f} on {n}" for size, n in others]
    counts += [f"no number tried on {rows['n_real'].isna().sum()}"] if len(reached) < len(rows) else []
    return (
        f"To reach the mean Macro-F1 of {most} {SOURCE_NAMES[source]} texts per label, {', '.join(counts)}. The median "
        f"of those that were enough, {middle}, makes {middle * n_labels} texts for your {n_labels} labels."
    )


def say_mixing(mixing: pd.DataFrame) -> list[str]:
    """Return what synthetic texts added to the fewest and to the most real ones (see ``measure_mixing``)."""
    ends = mixing.sort_values("n_real")
    return [
        f"Adding synthetic text to {row['n_real']} real texts per label changed Macro-F1 by "
        f"{say_interval(row, 'gain', digits=1, scale=100, signed=True, unit=' points')} on average and raised it on "
        f"{row['n_better']} of {row['n_tasks']} tasks."
        for _, row in pd.concat([ends.head(1), ends.tail(1)]).drop_duplicates().astype(object).iterrows()
    ]


def say_tests(*, confidence: float) -> str:
    """Return what a real test set tells of one classifier, and of two."""
    few, many = (texts_for(width, confidence=confidence) for width in (0.1, 0.05))
    return (
        f"With {few} labelled test texts one classifier's accuracy is known to ±10 points, with {many} to ±5 "
        f"({confidence:.0%} intervals). To know the difference between two classifiers as precisely, multiply that "
        "number by 4d, where d is the share of texts on which they differ. Train on both kinds of text and test on the "
        "same texts: this tells about your own task and model."
    )


def texts_for(half_width: float, *, confidence: float) -> int:
    """Return how many test texts bound an accuracy to -/+ ``half_width`` (fraction), whatever the accuracy is.

    Examples
    --------
    >>> texts_for(0.05, confidence=0.95)
    385
    """
    return ceil((stats.norm.ppf((1 + confidence) / 2) / half_width / 2) ** 2)
