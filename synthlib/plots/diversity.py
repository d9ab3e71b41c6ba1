"""Figures of 06_diversity: how spread out texts are, how close to real ones, and where they lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from synthlib.plots.style import GROUP_NAMES, PAGE_WIDTH, SOURCE_MARKERS, SOURCE_NAMES, SOURCE_PALETTE
from synthlib.tasks import task_title

MEASURE_NAMES = {
    "remote_clique": "Remote Clique\n(cosine distance)",
    "chamfer": "Chamfer, all labels\n(cosine distance)",
    "chamfer_within_label": "Chamfer within a label\n(cosine distance)",
}
REFERENCE_NAMES = {
    "training": "to real training texts",
    "outside_pool": "the same, without pool",
    "coverage": "from real test texts",
}


def diversity_by_task(frame: pd.DataFrame) -> Figure:
    """Return points with intervals: a column per measure, a block of rows per group of tasks, a colour per source.

    Parameters
    ----------
    frame : DataFrame
        task, group, source, measure (key of :data:`MEASURE_NAMES`), value, value_low, value_high.
    """
    return _panels_by_task(frame, column="measure", names=MEASURE_NAMES)


def similarity_by_task(frame: pd.DataFrame, *, n_nearest: int) -> Figure:
    """Return mean cosine to the nearest texts with intervals: a column per comparison, a colour per source.

    Parameters
    ----------
    frame : DataFrame
        task, group, source, reference (key of :data:`REFERENCE_NAMES`), value, value_low, value_high.
    """
    names = {name: f"{what}\n(cosine, mean of {n_nearest} nearest)" for name, what in REFERENCE_NAMES.items()}
    return _panels_by_task(frame, column="reference", names=names)


def map_of_texts(frame: pd.DataFrame, *, shares: tuple[float, float]) -> Figure:
    """Return a panel per source: its texts in colour, by label, before the real texts in grey.

    Parameters
    ----------
    frame : DataFrame
        source, label, x, y: a row per text.
    shares : pair of float
        Shares of the variance that x and y hold.
    """
    real = frame[frame["source"] == "real"]
    sources, labels = list(frame["source"].unique()), list(frame["label"].unique())
    figure, axes = plt.subplots(1, len(sources), figsize=(PAGE_WIDTH, 2.3), sharex=True, sharey=True, squeeze=False)
    for ax, source in zip(axes[0], sources, strict=True):
        ax.scatter(real["x"], real["y"], s=4, color="0.8", linewidth=0)
        for label, marker in zip(labels, "o^sDvPX*", strict=False):
            rows = frame[(frame["source"] == source) & (frame["label"] == label)]
            face = SOURCE_PALETTE[source] if label == labels[0] else "none"
            ax.scatter(
                rows["x"],
                rows["y"],
                s=7,
                marker=marker,
                facecolor=face,
                edgecolor=SOURCE_PALETTE[source],
                lw=0.5,
                label=label.replace("_", " "),
            )
        ax.set(title=SOURCE_NAMES[source], aspect="equal")
    axes[0, 0].xaxis.set_major_locator(MaxNLocator(3))
    figure.supxlabel(f"component 1 ({shares[0]:.0%} of the variance)", size=8)
    axes[0, 0].set_ylabel(f"component 2\n({shares[1]:.0%} of the variance)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(labels))
    return figure


def _panels_by_task(frame: pd.DataFrame, *, column: str, names: dict[str, str]) -> Figure:
    columns = [name for name in names if name in set(frame[column])]
    groups = {name: list(rows["task"].unique()) for name, rows in frame.groupby("group", sort=True)}
    figure, axes = plt.subplots(
        len(groups),
        len(columns),
        figsize=(PAGE_WIDTH, 0.9 + 0.36 * sum(map(len, groups.values()))),
        sharex="col",
        sharey="row",
        squeeze=False,
        height_ratios=[len(tasks) for tasks in groups.values()],
    )
    for row, (group, tasks) in enumerate(groups.items()):
        for ax, name in zip(axes[row], columns, strict=True):
            _draw_points(ax, frame[(frame["group"] == group) & (frame[column] == name)], tasks)
        axes[row, 0].set_ylabel(GROUP_NAMES[group].replace(" (", "\n("))
    figure.align_ylabels(axes[:, 0])
    for ax, name in zip(axes[-1], columns, strict=True):
        ax.set_xlabel(names[name])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _draw_points(ax: Axes, frame: pd.DataFrame, tasks: list[str]) -> None:
    sources = list(frame["source"].unique())
    offsets = np.linspace(-0.27, 0.27, len(sources)) if len(sources) > 1 else [0.0]
    for source, offset in zip(sources, offsets, strict=True):
        rows = frame[frame["source"] == source]
        ax.errorbar(
            rows["value"],
            [tasks.index(task) + offset for task in rows["task"]],
            xerr=[rows["value"] - rows["value_low"], rows["value_high"] - rows["value"]],
            fmt=SOURCE_MARKERS[source],
            color=SOURCE_PALETTE[source],
            markersize=3.5,
            elinewidth=1,
            label=SOURCE_NAMES[source],
        )
    ax.set_yticks(range(len(tasks)), map(task_title, tasks))
    ax.set_ylim(len(tasks) - 0.5, -0.5)
