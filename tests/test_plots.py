"""One look for all figures: the palette, and files that are the same for the same run."""

import itertools
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt

from synthlib import plots
from synthlib.plots import comparison, diversity, style, texts, training
from synthlib.settings import REAL_SOURCES, SETTINGS

pytestmark = pytest.mark.usefixtures("project_style")


def make_points(sources=("real", "zero_shot"), tasks=("imdb", "humor"), **columns):
    rows = [
        {"task": task, "group": group, "source": source, "value": 0.5, "value_low": 0.4, "value_high": 0.7} | columns
        for (task, group), source in itertools.product(zip(tasks, style.GROUP_NAMES, strict=False), sources)
    ]
    return pd.DataFrame(rows)


def test_every_source_has_a_name_and_its_own_colour():
    joined = {"zero_shot+attributed", "pool+few_shot"}
    assert set(style.SOURCE_PALETTE) == set(style.SOURCE_NAMES) == {*REAL_SOURCES, *SETTINGS, *joined}
    assert len(set(style.SOURCE_PALETTE.values())) == len(style.SOURCE_PALETTE)
    assert set(style.SOURCE_MARKERS) == set(style.SOURCE_PALETTE)
    assert len(set(style.SOURCE_MARKERS.values())) == len(style.SOURCE_MARKERS)


def test_what_is_no_source_has_no_colour_of_a_source():
    looks = [*style.CLASSIFIER_LOOKS.values(), *style.METHOD_LOOKS, *style.RECIPE_LOOKS.values()]
    shades = {*style.GROUP_COLORS.values(), *style.SHADES, style.HIGHLIGHT, *(color for color, _ in looks)}
    assert not shades & set(style.SOURCE_PALETTE.values())
    for pairs in (style.METHOD_LOOKS, style.CLASSIFIER_LOOKS.values(), style.RECIPE_LOOKS.values()):
        assert len({marker for _, marker in pairs}) == len(pairs)


@pytest.mark.parametrize("shade", ["#ffffff", "#4292c6", "#2171b5", "#000000"])
def test_ink_is_the_one_of_more_contrast(shade):
    def contrast(ink):
        low, high = sorted(luminance(color) for color in (ink, shade))
        return (high + 0.05) / (low + 0.05)

    def luminance(color):
        channels = np.array(colors.to_rgb(color))
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    assert style.pick_ink(shade) == max(("black", "white"), key=contrast)
    assert contrast(style.pick_ink(shade)) > 4.5


def make_table_1(tasks):
    groups = {"imdb": "least_subjective", "humor": "most_subjective"}
    rows = [(task, groups[task], source) for task in tasks for source in ("real", "pool")]
    frame = pd.DataFrame(rows, columns=["task", "group", "source"])
    return frame.assign(f1=0.5, f1_low=0.4, f1_high=0.6)


def test_table_1_names_its_groups_and_parts_them():
    both = comparison.plot_table_1(make_table_1(["imdb", "humor"])).axes[0]
    assert {"least subjective", "most subjective", "50.0", "40 to 60"} <= {text.get_text() for text in both.texts}
    assert [label.get_text() for label in both.get_yticklabels()] == ["Movie review sentiment", "Humor detection"]
    assert len(both.lines) == 1
    assert not comparison.plot_table_1(make_table_1(["humor"])).axes[0].lines


def make_growth(flat):
    frame = pd.DataFrame({"setting": "zero_shot", "n_per_label": [25, 50], "rows": [100, 200], "cost_usd": 0.0})
    return frame.assign(f1=0.5, f1_low=0.4, f1_high=0.6, flat=[False, flat])


@pytest.mark.parametrize(("flat", "named"), [(True, ["zero-shot", "flat from here"]), (False, ["zero-shot"])])
def test_scoring_counts_texts_per_label_and_names_a_ring_only_where_there_is_one(flat, named):
    figure = texts.plot_scoring(make_growth(flat), confidence=0.95)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == named
    assert figure.axes[0].lines[0].get_xdata().tolist() == [25, 50]


def test_mixing_curves_begin_at_no_real_text_and_end_within_the_frame():
    rows = [(source, n) for source in ("real", "real+synthetic") for n in (0, 10, 200)]
    frame = pd.DataFrame(rows, columns=["source", "n_per_label"])
    ax = training.plot_mixing_curves(frame.assign(task="imdb", f1=0.5, f1_low=0.4, f1_high=0.6, all_real=0.8)).axes[0]
    left, right = ax.get_xlim()
    assert -5 < left < 0 and right > 200
    assert ax.get_title() == "Movie review sentiment"


