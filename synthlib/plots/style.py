"""One look for all figures: palette, names, sizes, and how a figure is saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

COLUMN_WIDTH, PAGE_WIDTH = 3.4, 7.0  # inches


class _Sources(dict[str, str]):
    """A value per source; one that joins others by ``+`` and is not listed gets its value from theirs."""

    def __init__(self, values: dict[str, str], join: Callable[[list[str]], str]) -> None:
        super().__init__(values)
        self.join = join

    def __missing__(self, source: str) -> str:
        parts = source.split("+")
        if len(parts) == 1:
            raise KeyError(source)
        return self.join([self[part] for part in parts])


def _mix(shades: list[str]) -> str:
    return to_hex(tuple(sum(channel) / len(shades) for channel in zip(*map(to_rgb, shades), strict=True)))


#: Okabe and Ito's colours, told apart by colour-blind eyes; luminance falls in this order for grey print. The settings
#: beyond the default run have Tol's olive, indigo and wine; sources joined by + mix the colours of their parts.
_PALETTE = {
    "real": "#000000",
    "real_matched": "#7f7f7f",
    "pool": "#0072b2",
    "pool+few_shot": "#56b4e9",
    "few_shot": "#009e73",
    "attributed": "#cc79a7",
    "zero_shot": "#d55e00",
    "zero_shot+attributed": "#e69f00",
    "hierarchical": "#999933",
    "grounded": "#332288",
    "verbalized": "#882255",
}
_NAMES = {
    "real": "real",
    "real_matched": "real, size-matched",
    "pool": "real pool alone",
    "pool+few_shot": "pool + few-shot",
    "few_shot": "few-shot",
    "attributed": "attributed",
    "zero_shot": "zero-shot",
    "zero_shot+attributed": "zero-shot + attributed",
    "hierarchical": "hierarchical",
    "grounded": "grounded",
    "verbalized": "verbalized",
}
SOURCE_PALETTE, SOURCE_NAMES = _Sources(_PALETTE, _mix), _Sources(_NAMES, " + ".join)
#: A marker per source, the same in all figures; a joined one that is not listed has a point.
SOURCE_MARKERS = _Sources(
    {
        "real": "o",
        "real_matched": "p",
        "pool": "h",
        "pool+few_shot": "<",
        "few_shot": "^",
        "attributed": "D",
        "zero_shot": "s",
        "zero_shot+attributed": ">",
        "hierarchical": "v",
        "grounded": "P",
        "verbalized": "X",
    },
    lambda parts: ".",
)

#: What is no source has no source's colour: greys told apart by markers, and one colour to point at a thing.
GROUP_MARKERS = {"least_subjective": "o", "most_subjective": "s"}
GROUP_COLORS = {"least_subjective": "#8c8c8c", "most_subjective": "#262626"}
GROUP_NAMES = {"least_subjective": "least subjective (study)", "most_subjective": "most subjective (study)"}

#: Kinds of classifiers: name, and colour and marker.
CLASSIFIER_NAMES = {
    "frozen": "frozen encoder",
    "fine_tuned": "fine-tuned",
    "tfidf": "TF-IDF",
    "majority": "commonest label",
}
CLASSIFIER_LOOKS = {
    "frozen": ("#8c8c8c", "o"),
    "fine_tuned": ("#1a1a1a", "s"),
    "tfidf": ("#595959", "^"),
    "majority": ("#b0b0b0", "x"),
}

#: Methods, estimates or crowds that are compared: colour and marker, in the order in which they are drawn.
METHOD_LOOKS = (("#1a1a1a", "o"), ("#8c8c8c", "s"), ("#595959", "^"))
#: Parts of a whole (labels of a task, parts of a gap), from dark to light.
SHADES = ("#4d4d4d", "#8c8c8c", "#bdbdbd", "#e0e0e0")
#: The one thing that a figure is about, such as a task of one's own.
HIGHLIGHT = "#b2182b"
#: Recipes of stories: colour and marker.
RECIPE_LOOKS = {"direct": ("#7b3f00", "o"), "hierarchical": ("#6f8fb5", "v"), "textbook": ("#6b6b6b", "P")}


def set_style() -> None:
    """Set the project's matplotlib style: 8 pt, white grid, column width."""
    sns.set_theme(context="paper", style="whitegrid", font_scale=1.0)
    mpl.rcParams.update(
        {
            "figure.figsize": (COLUMN_WIDTH, 2.6),
            "figure.dpi": 110,
            "savefig.dpi": 200,
            "figure.constrained_layout.use": True,
            "font.size": 8,
            "axes.titlesize": 8,
            "axes.labelsize": 8,
            "xtick.labelsize": 7,
            "ytick.labelsize": 7,
            "legend.fontsize": 7,
            "legend.frameon": False,
            "lines.markersize": 4,
            "pdf.fonttype": 42,
        }
    )


def pick_ink(shade: str | Sequence[float]) -> str:
    """Return ``black`` or ``white``: what has more contrast as writing on a shade.

    References
    ----------
    W3C (2023). Web Content Accessibility Guidelines 2.2: relative luminance, contrast ratio.

    Examples
    --------
    >>> pick_ink("#1a1a1a"), pick_ink("#4292c6")
    ('white', 'black')
    """
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(shade)]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True))
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def save_figure(figure: Figure, frame: pd.DataFrame, folder: Path, name: str) -> list[Path]:
    """Write ``<name>.pdf``, ``.png`` and ``.csv`` (the frame behind it) and return their paths.

    The files hold no date, so the same run gives the same bytes.
    """
    paths = [folder / f"{name}.{ending}" for ending in ("pdf", "png", "csv")]
    figure.savefig(paths[0], bbox_inches="tight", metadata={"CreationDate": None})
    figure.savefig(paths[1], bbox_inches="tight", metadata={"Software": None})
    frame.to_csv(paths[2], index=False, float_format="%.6g")
    return paths
