"""Subjectivity of task and text in one model."""

import itertools

import numpy as np
import pandas as pd
import pytest

from synthlib.reporting import mixed_words
from synthlib.votes import mixed
from synthlib.votes.instances import TextSet


def simulate(*, n_tasks=8, n_texts=40, slope=-0.08, seed=0):
    """Rows whose zero-shot gap grows by ``slope`` for each standard deviation of subjectivity."""
    rng = np.random.default_rng(seed)
    rows = []
    score = np.linspace(-1, 1, n_tasks)
    score = (score - score.mean()) / score.std(ddof=1)
    for number in range(n_tasks):
        text = rng.normal(0, 0.1, n_texts)
        base, gap = 0.8 + rng.normal(0, 0.03), -0.1 + rng.normal(0, 0.02)
        disagreement = rng.choice([0.0, 1.0, 2.0], n_texts)
        for source, effect in (("real", 0.0), ("zero_shot", gap + slope * score[number])):
            right = base + effect - 0.05 * disagreement + text + rng.normal(0, 0.1, n_texts)
            keys = [f"{number}-{i}" for i in range(n_texts)]
            columns = {"task": f"t{number}", "key": keys, "source": source, "right": right}
            rows.append(pd.DataFrame(columns).assign(subjectivity=score[number], disagreement=disagreement))
    frame = pd.concat(rows, ignore_index=True)
    return frame.assign(source=pd.Categorical(frame["source"], ["real", "zero_shot"]))


def test_known_effects_are_recovered():
    fit = mixed.fit_mixed(simulate(), n_resamples=300, confidence=0.95, rng=np.random.default_rng(0))
    found = fit.coefficients.set_index("term")
    assert found.loc["zero_shot x subjectivity", "low"] < -0.08 < found.loc["zero_shot x subjectivity", "high"] < 0
    assert found.loc["disagreement", "estimate"] == pytest.approx(-0.05, abs=0.02)
    assert found.loc["zero_shot x disagreement", "low"] < 0 < found.loc["zero_shot x disagreement", "high"]
    assert (found["task_low"] < found["estimate"]).all() and (found["estimate"] < found["task_high"]).all()
    said = mixed_words.say_interactions(fit.coefficients, "zero_shot", "zero-shot")
    assert said.startswith("One standard deviation more of task subjectivity costs a classifier trained on real ")
    first, second, _ = said.split("). ")
    assert "the gap widens by" in first and first.endswith("task bootstrap; both intervals exclude 0")
    assert second.startswith("Each dissenting voter costs a classifier trained on real text ")
    assert second.endswith("neither interval excludes 0")
    turned = fit.coefficients.assign(estimate=-fit.coefficients["estimate"])
    turned[["low", "high"]] = -fit.coefficients[["high", "low"]].to_numpy()
    turned[["task_low", "task_high"]] = -fit.coefficients[["task_high", "task_low"]].to_numpy()
    gained = fit.coefficients.assign(estimate=fit.coefficients["estimate"].abs())
    assert "changes the accuracy of a classifier trained on real text by +" in mixed_words.say_interactions(
        gained, "zero_shot", "zero-shot"
    )
    assert "the gap narrows by" in mixed_words.say_interactions(turned, "zero_shot", "zero-shot").split("). ")[0]
    brief = mixed_words.say_directions(fit.coefficients, "zero_shot", "zero-shot")
    assert "zero-shot text widens with the subjectivity of the task (both intervals exclude 0) and " in brief
    only = fit.coefficients.assign(task_low=-1.0, task_high=1.0)
    assert "(only the interval of the mixed model excludes 0)" in mixed_words.say_directions(
        only, "zero_shot", "zero-shot"
    )
    shown = mixed_words.format_coefficients(fit.coefficients, {"zero_shot": "zero-shot"}).set_index("effect")
    assert list(shown.index)[-1] == "zero-shot × dissent" and "real text, on average" in shown.index
    assert shown.loc["dissent", "points of accuracy"] == pytest.approx(-5, abs=2)
    assert fit.converged and set(fit.variances) == {"task", "source on a task", "text", "residual"}
    assert fit.variances["text"] == pytest.approx(0.01, abs=0.006)
    assert len(fit.effects) == 16 and len(fit.residuals) == 8 * 40 * 2


def test_permuting_the_scores_finds_an_effect_that_is_there_and_none_that_is_not():
    options = {"n_permutations": 500, "rng": np.random.default_rng(0)}
    there, absent = (mixed.permute_scores(simulate(slope=slope), **options) for slope in (-0.08, 0.0))
    assert there.index.tolist() == ["zero_shot"] and there["zero_shot"] < 0.02 and absent["zero_shot"] > 0.1
    rows = simulate(n_tasks=5)
    few = mixed.permute_scores(rows, n_permutations=2000, rng=np.random.default_rng(0))["zero_shot"]
    by_task = rows.pivot(index=["task", "key"], columns="source", values="right").groupby("task").mean()
    gap, score = (by_task["zero_shot"] - by_task["real"]).to_numpy(), rows.groupby("task")["subjectivity"].first()
    drawn = [np.polyfit(order, gap, 1)[0] for order in map(list, itertools.permutations(score))]  # all 120
    assert few == pytest.approx(np.mean(np.abs(drawn) >= abs(drawn[0]) * (1 - 1e-9)), abs=0.02)


def test_few_tasks_are_refused():
    with pytest.raises(ValueError, match=r"3 task.*at least 5"):
        mixed.fit_mixed(simulate(n_tasks=3), n_resamples=100, confidence=0.95, rng=np.random.default_rng(0))


def test_rows_are_shares_of_seeds_by_text_and_source():
    texts = pd.DataFrame({"key": ["a", "b"], "agreement": [1.0, 0.6], "gold": ["x", "y"]})
    rows = [
        {"source": source, "seed": seed, "key": key, "predicted": "x", "probabilities": [1.0, 0.0]}
        for source in ("real", "zero_shot")
        for seed in (0, 1)
        for key in ("a", "b")
    ]
    predictions = {task: pd.DataFrame(rows).assign(test_set="test") for task in ("one", "two")}
    sets = [TextSet(task, task, "panel", "test", texts, None) for task in predictions]
    scores = pd.Series({"one": -3.0, "two": 3.0, "other": 9.0})
    found = mixed.gather_rows(sets, predictions, scores, ["real", "zero_shot"])
    assert len(found) == 8 and found.groupby("key")["right"].mean().to_dict() == {"a": 1.0, "b": 0.0}
    assert found["disagreement"].abs().unique() == pytest.approx([1.0])
    assert found.groupby("task")["subjectivity"].first().to_list() == pytest.approx([-(0.5**0.5), 0.5**0.5])


def test_the_summary_of_interactions_is_that_of_the_model():
    rows = simulate(n_texts=100)
    options = {"n_resamples": 300, "confidence": 0.95, "rng": np.random.default_rng(0)}
    row, fit = mixed.summarise_interactions(rows, "zero_shot", **options), mixed.fit_mixed(rows, **options)
    found = fit.coefficients.set_index("term")
    for what in ("subjectivity", "disagreement"):
        middle = found.loc[f"zero_shot x {what}", ["task_low", "task_high"]].mean()
        assert row[what] == pytest.approx(middle) and row[f"{what}_low"] < row[what] < row[f"{what}_high"]
    of_zero_shot = rows[rows["source"] == "zero_shot"]
    assert row["own_disputed"] == pytest.approx(of_zero_shot.query("disagreement > 0")["right"].mean())
    assert row["subjectivity_p"] < 0.05
