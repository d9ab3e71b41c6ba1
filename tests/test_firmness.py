"""How firm a ranking is."""

from itertools import combinations

import choix
import networkx as nx
import numpy as np
import pytest

from synthlib import ranking
from synthlib.votes import bradley_terry, firmness


def draw_wins(scores, *, n_workers, n_pairs, rng):
    """Judgements of a Bradley-Terry model by worker, shape (W, T, T)."""
    pairs = np.array(list(combinations(range(len(scores)), 2)))
    wins = np.zeros((n_workers, len(scores), len(scores)))
    for worker in range(n_workers):
        for i, j in pairs[rng.integers(len(pairs), size=n_pairs)]:
            first = rng.random() < 1 / (1 + np.exp(scores[j] - scores[i]))
            wins[(worker, i, j) if first else (worker, j, i)] += 1
    return wins


def test_many_fits_equal_choix_one_by_one():
    wins = draw_wins(np.linspace(-3, 3, 10), n_workers=12, n_pairs=40, rng=np.random.default_rng(0))
    wins[0] = 0
    wins[0, 0, 1:] = 4  # a task that always wins, others that never met
    fits = bradley_terry.fit_many(wins, regularisation=0.01)
    direct = [choix.ilsr_pairwise_dense(table, alpha=0.01, max_iter=1000) for table in wins]
    np.testing.assert_allclose(fits, np.array(direct) - np.mean(direct, axis=1, keepdims=True), atol=1e-6)
    warm = bradley_terry.fit_many(wins, regularisation=0.01, start=fits[3])
    np.testing.assert_allclose(fits, warm, atol=1e-6)
    with pytest.raises(ValueError, match=r"regularisation is 0; it must be above 0"):
        bradley_terry.fit_many(wins, regularisation=0)


def test_intervals_are_wider_with_few_workers():
    draws = np.random.default_rng(0).normal(size=(4000, 2))
    low, high = bradley_terry.bracket_scores(np.zeros(2), draws, n_workers=1000, confidence=0.95)
    np.testing.assert_allclose(high - low, 2 * 1.96, rtol=0.05)
    few = bradley_terry.bracket_scores(np.zeros(2), draws, n_workers=4, confidence=0.95)
    np.testing.assert_allclose((few[1] - few[0]) / (high - low), 3.182 / 1.962, rtol=0.001)


def count_by_hand(beats):
    cyclic = sum(
        all(beats[a, b] for a, b in zip(order, (*order[1:], order[0]), strict=True))
        for three in combinations(range(len(beats)), 3)
        for order in [three, (three[0], three[2], three[1])]
    )
    return cyclic


def test_circular_triads_are_those_counted_by_hand():
    rng = np.random.default_rng(1)
    for _ in range(20):
        wins = rng.integers(0, 3, size=(7, 7))
        assert firmness.count_circular(wins)[1] == count_by_hand(wins > wins.T)
    triads, circular = firmness.count_circular(np.stack([wins, wins.T]))
    assert triads[0] == triads[1] and circular[0] == circular[1]


def test_kendalls_example_has_his_coefficient():
    """Kendall (1970), Rank Correlation Methods, chapter 11: five objects on a full circle have d = 5, zeta = 0."""
    wins = np.zeros((5, 5))
    for i in range(5):
        wins[i, (i + 1) % 5] = wins[i, (i + 2) % 5] = 1
    row = firmness.measure_transitivity(wins, np.zeros(5), n_resamples=400, rng=np.random.default_rng(0))
    assert (row["n_triads"], row["n_circular"], row["consistence"]) == (10, 5, 0)
    assert row["by_coin"] == pytest.approx(10 / 4, abs=0.3)  # a quarter of all triads
    ordered = firmness.measure_transitivity(
        np.triu(np.full((6, 6), 9), 1), np.linspace(3, -3, 6), n_resamples=400, rng=np.random.default_rng(0)
    )
    assert ordered["consistence"] == 1 and ordered["p_coin"] < 0.05 and ordered["p_model"] == 1
    assert np.isnan(
        firmness.measure_transitivity(np.ones((4, 4)), np.zeros(4), n_resamples=100, rng=np.random.default_rng(0))[
            "consistence"
        ]
    )


def test_judgements_in_a_circle_are_less_transitive_than_any_scores_allow():
    wins = np.zeros((6, 6))
    for first, second, third in ((0, 1, 2), (3, 4, 5)):
        for a, b in ((first, second), (second, third), (third, first)):
            wins[a, b], wins[b, a] = 9, 1
    wins[:3, 3:] = 10
    scores = ranking.fit_scores(wins, regularisation=0.01)
    row = firmness.measure_transitivity(wins, scores, n_resamples=999, rng=np.random.default_rng(0))
    assert row["n_circular"] == 2
    assert row["p_model"] < 0.12 and row["by_model"] < 1  # each circle has a chance of a quarter


