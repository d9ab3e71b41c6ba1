"""Diversity and closeness against scikit-learn's full matrices, simulated spreads, and the edges."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import pairwise_distances

from synthlib import diversity, similarity
from synthlib.features import FeatureTable


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def make_table(rng, n_per_label, shift=0.0, pool=False):
    labels = np.repeat(["a", "b"], n_per_label)
    rows = pd.DataFrame({"label": labels, "pool": pool & (np.arange(len(labels)) % 2 == 0)})
    features = rng.standard_normal((len(labels), 16)).astype(np.float32) + np.where(labels == "a", 1, -1)[:, None]
    return FeatureTable(rows, features + shift, np.zeros((len(labels), 0), dtype=np.uint8))


def test_measures_equal_the_full_matrix(rng, monkeypatch):
    features = rng.standard_normal((150, 12))
    distances = pairwise_distances(features, metric="cosine")
    others = ~np.eye(150, dtype=bool)
    assert diversity.measure_remote_clique(features) == pytest.approx(distances[others].mean(), abs=1e-6)
    np.fill_diagonal(distances, np.inf)
    for block in (1024, 64, 150, 7):  # one block, uneven blocks, exact, many
        monkeypatch.setattr(diversity, "_BLOCK", block)
        assert diversity.measure_chamfer(features) == pytest.approx(distances.min(axis=1).mean(), abs=1e-6)


def test_nearest_equals_the_full_matrix(rng, monkeypatch):
    features, others = rng.standard_normal((70, 12)), rng.standard_normal((90, 12))
    cosines = 1 - pairwise_distances(features, others, metric="cosine")
    for block in (1024, 32):
        monkeypatch.setattr(similarity, "_BLOCK", block)
        for n_nearest in (1, 5, 90):
            expected = np.sort(cosines, axis=1)[:, -n_nearest:].mean(axis=1)
            found = similarity.measure_nearest(features, others, n_nearest=n_nearest)
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_lengths_of_vectors_do_not_matter(rng):
    features = rng.standard_normal((40, 8))
    longer = features * rng.uniform(0.1, 10, size=(40, 1))
    for measure in (diversity.measure_remote_clique, diversity.measure_chamfer):
        assert measure(longer) == pytest.approx(measure(features), abs=1e-5)


def test_twins_have_no_chamfer_distance(rng):
    features = np.repeat(rng.standard_normal((30, 8)), 2, axis=0)
    assert diversity.measure_chamfer(features) == pytest.approx(0, abs=1e-6)
    assert diversity.measure_remote_clique(np.ones((5, 3))) == pytest.approx(0, abs=1e-6)
    assert diversity.measure_remote_clique(features) > 0.5


def test_chamfer_falls_with_n_and_remote_clique_does_not(rng):
    features = rng.standard_normal((2000, 8))
    chamfer = [diversity.measure_chamfer(features[:n]) for n in (50, 400, 2000)]
    remote_clique = [diversity.measure_remote_clique(features[:n]) for n in (400, 2000)]
    assert chamfer == sorted(chamfer, reverse=True) and chamfer[0] > 1.5 * chamfer[-1]
    assert remote_clique[0] == pytest.approx(remote_clique[1], abs=0.01)


@pytest.mark.parametrize("measure", [diversity.measure_remote_clique, diversity.measure_chamfer])
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones((1, 4)), "at least two texts; there are 1"),
        (np.ones((0, 4)), "there are 0"),
        (np.array([[1.0, 2.0], [0.0, 0.0]]), "the first is row 1"),
        (np.array([[np.nan, 1.0], [1.0, 1.0]]), "zero or not finite, the first is row 0"),
        (np.ones(4), r"shape \(4,\)"),
    ],
)
def test_unsound_vectors_are_refused(measure, features, message):
    with pytest.raises(ValueError, match=message):
        measure(features)


def test_interval_is_the_spread_of_new_texts(rng):
    """The half-sampling interval covers the spread of the value over fresh texts, and is not twice as wide."""
    options = {"n_per_label": 40, "n_resamples": 100, "confidence": 0.95, "rng": rng}
    runs = []
    for _ in range(40):
        table = make_table(rng, 80)
        runs.append(diversity.measure_diversity(table.features, table.rows["label"], **options))
    runs = pd.concat(runs).groupby("measure")
    spread = runs["value"].std()
    claimed = (runs["value_high"].mean() - runs["value_low"].mean()) / 3.92
    assert (claimed / spread).between(0.9, 2).all(), (claimed / spread).to_dict()


def test_diversity_is_of_equal_numbers_and_repeatable(rng):
    table = make_table(rng, 60)
    uneven = table.where(np.arange(120) < 100)  # 60 of a, 40 of b
    options = {"n_per_label": 20, "n_resamples": 100, "confidence": 0.9}
    frames = [
        diversity.measure_sources({"real": table, "few_shot": uneven}, rng=np.random.default_rng(5), **options)
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(*frames)
    assert frames[0].groupby("measure")["n"].unique().map(list).to_dict() == {
        "remote_clique": [40],
        "chamfer": [40],
        "chamfer_within_label": [20],
    }
    assert (frames[0]["value_low"] < frames[0]["value"]).all() and (frames[0]["value"] < frames[0]["value_high"]).all()


@pytest.mark.parametrize(("n_per_label", "message"), [(31, "label 'a' has 60 texts, too few to draw 31"), (1, "2")])
def test_too_few_texts_are_refused(rng, n_per_label, message):
    table = make_table(rng, 60)
    with pytest.raises(ValueError, match=message):
        diversity.measure_diversity(
            table.features, table.rows["label"], n_per_label=n_per_label, n_resamples=100, confidence=0.9, rng=rng
        )


def test_balanced_draw_has_each_label_and_no_text_twice(rng):
    labels = np.array(["b"] * 7 + ["a"] * 5)
    rows = diversity.draw_balanced(labels, 5, rng=rng, most=1.0)
    assert len(set(rows)) == 10 and list(labels[rows]) == ["a"] * 5 + ["b"] * 5


def test_order_is_counted_by_points_and_by_intervals():
    values = {"t1": (3, 2, 1), "t2": (3, 1, 2), "t3": (1, 2, 3)}
    rows = [
        {"task": task, "group": "g", "source": source, "measure": "chamfer", "value": value}
        for task, three in values.items()
        for source, value in zip(("real", "few_shot", "zero_shot"), three, strict=True)
    ]
    frame = pd.DataFrame(rows).assign(value_low=lambda f: f["value"] - 0.9, value_high=lambda f: f["value"] + 0.9)
    counts = diversity.count_order(frame, ["real", "few_shot", "zero_shot"]).loc["chamfer"]
    assert counts.to_dict() == {"in_order": 1, "first_above": 1, "last_above": 1, "n_tasks": 3}  # t2: 1 +- 1.27
    falls = diversity.list_falls(frame).set_index(["task", "setting"])["fall"]
    assert falls["t1", "zero_shot"] == 2 and falls["t3", "few_shot"] == -1


def test_similarity_tells_near_sources_from_far_ones(rng):
    real, near, far = make_table(rng, 40, pool=True), make_table(rng, 40), make_table(rng, 40)
    near.features[:] = real.features + 0.3 * near.features
    options = {"n_per_label": 30, "n_nearest": 5, "n_resamples": 200, "confidence": 0.95, "rng": rng}
    found = similarity.compare_sources(
        {"real": real, "few_shot": near, "zero_shot": far}, make_table(rng, 20), **options
    )
    wide = found.pivot(index="reference", columns="source", values="value")
    assert (wide.loc["training", "few_shot"] > wide.loc["training", ["real", "zero_shot"]] + 0.02).all()
    assert (wide.loc["outside_pool"] < wide.loc["training"]).all()  # fewer to choose the nearest from
    assert found["value"].between(found["value_low"], found["value_high"]).all()
    gains = similarity.list_gains(found.assign(task="t", group="g"), "zero_shot")
    assert set(gains["setting"]) == {"few_shot"} and (gains["gain"] > 0).any()


@pytest.mark.parametrize("n_nearest", [0, 11])
def test_more_nearest_than_others_is_refused(rng, n_nearest):
    with pytest.raises(ValueError, match="between 1 and 10"):
        similarity.measure_nearest(np.ones((3, 2)), rng.random((10, 2)), n_nearest=n_nearest)
