"""Frozen beside fine-tuned: paired on the same texts; changed conclusions are named; nothing released is no error."""

import numpy as np
import pandas as pd
import pytest

from synthlib import compare, fine_tuned, metrics, params, paths
from synthlib.metrics import macro_f1
from synthlib.plots import comparison, gamma, training
from synthlib.reporting import fine_tuned_words
from synthlib.runner import keys, profiles
from synthlib.tasks import load_tasks

TASKS = load_tasks(["imdb", "tweet_irony"])
PROFILES = ("companion", "finetuned")
RIGHT = {"real": 0.9, "zero_shot": 0.6, "few_shot": 0.6}


def make_predictions(task, right, *, n=150, n_seeds=3, seed=0):
    """Return predictions of texts k0, k1, ...; ``right`` is the share told right by source."""
    labels, rng = np.array(TASKS[task].label_names), np.random.default_rng(seed)
    frames = []
    for source, share in right.items():
        for number in range(n_seeds):
            gold = np.arange(n) % 2
            said = np.where(rng.random(n) < share, gold, 1 - gold)
            rows = {"key": [f"k{i}" for i in range(n)], "label": labels[gold], "predicted": labels[said]}
            frames.append(pd.DataFrame(rows).assign(source=source, seed=number, test_set="test", n_train=9))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def released(tmp_path):
    """Write released tables of one task and return their folder; few-shot text is better fine-tuned."""
    folder = tmp_path / "imdb"
    folder.mkdir()
    tuned = make_predictions("imdb", RIGHT | {"few_shot": 0.8}, n_seeds=2, seed=1).assign(classifier="fine_tuned")
    raw = tuned.assign(test_set="tweet_irony_raw", key="raw-" + tuned["key"])
    pd.concat([tuned, raw]).to_parquet(folder / "predictions.parquet")
    rest = [
        make_predictions("imdb", {"real": 0.7}, seed=s).assign(classifier=c) for s, c in ((2, "tfidf"), (3, "majority"))
    ]
    pd.concat(rest).to_parquet(folder / "baselines.parquet")
    return tmp_path


@pytest.fixture
def scores(released):
    frozen = {task: make_predictions(task, RIGHT) for task in TASKS}
    found = fine_tuned.read_released(list(TASKS), released)
    return fine_tuned.score_kinds(frozen, found, TASKS, n_resamples=300, seed=0)


def test_every_kind_is_resampled_as_its_task_is_elsewhere(scores):
    frozen = make_predictions("imdb", RIGHT)
    alone = compare.score_predictions(
        frozen, TASKS["imdb"].label_names, n_resamples=300, rng=metrics.rng_of_task(0, "imdb")
    )
    np.testing.assert_array_equal(scores["imdb"]["frozen"]["real"].f1_draws, alone["real"].f1_draws)
    assert metrics.rng_of_task(0, "imdb").random() != metrics.rng_of_task(0, "humor").random()


def test_tasks_without_released_results_are_left_out(released, tmp_path):
    assert list(fine_tuned.read_released(list(TASKS), released)) == ["imdb"]
    assert fine_tuned.read_released(list(TASKS), tmp_path / "nothing") == {}
    (released / "imdb" / "baselines.parquet").unlink()
    assert set(fine_tuned.read_released(["imdb"], released)["imdb"]["classifier"]) == {"fine_tuned"}


def test_tables_without_the_kind_of_classifier_are_refused(released):
    make_predictions("imdb", RIGHT).to_parquet(released / "imdb" / "predictions.parquet")
    with pytest.raises(ValueError, match="has no column 'classifier'"):
        fine_tuned.read_released(["imdb"], released)


def test_the_kind_of_a_run_is_frozen_unless_its_tables_say_otherwise():
    plain = make_predictions("imdb", RIGHT, n=4)
    assert fine_tuned.find_kind({"imdb": plain}) == "frozen"
    assert fine_tuned.find_kind({"imdb": plain.assign(classifier="fine_tuned")}) == "fine_tuned"
    with pytest.raises(ValueError, match=r"several kinds: \['fine_tuned', 'frozen'\]"):
        fine_tuned.find_kind({"imdb": plain, "humor": plain.assign(classifier="fine_tuned")})


def test_scores_are_macro_f1_on_the_test_texts_all_kinds_predict(released, scores):
    assert list(scores) == ["imdb"] and list(scores["imdb"]) == ["frozen", "fine_tuned", "tfidf", "majority"]
    frame = make_predictions("imdb", RIGHT)
    frame = frame[frame["source"] == "zero_shot"]
    number = {label: i for i, label in enumerate(TASKS["imdb"].label_names)}
    by_seed = [
        macro_f1(rows["label"].map(number).to_numpy(), rows["predicted"].map(number).to_numpy(), n_labels=2)
        for _, rows in frame.groupby("seed")
    ]
    assert scores["imdb"]["frozen"]["zero_shot"].f1 == pytest.approx(np.mean(by_seed))


