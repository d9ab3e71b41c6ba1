"""A report on a task of one's own: predictions, where it lies, and the way from a study's design to the page."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from made_up_texts import write_texts
from scipy import stats

from synthlib import params, paths
from synthlib.cli import main
from synthlib.crowd import simulate
from synthlib.crowd.study import read_key, read_study
from synthlib.reporting import expectation, report, report_words
from synthlib.votes import voters

NAME = "complaint_severity"
OTHERS = ["sms_spam", "ag_news", "imdb", "humor", "tweet_irony"]


def make_gaps(n, rng, *, slope):
    """Return made-up gaps of one pair of sources and scores of n tasks."""
    tasks = [f"t{i}" for i in range(n)]
    scores = pd.Series(rng.normal(0, 3, n), index=tasks)
    gap = 0.1 + slope * scores.to_numpy() + rng.normal(0, 0.05, n)
    return pd.DataFrame({"task": tasks, "first": "real", "second": "zero_shot", "gap": gap}), scores


def place(score, low=np.nan, high=np.nan):
    return pd.DataFrame([{"place": "mine", "score": score, "score_low": low, "score_high": high}])


def test_the_line_and_its_interval_are_those_of_statsmodels():
    from statsmodels.regression.linear_model import OLS

    rng = np.random.default_rng(3)
    x, y = rng.normal(size=10), rng.normal(size=10)
    fit = OLS(y, np.column_stack([np.ones(10), x])).fit()
    frame = fit.get_prediction([[1, 0.7]]).summary_frame(alpha=0.1).iloc[0]
    wanted = [frame["mean"], frame["obs_ci_lower"], frame["obs_ci_upper"]]
    assert np.allclose(expectation.predict_line(x, y, 0.7, confidence=0.9), wanted)


def test_one_more_task_lies_in_the_interval_as_often_as_promised():
    rng, held = np.random.default_rng(4), np.zeros((1000, 2), dtype=bool)
    for number in range(len(held)):
        x = rng.normal(0, 3, 11)
        y = 0.1 + rng.normal(0, 0.05, 11)
        for which, found in enumerate(
            (
                expectation.predict_line(x[1:], y[1:], x[0], confidence=0.8),
                expectation.predict_mean(y[1:], confidence=0.8),
            )
        ):
            held[number, which] = found[1] <= y[0] <= found[2]
    for hits in held.sum(axis=0):
        assert stats.binomtest(int(hits), len(held), 0.8).pvalue > 0.001, hits


def test_a_score_that_is_not_sure_widens_the_interval_and_few_tasks_give_none():
    gaps, scores = make_gaps(8, np.random.default_rng(5), slope=0.03)
    sure = expectation.expect_gaps(gaps, scores, place(1.0), confidence=0.9).iloc[1]
    unsure = expectation.expect_gaps(gaps, scores, place(1.0, -1.0, 3.0), confidence=0.9).iloc[1]
    assert unsure.gap == sure.gap and unsure.gap_low < sure.gap_low and unsure.gap_high > sure.gap_high
    assert expectation.expect_gaps(gaps.head(4), scores, place(1.0), confidence=0.9).empty
    assert expectation.summarise_checks(expectation.leave_each_out(gaps.head(4), scores, confidence=0.9)).empty


@pytest.mark.parametrize(("slope", "helped"), [(0.2, "helped much"), (0.0, "did not help")])
def test_what_subjectivity_tells_is_judged_on_tasks_left_out(slope, helped):
    gaps, scores = make_gaps(10, np.random.default_rng(6), slope=slope)
    checks = expectation.leave_each_out(gaps, scores, confidence=0.95)
    rest = gaps["task"] != "t0"
    assert checks["mean"][0] == pytest.approx(gaps.loc[rest, "gap"].mean())
    row = expectation.summarise_checks(checks).iloc[0]
    assert (row.line_error < row.mean_error) == (row.skill > 0)
    assert f"the subjectivity score {helped}." in report_words.say_skill(row)


def test_gaps_at_equal_size_are_made_of_those_that_are_there():
    rows = [("real", "zero_shot", 0.3), ("real", "few_shot", 0.1), ("real", "real_matched", 0.04)]
    gaps = expectation.collect_gaps(
        pd.DataFrame([("t", *row) for row in rows], columns=["task", "first", "second", "f1"])
    )
    found = gaps.set_index(["first", "second"])["gap"].round(6).to_dict()
    assert found["real_matched", "few_shot"] == 0.06 and found["real_matched", "zero_shot"] == 0.26 and len(found) == 4


def test_how_few_real_texts_do_as_well():
    sizes, real, synthetic = [10, 50, 200], [0.5, 0.7, 0.9], [0.4, 0.6, 0.65]
    rows = [
        ("learning", "t", s, n, f)
        for s, fs in (("real", real), ("zero_shot", synthetic))
        for n, f in zip(sizes, fs, strict=True)
    ]
    rows += [("learning", "u", "real", 10, 0.1), ("learning", "u", "zero_shot", 10, 0.2)]
    rows += [("mixing", "t", "real", 10, 0.5), ("mixing", "t", "real+synthetic", 10, 0.55)]
    curves = pd.DataFrame(rows, columns=["experiment", "task", "source", "n_per_label", "f1"])
    needed = expectation.count_real_needed(curves)
    assert needed["n_real"].fillna(0).tolist() == [50, 0] and needed["n_synthetic"].tolist() == [200, 10]
    said = report_words.say_needed(needed, "zero_shot", n_labels=3)
    assert "50 real texts per label were enough on 1 of 2 tasks, no number tried on 1. " in said
    assert "enough, 50, makes 150 texts for your 3 labels." in said
    mixed = expectation.measure_mixing(curves, confidence=0.95)
    assert (
        mixed["gain"].round(6).tolist() == [0.05] and "by +5.0 points on average" in report_words.say_mixing(mixed)[0]
    )
    more = pd.DataFrame([("mixing", "u", s, 10, f) for s, f in (("real", 0.4), ("real+synthetic", 0.41))])
    mixed = expectation.measure_mixing(pd.concat([curves, more.set_axis(curves.columns, axis=1)]), confidence=0.95)
    assert mixed.loc[0, ["gain", "gain_low"]].round(3).tolist() == [0.03, -0.224]  # 0.03 - 12.706 * 0.02
    fewer = curves.assign(f1=curves["f1"].where(curves["experiment"] != "mixing", 0.99))  # 10 real texts, mixing's
    assert expectation.count_real_needed(fewer)["n_real"].iloc[0] == 10
    assert expectation.count_real_needed(curves[:0]).empty
    assert report_words.say_mixing(expectation.measure_mixing(curves[:0], confidence=0.95)) == []


def test_what_a_task_may_expect_is_a_row_per_pair_of_sources():
    gaps, scores = make_gaps(8, np.random.default_rng(5), slope=0.03)
    places = pd.concat([place(1.0), place(-2.0).assign(place="least"), place(3.0).assign(place="most")])
    expected = expectation.expect_gaps(gaps, scores, places, confidence=0.9)
    measured = pd.DataFrame({"first": ["real"], "second": ["zero_shot"], "gap": [-0.0004]})
    assert expectation.find_range(gaps[gaps["task"] != "t0"], scores) == (scores[1:].min(), scores[1:].max())
    shown = report_words.tabulate_expected(expected, measured, "mine").iloc[0]
    assert shown["gap"] == "All real text minus zero-shot" and shown["in this run"] == "0.0"
    assert re.fullmatch(r"\+\d+\.\d \(.* to \+\d+\.\d\)", shown["most subjective"])
    unknown = report_words.tabulate_expected(expected, measured[:0], "not known")
    assert list(unknown) == ["gap", "a further task", "least subjective", "most subjective"]
    assert shown["without score"] == unknown["a further task"].iloc[0]


def test_the_example_is_said_to_be_one_and_needs_its_task():
    values = {"my_task": "humor", "votes": "", "example": "csc_sarcasm", "tasks": ["humor"], "min_pairs": 1}
    values |= {"regularisation": 0.01, "n_resamples": 100, "confidence": 0.9, "seed": 1, "inputs": {}, "output": ""}
    with pytest.raises(ValueError, match="my_task must be 'tweet_irony', not 'humor'"):
        params.check(params.Report, values)
    own = report.load_own("tweet_irony", "", example="csc_sarcasm", tasks=["humor"])
    assert own.example == "CSC" and own.judges == "people" and own.pairs is None
    assert report.rank_own(own, min_pairs=1, regularisation=0.01, **shape()).empty


def shape():
    return {"n_resamples": 100, "confidence": 0.9, "rng": np.random.default_rng(1)}


@pytest.fixture
def own_task(tmp_path, monkeypatch):
    """Make the example of the guide a task of one's own, with made-up texts."""
    monkeypatch.setenv("SYNTHLIB_TASKS", str(paths.ROOT / "docs" / "new_task"))
    monkeypatch.setenv("SYNTHLIB_DATA", str(tmp_path))
    write_texts(tmp_path, NAME, n_train=4, n_test=12)
    return tmp_path


