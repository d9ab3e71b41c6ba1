"""Studies: coverage and balance, what instruments may see, what the calculator says."""

import json
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
from crowd_studies import TASKS, make_instances, make_pairs

from synthlib import ranking
from synthlib.crowd import design, form, labelstudio, mturk, power, simulate
from synthlib.crowd import study as design_files
from synthlib.crowd.study import read_key, read_study
from synthlib.crowd.write import write_instruments
from synthlib.plots import crowd as plots_of_crowd
from synthlib.tasks import task_names


def test_the_original_design_gives_every_pair_twelve_votes_and_every_side_half():
    shape = {"per_worker": 10, "min_votes": 12, "n_workers": 54, "n_checks": 1, "seed": 1}
    study, key = design.design_pairs(list(task_names()), source="features", **shape)
    rows = design.tabulate_assignments(study, key)
    asked = rows[rows["kind"] == "item"]
    assert len(asked) == 540 and (asked.groupby("item").size() == 12).all()
    assert (asked.groupby("item")["swapped"].sum() == 6).all()
    assert (rows[rows["kind"] == "check"].groupby("slot").size() == 1).all() and rows["slot"].nunique() == 54
    assert rows.loc[rows["kind"] == "check", "position"].min() > 1
    balance = design.measure_balance(rows).set_index("measure")
    assert balance.loc["votes per task", ["least", "most"]].tolist() == [108, 108]


@pytest.mark.parametrize(("n_items", "per_worker"), [(45, 10), (7, 7), (10, 3), (1, 1), (11, 8)])
def test_hands_hold_no_item_twice_and_stay_balanced_at_every_moment(n_items, per_worker):
    hands = design.deal(n_items, n_workers=40, per_worker=per_worker, rng=np.random.default_rng(n_items))
    counts = np.zeros(n_items, dtype=int)
    for hand in hands:
        assert len(set(hand.tolist())) == per_worker
        counts[hand] += 1
        assert np.ptp(counts) <= 1


def test_equal_seeds_give_equal_studies_and_others_do_not():
    assert make_pairs()[0] == make_pairs()[0]
    assert make_pairs()[0].study != make_pairs(seed=8)[0].study


def test_instances_cover_every_label_and_text():
    study, key = make_instances()
    rows = design.tabulate_assignments(study, key)
    asked = rows[rows["kind"] == "item"]
    assert asked["key"].nunique() == 8 and (asked.groupby("key").size() >= 3).all()
    assert sorted(set(key.checks.values())) == ["humor", "non_humor"]
    assert not rows.loc[rows["kind"] == "check", "key"].any()


@pytest.mark.parametrize(
    ("make", "changes", "said"),
    [
        (make_pairs, {"n_workers": 2}, "3 workers can"),
        (make_pairs, {"per_worker": 7}, "cannot see more than 6"),
        (make_pairs, {"n_checks": 0}, "1 to 2"),
        (make_instances, {"n_per_label": 10_000, "n_workers": 9_999}, "test texts of label"),
        (make_instances, {"n_workers": 1}, "3 workers can"),
    ],
)
def test_what_cannot_be_designed_is_refused(make, changes, said):
    with pytest.raises(ValueError, match=said):
        make(**changes)


def test_nothing_that_workers_get_tells_checks_or_keys(tmp_path):
    for make in (make_pairs, make_instances):
        study, key = make()
        folder = tmp_path / study.kind
        paths = write_instruments(study, key, folder)
        assert {path.name for path in paths} >= {"study.json", "form.html", "config.xml", "batch.csv", "key.json"}
        public = "".join(p.read_text() for p in folder.rglob("*") if p.is_file() and p.parent.name != "private")
        assert '"checks"' not in public and '"check"' not in public and "check_passed" not in public
        assert not any(text in public for text in key.keys.values())
        assert read_study(folder) == study and read_key(folder, study) == key
    with pytest.raises(ValueError, match="is the key of instances"):
        read_key(folder, make_pairs()[0])


def test_git_leaves_out_what_is_private(tmp_path):
    write_instruments(*make_instances(), tmp_path / "study")
    (tmp_path / "study" / "private" / "salt").touch()
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    added = subprocess.run(["git", "-C", tmp_path, "ls-files"], check=True, capture_output=True, text=True).stdout
    assert "study/study.json" in added and "private" not in added


