"""Parameters and profiles: what is taken, what is refused, and with which words."""

from __future__ import annotations

import dataclasses
import re

import pytest

from synthlib import params, paths
from synthlib.runner import profiles

SUBJECTIVITY = {
    "seed": 1,
    "inputs": {},
    "output": "",
    "tasks": ["imdb", "humor"],
    "votes": "",
    "min_pairs": 1,
    "regularisation": 0.01,
    "n_resamples": 100,
    "confidence": 0.95,
}


def test_a_notebook_gets_its_parameters_from_its_own_names():
    found = params.TaskSubjectivity.from_cell(SUBJECTIVITY | {"np": "numpy", "_": None})
    assert found.model_dump() == SUBJECTIVITY


def test_all_faults_are_named_at_once():
    with pytest.raises(ValueError) as error:
        params.check(
            params.TaskSubjectivity, SUBJECTIVITY | {"min_pairs": 0, "regularisation": "1e-2", "n_resample": 5}
        )
    lines = str(error.value).splitlines()
    assert lines[0] == "TaskSubjectivity: 3 bad parameter(s)"
    assert any("min_pairs" in line and "(got 0)" in line for line in lines)
    assert any(line.endswith("write 1.0e-2: YAML takes a number with e and no point for text") for line in lines)
    assert any("n_resample:" in line and "parameters are: seed, inputs" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ["imdb", "imdb"]}, "a value is repeated"),
        ({"tasks": []}, "at least 1 item"),
        ({"tasks": ["imbd"]}, "unknown task 'imbd'; known tasks: ag_news"),
        ({"n_resamples": 99}, "greater than or equal to 100"),
        ({"n_resamples": 200.0}, "valid integer"),
        ({"confidence": 1.0}, "less than 1"),
        ({"seed": True}, "valid integer"),
    ],
)
def test_bad_values_are_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        params.check(params.TaskSubjectivity, SUBJECTIVITY | change)


def test_the_faults_of_all_stages_are_named_at_once_and_no_mapping_is_shown():
    profile = profiles.load_profile(paths.PARAMS / "companion.yaml")
    fewer = profile.model_copy(update={"shared": profile.shared | {"tasks": ["sms_spam"]}})
    with pytest.raises(ValueError) as error:
        profiles.expand(fewer)
    lines = str(error.value).splitlines()
    assert lines[:2] == [
        "profile companion:",
        "shown_task 'tweet_emotion' is not among the profile's tasks ['sms_spam']",
    ]
    assert "  map_task 'tweet_irony' is not among the tasks ['sms_spam']" in lines
    assert "  map_task 'tweet_emotion' is not among the tasks ['sms_spam']" in lines
    assert [line.split(":")[0] for line in lines if line.startswith("stage")] == [
        f"stage {name}" for name in ("diversity", "why", "stories", "collect")
    ]


def test_a_missing_parameter_is_named():
    with pytest.raises(ValueError, match="confidence: Field required"):
        params.TaskSubjectivity.from_cell({k: v for k, v in SUBJECTIVITY.items() if k != "confidence"})


def test_unknown_sources_and_settings_are_refused():
    values = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    train = next(cell.params for cell in values if cell.stage == "train").model_dump()
    for change in ({"sources": ["zero_shots"]}, {"source": "features "}, {"sources": ["real", "real"]}):
        with pytest.raises(ValueError, match="Train: 1 bad"):
            params.check(params.Train, train | change)


def test_fine_tuning_is_empty_or_complete_and_needs_texts():
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "finetuned.yaml"))
    train = next(cell.params for cell in cells if cell.stage == "train").model_dump()
    assert train["fine_tuning"]["learning_rate"] == 2e-4 and train["curve_sizes"] == train["mixing_sizes"] == []
    assert set(train["fine_tuning"]) == set(params.FineTuning.model_fields)
    frozen = {"fine_tuning": {}, "tfidf_strengths": [], "source": "features", "n_real": 2000}
    assert params.check(params.Train, train | frozen).fine_tuning == {}
    for change, message in (
        ({"source": "features"}, "fine_tuning needs texts"),
        (frozen | {"tfidf_strengths": [1.0]}, "tfidf_strengths needs texts"),
        (frozen | {"n_real": 3000}, "n_real 3000: 2000 real rows are shipped"),
        ({"fine_tuning": {"pooling": "max"}}, "fine_tuning: FineTuning: 12 bad"),
        ({"fine_tuning": train["fine_tuning"] | {"epochs": 3}}, "epochs: Extra inputs"),
        ({"fine_tuning": train["fine_tuning"] | {"learning_rate": "5e-5"}}, "write 5.0e-5"),
        ({"fine_tuning": train["fine_tuning"] | {"patience": 1, "held_out_share": 0.0}}, "patience 1 needs held-out"),
    ):
        with pytest.raises(ValueError, match=message):
            params.check(params.Train, train | change)