def brute_levels(beats):
    """Levels from the definition alone: all paths tried, tasks that reach each other merged, longest way down."""
    n = len(beats)
    reach = np.zeros((n, n), dtype=bool)
    for start in range(n):
        pending = [start]
        while pending:
            for task in np.flatnonzero(beats[pending.pop()]):
                if not reach[start, task]:
                    reach[start, task] = True
                    pending.append(task)
    above = [[b for b in range(n) if reach[a, b] and not reach[b, a]] for a in range(n)]

    def level(task):
        return 1 + max((level(other) for other in above[task]), default=0)

    return [level(task) for task in range(n)]


@pytest.mark.parametrize("size", range(2, 11))
def test_cycles_of_every_size_give_the_levels_of_brute_force(size):
    rng = np.random.default_rng(size)
    for n_tasks in {size, min(size + 2, 10), 10}:
        beats = np.zeros((n_tasks, n_tasks), dtype=bool)
        members = rng.permutation(n_tasks)[:size]
        if size > 2:
            beats[members, np.roll(members, -1)] = True
        for i, j in combinations(range(n_tasks), 2):
            if not beats[i, j] and not beats[j, i] and rng.random() < 0.3:
                beats[(i, j) if rng.random() < 0.5 else (j, i)] = True
        expected = brute_levels(beats)
        assert firmness.number_levels(beats).tolist() == expected
        names = [f"t{i}" for i in range(n_tasks)]
        graph = nx.relabel_nodes(nx.from_numpy_array(beats, create_using=nx.DiGraph), dict(enumerate(names)))
        assert ranking.find_levels(graph).set_index("task")["level"][names].tolist() == expected
        if size > 2:
            assert len(set(np.array(expected)[members])) == 1


def test_levels_of_many_graphs_equal_those_of_each():
    rng = np.random.default_rng(5)
    wins = rng.integers(0, 4, size=(40, 6, 6))
    beats = wins > np.swapaxes(wins, 1, 2)
    many = firmness.number_levels(beats)
    assert [row.tolist() for row in many] == [brute_levels(table) for table in beats]


def test_the_worker_who_disagrees_moves_most():
    wins = np.repeat(np.triu(np.ones((4, 4)), 1)[None], 6, axis=0)
    wins[5] = 3 * wins[5].T  # judges the other way round, thrice
    settings = {"min_pairs": 1, "regularisation": 0.01}
    influence = firmness.drop_workers(wins, [f"w{i}" for i in range(6)], list("abcd"), **settings)
    assert influence["worker"].iloc[0] == "w5" and influence["n_votes"].iloc[0] == 18
    assert influence["tau"].between(-1, 1).all() and influence["shift"].abs().is_monotonic_decreasing
    again = bradley_terry.fit_many(wins[:5].sum(0)[None], regularisation=0.01)[0]
    full = bradley_terry.fit_many(wins.sum(0)[None], regularisation=0.01)[0]
    assert influence["shift"].abs().iloc[0] == pytest.approx(np.abs(again - full).max())
    with pytest.raises(ValueError, match="1 worker"):
        firmness.drop_workers(wins[:1], ["w0"], list("abcd"), **settings)


@pytest.mark.parametrize(("min_pairs", "moved"), [(1, {"w0": 1, "w1": 2, "w2": 0}), (3, {"w0": 0, "w1": 0, "w2": 0})])
def test_without_a_worker_pairs_have_a_majority_by_the_same_rule(min_pairs, moved):
    wins = np.zeros((3, 3, 3))
    wins[0, 0, 1] = wins[1, 1, 2] = wins[2, 0, 2] = 1  # every pair is judged once
    settings = {"min_pairs": min_pairs, "regularisation": 0.01}
    influence = firmness.drop_workers(wins, ["w0", "w1", "w2"], list("abc"), **settings)
    assert dict(zip(influence["worker"], influence["n_moved"], strict=True)) == moved


def test_a_border_that_all_workers_see_holds_and_one_of_few_does_not():
    wins = np.zeros((20, 3, 3))
    wins[:, 0, 1:] = 1  # all hold a above b and c
    wins[:11, 1, 2] = 1  # eleven of twenty hold b above c
    wins[11:, 2, 1] = 1
    settings = {"min_pairs": 1, "n_resamples": 500, "rng": np.random.default_rng(0)}
    borders = firmness.hold_levels(wins, list("abc"), **settings).set_index("level")
    assert borders.loc[2, ["below", "above"]].tolist() == ["b", "a"]
    assert borders.loc[2, "holds"] == 1
    assert 0.4 < borders.loc[1, "holds"] < 0.8
    assert firmness.hold_levels(np.ones((3, 2, 2)), ["a", "b"], **settings).empty
    with pytest.raises(ValueError, match="1 worker"):
        firmness.hold_levels(wins[:1], list("abc"), **settings)
