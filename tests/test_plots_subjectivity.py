"""Figures of 04 and 07, and tables as figures."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from synthlib import plots
from synthlib.plots import gamma, subjectivity

pytestmark = pytest.mark.usefixtures("project_style")


BORDERS = pd.DataFrame({"level": [1, 2], "holds": [0.97, 0.6]})


def written(figure):
    """All strings of a figure."""
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def make_scores(levels=(1, 2, 2, 3), merged=(1, 2, 2, 1)):
    names = ["spam", "humor", "joy", "irony"]
    groups = ["least_subjective", "most_subjective", "most_subjective", "most_subjective"]
    frame = pd.DataFrame({"task": names, "title": [name.title() for name in names], "group": groups})
    frame = frame.assign(level=levels, n_merged=merged, score=[-2.0, 0.0, 0.5, 1.5])
    return frame.assign(score_low=frame["score"] - 0.5, score_high=frame["score"] + 1)


def make_curves(titles=("News", "Irony")):
    rows = [
        {"title": title, "source": source, "gamma": g, "n_texts": int(100 - 50 * g), "accuracy": g / 2}
        for title in titles
        for source in ("real", "zero_shot")
        for g in (0.6, 0.8, 1.0)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(accuracy_low=frame["accuracy"] - 0.1, accuracy_high=frame["accuracy"] + 0.1, constant=0.3)


def test_graph_has_an_arrow_an_edge_and_boxes_the_cycle():
    edges = pd.DataFrame(
        [("humor", "spam", 0.5), ("irony", "spam", 1.0), ("humor", "joy", 0.2)],
        columns=["more_subjective", "more_objective", "margin"],
    )
    figure = subjectivity.subjectivity_graph(make_scores(), edges, borders=BORDERS, judges="dogs")
    arrows = figure.findobj(FancyArrowPatch)
    assert len(arrows) == len(edges)
    assert (
        arrows[1].get_linewidth() < arrows[0].get_linewidth() or arrows[1].get_edgecolor() != arrows[0].get_edgecolor()
    )
    ax = figure.axes[0]
    assert sum(isinstance(patch, FancyBboxPatch) for patch in ax.patches) == 1
    assert {"holds in 97%", "holds in 60%", "judged by\ndogs"} <= set(written(figure))
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["Spam"] < heights["Joy"] < heights["Irony"]
    alone = subjectivity.subjectivity_graph(
        make_scores(levels=(1, 1, 1, 1), merged=(1, 1, 1, 1)), edges[:0], borders=BORDERS[:0], judges="dogs"
    )
    assert not alone.findobj(FancyArrowPatch)
    places = [
        text.get_position() for text in alone.axes[0].texts if text.get_text() in ("Spam", "Humor", "Joy", "Irony")
    ]
    assert len(set(places)) == 4


def test_scores_are_sorted_and_ranks_add_up():
    figure = subjectivity.subjectivity_scores(make_scores().sample(frac=1, random_state=0), judges="dogs")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Spam", "Humor", "Joy", "Irony"]
    ranks = pd.DataFrame({"title": ["A", "A", "B", "B"], "rank": [1, 2, 1, 2], "probability": [0.1, 0.9, 0.9, 0.1]})
    figure = subjectivity.rank_probabilities(ranks, judges="dogs")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["B", "A"]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.9, 0.1], [0.1, 0.9]])


@pytest.mark.parametrize("n_titles", [1, 5, 7])
def test_gamma_curves_have_a_panel_a_task(n_titles):
    figure = gamma.gamma_curves(make_curves([f"task {i}" for i in range(n_titles)]))
    assert len(figure.axes) == n_titles
    colours = {line.get_color() for line in figure.axes[0].lines}
    assert {plots.SOURCE_PALETTE["real"], plots.SOURCE_PALETTE["zero_shot"]} <= colours
    assert any("task 0\n20 of 70 disputed" in text for text in written(figure))


def test_human_agreement_shows_the_panel_only_where_both_voted():
    curves, nothing = make_curves(), pd.DataFrame(columns=["people", "agreement", "agreement_low", "agreement_high"])
    classes = pd.DataFrame({"people": [0.5, 1.0], "agreement": [0.9, 1.0], "agreement_low": 0.8, "agreement_high": 1.0})
    assert len(gamma.human_agreement(curves, nothing).axes) == 2
    assert len(gamma.human_agreement(curves, classes).axes) == 3


def names_of_rows(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_uncertainty_names_sets_without_an_auc_below():
    frame = pd.DataFrame({"title": ["A", "B"], "votes_of": ["panel", "people"], "source": "real"})
    frame = frame.assign(n_disputed=[0, 1200], auc=[np.nan, 0.6], auc_low=[np.nan, 0.5], auc_high=[np.nan, 0.7])
    figure = gamma.uncertainty(frame)
    assert names_of_rows(figure) == ["votes of people", "B (1,200)"]
    assert any("Not defined" in text and text.endswith("votes of the panel: A.") for text in written(figure))
    assert names_of_rows(gamma.uncertainty(frame[:1])) == []


def test_slopes_are_points_and_only_of_sets_that_have_any():
    rows = [(title, source, 9) for title in ("A", "B") for source in ("real", "zero_shot")]
    frame = pd.DataFrame(rows, columns=["title", "source", "n_disputed"]).assign(votes_of="panel")
    for name in ("rho", "slope", "balanced_slope", "slope_minus_real", "gap"):
        for end, value in (("", 0.1), ("_low", 0.05), ("_high", 0.2)):
            frame[name + end] = np.where(frame["title"] == "A", value, np.nan)
    frame.loc[0, [f"slope_minus_real{end}" for end in ("", "_low", "_high")]] = np.nan
    figure = gamma.slopes(frame)
    assert names_of_rows(figure) == ["votes of the panel", "A (9)"]
    rho, slope, _, difference, _ = figure.axes
    assert rho.lines[0].get_xdata() == pytest.approx([0.1]) and slope.lines[0].get_xdata() == pytest.approx([10])
    assert [len(line.get_xdata()) for line in difference.lines[:2]] == [0, 1]
    assert slope.get_xlim() == difference.get_xlim() and slope.get_xlim()[1] > 20
    assert any("fewer than three thresholds" in text and "B." in text for text in written(figure))


def test_kinds_of_classifiers_share_an_axis_a_question():
    rows = [
        (measure, source, kind, 0.6)
        for measure in ("balanced_slope", "auc")
        for source in ("real", "zero_shot")
        for kind in ("frozen", "fine_tuned")
    ]
    frame = pd.DataFrame(rows, columns=["measure", "source", "classifier", "value"])
    wide = frame["source"] == "zero_shot"
    frame = frame.assign(title="A", votes_of="panel", low=0.5 - 0.3 * wide, high=0.8 + 0.1 * wide)
    figure = gamma.kinds_of_classifiers(frame)
    assert [ax.get_title().strip() for ax in figure.axes] == ["trained on real", "trained on zero-shot"] * 2
    slope, other_slope, auc, _ = (ax.get_xlim() for ax in figure.axes)
    assert slope == other_slope != auc
    assert slope[0] < 20 < 90 < slope[1] and auc[0] < 0.2 < 0.9 < auc[1]
    assert {"Does accuracy rise with agreement?", "Does doubt find disputed texts?"} <= set(written(figure))


def test_tables_of_votes_say_whose_they_are():
    estimates = {f"{name}{end}": [0.5, np.nan] for name in ("agreement", "alpha") for end in ("", "_low", "_high")}
    frame = pd.DataFrame(
        {"title": ["A", "B"], "votes_of": ["panel", "people"], "texts": 9, "unanimous": 0.5} | estimates
    )
    text = written(gamma.agreement_table(frame.assign(votes=pd.array([45, None], dtype="Int64"))))
    assert "panel of personas" in text and any("not people" in line for line in text)
    assert text.count("–") == 3


def test_table_writes_every_cell_and_dashes_for_missing():
    frame = pd.DataFrame({"task": ["a", "b"], "two\nlines": [1, 2], "f1": ["0.5", None]})
    figure = plots.table(frame, rules=[1], note="small print")
    text = written(figure)
    assert {"a", "b", "two", "lines", "1", "2", "0.5", "–", "small print"} <= set(text)
    extents = [t.get_window_extent() for t in figure.axes[0].texts if t.get_text() != "small print"]
    assert not any(a.overlaps(b) for i, a in enumerate(extents) for b in extents[i + 1 :])


def test_table_needs_rows_and_a_width_a_column():
    with pytest.raises(ValueError, match="at least one row"):
        plots.table(pd.DataFrame({"a": []}))
    with pytest.raises(ValueError, match=r"1 width\(s\) for 2 columns"):
        plots.table(pd.DataFrame({"a": [1], "b": [2]}), widths=[1.0])


def test_distances_to_votes_have_a_panel_a_set_and_the_base_rate():
    sources = ["votes", "base rate", "real", "zero_shot"]
    rows = [
        {
            "title": title,
            "source": source,
            "manhattan": value,
            "manhattan_low": value - 0.1,
            "manhattan_high": value + 0.1,
        }
        for title in ("Jokes", "Irony", "Replies")
        for source, value in zip(sources, (0, 0.5, 0.6, 0.9), strict=True)
    ]
    figure = gamma.soft_labels(pd.DataFrame(rows))
    assert [ax.get_title() for ax in figure.axes] == ["Jokes", "Irony", "Replies"]
    assert all(any(line.get_xdata()[0] == 0.5 for line in ax.lines) for ax in figure.axes)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["real", "zero-shot"]


def test_mixed_model_shows_both_intervals_of_every_effect():
    terms = ["Intercept", "zero_shot", "zero_shot x subjectivity", "zero_shot x disagreement"]
    columns = {"term": terms, "estimate": 0.1, "low": 0.0, "high": 0.2, "task_low": -0.1, "task_high": 0.3}
    rng = np.random.default_rng(0)
    figure = gamma.mixed_model(pd.DataFrame(columns), rng.normal(size=50), rng.normal(size=8))
    assert len(figure.axes[0].containers) == 4
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "zero-shot × task subjectivity",
        "zero-shot × dissent",
    ]
    assert {"← gap widens", "gap narrows →"} <= {text.strip() for text in written(figure)}
