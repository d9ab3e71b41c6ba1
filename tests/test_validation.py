"""Made-up crowds with known scores and agreement."""

import numpy as np
import pandas as pd
import pytest

from synthlib import agreement, coverage, metrics, validation
from synthlib.plots import validation as figures

TRUTH = np.linspace(-1.5, 1.5, 5)


def test_judgements_follow_the_scores_and_spammers_do_not():
    settings = {"n_simulations": 1, "n_workers": 4000, "n_pairs": 10, "rng": np.random.default_rng(0)}
    wins, passed = validation.simulate_judgements(TRUTH, **settings, spammer_share=0.0)
    total = wins.sum(axis=(0, 1))
    share = total[4, 0] / (total[4, 0] + total[0, 4])
    assert share == pytest.approx(1 / (1 + np.exp(-3)), abs=0.01) and passed.all()
    wins, passed = validation.simulate_judgements(TRUTH, **settings, spammer_share=0.4)
    assert passed.mean() == pytest.approx(0.8, abs=0.02)  # every other spammer is caught
    caught = wins[~passed].sum(axis=0)
    assert caught[4, 0] / (caught[4, 0] + caught[0, 4]) == pytest.approx(0.5, abs=0.03)


def test_intervals_cover_and_percentiles_of_few_workers_do_not():
    settings = {"n_simulations": 200, "n_workers": 20, "n_pairs": 10, "regularisation": 0.01}
    settings |= {"n_resamples": 150, "confidence": 0.95, "rng": np.random.default_rng(1)}
    rows = validation.cover_scores(TRUTH, **settings).set_index("interval")
    assert rows.loc["Student's t", "coverage_high"] > 0.95 > rows.loc["percentile", "coverage_high"]
    assert rows["used"].to_dict() == {"percentile": False, "Student's t": True}
    assert (rows["coverage_low"] < rows["coverage"]).all() and (rows["width"] > 0).all()


def test_alpha_of_the_population_is_that_of_very_many_texts():
    rng = np.random.default_rng(2)
    share, first = np.array(validation.TEXT_KINDS).T
    yes = rng.binomial(5, rng.choice(first, size=200_000, p=share))
    counts = np.column_stack([yes, 5 - yes]).astype(float)
    assert agreement.alpha_of_weights(counts, np.ones((1, len(counts))))[0] == pytest.approx(
        validation.population_alpha(), abs=0.005
    )
    settings = {"n_texts": 50, "n_votes": 5, "n_resamples": 200, "confidence": 0.95, "rng": rng}
    rows = validation.cover_alpha(n_simulations=150, **settings).set_index("interval")
    assert rows.loc["BCa", "coverage_high"] > 0.93


def test_difference_of_the_population_is_that_of_very_many_texts_and_seeds():
    rng = np.random.default_rng(5)
    gold, predicted = validation.simulate_classifiers(n_texts=4000, n_seeds=400, rng=rng)
    first, second = (metrics.macro_f1(gold, labels, n_labels=2).mean() for labels in predicted)
    assert first - second == pytest.approx(validation.population_difference(), abs=0.01)
    settings = {"n_texts": 300, "n_seeds": 5, "n_resamples": 150, "confidence": 0.95, "rng": rng}
    rows = validation.cover_difference(n_simulations=150, **settings)
    assert rows.loc[0, "coverage_high"] > 0.93 and 0 < rows.loc[0, "width"] < 0.2


def test_too_short_an_interval_is_judged_low_and_too_long_a_one_high():
    means = np.random.default_rng(6).normal(size=500)
    reaches = {"short": 1.5, "normal": 1.96, "long": 3.0}
    ends = {name: [(mean - reach, mean + reach) for mean in means] for name, reach in reaches.items()}
    rows = coverage.tabulate_ends(ends, 0.0, {"quantity": "mean", "case": "normal"}, used="normal")
    assert coverage.judge_coverage(rows, confidence=0.95).tolist() == list(coverage.VERDICTS)
    assert rows["width"].tolist() == pytest.approx([3, 3.92, 6]) and rows["used"].tolist() == [False, True, False]


def test_few_studies_that_all_hold_the_truth_are_no_evidence_of_too_much():
    rows = coverage.tabulate_ends({"t": [(-1, 1)] * 20}, 0.0, {"quantity": "mean", "case": "few"}, used="t")
    assert rows.loc[0, "coverage"] == rows.loc[0, "coverage_high"] == 1 > 0.8 > rows.loc[0, "coverage_low"]
    assert coverage.judge_coverage(rows, confidence=0.95).tolist() == ["as promised"]


def test_several_intervals_of_one_study_that_go_together_count_once():
    rng = np.random.default_rng(7)
    means = rng.normal(size=(400, 1))
    same, apart = (
        [(study - 1.96, study + 1.96) for study in studies]
        for studies in (np.repeat(means, 6, axis=1), rng.normal(size=(400, 6)))
    )
    rows = coverage.tabulate_ends(
        {"same": same, "apart": apart}, np.zeros(6), {"quantity": "mean", "case": ""}, used="same"
    )
    width = (rows["coverage_high"] - rows["coverage_low"]).tolist()
    assert width[0] > 2 * width[1]


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_made_up_scores_and_gaps_have_the_rho_asked_for(rho):
    scores, gaps = validation.simulate_relation(rho, (100_000,), rng=np.random.default_rng(8))
    assert metrics.correlate_ranks(scores, gaps) == pytest.approx(rho, abs=0.01)
    settings = {"n_tasks": 10, "n_resamples": 100, "confidence": 0.95, "rng": np.random.default_rng(9)}
    rows = validation.cover_correlation(rho, n_simulations=100, **settings)
    assert rows.loc[0, "coverage"] > 0.85 and 0.5 < rows.loc[0, "width"] < 2


def test_students_interval_holds_the_mean_of_normal_gaps_but_not_that_of_skewed_ones():
    settings = {"n_simulations": 1000, "n_tasks": 10, "confidence": 0.95, "rng": np.random.default_rng(10)}
    rows = pd.concat([validation.cover_mean(shape, **settings) for shape in ("normal", "skewed")])
    assert coverage.judge_coverage(rows, confidence=0.95).tolist() == ["as promised", "too low"]


def test_spammers_draw_scores_together_and_the_filter_undoes_a_part():
    settings = {"n_simulations": 60, "n_workers": 54, "n_pairs": 10, "regularisation": 0.01}
    recovered = validation.recover_scores(TRUTH, **settings, spammer_share=0.3, rng=np.random.default_rng(3))
    slope = validation.measure_bias(recovered).set_index("crowd")["slope"]
    assert slope["no spammers"] == pytest.approx(1, abs=0.06)
    assert slope["spammers, all kept"] < slope["spammers, filtered"] < 0.95
    figures.recovery(recovered)


@pytest.mark.usefixtures("project_style")
def test_figure_has_a_mark_for_every_case():
    settings = {"n_simulations": 10, "n_votes": 5, "n_resamples": 100, "confidence": 0.9}
    rows = validation.cover_alpha(n_texts=30, **settings, rng=np.random.default_rng(4))
    figure = figures.coverage(rows, confidence=0.9)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Krippendorff's alpha, 30 texts"]
    faces = [bars.lines[0].get_markerfacecolor() for bars in ax.containers]
    assert (rows["used"].tolist(), faces[0]) == ([False, True], "white") and faces[1] != "white"
