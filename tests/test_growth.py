"""Scoring a corpus while it grows: the rule, rounds against a server on this machine, replayed corpora."""

import json

import numpy as np
import pandas as pd
import pytest
from loopback_llm import serve_llm
from made_up_texts import write_texts
from test_live import BRIEF, ask
from test_llm import KEY
from tiny_encoder import write_tiny_encoder

from synthlib import features, generate, growth, llm, paths
from synthlib.asking import ledger, progress
from synthlib.corpus import audits
from synthlib.params import Generate, check
from synthlib.plots.texts import plot_scoring
from synthlib.runner import profiles
from synthlib.scoring import Scoring
from synthlib.tasks import load_task, load_wording

TASK = load_task("sms_spam")
SMOKE = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
P = next(cell.params for cell in SMOKE if (cell.stage, cell.name) == ("generate", "sms_spam"))


def change(p=P, scored=(), **values):
    return check(Generate, p.model_dump() | {"scoring": p.scoring | dict(scored)} | values)


@pytest.fixture
def live(tmp_path, monkeypatch):
    """Parameters for texts asked for now, without the server's address; real texts are made up."""
    write_texts(tmp_path, "sms_spam", n_train=60, n_test=20)
    (tmp_path / "encoder").mkdir()
    monkeypatch.setenv("SYNTHLIB_DATA", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(paths, "CALLS", tmp_path / "calls")
    monkeypatch.setattr(features, "RESULTS", tmp_path / "results")
    return {"source": "folder", "encoder": write_tiny_encoder(tmp_path / "encoder"), "n_per_label": 10}


def asked(url, live, settings=("zero_shot",), **scored):
    from test_llm import SETTINGS

    values = live | {"backend": "openai", "llm": SETTINGS | {"base_url": url}, "settings": list(settings)}
    return change(scored={"every": 3, "patience": 1} | scored, **values)


def test_growth_is_flat_once_the_gain_is_surely_small():
    real = audits.load_real(P)
    scorer = object.__new__(growth.Scorer)
    scorer.settings, scorer.confidence = Scoring(**P.scoring | {"patience": 2, "min_gain": 0.01}), 0.95
    rising = [np.array([0.5, 0.52, 0.51]) + step for step in (0, 0.05, 0.1)]
    assert np.isnan(scorer.describe(rising[:2])["gain"]) and not scorer.describe(rising[:2])["flat"]
    line = scorer.describe(rising)
    assert line["gain"] == pytest.approx(0.1) and not line["flat"] and line["f1"] == pytest.approx(0.61)
    still = [rising[0], rising[1], rising[0] + 0.009]
    assert scorer.describe(still)["flat"]
    unsure = [rising[0], rising[1], rising[0] + [0.0, 0.05, -0.05]]
    assert scorer.describe(unsure)["gain"] == pytest.approx(0) and not scorer.describe(unsure)["flat"]
    assert set(real.rows["split"]) == {"train", "validation", "test"}


def test_scores_are_never_on_test_rows():
    rows, drawn = growth.pick_validation(audits.load_real(P), TASK, 1)
    assert not drawn and set(rows.rows["split"]) == {"validation"}
    news = load_task("ag_news")
    real = features.load("ag_news", "features", P.encoder)
    rows, drawn = growth.pick_validation(real, news, 1)
    assert drawn and set(rows.rows["split"]) == {"train"} and not rows.rows["pool"].any() and len(rows.rows) == 500
    again, _ = growth.pick_validation(real, news, 1)
    assert again.rows["key"].tolist() == rows.rows["key"].tolist()
    with pytest.raises(ValueError, match=r"of \['spam'\] there is none to spare"):
        sms = audits.load_real(P)
        growth.pick_validation(sms.where(sms.rows["label"] == "ham"), TASK, 1)


def test_a_flat_setting_is_asked_for_no_more_and_nothing_is_paid_twice(live, capsys):
    with serve_llm() as (url, witness):
        p = asked(url, live, ("zero_shot", "attributed"), min_gain=0.9)  # no gain is as high: flat at once
        corpus, counted = generate.make_corpus(TASK, p, wording=load_wording())
        assert len(witness.requests) == witness.paid.total() == 24 == len(corpus), "two rounds of 3 per label"
        again, recounted = generate.make_corpus(TASK, p, wording=load_wording())
        assert len(witness.requests) == 24 and again.equals(corpus)
        whole, _ = generate.make_corpus(TASK, asked(url, live, ("zero_shot",), stop=False), wording=load_wording())
        assert len(witness.requests) == 32 and len(whole) == 20
    curve = growth.find_curve(corpus, None, TASK, p)
    assert growth.find_curve(again, None, TASK, p).equals(curve)
    assert curve["n_per_label"].tolist() == [3, 6, 3, 6] and curve["rows"].tolist() == [6, 12, 6, 12]
    assert "cost unknown" in growth.describe_curve(curve, TASK, p)
    assert growth.find_stops(curve) == {"zero_shot": 6, "attributed": 6}
    assert counted["texts"].tolist() == [6] * 4 == counted["new"].tolist() and recounted["new"].sum() == 0
    assert [line["n_per_label"] for line in whole.attrs["curve"]] == [3, 6, 9, 10]
    lines = [json.loads(line) for line in progress.find_log("s", "sms_spam").read_text().splitlines()]
    scored = [line for line in lines if line["event"] == "scored"]
    assert len(scored) == 4 + 4 + 4 and scored[0]["gain"] is None and scored[3]["flat"]
    assert "sms_spam, zero_shot: Macro-F1" in capsys.readouterr().err


def test_a_run_that_is_scored_asks_what_one_without_scoring_would(live):
    with serve_llm() as (url, witness):
        corpus, _ = generate.make_corpus(TASK, asked(url, live, min_gain=-0.99), wording=load_wording())
        n = len(witness.requests)
        plain, _ = generate.make_corpus(TASK, change(asked(url, live), scoring={}), wording=load_wording())
    assert n == len(witness.requests) == 20 and plain.equals(corpus) and "curve" not in plain.attrs


def test_released_texts_show_where_the_rule_would_have_stopped_and_are_all_there():
    p = change(scored={"every": 10, "patience": 1, "min_gain": 0.9}, settings=["few_shot"], n_per_label=25)
    corpus, _ = generate.make_corpus(TASK, p, wording=load_wording())
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(corpus), 384)).astype(np.float32)
    made = features.FeatureTable(corpus, vectors, np.zeros((len(corpus), 1), dtype=np.uint8))
    curve = growth.find_curve(corpus, made, TASK, p)
    assert curve["n_per_label"].tolist() == [10, 20, 25] and len(corpus) == 50 and (curve["cost_usd"] == 0).all()
    assert growth.find_stops(curve) == {"few_shot": 20} and curve["f1"].between(0, 1).all()
    assert growth.find_curve(corpus, made, TASK, p).equals(curve)
    said = growth.describe_curve(curve, TASK, p)
    assert "231 real rows with their labels, the task's validation rows" in said.replace("\n", " ")
    assert "is below 90 in points of Macro-F1" in said and "USD" not in said and said.count("| few_shot |") == 3


