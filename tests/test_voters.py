"""Whose votes they are."""

import json

import pytest

from synthlib import params, paths
from synthlib.runner import keys
from synthlib.votes import voters


def test_no_folder_is_the_released_panel():
    given = voters.find_votes("", voters.PAIRS)
    assert given.path.is_file() and given.votes_by == voters.PANEL and "not people" in given.judges


def test_a_folder_says_whose_votes_it_holds(tmp_path):
    (tmp_path / "pairs.csv").write_text("worker,left,right,more_objective,check_passed\n")
    (tmp_path / "votes.json").write_text(json.dumps({"votes_by": "people", "studies": {}}))
    given = voters.find_votes(str(tmp_path), voters.PAIRS)
    assert (given.path, given.judges) == (tmp_path / "pairs.csv", "people")
    with pytest.raises(ValueError, match=r"has no instances.csv; it has \['pairs.csv', 'votes.json'\]"):
        voters.find_votes(str(tmp_path), voters.INSTANCES)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (None, r'does not say whose votes it holds: put \{"votes_by": "panel'),
        ("people", "is no JSON"),
        ("[]", "votes_by is None"),
        ('{"votes_by": "crowd"}', "votes_by is 'crowd'; it must be one of"),
    ],
)
def test_votes_of_unknown_origin_are_refused(tmp_path, about, message):
    (tmp_path / "pairs.csv").write_text("")
    if about is not None:
        (tmp_path / "votes.json").write_text(about)
    with pytest.raises(ValueError, match=message):
        voters.find_votes(str(tmp_path), voters.PAIRS)


def test_a_missing_folder_is_found_before_anything_runs():
    values = {"seed": 1, "inputs": {}, "output": "", "tasks": ["imdb", "humor"], "votes": "no/such/folder"}
    values |= {"min_pairs": 1, "regularisation": 0.01, "n_resamples": 100, "confidence": 0.95}
    with pytest.raises(ValueError, match=r"votes: .*no such folder of votes: .*no/such/folder"):
        params.check(params.TaskSubjectivity, values)


def test_a_changed_vote_of_ones_own_makes_another_job(tmp_path):
    (tmp_path / "pairs.csv").write_text("worker,left,right,more_objective,check_passed\n")
    (tmp_path / "votes.json").write_text('{"votes_by": "people"}')
    values = {"seed": 1, "inputs": {}, "output": "", "tasks": ["imdb", "humor"], "votes": str(tmp_path)}
    values |= {"min_pairs": 1, "regularisation": 0.01, "n_resamples": 100, "confidence": 0.95}
    checked = params.check(params.TaskSubjectivity, values)
    stage = params.STAGES["task_subjectivity"]
    notebook = paths.NOTEBOOKS / f"{stage.notebook}.ipynb"
    before = keys.job_key(stage, checked, notebook, {})
    assert keys.job_key(stage, checked, notebook, {}) == before
    (tmp_path / "pairs.csv").write_text("worker,left,right,more_objective,check_passed\nw1,imdb,humor,imdb,True\n")
    assert keys.job_key(stage, checked, notebook, {}) != before