def test_fine_tuning_fields_are_settings_of_the_engine():
    from synthlib.finetune import Hyperparameters

    assert set(params.FineTuning.model_fields) <= {field.name for field in dataclasses.fields(Hyperparameters)}


PROFILES = sorted(path for path in paths.PARAMS.glob("*.yaml") if path.name not in profiles.NO_PROFILES)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_sound(path):
    profile = profiles.load_profile(path)
    cells = profiles.expand(profile)
    assert profile.name == path.stem
    by_task = [cell for cell in cells if params.STAGES[cell.stage].per_task]
    assert {cell.name for cell in by_task} == set(profile.tasks)
    assert {cell.stage for cell in cells} == set(params.STAGES)
    assert all(cell.params.inputs == {} and cell.params.output == "" for cell in cells)


def test_a_stage_overrides_shared_values():
    profile = profiles.load_profile(paths.PARAMS / "smoke.yaml")
    changed = profile.model_copy(update={"stages": profile.stages | {"tasks": profile.stages["tasks"] | {"seed": 7}}})
    seeds = {cell.stage: cell.params.seed for cell in profiles.expand(changed)}
    assert seeds.pop("tasks") == 7 and set(seeds.values()) == {1}


def test_a_copied_profile_needs_a_name_of_its_own(tmp_path, monkeypatch):
    text = (paths.PARAMS / "smoke.yaml").read_text()
    (tmp_path / "smoke.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"those of params/smoke.yaml; change `name: smoke` in the file to one of its"):
        profiles.load_profile(tmp_path / "smoke.yaml")  # elsewhere, but it would write to the same results
    monkeypatch.setattr(paths, "PARAMS", tmp_path)
    (tmp_path / "mine.yaml").write_text(text)
    assert profiles.load_profile(tmp_path / "smoke.yaml").name == "smoke"
    with pytest.raises(
        ValueError, match=r"mine.yaml: its name is 'smoke', .* change `name: smoke` in the file to mine"
    ):
        profiles.load_profile(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text(text.replace("name: smoke", "name: mine"))
    assert profiles.load_profile(tmp_path / "mine.yaml").name == "mine"


def test_the_companion_run_is_the_whole_study():
    profile = profiles.load_profile(paths.PARAMS / "companion.yaml")
    assert profile.publish and len(profile.tasks) == 10 and len(profiles.expand(profile)) == 30


def test_stages_come_after_those_they_need():
    seen: set[str] = set()
    for name, stage in params.STAGES.items():
        assert seen.issuperset(stage.needs), name
        seen.add(name)


def test_a_profile_takes_over_what_its_base_sets_value_by_value(tmp_path):
    base = paths.PARAMS / "companion.yaml"
    (tmp_path / "companion.yaml").write_text(base.read_text())
    (tmp_path / "mine.yaml").write_text(
        "base: companion.yaml\nname: mine\nshared: {seed: 5}\nstages: {train: {n_seeds: 2}}\n"
    )
    mine, companion = profiles.load_profile(tmp_path / "mine.yaml"), profiles.load_profile(base)
    assert (mine.name, mine.shown_task, mine.tasks) == ("mine", companion.shown_task, companion.tasks)
    assert mine.shared == companion.shared | {"seed": 5}
    assert mine.stages == companion.stages | {"train": companion.stages["train"] | {"n_seeds": 2}}
    (tmp_path / "bare.yaml").write_text("name: bare\n")
    (tmp_path / "on_bare.yaml").write_text("base: bare.yaml\nname: mine\n")
    with pytest.raises(ValueError, match="shown_task: Field required"):
        profiles.load_profile(tmp_path / "on_bare.yaml")
    (tmp_path / "companion.yaml").write_text("base: mine.yaml\n")
    with pytest.raises(ValueError, match=r"mine\.yaml is its own base: mine\.yaml -> companion\.yaml -> mine\.yaml"):
        profiles.load_profile(tmp_path / "mine.yaml")
