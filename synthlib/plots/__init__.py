"""Figures: every function takes a tidy frame and returns a matplotlib Figure; nothing is computed here."""

from synthlib.plots.style import CLASSIFIER_NAMES, GROUP_NAMES, SOURCE_NAMES, SOURCE_PALETTE, save_figure, set_style
from synthlib.plots.table import table

__all__ = ["CLASSIFIER_NAMES", "GROUP_NAMES", "SOURCE_NAMES", "SOURCE_PALETTE", "save_figure", "set_style", "table"]
