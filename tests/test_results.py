"""Where notebooks read and write."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from synthlib import paths, results
from synthlib.runner import profiles


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    """Parameters of 05_task_comparison, with all folders below ``tmp_path``."""
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "LATEST", tmp_path / "results" / "companion" / "latest.json")
    monkeypatch.setattr(results, "RELEASED", tmp_path / "data" / "results" / "companion")
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    return next(cell.params for cell in cells if cell.stage == "task_comparison")


def test_the_runner_names_the_folders(comparison, tmp_path):
    named = comparison.model_copy(update={"output": "a/b", "inputs": {"train/imdb": "c/d"}})
    assert results.open_output(named) == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()
    assert results.find_input(named, "train", "imdb") == tmp_path / "c" / "d"
    with pytest.raises(FileNotFoundError, match="inputs has no 'train/humor'"):
        results.find_input(named, "train", "humor")


def test_a_notebook_opened_by_hand(comparison, tmp_path):
    assert results.open_output(comparison) == tmp_path / "results" / "interactive" / "task_comparison"
    with pytest.raises(FileNotFoundError, match="--only train"):
        results.find_input(comparison, "train", "imdb")

    released = tmp_path / "data" / "results" / "companion" / "train" / "imdb"
    released.mkdir(parents=True)
    assert results.find_input(comparison, "train", "imdb") == released

    last = tmp_path / "results" / "companion" / "train" / "imdb-0123"
    last.mkdir(parents=True)
    latest = {"train/imdb": "results/companion/train/imdb-0123"}
    (tmp_path / "results" / "companion" / "latest.json").write_text(json.dumps(latest))
    assert results.find_input(comparison, "train", "imdb") == last
    last.rmdir()
    assert results.find_input(comparison, "train", "imdb") == released


def test_tables_come_back(tmp_path):
    frame = pd.DataFrame({"task": ["imdb"], "f1": [0.5], "probabilities": [[0.25, 0.75]]})
    results.write_table(frame, tmp_path, "metrics")
    back = results.read_table(tmp_path, "metrics")
    assert back["f1"].tolist() == [0.5] and back["probabilities"].map(list).tolist() == [[0.25, 0.75]]
    with pytest.raises(FileNotFoundError, match=r"no table 'curves'; it has \['metrics'\]"):
        results.read_table(tmp_path, "curves")
