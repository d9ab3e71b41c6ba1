"""Levels, scores and their intervals from pairwise judgements."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from synthlib import ranking
from synthlib.votes import firmness
from synthlib.votes.judgements import choose_judgements, say_left_out

TASKS = ["irony", "humor", "spam"]


def judgements(*rows):
    """Each row: worker, left, right, more objective."""
    frame = pd.DataFrame(rows, columns=["worker", "left", "right", "more_objective"])
    return frame.assign(check_passed=True)


def draw_votes(strengths, *, n_workers, n_pairs, rng):
    """Judgements drawn from a Bradley-Terry model."""
    rows = []
    for worker in range(n_workers):
        for _ in range(n_pairs):
            i, j = rng.choice(len(strengths), 2, replace=False)
            more_subjective = i if rng.random() < 1 / (1 + np.exp(strengths[j] - strengths[i])) else j
            rows.append((f"w{worker:03d}", f"t{i}", f"t{j}", f"t{i + j - more_subjective}"))
    return judgements(*rows)


def test_attention_filter_drops_whole_workers():
    votes = judgements(("a", "irony", "spam", "spam"), ("b", "irony", "spam", "spam"), ("b", "humor", "spam", "spam"))
    votes["check_passed"] = [True, True, False]
    kept, failed = ranking.keep_attentive(votes)
    assert kept["worker"].tolist() == ["a"]
    assert failed == ["b"]
    with pytest.raises(ValueError, match="there is no judgement"):
        ranking.keep_attentive(votes.iloc[:0])
    with pytest.raises(ValueError, match="none of 2 passed"):
        ranking.keep_attentive(votes.assign(check_passed=False))


def test_wins_point_to_the_more_subjective_task():
    wins = ranking.count_wins(judgements(("a", "spam", "irony", "spam"), ("b", "irony", "humor", "irony")), TASKS)
    assert wins.shape == (2, 3, 3)
    assert wins[0, TASKS.index("irony"), TASKS.index("spam")] == 1
    assert wins[1, TASKS.index("humor"), TASKS.index("irony")] == 1
    assert wins.sum() == 2


def test_unknown_and_missing_comparisons_are_errors():
    with pytest.raises(ValueError, match=r"unknown task.*'poetry'"):
        ranking.count_wins(judgements(("a", "irony", "poetry", "irony")), TASKS)
    with pytest.raises(ValueError, match="no judgement"):
        ranking.count_wins(judgements(), TASKS)


def test_ties_and_rare_pairs_give_no_edge():
    wins = np.array([[0, 2, 1], [2, 0, 5], [0, 1, 0]])
    edges = ranking.compare_pairs(wins, TASKS, min_pairs=2)
    assert edges.set_index(["more_subjective", "more_objective"])["verdict"].to_dict() == {
        ("irony", "humor"): "tie",
        ("irony", "spam"): "too few",
        ("humor", "spam"): "majority",
    }
    graph = ranking.build_graph(edges, TASKS)
    assert list(graph.edges) == [("humor", "spam")]
    assert graph.edges["humor", "spam"]["n_majority"] == 5
    assert set(graph) == set(TASKS)


def test_all_votes_tied_put_all_tasks_on_one_level():
    wins = np.ones((3, 3)) - np.eye(3)
    levels = ranking.find_levels(ranking.build_graph(ranking.compare_pairs(wins, TASKS, min_pairs=1), TASKS))
    assert levels["level"].tolist() == [1, 1, 1]
    assert levels["n_merged"].tolist() == [1, 1, 1]
    scores = ranking.fit_scores(wins, regularisation=0.01)
    np.testing.assert_allclose(scores, 0, atol=1e-9)
    compared = ranking.compare_with_groups(levels["level"].to_numpy(), np.array([True, False, False]))
    assert np.isnan(compared["rho"]) and np.isnan(compared["p"])
    assert compared["auc"] == 0.5


def test_every_edge_between_levels_points_down():
    rng = np.random.default_rng(3)
    for _ in range(30):
        tasks = [f"t{i}" for i in range(7)]
        graph = nx.gnp_random_graph(7, 0.3, seed=int(rng.integers(1e9)), directed=True)
        graph = nx.relabel_nodes(graph, dict(enumerate(tasks)))
        levels = ranking.find_levels(graph).set_index("task")
        for a, b in graph.edges:
            merged = levels.loc[a, "cycle"] and levels.loc[a, "cycle"] == levels.loc[b, "cycle"]
            assert levels.loc[a, "level"] > levels.loc[b, "level"] or merged
        for task, cycle in levels["cycle"].items():
            steps = cycle.split(" > ") if cycle else []
            assert all(graph.has_edge(a, b) for a, b in pairwise(steps))
            assert (levels.loc[task, "n_merged"] > 1) == bool(cycle)


def test_scores_recover_the_truth_and_its_intervals_cover_it():
    truth = np.array([-2.0, -0.5, 0.5, 2.0])
    votes = draw_votes(truth, n_workers=60, n_pairs=10, rng=np.random.default_rng(0))
    wins = ranking.count_wins(votes, ["t0", "t1", "t2", "t3"])
    scores = ranking.fit_scores(wins.sum(0), regularisation=0.01)
    draws = ranking.bootstrap_scores(wins, regularisation=0.01, n_resamples=200, rng=np.random.default_rng(1))
    np.testing.assert_allclose(scores, truth, atol=0.6)
    assert abs(scores.sum()) < 1e-9
    low, high = np.quantile(draws, [0.005, 0.995], axis=0)
    assert ((low < truth) & (truth < high)).all()
    again = ranking.bootstrap_scores(wins, regularisation=0.01, n_resamples=200, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(draws, again)
    ranks = firmness.rank_probabilities(draws, ["t0", "t1", "t2", "t3"])
    np.testing.assert_allclose(ranks.groupby("rank")["probability"].sum(), 1)
    assert ranks.set_index(["task", "rank"])["probability"]["t3", 4] > 0.95


def test_scores_of_a_task_that_always_wins_are_finite():
    scores = ranking.fit_scores(np.array([[0.0, 9.0], [0.0, 0.0]]), regularisation=0.01)
    assert np.isfinite(scores).all() and scores[0] > scores[1]


def test_one_worker_has_no_interval():
    wins = ranking.count_wins(judgements(("a", "irony", "humor", "humor"), ("a", "humor", "spam", "spam")), TASKS)
    with pytest.raises(ValueError, match="1 worker"):
        ranking.bootstrap_scores(wins, regularisation=0.01, n_resamples=10, rng=np.random.default_rng(0))


def test_perfect_grouping_has_the_smallest_exact_p():
    values, least = np.arange(10.0), np.arange(10) < 4
    compared = ranking.compare_with_groups(values, least)
    assert compared["auc"] == compared["lowest_share"] == 1
    assert compared["p"] == pytest.approx(2 / 210)  # of 210 ways to choose four, this one and its mirror image
    tied = ranking.compare_with_groups(np.array([1.0, 2.0, 2.0, 3.0]), np.array([True, True, False, False]))
    assert tied["lowest_share"] == 0.75
    assert all(np.isnan(value) for value in ranking.compare_with_groups(values, np.ones(10, dtype=bool)).values())


def test_tasks_that_nobody_compared_are_not_ranked_and_that_is_said():
    votes = pd.DataFrame({"left": ["imdb", "humor", "own"], "right": ["humor", "imdb", "imdb"]})
    tasks = ["imdb", "ag_news", "humor"]
    chosen, ranked, n_left_out = choose_judgements(votes, tasks)
    assert (len(chosen), ranked, n_left_out) == (2, ["imdb", "humor"], 1)
    said = say_left_out(tasks, ranked, n_left_out, {"ag_news": "News topics"})
    assert said.startswith("Nobody compared News topics: not ranked. 1 judgements")
    assert say_left_out(ranked, ranked, 0, {}) == ""
    with pytest.raises(
        ValueError, match=r"two of the tasks \['ag_news'\]; the judgements are of \['humor', 'imdb', 'own'\]"
    ):
        choose_judgements(votes, ["ag_news"])
