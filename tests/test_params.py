"""Parameters and profiles: what is taken, what is refused, and with which words."""

from __future__ import annotations

import re

import pytest

from synthlib import params, paths
from synthlib.runner import profiles

SUBJECTIVITY = {
    "seed": 1,
    "inputs": {},
    "output": "",
    "tasks": ["imdb", "humor"],
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


def test_a_missing_parameter_is_named():
    with pytest.raises(ValueError, match="confidence: Field required"):
        params.TaskSubjectivity.from_cell({k: v for k, v in SUBJECTIVITY.items() if k != "confidence"})


def test_unknown_sources_and_settings_are_refused():
    values = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    train = next(cell.params for cell in values if cell.stage == "train").model_dump()
    for change in ({"sources": ["zero_shots"]}, {"source": "features "}, {"sources": ["real", "real"]}):
        with pytest.raises(ValueError, match="Train: 1 bad"):
            params.check(params.Train, train | change)


@pytest.mark.parametrize("path", sorted(paths.PARAMS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_is_sound(path):
    if path.name in ("prompts.yaml", "prices.yaml"):
        pytest.skip("not a profile")
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


def test_the_companion_run_is_the_whole_study():
    profile = profiles.load_profile(paths.PARAMS / "companion.yaml")
    assert profile.publish and len(profile.tasks) == 10 and len(profiles.expand(profile)) == 25


def test_stages_come_after_those_they_need():
    seen: set[str] = set()
    for name, stage in params.STAGES.items():
        assert seen.issuperset(stage.needs), name
        seen.add(name)