def test_a_study_in_the_repository_root_is_found_from_a_folder_of_it(tmp_path, monkeypatch):
    study, key = make_instances()
    write_instruments(study, key, tmp_path / "my_study")
    monkeypatch.setattr(design_files, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert read_study("my_study") == study
    with pytest.raises(FileNotFoundError, match=r"^no_study does not exist"):
        read_study("no_study")


@pytest.mark.parametrize("left", ["study.json", "private/key.json"])
def test_a_study_is_never_written_over_another_one(tmp_path, left):
    study, key = make_instances()
    write_instruments(study, key, tmp_path)
    write_instruments(*make_instances(), tmp_path)  # the very same design again
    next(path for path in (tmp_path / "study.json", tmp_path / "private/key.json") if path != tmp_path / left).unlink()
    before = (tmp_path / left).read_text()
    with pytest.raises(ValueError, match=f"is of the study {study.study}; write instances-.* to another folder"):
        write_instruments(*make_instances(seed=8), tmp_path)
    assert (tmp_path / left).read_text() == before


@pytest.mark.parametrize("make", [make_pairs, make_instances])
def test_a_batch_fills_every_gap_of_the_layout(make):
    study, _ = make()
    layout, batch = mturk.make_layout(study), mturk.make_batch(study)
    gaps = set(re.findall(r"\$\{(\w+)\}", layout))
    assert gaps and gaps <= set(batch.columns) and len(batch) == len(study.slots)
    assert {"study", "slot", "item_1"} <= set(batch.columns) and not batch.isna().any(axis=None)
    assert layout.count("<fieldset>") == len(study.slots[0]) and "{{" not in layout


def test_texts_cannot_break_out_of_any_instrument():
    study, _ = make_instances()
    evil = '</script><script>alert(1)</script><!-- " & ${slot}'
    study = study.model_copy(update={"items": [i.model_copy(update={"text": evil}) for i in study.items]})
    page = form.render_form(study)
    assert "alert(1)</script>" not in page and page.count("</script>") == 2
    content = page.split('id="study">')[1].split("</script>")[0]
    assert json.loads(content)["items"][0]["text"] == evil
    assert "<script>" not in mturk.make_batch(study).to_csv()
    assert labelstudio.make_tasks(study)[0]["data"]["text"] == evil  # Text tags show it as text


def test_wider_crowds_give_narrower_intervals_and_better_ranks():
    shape = {"per_worker": 6, "noise": 1.0, "spammer_share": 0.1, "regularisation": 0.01, "n_simulations": 100}
    rng = np.random.default_rng(1)
    widths = power.simulate_pairs(np.array([-1.5, -0.5, 0.5, 1.5]), n_workers=[5, 80], **shape, confidence=0.9, rng=rng)
    few, many = (widths[widths["n_workers"] == n].set_index("measure") for n in (5, 80))
    assert many.loc["score_width", "value_high"] < few.loc["score_width", "value_low"]
    assert many.loc["rank_correlation", "value"] > few.loc["rank_correlation", "value"]
    settings = {"agreement_mean": 0.8, "agreement_spread": 0.1, "spammer_share": 0.0, "n_simulations": 100}
    texts = power.simulate_instances(
        60, n_workers=[9, 90], per_worker=20, n_labels=2, **settings, confidence=0.9, rng=rng
    ).set_index(["measure", "n_workers"])["value"]
    assert texts["alpha_width", 90] < texts["alpha_width", 9]
    with pytest.raises(ValueError, match="lower the spread"):
        power.simulate_instances(9, n_workers=[9], per_worker=2, n_labels=2, **settings | {"agreement_spread": 0.5},
                                 confidence=0.9, rng=rng)  # fmt: skip


def test_the_calculators_width_is_that_of_a_bootstrap_over_workers():
    true = np.array([-1.2, -0.4, 0.4, 1.2])
    shape = {"per_worker": 6, "noise": 1.0, "spammer_share": 0.0, "regularisation": 0.01, "confidence": 0.95}
    rng = np.random.default_rng(2)
    widths = power.simulate_pairs(true, n_workers=[60], n_simulations=300, rng=rng, **shape)
    told = widths.set_index("measure").loc["score_width", "value"]
    study, key = make_pairs(n_workers=60)
    crowd = simulate.Crowd(dict(zip(TASKS, true, strict=True)), 1.0, 0.8, 0.0, 0.0)
    found = []
    for _ in range(4):
        sittings = simulate.simulate_sittings(study, key, crowd, slots=list(range(1, 61)), truth={}, rng=rng)
        wins = np.zeros((60, 4, 4))
        for number, sitting in enumerate(sittings):
            for row in sitting["answers"]:
                if row["item"] not in key.checks:
                    objective = TASKS.index(row["answer"])
                    wins[number, TASKS.index(row["left"]) + TASKS.index(row["right"]) - objective, objective] += 1
        draws = ranking.bootstrap_scores(wins, regularisation=0.01, n_resamples=100, rng=rng)
        found.append(np.ptp(np.quantile(draws, [0.025, 0.975], axis=0), axis=0).mean())
    assert told == pytest.approx(np.mean(found), rel=0.2)


def test_figures_show_every_number_of_workers_that_has_a_value(project_style):
    columns = ["n_workers", "votes_per_item", "measure", "value", "value_low", "value_high"]
    rows = [(5, 0.5, "alpha_width", np.nan, np.nan, np.nan), (10, 1.0, "alpha_width", 0.5, 0.4, 0.6)]
    rows += [(5, 0.5, "score_width", 3.0, 2.5, 3.5), (10, 1.0, "score_width", 2.0, 1.8, 2.2)]
    figure = plots_of_crowd.interval_widths(pd.DataFrame(rows, columns=columns))
    named = [[label.get_text() for label in ax.get_xticklabels()] for ax in figure.axes]
    assert named == [["10\n1"], ["5\n0.5", "10\n1"]]
    assert figure.axes[1].get_ylabel() == "width of a score's interval (log-odds)"
    scores = pd.DataFrame({"title": ["B", "A"], "assumed": [1.0, -1.0], "score": [0.8, -0.8]})
    figure = plots_of_crowd.recovered_scores(scores.assign(score_low=[0.1, -1.5], score_high=[1.5, -0.1]))
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["A", "B"] and "not people" in ax.get_title()
