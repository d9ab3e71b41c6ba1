"""Sentences of the report on one task (12_report), from its tables."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
from scipy import stats

from synthlib.compare import say_points
from synthlib.plots.style import SOURCE_NAMES
from synthlib.reporting.report import Own

#: How figures and sentences call a difference between two sources.
GAP_NAMES = {
    ("real", "zero_shot"): "All real text minus zero-shot",
    ("real", "few_shot"): "All real text minus few-shot",
    ("real_matched", "zero_shot"): "As much real text minus zero-shot",
    ("real_matched", "few_shot"): "As much real text minus few-shot",
}
_LITTLE, _MUCH = 0.1, 0.5  # skill below, above: subjectivity told little, much


def say_votes(title: str, question: str, labels: list[str], own: Own) -> str:
    """Return whose votes there are, on what, and on whose texts."""
    text = f"*{title}*: {question} Labels: {', '.join(labels)}. The votes are of {own.judges}. "
    if own.texts is not None:
        text += f"On single texts: {len(own.texts)} votes on {own.texts['key'].nunique()} texts. "
    if own.pairs is not None:
        text += f"On pairs of tasks: {len(own.pairs)} judgements of {own.pairs['worker'].nunique()} workers. "
    text += " ".join(f"In {name} the texts shown are {said['texts_from']}." for name, said in own.studies.items())
    if own.example:
        text += f"**This is an example**: the shipped votes of {own.example}, treated as if they were yours."
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
        return "There are no votes on single texts of this task, so nothing is said of its texts."
    mine, people = sets.iloc[0], sets[(sets["kind"] == "people") & sets["alpha"].notna()]
    text = (
        f"Voters are {judges}. The share of the majority label is {say_between(mine, 'agreement')} on average, "
        f"{mine.unanimous:.0%} of {mine.texts} texts are unanimous. "
    )
    if np.isnan(mine.alpha):
        return f"{text}Krippendorff's {mine.note}."
    below, above = people["alpha_high"] < mine.alpha_low, people["alpha_low"] > mine.alpha_high
    text += (
        f"Krippendorff's alpha is {say_between(mine, 'alpha')}. On {len(people)} other sets people's alpha runs from "
        f"{people['alpha'].min():.2f} to {people['alpha'].max():.2f}; it is surely lower (intervals apart) on "
        f"{below.sum()} of them and surely higher on {above.sum()}."
    )
    return text if judges == "people" else f"{text} Your voters are of another kind, so that comparison says little."


def say_score(scores: pd.DataFrame, task: str, *, judges: str) -> str:
    """Return where a task's score stands among others; it must have one."""
    row = scores[scores["task"] == task].iloc[0]
    text = f"Judged by {judges}, the task has a score of {row.score:+.2f}"
    if np.isfinite(row.score_low):
        text += f" [{row.score_low:+.2f}, {row.score_high:+.2f}]"
    return (
        f"{text} and stands on level {row.level} of {scores['level'].max()}; {(scores['score'] < row.score).sum()} of "
        f"{len(scores) - 1} other tasks have a lower score. Higher is more subjective."
    )


def say_expected(expected: pd.DataFrame, pair: tuple[str, str], place: str) -> str:
    """Return a predicted gap and its interval in points at a place, from ``expectation.expect_gaps``."""
    rows = expected[(expected["first"] == pair[0]) & (expected["second"] == pair[1])]
    row = rows[rows["place"] == place].iloc[0]
    return f"{100 * row.gap:+.1f} points ({100 * row.gap_low:+.1f} to {100 * row.gap_high:+.1f})"


def say_width(expected: pd.DataFrame, place: str) -> str:
    """Return what may be expected of zero-shot text, and how much the prediction leaves open."""
    rows = expected[(expected["place"] == place) & (expected["first"] == "real") & (expected["second"] == "zero_shot")]
    if rows.empty:
        return "Too few tasks were studied in this run to say what one more may expect."
    row = rows.iloc[0]
    gap = say_expected(expected, ("real", "zero_shot"), place)
    text = (
        f"On one more task like these, real text may be better than zero-shot text by {gap}. That leaves open "
        f"{100 * (row.gap_high - row.gap_low):.0f} points"
    )
    return text + (", and not even which of the two is better is sure." if row.gap_low < 0 < row.gap_high else ".")


def say_gaps(expected: pd.DataFrame, measured: pd.DataFrame, place: str) -> list[str]:
    """Return a sentence a pair of sources: what the task may expect, beside the ends of the scale.

    Parameters
    ----------
    expected : DataFrame
        From :func:`synthlib.reporting.expectation.expect_gaps`.
    measured : DataFrame
        The task's own gaps (first, second, gap) where the run has them; may be empty.
    place : str
        The task's.
    """
    said = []
    for pair in dict.fromkeys(zip(expected["first"], expected["second"], strict=True)):
        ends = [say_expected(expected, pair, name) for name in ("least", "most")]
        text = f"{GAP_NAMES[pair]}: {say_expected(expected, pair, place)}"
        text += "" if place == "not known" else f"; without its score {say_expected(expected, pair, 'not known')}"
        text += f". A task as subjective as the least of these: {ends[0]}; as the most: {ends[1]}."
        seen = measured[(measured["first"] == pair[0]) & (measured["second"] == pair[1])]["gap"]
        said.append(text + "".join(f" In this run it was in fact {100 * gap:+.0f}." for gap in seen))
    return said


