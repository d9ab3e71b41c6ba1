"""A study goes through a real Label Studio: project made, tasks imported, annotations submitted, export read."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from crowd_studies import SALT, make_instances, make_pairs

from synthlib import cli
from synthlib.crowd.collect import read_votes
from synthlib.crowd.labelstudio import Server, read_export
from synthlib.crowd.write import write_instruments

PROGRAM = os.environ.get("SYNTHLIB_LABEL_STUDIO") or shutil.which("label-studio")
needs_server = pytest.mark.skipif(
    PROGRAM is None, reason="no label-studio on the PATH (pip install it apart, or set SYNTHLIB_LABEL_STUDIO)"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder, token = tmp_path_factory.mktemp("label-studio"), secrets.token_hex(20)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = (
        f"start --no-browser --port {port} --internal-host 127.0.0.1 --username a@example.org --user-token {token}"
    )
    environment = os.environ | {"HOME": str(folder), "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data")}
    environment |= {"LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true", "COLLECT_ANALYTICS": "false"}
    environment.pop("PYTHONPATH", None)
    with (folder / "log.txt").open("w") as log:
        command = [PROGRAM, *options.split(), "--password", secrets.token_hex(8)]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            wait_until_up(f"http://127.0.0.1:{port}/health", process, folder / "log.txt")
            yield f"http://127.0.0.1:{port}", token
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_up(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise TimeoutError(log.read_text()[-2000:])


def annotate(server, project, study, key):
    """Answer every task as an annotator's page would: checks rightly, the rest with the first choice; skip the last."""
    tasks = server.call("GET", f"tasks?project={project}&fields=all&page_size=100")["tasks"]
    tasks.sort(key=lambda task: (task["data"]["slot"], task["data"]["position"]))
    for task in tasks:
        data = task["data"]
        chosen = "left" if study.kind == "pairs" else study.choices[0].label
        if right := key.checks.get(data["item"]):
            chosen = right if study.kind == "instances" else "left" if data["left"] == right else "right"
        named = {"from_name": "answer", "to_name": "left" if study.kind == "pairs" else "text", "type": "choices"}
        result = [named | {"value": {"choices": [chosen]}}]
        content = {"result": result, "lead_time": 4.5, "was_cancelled": task is tasks[-1]}
        server.call("POST", f"tasks/{task['id']}/annotations/", content)
    return len(tasks)


@needs_server
@pytest.mark.last
@pytest.mark.parametrize("make", [make_pairs, make_instances])
def test_votes_come_back_from_a_real_server(running, tmp_path, monkeypatch, capsys, make):
    url, token = running
    study, key = make()
    write_instruments(study, key, tmp_path)
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", token)
    assert cli.main(["crowd", "label-studio", "create", str(tmp_path), "--url", url]) == 0
    project = int(capsys.readouterr().out.split(":")[0].removeprefix("project "))
    n_tasks = annotate(Server(url, token), project, study, key)
    assert n_tasks == sum(map(len, study.slots))
    export = ["crowd", "label-studio", "export", str(tmp_path), "--url", url, "--project", str(project)]
    assert cli.main([*export, "--file", str(tmp_path / "export.json")]) == 0
    found = read_votes([tmp_path / "export.json"], study, key, salt=SALT)
    assert len(found.votes) == n_tasks - 1 and (found.votes["seconds"] == 4.5).all()
    assert found.votes.loc[found.votes["check"], "correct"].all() and found.votes["check"].any()
    items = found.votes[~found.votes["check"]]
    first = items["left"] if study.kind == "pairs" else study.choices[0].label
    assert (items["answer"] == first).all()
    assert found.problems["problem"].tolist() == ["skipped, or not one answer"]


@needs_server
@pytest.mark.last
def test_a_wrong_token_is_refused_and_said(running):
    with pytest.raises(ValueError, match=r"refuses POST projects/ .401"):
        Server(running[0], "0" * 40).create_project(make_pairs()[0])


def test_no_server_and_no_token_are_said(tmp_path, monkeypatch, capsys):
    with pytest.raises(ConnectionError, match="no Label Studio at"):
        Server("http://127.0.0.1:1", "x").export(1)
    monkeypatch.delenv("LABEL_STUDIO_TOKEN", raising=False)
    write_instruments(*make_pairs(), tmp_path)
    assert cli.main(["crowd", "label-studio", "create", str(tmp_path), "--url", "http://127.0.0.1:1"]) == 2
    assert "LABEL_STUDIO_TOKEN is not set" in capsys.readouterr().err


def test_an_export_as_the_server_writes_it(tmp_path):
    study, key = make_instances()
    place = study.slots[0][0]
    data = {"study": study.study, "slot": 1, "position": 1, "item": place.item, "text": "x"}
    said = {"completed_by": {"id": 3, "email": "a@example.org"}, "lead_time": 2.0, "created_at": "2026-01-01T00:00:00Z"}
    answer = [{"from_name": "answer", "to_name": "text", "type": "choices", "value": {"choices": ["humor"]}}]
    task = {
        "id": 1,
        "data": data,
        "annotations": [said | {"result": answer}, said | {"result": [], "was_cancelled": True}],
    }
    rows, problems = read_export([task], study, origin="export.json")
    assert rows["worker"].tolist() == ["a@example.org"] and problems["line"].tolist() == [1]
    broken = [task, {"id": 2}, 3, {"data": data, "annotations": [said | {"result": None}, said | {"result": answer}]}]
    rows, problems = read_export(broken, study, origin="export.json")
    assert rows["line"].tolist() == [1, 4] and problems["line"].tolist() == [1, 2, 3, 4]
    (tmp_path / "export.json").write_text(json.dumps([task]))
    assert len(read_votes([tmp_path / "export.json"], study, key, salt=SALT).votes) == 1
