"""Table 1, the authors' figures, and the relation of gap and subjectivity."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from synthlib import task_comparison
from synthlib.metrics import Scores
from synthlib.tasks import load_tasks

TASKS = load_tasks(["ag_news", "imdb", "sms_spam", "tweet_irony", "tweet_emotion", "humor"])
ORIGINAL = task_comparison.load_original()


def make_scores(gap_by_task):
    rng = np.random.default_rng(0)
    return {
        task: {
            source: Scores(f1, f1, f1 + 0.01 * rng.normal(size=500), f1 + 0.01 * rng.normal(size=500))
            for source, f1 in (("real", 0.9), ("zero_shot", 0.9 - gap), ("few_shot", 0.85))
        }
        for task, gap in gap_by_task.items()
    }


def test_table_1_has_the_published_columns_and_the_least_subjective_first():
    frame = pd.DataFrame({"source": ["real"], "test_set": "test", "n_train": 9, "seeds": 2})
    frame = frame.assign(**{n + e: 0.5 for n in ("f1", "accuracy") for e in ("", "_low", "_high")})
    other = frame.assign(test_set="tweet_irony_raw", f1=0.9)
    table = task_comparison.collect_table_1({"humor": pd.concat([frame, other]), "imdb": frame}, TASKS)
    assert (
        ",".join(table.columns)
        == "task,group,source,n_train,seeds,f1,f1_low,f1_high,accuracy,accuracy_low,accuracy_high"
    )
    assert table["task"].tolist() == ["imdb", "humor"] and (table["f1"] == 0.5).all()


def test_authors_figures_stand_beside_the_mean_over_the_right_tasks():
    scores = make_scores({"imdb": 0.1, "humor": 0.3, "tweet_irony": 0.2})
    table = task_comparison.place_beside_original(ORIGINAL, {"frozen": scores}, TASKS, confidence=0.95)
    whole, subjective = table[(table["first"] == "real") & (table["second"] == "zero_shot")].itertuples()
    assert (whole.tasks, whole.f1, whole.accuracy) == ("all", 16.9, 14.9)  # Li et al. 2023, section 4
    assert whole.f1_frozen == pytest.approx(20) and whole.n_tasks == 3
    assert (subjective.f1, subjective.n_tasks) == (27.4, 2) and subjective.f1_frozen == pytest.approx(25)
    assert whole.f1_frozen_low < whole.f1_frozen < whole.f1_frozen_high


def test_a_source_that_was_not_run_leaves_a_gap_beside_the_authors_figures():
    scores = {task: {"real": s["real"], "zero_shot": s["zero_shot"]} for task, s in make_scores({"imdb": 0.1}).items()}
    table = task_comparison.place_beside_original(ORIGINAL, {"frozen": scores}, TASKS, confidence=0.95)
    few_shot = table[(table["second"] == "few_shot") & (table["tasks"] == "all")]
    assert len(few_shot) and few_shot["f1_frozen"].isna().all() and table["f1_frozen"].notna().any()
    assert "–" in task_comparison.format_original(table, {"frozen": "small"})["here:\nsmall"].tolist()


def test_relation_of_gap_and_score_is_spearmans_and_groups_are_compared():
    gaps = {"ag_news": 0.05, "imdb": 0.2, "sms_spam": 0.1, "tweet_irony": 0.3, "tweet_emotion": 0.25, "humor": 0.15}
    differences = task_comparison.collect_differences(make_scores(gaps), TASKS, confidence=0.95)
    score = pd.Series({"ag_news": -3, "sms_spam": -2, "imdb": -1, "humor": 1, "tweet_emotion": 2, "tweet_irony": 3})
    differences["score"] = differences["task"].map(score)
    relation = task_comparison.relate_gaps(
        differences, n_permutations=1000, n_resamples=200, confidence=0.95, rng=np.random.default_rng(0)
    ).set_index(["first", "second"])
    row = relation.loc[("real", "zero_shot")]
    expected = stats.spearmanr([score[t] for t in gaps], list(gaps.values())).statistic
    assert row["rho"] == pytest.approx(expected)
    assert row["group_difference"] == pytest.approx(np.mean([0.3, 0.25, 0.15]) - np.mean([0.05, 0.2, 0.1]), abs=1e-9)
    assert 0 < row["rho_p"] <= 1 and row["n_tasks"] == 6


def test_with_two_tasks_the_relation_is_undefined_not_invented():
    differences = task_comparison.collect_differences(make_scores({"imdb": 0.1, "humor": 0.3}), TASKS, confidence=0.95)
    differences["score"] = differences["task"].map({"imdb": 0.0, "humor": 1.0})
    relation = task_comparison.relate_gaps(
        differences, n_permutations=100, n_resamples=100, confidence=0.95, rng=np.random.default_rng(0)
    )
    assert relation[["rho", "rho_p", "group_difference"]].isna().all(axis=None)


def test_sources_below_guessing_are_named():
    table = pd.DataFrame(
        [("imdb", "real", 0.8, 0.9), ("imdb", "zero_shot", 0.4, 0.49), ("ag_news", "zero_shot", 0.3, 0.4)],
        columns=["task", "source", "f1", "f1_high"],
    )
    even = {"imdb": pd.Series([0.5, 0.5]), "ag_news": pd.Series([0.25] * 4)}
    assert task_comparison.say_below_guessing(table, even) == "imdb: zero_shot"  # four kinds of news: a quarter
    rare = even | {"imdb": pd.Series([0.9, 0.1])}  # guessed labels are seldom the rare one: (0.643 + 0.167) / 2
    assert task_comparison.say_below_guessing(table, rare) == "none"
    said = task_comparison.say_below_guessing(table.assign(f1_high=[0.9, 0.404, 0.4]), rare)
    assert said == "imdb: zero_shot"


def test_a_mean_over_tasks_has_an_interval_for_other_tasks():
    rows = pd.DataFrame({"first": "real", "second": "zero_shot", "f1": [0.1, 0.2, 0.3, -0.1]})
    rows = rows.assign(f1_low=rows["f1"] - 0.05, f1_high=rows["f1"] + 0.05)
    row = task_comparison.summarise_over_tasks(rows, confidence=0.95).iloc[0]
    low, high = stats.t.interval(0.95, 3, loc=rows["f1"].mean(), scale=stats.sem(rows["f1"]))
    assert row[["f1", "f1_low", "f1_high"]].tolist() == pytest.approx([0.125, low, high])
    assert row[["n_tasks", "better", "worse", "lowest", "highest"]].tolist() == [4, 3, 1, -0.1, 0.3]
    alone = task_comparison.summarise_over_tasks(rows.iloc[:1], confidence=0.95).iloc[0]
    assert alone["f1"] == 0.1 and np.isnan(alone["f1_low"])