def say_skill(row: pd.Series) -> str:
    """Return how much subjectivity told of gaps, from a row of ``expectation.summarise_checks``."""
    told = "nothing" if row.skill <= 0 else "little" if row.skill < _LITTLE else "something"
    told = "much" if row.skill > _MUCH else told
    did = f"takes {row.skill:.0%} off" if row.skill > 0 else f"adds {-row.skill:.0%} to"
    return (
        f"{GAP_NAMES[row['first'], row['second']]}: subjectivity told {told} here. A task predicted from the others is "
        f"{100 * row.line_error:.1f} points off with its score, {100 * row.mean_error:.1f} without; the score {did} "
        f"the squared error. The interval held the gap of {row.line_held} of {row.n_tasks} tasks with the score, of "
        f"{row.mean_held} without."
    )


def say_disputed(slopes: pd.DataFrame, unanimous: float | None) -> str:
    """Return on how many sets classifiers are surely more often right on texts on which readers agree.

    Parameters
    ----------
    slopes : DataFrame
        ``slopes`` of 07, people's sets: source, balanced_slope_low, balanced_slope_high; at least one row.
    unanimous : float or None
        Share of the user's texts on which all agree.
    """
    firm = (slopes["balanced_slope_low"] > 0).groupby(slopes["source"], sort=False).agg(["sum", "size"])
    held = ", ".join(f"{SOURCE_NAMES[name]} {row['sum']} of {row['size']}" for name, row in firm.iterrows())
    turned = (slopes["balanced_slope_high"] < 0).groupby(slopes["source"], sort=False).sum()
    opposite = ", ".join(f"{SOURCE_NAMES[name]} {count}" for name, count in turned[turned > 0].items())
    text = f"Surely more often right where more readers agree, by source of the training text: {held} sets. "
    text += f"Surely less often: {opposite}. " if opposite else ""
    text += "" if unanimous is None else f"Of your texts {1 - unanimous:.0%} are disputed. "
    return f"{text}There the label is itself less certain, so part of any fall in accuracy is a fall in the label's."


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
    counts = [f"{size:.0f} on {n}" for size, n in reached.value_counts().sort_index().items()]
    counts += [f"no number tried on {rows['n_real'].isna().sum()}"] if len(reached) < len(rows) else []
    return (
        f"Real texts per label that were enough for the mean Macro-F1 of {most} {SOURCE_NAMES[source]} ones: "
        f"{', '.join(counts)} of {len(rows)} tasks. The median of those, {middle}, is {middle * n_labels} texts for "
        f"your {n_labels} labels."
    )


def say_mixing(mixing: pd.DataFrame) -> list[str]:
    """Return what synthetic texts added to the fewest and to the most real ones (see ``measure_mixing``)."""
    ends = mixing.sort_values("n_real")
    return [
        f"Synthetic text added to {row.n_real} real texts per label changed Macro-F1 by "
        f"{say_points(row, 'gain', signed=True) if row.n_tasks > 1 else f'{100 * row.gain:+.1f}'} points on average, "
        f"for the better on {row.n_better} of {row.n_tasks} tasks."
        for row in pd.concat([ends.head(1), ends.tail(1)]).drop_duplicates().itertuples()
    ]


def say_tests(*, confidence: float) -> str:
    """Return what a real test set tells of one classifier, and of two."""
    few, many = (texts_for(width, confidence=confidence) for width in (0.1, 0.05))
    return (
        f"{few} labelled texts bound one classifier's accuracy to ±10 points whatever it is, {many} to ±5 "
        f"({confidence:.0%}). Train on both kinds of text and test on the same texts: two classifiers that differ on a "
        "share d of them need about 4 d times as many for a difference as sure. That is about your own task and model."
    )


def texts_for(half_width: float, *, confidence: float) -> int:
    """Return how many test texts bound an accuracy to -/+ ``half_width`` (fraction), whatever the accuracy is.

    Examples
    --------
    >>> texts_for(0.05, confidence=0.95)
    385
    """
    return ceil((stats.norm.ppf((1 + confidence) / 2) / half_width / 2) ** 2)


def say_between(row: pd.Series, name: str) -> str:
    """Return a value of a row with its interval, if it has one, as text.

    Examples
    --------
    >>> say_between(pd.Series({"alpha": 0.513, "alpha_low": 0.4, "alpha_high": 0.6}), "alpha")
    '0.51 [0.40, 0.60]'
    """
    ends = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.2f}" + (f" [{ends[0]:.2f}, {ends[1]:.2f}]" if np.isfinite(ends).all() else "")
