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
from synthlib.plots import comparison, diversity, style
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
    assert [tick.get_text() for tick in axes[1].get_yticklabels()] == ["humor"]


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
    assert list(names) == gaps["task"].tolist()
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
    axes = diversity.map_of_texts(frame, shares=(0.06, 0.03)).axes
    assert [ax.get_title() for ax in axes] == ["real", "zero-shot"]
    assert [len(points.get_offsets()) for points in axes[1].collections] == [4, 2, 2]  # real, ham, spam
    assert "6%" in axes[0].get_xlabel()


def test_scores_and_figures_import_no_heavy_library():
    names = "metrics, diversity, similarity, params, plots, plots.diversity".split(", ")
    code = "".join(f"import synthlib.{name}\n" for name in names)
    code += "import sys; print(sorted({'torch', 'transformers', 'openai', 'krippendorff'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