def test_gains_are_paired_and_averaged(scores):
    gains = fine_tuned.measure_gains(scores, confidence=0.95).set_index(["task", "source"])
    row = gains.loc[("imdb", "few_shot")]
    of = scores["imdb"]
    assert row["f1"] == pytest.approx(of["fine_tuned"]["few_shot"].f1 - of["frozen"]["few_shot"].f1)
    assert row["f1_low"] > 0 and gains.loc[("all", "few_shot"), "f1"] == pytest.approx(row["f1"])
    low, high = gains.loc[("imdb", "real"), ["f1_low", "f1_high"]]
    assert low < 0 < high


def test_differences_are_averaged_under_each_encoder(scores):
    averages = fine_tuned.average_conclusions(scores, confidence=0.95).set_index(["classifier", "first", "second"])
    of = scores["imdb"]["fine_tuned"]
    row = averages.loc[("fine_tuned", "few_shot", "zero_shot")]
    assert row["f1"] == pytest.approx(of["few_shot"].f1 - of["zero_shot"].f1) and row["f1_low"] > 0
    assert averages.loc[("frozen", "few_shot", "zero_shot"), "f1_low"] < 0


def test_a_gap_that_moves_is_told_from_one_that_stays(scores):
    moved = {kind: make_scores({"real": 0.9, "zero_shot": f1}) for kind, f1 in (("frozen", 0.5), ("fine_tuned", 0.7))}
    changes = fine_tuned.compare_gaps({"humor": moved, "imdb": scores["imdb"]}, confidence=0.95)
    assert changes["second"].tolist() == [
        "zero_shot",
        "zero_shot",
        "few_shot",
        "zero_shot",
    ]  # humor has no few-shot text
    changes = changes[(changes["first"] == "real") & (changes["second"] == "zero_shot")].set_index("task")
    assert changes["sure"].to_dict() == {"humor": True, "imdb": False}
    assert changes.loc["humor", "f1"] == pytest.approx(-0.2) and changes.loc["humor", "f1_high"] < -0.1
    gaps = [scores["imdb"][kind]["real"].f1 - scores["imdb"][kind]["zero_shot"].f1 for kind in ("frozen", "fine_tuned")]
    assert changes.loc["imdb", "f1"] == pytest.approx(gaps[1] - gaps[0])


def test_a_source_that_one_kind_lacks_is_not_averaged(scores):
    means = fine_tuned.tabulate_kinds(scores)
    assert means.index.tolist() == ["real"]
    assert means.columns.tolist() == ["frozen", "fine_tuned", "tfidf", "majority"]
    assert means.loc["real", "frozen"] == pytest.approx(100 * scores["imdb"]["frozen"]["real"].f1)


@pytest.mark.usefixtures("project_style")
def test_a_conclusion_that_changes_is_named(scores):
    conclusions = fine_tuned.compare_conclusions(scores, TASKS, confidence=0.95)
    changes = conclusions.set_index(["first", "second"])["change"]
    assert changes["real", "zero_shot"] == "firm under both"
    assert changes["few_shot", "zero_shot"] == "firm only fine-tuned"
    table = fine_tuned_words.tabulate_changes(conclusions)
    assert table.loc[("real", "zero-shot"), "firm under both, same sign"] == 1
    assert table.loc[("few-shot", "zero-shot"), "firm only fine-tuned"] == 1 and table.to_numpy().sum() == len(changes)
    said = fine_tuned_words.say_changes(conclusions)
    assert " are firm with the same sign under both encoders, 0 firm with opposite signs, 1 firm under one only" in said
    relation = pd.DataFrame({"first": "real", "second": "zero_shot", "classifier": ["frozen", "fine_tuned"]})
    relation = relation.assign(rho=[0.5, 0.4], rho_low=-0.1, rho_high=0.9, rho_p=0.2)
    relation = relation.assign(group_difference=[0.05, 0.13], group_p_permutation=[0.3, 0.06])
    said = fine_tuned_words.say_relations(relation)
    assert "0.50 (-0.10 to 0.90, permutation p = 0.20) frozen and 0.40" in said
    assert (
        "wider by 5.0 points (permutation p = 0.30) frozen and by 13.0 points (permutation p = 0.06) fine-tuned."
        in said
    )
    assert "undefined" in fine_tuned_words.say_relations(relation.assign(rho=np.nan))
    figure = comparison.plot_fine_tuned(conclusions, [("real", "zero_shot"), ("real_matched", "zero_shot")])
    assert [len(line.get_xdata()) for line in figure.axes[0].lines[:2]] == [1, 1]


def test_a_reversal_is_told_from_a_loss():
    labels = fine_tuned.compare_conclusions(
        {
            "imdb": {
                "frozen": make_scores({"real": 0.9, "zero_shot": 0.5, "few_shot": 0.7}),
                "fine_tuned": make_scores({"real": 0.5, "zero_shot": 0.9, "few_shot": 0.9}),
            }
        },
        TASKS,
        confidence=0.95,
    ).set_index(["first", "second"])["change"]
    assert labels["real", "zero_shot"] == "reversed" and labels["few_shot", "zero_shot"] == "firm only frozen"


def make_scores(f1_by_source):
    rng = np.random.default_rng(0)
    return {
        source: fine_tuned.Scores(f1, f1, f1 + 0.01 * rng.normal(size=300), f1 + 0.01 * rng.normal(size=300))
        for source, f1 in f1_by_source.items()
    }


