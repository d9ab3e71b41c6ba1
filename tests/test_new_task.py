"""A task of one's own, from docs/: found in a folder, generated against a server, trained on; and its faults."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from loopback_llm import serve_llm
from made_up_texts import write_texts
from test_methods import say
from tiny_encoder import write_tiny_encoder

from synthlib import data, features, params, paths
from synthlib.corpus import compliance
from synthlib.draws import draw_requests
from synthlib.tasks import load_task, load_wording, task_names

DOCS = paths.ROOT / "docs"
NAME = "complaint_severity"


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Return a folder of tasks that holds a copy of the example."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / f"{NAME}.yaml").write_text((DOCS / "new_task" / f"{NAME}.yaml").read_text(encoding="utf-8"))
    monkeypatch.setenv("SYNTHLIB_TASKS", str(folder))
    return folder


def test_the_example_is_none_of_the_ten_and_found_by_its_folder(own_folder, monkeypatch):
    task = load_task(NAME)
    assert NAME not in task_names() and task.label_names == ["nuisance", "failure", "hazard"]
    assert set(compliance.find_rules(task)) == set(task.rules) and len(task.rules) == 5
    with pytest.raises(ValueError, match=rf"unknown task 'spam'; .*tweet_irony; in SYNTHLIB_TASKS=.*: {NAME}"):
        load_task("spam")
    monkeypatch.delenv("SYNTHLIB_TASKS")
    with pytest.raises(ValueError, match=rf"unknown task '{NAME}'; .*needs SYNTHLIB_TASKS=.* docs/new_task\.md"):
        params.check(params.Generate, {"task": NAME})


def test_class_dependent_values_are_drawn_for_their_label_alone_and_evenly(own_folder):
    task = load_task(NAME)
    shared = {"n_requests": 96, "seed": 1, "wording": load_wording(), "pool": None}
    for label in task.labels:
        requests = draw_requests(task, "attributed", label=label, **shared)
        met = pd.Series([r.drawn["attributes"]["problem"] for r in requests]).value_counts()
        assert set(met.index) == set(task.labels[label].attributes["problem"]) and met.max() - met.min() <= 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["rules"].update(politely="digit"), r"rules has \['politely'\], which no attribute has"),
        (lambda v: v["rules"].update({"all lower case": {"holds": "("}}), "no regular expression"),
        (lambda v: v["rules"].update({"all lower case": {"holds": "a", "lacks": "b"}}), "one of them"),
        (lambda v: v.pop("words"), r"complaint_severity\.yaml: .*words"),
    ],
)
def test_faults_of_a_file_are_told(own_folder, change, message):
    values = yaml.safe_load((own_folder / f"{NAME}.yaml").read_text())
    change(values)
    (own_folder / f"{NAME}.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load_task(NAME)


def test_folders_that_cannot_be_used_are_refused(own_folder, monkeypatch):
    (own_folder / "imdb.yaml").write_text("title: mine")
    with pytest.raises(ValueError, match=r"has \['imdb'\], which params/tasks/ has too; rename"):
        load_task(NAME)
    monkeypatch.setenv("SYNTHLIB_TASKS", str(own_folder / "nil"))
    with pytest.raises(ValueError, match="which is no folder"):
        load_task(NAME)


def test_what_is_not_shipped_for_a_new_task_is_told(own_folder):
    task = load_task(NAME)
    with pytest.raises(FileNotFoundError, match=f"no released texts of task '{NAME}'.*backend to openai"):
        data.load_corpus(task, ["zero_shot"])
    with pytest.raises(ValueError, match=f"no shipped features '{NAME}'"):
        features.load(NAME, "features", "all-MiniLM-L6-v2")


def test_the_guide_names_every_field_of_the_file():
    guide = (DOCS / "new_task.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", guide.split("## 2.")[0]))
    assert set(yaml.safe_load((DOCS / "new_task" / f"{NAME}.yaml").read_text())) <= named


def test_the_guide_makes_a_folder_of_texts_from_a_spreadsheet(own_folder, tmp_path, monkeypatch):
    rows = [(f"complaint {n}", label) for label in load_task(NAME).label_names for n in range(40)]
    texts = pd.DataFrame([(f"{label} {text}", label) for text, label in rows], columns=["text", "label"])
    pd.concat([texts, texts]).to_csv(tmp_path / "complaints.csv")  # copies: none may be in two splits
    monkeypatch.chdir(tmp_path)
    exec(re.search(r"```python\n(.*?)```", (DOCS / "new_task.md").read_text(encoding="utf-8"), re.DOTALL)[1], {})
    assert len(data.load_folder(load_task(NAME), tmp_path / "my_texts")) == len(texts)


@pytest.mark.last
def test_the_example_is_generated_and_trained_on(own_folder, tmp_path):
    """The profile of the guide, made small: the real runner, the real notebooks, a server on this machine."""
    write_texts(tmp_path, NAME, n_train=30, n_test=12)
    (tmp_path / "encoder").mkdir()
    values = yaml.safe_load((DOCS / "new_task_profile.yaml").read_text())
    values["shared"] |= {"encoder": write_tiny_encoder(tmp_path / "encoder"), "n_resamples": 100}
    values["stages"]["train"] |= {"n_seeds": 2, "n_steps": 5, "hidden_units": 8, "curve_sizes": [5]}
    values["stages"]["train"] |= {"mixing_sizes": [0, 5], "device": "cpu"}
    values["stages"]["generate"]["n_per_label"] = 12
    moved = {"SYNTHLIB_DATA": tmp_path, "SYNTHLIB_RESULTS": tmp_path / "results", "SYNTHLIB_CALLS": tmp_path / "calls"}
    environment = os.environ | {name: str(folder) for name, folder in moved.items()} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "synthlib.run", str(tmp_path / "mine.yaml")]
    with serve_llm(lambda n, body: {3: "refusal"}.get(n, ""), say=say) as (url, witness):
        values["stages"]["generate"]["llm"] |= {"base_url": url, "model": "toy"}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    (generated,), (trained,) = ((tmp_path / "results" / "complaints").glob(f"{s}/*/") for s in ("generate", "train"))
    corpus = pd.read_parquet(generated / "corpus.parquet")
    assert corpus.groupby(["setting", "label"]).size().tolist() == [12] * 18
    assert witness.paid.total() == 12 * 3 * 7 + 1, "hierarchical texts take two calls; one refusal is asked again"
    drawn = [json.loads(request) for request in corpus.loc[corpus["label"] == "hazard", "request"]]
    problems = {request["attributes"].get("problem") for request in drawn if "attributes" in request}
    assert problems - {None} <= set(load_task(NAME).labels["hazard"].attributes["problem"])
    metrics = pd.read_parquet(trained / "metrics.parquet")
    assert sorted(metrics["source"]) == sorted(values["stages"]["train"]["sources"])
