"""Figures of the ranking of tasks by subjectivity (04_task_subjectivity); each says who voted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.text import Text

from synthlib.plots.style import COLUMN_WIDTH, GROUP_COLORS, GROUP_MARKERS, GROUP_NAMES, pick_ink

GROUP_DASHES = {"least_subjective": "-", "most_subjective": (0, (3, 1))}
FIRM = 0.95  # share of resamples in which a firm border holds
_WIDTH, _STEP = 5.2, 0.55  # inches: of the graph, between two levels


def subjectivity_graph(scores: pd.DataFrame, edges: pd.DataFrame, *, borders: pd.DataFrame, judges: str) -> Figure:
    """Return the majority graph by level, most subjective on top.

    Arrows point from the more to the less subjective task and are the wider, the larger the majority; those that pass
    over a level are pale arcs. Tasks merged because they lie on a cycle share a box. The lines between levels are solid
    where the border is firm, dashed where it is not, and say in how many resamples of the workers it holds.

    Parameters
    ----------
    scores : DataFrame
        task, title, group, level, n_merged.
    edges : DataFrame
        more_subjective, more_objective, margin (0 to 1); only pairs with a majority.
    borders : DataFrame
        level (the lower of the two), holds (0 to 1); may be empty.
    judges : str
        Who voted.
    """
    places, boxes, top = _place(scores)
    level = dict(zip(scores["task"], scores["level"], strict=True))
    figure = plt.figure(figsize=(_WIDTH, top + 1.1))
    ax = figure.add_subplot(xlim=(-_WIDTH / 2, _WIDTH / 2), ylim=(-0.3, top + 0.3), aspect="equal")
    ax.axis("off")
    for left, bottom, width, height in boxes:
        style = {"boxstyle": "round,pad=0.05", "facecolor": "0.95", "edgecolor": "0.4", "linestyle": "--"}
        ax.add_patch(FancyBboxPatch((left, bottom), width, height, linewidth=0.8, zorder=0, **style))
        ax.text(left + 0.02, bottom + height, "cycle: merged", size=7, color="0.3", va="top", zorder=5)
    _draw_borders(ax, borders, _find_gaps(scores, places, boxes))
    labels = {}
    for row in scores.itertuples():
        box = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": GROUP_COLORS[row.group]}
        box |= {"linewidth": 1.4, "linestyle": GROUP_DASHES[row.group]}
        labels[row.task] = ax.text(*places[row.task], row.title, size=8, ha="center", va="center", bbox=box, zorder=4)
    figure.draw_without_rendering()  # lays out, so that the labels have the sizes at which arrows end
    outlines = {task: _outline(ax, label) for task, label in labels.items()}
    for edge in edges.itertuples():
        ends = [outlines[task] for task in (edge.more_subjective, edge.more_objective)]
        passed = level[edge.more_subjective] - level[edge.more_objective] - 1
        _draw_arrow(ax, ends, edge.margin, n_passed=max(0, passed))
    _explain_graph(figure, ax, judges)
    return figure


def subjectivity_scores(scores: pd.DataFrame, *, judges: str) -> Figure:
    """Return Bradley-Terry scores with intervals, sorted, marked by the study's group.

    Parameters
    ----------
    scores : DataFrame
        title, group, score, score_low, score_high (NaN: no interval).
    judges : str
        Who voted.
    """
    scores = scores.sort_values("score").reset_index(drop=True)
    figure = plt.figure(figsize=(COLUMN_WIDTH, 0.22 * len(scores) + 0.9))
    ax = figure.subplots()
    ax.axvline(0, color="0.6", linewidth=0.8)
    for group, rows in scores.groupby("group"):
        reach = [rows["score"] - rows["score_low"], rows["score_high"] - rows["score"]]
        ax.errorbar(rows["score"], rows.index, xerr=reach, fmt="none", color=GROUP_COLORS[group], capsize=2)
        style = {"marker": GROUP_MARKERS[group], "color": GROUP_COLORS[group], "label": GROUP_NAMES[group]}
        ax.plot(rows["score"], rows.index, linestyle="none", **style)
    ax.set_yticks(range(len(scores)), scores["title"])
    ax.set(
        xlabel=f"score (log-odds, higher: more subjective)\njudged by {judges}",
        ylim=(-0.6, len(scores) - 0.4),
    )
    figure.legend(loc="outside upper center", ncols=2, handletextpad=0.3, columnspacing=1)
    return figure


def rank_probabilities(probabilities: pd.DataFrame, *, judges: str) -> Figure:
    """Return a heat map of how often each task takes each rank.

    Parameters
    ----------
    probabilities : DataFrame
        title, rank (1 = least subjective), probability; every title with every rank.
    judges : str
        Who voted.
    """
    shares = probabilities.pivot(index="title", columns="rank", values="probability")
    shares = shares.loc[(shares * shares.columns).sum(axis=1).sort_values().index]
    figure = plt.figure(figsize=(COLUMN_WIDTH, 0.22 * len(shares) + 0.8))
    ax = figure.subplots()
    image = ax.imshow(shares, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    ax.grid(visible=False)
    for (i, j), share in np.ndenumerate(shares.to_numpy()):
        if share >= 0.005:
            ax.text(
                j,
                i,
                f"{100 * share:.0f}",
                size=7,
                ha="center",
                va="center",
                color=pick_ink(image.cmap(image.norm(share))),
            )
    ax.set_xticks(range(shares.shape[1]), shares.columns)
    ax.set_yticks(range(len(shares)), shares.index)
    ax.set(xlabel=f"rank (1 = least subjective)\ncells: % of resamples of {judges}")
    return figure


def _place(scores: pd.DataFrame) -> tuple[dict[str, tuple[float, float]], list[tuple[float, ...]], float]:
    places, boxes, y = {}, [], 0.0
    for _, rows in scores.sort_values(["level", "task"]).groupby("level"):
        merged, single = rows[rows["n_merged"] > 1], rows[rows["n_merged"] == 1]
        if len(merged):
            angles = np.pi / 4 + 2 * np.pi * np.arange(len(merged)) / len(merged)
            y += 0.55
            for task, angle in zip(merged["task"], angles, strict=True):
                places[task] = (1.45 * np.cos(angle), y + 0.62 * np.sin(angle))
            boxes.append((-1.7, y - 0.72, 3.4, 1.44))
            y += 0.55 + _STEP
        for number, task in enumerate(single["task"]):
            places[task] = ((number - (len(single) - 1) / 2) * 1.5, y)
        y += _STEP if len(single) else 0
    return places, boxes, y - _STEP


def _find_gaps(
    scores: pd.DataFrame, places: dict[str, tuple[float, float]], boxes: list[tuple[float, ...]]
) -> dict[int, float]:
    """Return the height halfway between each level and the next."""
    bottom, top = {}, {}
    boxed = sorted(scores.loc[scores["n_merged"] > 1, "level"].unique())
    for level, rows in scores.groupby("level"):
        heights = [places[task][1] for task in rows["task"]]
        bottom[level], top[level] = min(heights) - 0.12, max(heights) + 0.12
    for level, (_, low, _, height) in zip(boxed, boxes, strict=True):
        bottom[level], top[level] = min(bottom[level], low), max(top[level], low + height)
    return {level: (top[level] + bottom[level + 1]) / 2 for level in top if level + 1 in bottom}


def _draw_borders(ax: Axes, borders: pd.DataFrame, heights: dict[int, float]) -> None:
    for row in borders.itertuples():
        y, firm = heights[row.level], row.holds >= FIRM
        style = {"color": "0.35" if firm else "0.7", "linestyle": "-" if firm else (0, (2, 3)), "linewidth": 0.7}
        ax.plot([-_WIDTH / 2, -1.85], [y, y], zorder=0, **style)
        ax.text(-_WIDTH / 2, y + 0.02, f"holds in {100 * row.holds:.0f}%", size=6.5, va="bottom", color="0.3")


def _outline(ax: Axes, label: Text) -> Rectangle:
    box = label.get_bbox_patch().get_window_extent().transformed(ax.transData.inverted())
    return Rectangle(box.p0, box.width, box.height, transform=ax.transData)


def _draw_arrow(ax: Axes, ends: list[Rectangle], margin: float, *, n_passed: int) -> None:
    (x_start, y_start), (x_end, y_end) = (box.get_center() for box in ends)
    side = np.sign(x_start + x_end) or (1 if n_passed % 2 else -1)  # arcs bend away from the middle
    arrow = FancyArrowPatch(
        (x_start, y_start),
        (x_end, y_end),
        arrowstyle="-|>",
        mutation_scale=7,
        linewidth=(0.3 + margin) if n_passed else (0.4 + 2 * margin),
        color="0.8" if n_passed else "0.2",
        connectionstyle=f"arc3,rad={-0.45 * side if n_passed else 0}",
        patchA=ends[0],
        patchB=ends[1],
        shrinkA=1,
        shrinkB=1,
        zorder=1 if n_passed else 2,
    )
    ax.add_patch(arrow)


def _explain_graph(figure: Figure, ax: Axes, judges: str) -> None:
    lines = [
        Line2D([], [], color=GROUP_COLORS[group], linestyle=dash, label=GROUP_NAMES[group])
        for group, dash in GROUP_DASHES.items()
    ]
    lines += [
        Line2D([], [], color="0.2", linewidth=0.4 + 2 * margin, label=f"majority of {50 * (1 + margin):.0f}%")
        for margin in (0.2, 1.0)
    ]
    lines.append(Line2D([], [], color="0.8", linewidth=1.3, label="passes over a level"))
    figure.legend(handles=lines, loc="outside lower center", ncols=3, columnspacing=1.2)
    note = {"size": 7, "color": "0.3", "xycoords": "axes fraction"}
    ax.annotate("more subjective", (0.0, 1.0), va="top", **note)
    ax.annotate("less subjective", (0.0, 0.0), va="bottom", **note)
    ax.annotate(f"judged by\n{judges}", (1.0, 0.0), va="bottom", ha="right", **note)
