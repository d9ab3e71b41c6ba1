"""What stages ask of one another, of the tasks' files and of this machine is looked at before anything runs."""

from __future__ import annotations

import pytest
import torch
import yaml

from synthlib import paths, run
from synthlib.runner import across, profiles
from synthlib.runner.jobs import Job

SMOKE = profiles.load_profile(paths.PARAMS / "smoke.yaml")


def expand(**changes):
    """The cells of smoke.yaml with values of stages replaced."""
    stages = {name: values | changes.get(name, {}) for name, values in SMOKE.stages.items()}
    return profiles.expand(SMOKE.model_copy(update={"stages": stages}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"generate": {"n_per_label": 201}},
            "stage generate: n_per_label is 201; 200 texts per label and setting are released",
        ),
        (
            {"diversity": {"n_per_label": 21}},
            r"stage diversity: n_per_label is 21; .* the 40 .*: set it to 20 or fewer",
        ),
        (
            {"generate": {"settings": ["zero_shot", "few_shot"]}},
            r"stage train: texts of \['attributed'\] are not generated",
        ),
        (
            {"instance_subjectivity": {"sources": ["real", "few_shot+attributed"]}},
            r"\['few_shot\+attributed'\]; stage tr",
        ),
    ],
)
def test_a_stage_asks_only_for_what_an_earlier_one_makes(changes, message):
    with pytest.raises(ValueError, match=message):
        expand(**changes)


def test_faults_of_a_task_file_show_in_the_plan(tmp_path, monkeypatch, capsys):
    file = paths.ROOT / "docs" / "new_task" / "complaint_severity.yaml"
    task = yaml.safe_load(file.read_text())
    (tmp_path / file.name).write_text(yaml.safe_dump(task | {"words": [30, 10]}))
    monkeypatch.setenv("SYNTHLIB_TASKS", str(tmp_path))
    assert run.main([str(paths.ROOT / "docs" / "new_task_profile.yaml"), "--plan"]) == 2
    assert "complaint_severity: words is [30, 10]; it must be a range from 1 up" in capsys.readouterr().err


def test_texts_that_are_not_released_at_all_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "DATA", tmp_path)
    with pytest.raises(ValueError, match=r"0 texts .* of tweet_emotion, sms_spam: set backend to openai or local"):
        expand()


def test_what_jobs_need_and_the_machine_lacks_is_said_once(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    llm = profiles.load_profile(paths.PARAMS / "paper.yaml").stages["generate"]["llm"]

    def lacks(**values):
        jobs = [Job("train", task, tmp_path, values, {}, "", {}, tmp_path) for task in ("imdb", "humor")]
        with pytest.raises(ValueError) as error:
            across.check_means(jobs)
        return str(error.value).splitlines()

    assert lacks(device="cuda:1") == [
        "stage train: device is 'cuda:1'; this machine has cpu, cuda:0: set one of these, or auto"
    ]
    assert ["OPENAI_API_KEY is not set" in line for line in lacks(backend="openai", llm=llm)] == [True]
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    (said,) = lacks(backend="openai", llm=llm | {"model": "new"})
    assert "llm.max_usd is 150.0, but the price of 'new' at OpenAI (online) is unknown" in said
    fine = [
        {"device": "cuda"},
        {"device": "auto"},
        {"backend": "openai", "llm": llm},
        {"backend": "released", "llm": {}},
    ]
    across.check_means(Job("train", "imdb", tmp_path, values, {}, "", {}, tmp_path) for values in fine)