def test_joined_sources_get_name_and_colour_of_their_parts():
    assert style.SOURCE_NAMES["pool+grounded"] == "real pool alone + grounded"
    assert style.SOURCE_PALETTE["real+verbalized"] == "#44112a"
    assert style.SOURCE_PALETTE["pool+few_shot"] == "#56b4e9"  # listed
    with pytest.raises(KeyError, match="gounded"):
        style.SOURCE_NAMES["pool+gounded"]


def test_real_and_settings_differ_in_grey_print():
    def luminance(source):
        return np.dot(colors.to_rgb(style.SOURCE_PALETTE[source]), [0.299, 0.587, 0.114])

    shades = sorted(luminance(source) for source in ("real", "zero_shot", "attributed"))
    assert np.diff(shades).min() > 0.1


def test_style_is_eight_points_at_column_width():
    assert mpl.rcParams["font.size"] == 8
    assert plt.figure().get_size_inches()[0] == style.COLUMN_WIDTH


def test_saved_figure_is_the_same_bytes_each_time(tmp_path):
    frame = make_points(measure="chamfer")
    contents = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        paths = plots.save_figure(diversity.diversity_by_task(frame), frame, folder, "06_diversity")
        assert [path.name for path in paths] == ["06_diversity.pdf", "06_diversity.png", "06_diversity.csv"]
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]
    assert contents[0][0].startswith(b"%PDF") and contents[0][1].startswith(b"\x89PNG")


def test_saved_csv_holds_the_frame(tmp_path):
    frame = make_points(measure="chamfer").assign(value=5 / 9)
    plots.save_figure(diversity.diversity_by_task(frame), frame, tmp_path, "x")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "x.csv"), frame, rtol=1e-5)


def test_points_lie_where_the_frame_says():
    frame = make_points(measure="remote_clique")
    axes = diversity.diversity_by_task(frame).axes
    assert len(axes) == 2  # a row a group, a column per measure that is there
    real = axes[0].containers[0]
    assert real.lines[0].get_xdata().tolist() == [0.5] and real.get_label() == "real"
    assert real.lines[2][0].get_segments()[0][:, 0].tolist() == pytest.approx([0.4, 0.7])
    assert [tick.get_text() for tick in axes[1].get_yticklabels()] == ["Humor detection"]


def test_one_source_and_one_group_will_do():
    frame = make_points(sources=("few_shot",), tasks=("imdb",), reference="coverage")
    axes = diversity.similarity_by_task(frame, n_nearest=3).axes
    assert len(axes) == 1 and "mean of 3 nearest" in axes[0].get_xlabel()


def test_names_of_near_points_cover_no_point_bar_or_other_name():
    places = pd.DataFrame({"task": ["tweet_emotion", "sarcasm_headlines", "imdb"], "score": [2.1, 2.2, 1.0]})
    gaps = places.assign(group="most_subjective", f1=[0.205, 0.215, 0.22])
    gaps = gaps.assign(f1_low=gaps["f1"] - 0.04, f1_high=gaps["f1"] + 0.04, score_low=-2.0, score_high=5.0)
    figure = comparison.plot_gap_and_subjectivity(gaps, note="", judges="people")
    figure.canvas.draw()
    names = {t.get_text(): mpl.text.Text.get_window_extent(t) for t in figure.axes[0].texts}  # without leaders
    assert list(names) == ["Tweet emotions", "Sarcasm in headlines", "Movie review sentiment"]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(names.values(), 2))
    for row in gaps.itertuples():
        bar = figure.axes[0].transData.transform([(row.score, 100 * y) for y in np.linspace(row.f1_low, row.f1_high)])
        assert not any(box.contains(*point) for box in names.values() for point in bar)


def test_map_has_a_panel_a_source_before_the_real_texts():
    frame = pd.DataFrame(
        [
            {"source": source, "label": label, "x": x, "y": x**2}
            for source in ("real", "zero_shot")
            for label in ("ham", "spam")
            for x in (0.0, 0.5)
        ]
    )
    figure = diversity.map_of_texts(frame, shares=(0.06, 0.03))
    axes = figure.axes
    assert [ax.get_title() for ax in axes] == ["real", "zero-shot"]
    assert [len(points.get_offsets()) for points in axes[1].collections] == [4, 2, 2]  # real, ham, spam
    assert "6%" in figure.get_supxlabel() and "3%" in axes[0].get_ylabel()


def test_scores_and_figures_import_no_heavy_library():
    names = "metrics, diversity, similarity, params, plots, plots.diversity".split(", ")
    code = "".join(f"import synthlib.{name}\n" for name in names)
    code += "import sys; print(sorted({'torch', 'transformers', 'openai', 'krippendorff'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