def test_other_texts_or_missing_predictions_are_refused(released):
    found = fine_tuned.read_released(["imdb"], released)
    frozen = make_predictions("imdb", RIGHT)
    with pytest.raises(ValueError, match="no test text in common"):
        other = {"imdb": frozen.assign(key="x" + frozen["key"])}
        fine_tuned.score_kinds(other, found, TASKS, n_resamples=100, seed=0)
    with pytest.raises(ValueError, match="imdb, frozen: not every source and seed"):
        gap = {"imdb": frozen.drop(index=0)}
        keep = {"imdb": found["imdb"]}
        fine_tuned.score_kinds(gap, keep, TASKS, n_resamples=100, seed=0)


@pytest.mark.usefixtures("project_style")
def test_one_task_has_a_row_a_kind_and_source_with_its_interval(scores):
    by_kind = fine_tuned.tabulate_task(scores["imdb"], confidence=0.95).set_index(["classifier", "source"])
    assert len(by_kind) == 8  # three sources under two encoders, one under each baseline
    assert by_kind.loc[("fine_tuned", "few_shot"), "f1"] == scores["imdb"]["fine_tuned"]["few_shot"].f1
    assert (by_kind["f1_low"] < by_kind["f1"]).all() and (by_kind["f1"] < by_kind["f1_high"]).all()
    figure = training.plot_kinds(by_kind.reset_index())
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["frozen encoder", "fine-tuned"]
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [3, 3, 1, 1]


def test_a_history_that_was_not_watched_is_none(tmp_path):
    assert fine_tuned.read_history("imdb", tmp_path) is None
    (tmp_path / "imdb").mkdir()
    history = pd.DataFrame({"run": [0, 0], "step": [0, 1], "loss": [0.7, 0.6]})
    history.to_parquet(tmp_path / "imdb" / "history.parquet")
    assert fine_tuned.read_history("imdb", tmp_path) is None
    history.assign(watched_f1=[np.nan, 0.5]).to_parquet(tmp_path / "imdb" / "history.parquet")
    assert fine_tuned.read_history("imdb", tmp_path)["watched_f1"].max() == 0.5


@pytest.mark.usefixtures("project_style")
def test_trends_are_stacked_on_the_sets_that_both_kinds_saw():
    sets = pd.DataFrame(
        {"title": ["Film", "Film", "Jokes"], "votes_of": "panel", "source": ["real", "zero_shot", "zero_shot"]}
    )
    ends = {"balanced_slope_low": [0.0, 0.1, 0.1], "balanced_slope_high": 0.9}
    slopes = sets.assign(balanced_slope=[0.1, 0.2, 0.3], **ends)
    doubt = sets.assign(auc=[0.7, np.nan, 0.8], auc_low=[0.6, np.nan, 0.7], auc_high=0.9)
    tuned = sets["title"] == "Film"
    trends = fine_tuned.stack_trends(
        {"frozen": slopes, "fine_tuned": slopes[tuned].assign(balanced_slope_low=-0.1)},
        {"frozen": doubt, "fine_tuned": doubt[tuned]},
    )
    assert len(trends) == 8 and set(trends["title"]) == {"Film"}
    said = fine_tuned_words.say_trends(trends, "zero_shot")
    assert "above 0 on 1 of 1 sets with the frozen encoder and on 0 of 1 sets with the fine-tuned encoder; " in said
    assert "above 0.5 on 0 of 0 sets with the frozen encoder and on 0 of 0 sets with the fine-tuned" in said
    figure = gamma.kinds_of_classifiers(trends)
    assert [ax.get_title().strip() for ax in figure.axes] == ["trained on real", "trained on zero-shot"] * 2


def test_released_results_are_part_of_the_key_once_they_are_there(tmp_path, monkeypatch):
    cells = {name: profiles.expand(profiles.load_profile(paths.PARAMS / f"{name}.yaml")) for name in PROFILES}
    monkeypatch.setattr(paths, "DATA", tmp_path)
    comparison, frozen, tuned = (
        next(cell.params for cell in cells[name] if cell.stage == stage)
        for name, stage in (("companion", "task_comparison"), ("companion", "train"), ("finetuned", "train"))
    )
    assert keys.data_folders(params.STAGES["task_comparison"], comparison) == []
    for task in ("imdb", "humor"):
        (tmp_path / "results" / "finetuned" / "train" / task).mkdir(parents=True)
        (tmp_path / "results" / "finetuned" / "train" / task / "predictions.parquet").write_text(task)
    assert keys.data_folders(params.STAGES["task_comparison"], comparison) == ["results/finetuned/train"]
    train = params.STAGES["train"]
    assert keys.data_folders(train, frozen) == ["features", "results/finetuned/train"]
    assert keys.data_folders(train, tuned) == ["features"]  # else every release would call for another run
    files = keys.data_files(["results/finetuned/train"], ["imdb"])
    assert [name for name in files if name.startswith("data/")] == [
        "data/results/finetuned/train/imdb/predictions.parquet"
    ]