def test_the_curve_is_drawn_against_cost_only_where_it_cost_money(project_style):
    rows = [(n, 2 * n, 0.01 * n, 0.5, 0.4, 0.6, 0.01, 0.0, 0.02, n == 50) for n in (25, 50, 75)]
    curve = pd.DataFrame([("few_shot", *row) for row in rows], columns=growth.COLUMNS)
    figure = plot_scoring(curve, confidence=0.95)
    assert [ax.get_xlabel() for ax in figure.axes] == ["texts per label", "cost (USD)"]
    line, ring = figure.axes[0].lines[:2]
    assert line.get_xdata().tolist() == [25, 50, 75] and line.get_ydata().tolist() == [50, 50, 50]
    assert ring.get_xdata().tolist() == [50], "flat for the first time"
    for cost in (0.0, float("nan")):
        assert len(plot_scoring(curve.assign(cost_usd=cost), confidence=0.95).axes) == 1
    said = growth.say_stops(curve, {"few_shot": "few-shot"})
    assert said == "few-shot is flat at 50 texts per label (50.0 points; 50.0 points at 75)"


def test_texts_that_teach_score_higher_than_noise():
    p = change(scored={"n_steps": 60, "hidden_units": 32}, n_per_label=200)
    real = audits.load_real(p)
    train = real.where((real.rows["split"] == "train").to_numpy())
    scorer = growth.Scorer(TASK, p)
    labels = train.rows["label"].tolist()
    noise = np.random.default_rng(0).permutation(train.features)
    parts = [np.arange(len(labels)), np.arange(0, len(labels), 2)]
    found = scorer.score(train.features, labels, parts)
    assert (
        found.shape == (2, len(scorer.seeds))
        and found[0].mean() > 0.75 > 0.6 > scorer.score(noise, labels, parts).mean()
    )
    assert scorer.score(train.features, labels, parts[1:])[0] == pytest.approx(found[1])  # whatever else is scored


def test_a_task_without_real_rows_cannot_be_scored(monkeypatch, tmp_path):
    monkeypatch.setattr(features, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"scoring needs real rows of 'sms_spam'.*scoring to \{\}"):
        growth.Scorer(TASK, P)


@pytest.mark.parametrize(
    ("scored", "message"), [({"n_seeds": 1}, "n_seeds"), ({"every": 0}, "every"), ({"k": 1}, "k: Extra")]
)
def test_bad_scoring_is_refused(scored, message):
    with pytest.raises(ValueError, match=message):
        change(scored=scored)


def test_ledgers_of_rounds_are_combined(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CALLS", tmp_path)
    with serve_llm() as (url, _):
        rounds = [ask(url, n_per_label=n)[1] for n in (2, 5)]
        _, whole = ask(url, n_per_label=5, store="t")
    combined = ledger.combine(rounds)
    columns = ["setting", "label", "texts", "missing", "answers", "new"]
    pd.testing.assert_frame_equal(combined[columns], whole[columns])
    assert BRIEF.task.label_names == combined["label"].tolist()