def ask(folder, kind, *words):
    """Design a study by command, answer it with simulated workers, and collect the votes by command."""
    study_folder, answers = folder / kind, folder / f"answers_{kind}"
    assert main(["crowd", "design", kind, str(study_folder), *words]) == 0
    study = read_study(study_folder)
    key = read_key(study_folder, study)
    rng, slots = np.random.default_rng(2), list(range(1, len(study.slots) + 1))
    scores = simulate.spread_scores([*OTHERS[:2], NAME, *OTHERS[2:]], spread=2.0)
    crowd = simulate.Crowd(scores, 1.0, 0.75, 0.1, 0.0)
    truth = {item: text.split("-")[1] for item, text in key.keys.items()}
    answers.mkdir()
    for sitting in simulate.simulate_sittings(study, key, crowd, slots=slots, truth=truth, rng=rng):
        (answers / f"{sitting['slot']}.json").write_text(json.dumps(sitting))
    collected = ["crowd", "collect", str(study_folder), str(answers), "--votes", str(folder / "votes")]
    assert main([*collected, "--exclude", "failed_check", "too_fast"]) == 0


@pytest.mark.last
def test_from_a_design_to_the_page(own_task, capsys):
    ask(own_task, "instances", "--tasks", NAME, "--per-label", "10", "--per-worker", "10", "--min-votes", "4")
    ask(own_task, "pairs", "--tasks", NAME, *OTHERS, "--workers", "12")
    page = own_task / "mine.html"
    assert main(["report", "--votes", str(own_task / "votes"), "--output", str(page)]) == 0
    assert str(page) in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    tables = {name: pd.read_parquet(own_task / "mine" / f"{name}.parquet") for name in ("places", "ranked", "expected")}
    mine, ranked = tables["places"].iloc[0], tables["ranked"].set_index("task").loc[NAME]
    assert f"Krippendorff's alpha is {mine.alpha:.2f} ({mine.alpha_low:.2f} to {mine.alpha_high:.2f})" in unescape(text)
    assert f"has a score of {ranked.score:+.2f} ({ranked.score_low:+.2f} to {ranked.score_high:+.2f})" in text
    assert 'alt="Agreement on single texts' in text
    row = tables["expected"].query("place == 'mine'").iloc[0]
    assert row.n_tasks == len(OTHERS) and f"{100 * row.gap:.1f} points ({100 * row.gap_low:.1f} to" in text
    assert f"The interval is {100 * (row.gap_high - row.gap_low):.0f} points wide" in text
    assert "simulated workers, not people" in text and "Complaint severity: how subjective is it" in text
    assert "import pandas" not in text and text.count("data:image/png;base64") == 2 and "Reads" not in text
    assert text.index("What we learned") < text.index("Whose votes are these?")
    assert not re.search(r"(src|href)=\"(?!data:|#)", text), "the page needs another file"


def unescape(text):
    return text.replace("&#39;", "'")


def write_votes(folder, rows, *, by="people", head="task,key,annotator,label"):
    folder.mkdir()
    (folder / voters.INSTANCES).write_text("\n".join([head, *rows]) + "\n")
    (folder / voters.ABOUT).write_text(json.dumps({"votes_by": by}))
    return folder


@pytest.mark.parametrize(
    ("rows", "words", "message"),
    [
        (["humor,k1,a,humor", "humor,k1,b,nope"], [], r"unknown label\(s\) \['nope'\].*line\(s\): 3"),
        (["humor,k1,a,humor", "imdb,k1,b,positive"], [], "votes on humor, imdb; say which .* --task"),
        (["humor,k1,a,humor"], ["--task", "imdb"], "no votes on task 'imdb': instances.csv is on humor"),
        (["humor,k1,a,humor"], ["--output", "x.pdf"], "x.pdf must end in .html"),
    ],
)
def test_bad_input_is_told_before_anything_runs(tmp_path, capsys, rows, words, message):
    folder = write_votes(tmp_path / "votes", rows)
    assert main(["report", "--votes", str(folder), "--output", str(tmp_path / "r.html"), *words]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "r").exists()
