"""The real runner, the real papermill and real kernels: on the small study of toy_project.py, then on smoke.yaml."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import Executor, Future
from pathlib import Path

import pandas as pd
import pytest
import toy_project as toy
from made_up_texts import write_texts

from synthlib import paths, run
from synthlib.asking.backends import Llm, Local
from synthlib.params import STAGES
from synthlib.runner import jobs, keys, notebooks, pools, profiles, release
from synthlib.runner.execute import Outcome, execute
from synthlib.tasks import task_names

ALL = ["corpus/imdb", "corpus/humor", "fit/imdb", "fit/humor", "report/all", "side/all"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    toy.create(tmp_path)
    toy.install(tmp_path, monkeypatch.setattr)
    return tmp_path


def start(root: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, toy.__file__, str(root), str(root / "toy.yaml"), *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # ignored in the background
    )


def to_run(root: Path) -> list[str]:
    """Return the names of the jobs that the runner would run now."""
    planned = jobs.plan(profiles.load_profile(root / "toy.yaml"))
    return [name for name, job in planned.items() if not jobs.is_finished(job)]


def wait_until(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def edit_cell(path: Path, number: int, text: str) -> None:
    notebook = notebooks.read_notebook(path)
    notebook["cells"][number]["source"] = text
    notebooks.write_notebook(notebook, path)


def test_a_run_and_what_makes_it_run_again(root, capsys, monkeypatch):
    monkeypatch.setattr(keys, "LIBRARY", root / "synthlib")
    for name in ("__init__.py", "paths.py", "unused.py"):
        (root / "synthlib").mkdir(exist_ok=True)
        (root / "synthlib" / name).write_text("")
    assert run.main([str(root / "toy.yaml")]) == 0
    assert sorted(toy.executions(root)) == sorted(ALL)

    # what a job leaves
    planned = jobs.plan(profiles.load_profile(root / "toy.yaml"))
    manifest = jobs.read_manifest(planned["report/all"].folder)
    assert manifest["key"] == planned["report/all"].key
    assert manifest["parameters"] == {"seed": 1, "tasks": ["imdb", "humor"], "value": 3}
    assert set(manifest["inputs"]) == {"fit/imdb", "fit/humor"}
    assert manifest["versions"]["papermill"] and manifest["seconds"] > 0 and len(manifest["git"]["commit"]) == 40
    assert (planned["report/all"].folder / "03_value.csv").read_text() == "15"  # 3 + 2 * (3 + 3)
    assert not any(f"{mark}{root}" in planned["report/all"].executed.read_text() for mark in (" ", '"', "'"))
    latest = json.loads((root / "results" / "toy" / "latest.json").read_text())
    assert latest == {name: jobs.relative(job.folder) for name, job in planned.items()}

    # figures of the shown cells, and nothing else
    assert sorted(p.name for p in (root / "figures").iterdir()) == [f"0{n}_value.csv" for n in (1, 2, 3, 4)]
    (root / "figures" / "stray.png").write_text("")

    # nothing changed; prose changed; outputs changed
    edit_cell(root / "notebooks" / "01_corpus.ipynb", 0, "# Why ever not?")
    capsys.readouterr()
    assert run.main([str(root / "toy.yaml")]) == 0
    assert len(toy.executions(root)) == len(ALL)
    assert "report  1        0       1       0        0      0.0" in capsys.readouterr().out
    assert not (root / "figures" / "stray.png").exists()

    # code, library, data
    edit_cell(root / "notebooks" / "03_report.ipynb", 2, 'number = "03"  # third')
    assert to_run(root) == ["report/all"]
    edit_cell(root / "notebooks" / "03_report.ipynb", 2, 'number = "03"')
    (root / "synthlib" / "unused.py").write_text("x = 1")
    assert to_run(root) == []
    (root / "synthlib" / "paths.py").write_text("x = 1")
    assert to_run(root) == ALL
    (root / "synthlib" / "paths.py").write_text('"""Prose of the library."""  # and a comment')
    assert to_run(root) == []
    (root / "synthlib" / "paths.py").write_text("")
    (root / "data" / "features" / "humor.parquet").write_text("other")
    assert to_run(root) == ["corpus/humor", "fit/humor", "report/all"]
    (root / "data" / "features" / "humor.parquet").write_text("features/humor.parquet")
    (root / "data" / "votes" / "README.md").write_text("a card")
    assert to_run(root) == []

    # a value of one stage: it and what reads it; taken back: all is there
    toy.write_profile(root, toy.PROFILE | {"stages": toy.PROFILE["stages"] | {"report": {"value": 4}}})
    assert to_run(root) == ["report/all"]
    assert run.main([str(root / "toy.yaml")]) == 0
    assert toy.executions(root)[len(ALL) :] == ["report/all"]
    assert (root / "figures" / "03_value.csv").read_text() == "16"
    toy.write_profile(root, toy.PROFILE)
    assert run.main([str(root / "toy.yaml")]) == 0
    assert len(toy.executions(root)) == len(ALL) + 1
    assert (root / "figures" / "03_value.csv").read_text() == "15"
    assert json.loads((root / "results" / "toy" / "latest.json").read_text()) == latest

    # its release: notebooks with outputs, tables of every cell; nothing has to run again for it
    names = release.release(root / "toy.yaml")
    assert "03_report.ipynb" in names and "fit/humor/table.parquet" in names
    assert to_run(root) == []
    shown = notebooks.read_notebook(root / "notebooks" / "01_corpus.ipynb")
    assert notebooks.source(shown["cells"][0]) == "# Why ever not?"
    assert [cell["execution_count"] for cell in notebooks.code_cells(shown)] == [1, 2, 3]
    assert shown["cells"][-1]["outputs"][0]["text"][0].startswith("corpus/imdb sees")
    assert (root / "data" / "results" / "toy" / "corpus" / "humor" / "manifest.json").is_file()

    # of one stage: its tables alone; those of others stay
    before = (root / "notebooks" / "02_fit.ipynb").read_bytes()
    (root / "data" / "results" / "toy" / "fit" / "humor" / "stale.parquet").write_bytes(b"")
    names = release.release(root / "toy.yaml", only="fit")
    assert "fit/humor/table.parquet" in names and {name.split("/")[0] for name in names} == {"fit"}
    assert not (root / "data" / "results" / "toy" / "fit" / "humor" / "stale.parquet").exists()
    assert (root / "data" / "results" / "toy" / "corpus" / "humor" / "manifest.json").is_file()
    assert (root / "notebooks" / "02_fit.ipynb").read_bytes() == before
    (root / "data" / "votes" / "panel.csv").write_text("other")
    with pytest.raises(ValueError, match="not finished: side/all"):
        release.release(root / "toy.yaml")


def test_only_the_released_run_writes_figures(root, capsys):
    toy.write_profile(root, toy.PROFILE | {"name": "mine", "stages": {"side": {}}})
    assert run.main([str(root / "toy.yaml")]) == 0
    assert "figures/ is left as it is: it shows the released run, toy." in capsys.readouterr().out
    assert not list((root / "figures").iterdir())


def test_a_failure_stops_only_what_reads_it(root, capsys):
    (root / "hook.py").write_text("if name == 'corpus/imdb': raise ValueError('no \\033[31mred\\033[0m texts')")
    assert run.main([str(root / "toy.yaml"), "--jobs", "2"]) == 1
    shown = capsys.readouterr().out
    assert "--- corpus/imdb failed ---\n01_corpus.ipynb, In [4]:\n    import os" in shown
    assert "ValueError: no red texts" in shown and "\033" not in shown.replace("\033[31mred\033[0m", "")
    assert "fit/imdb skipped: it reads corpus/imdb" in shown and "report/all skipped: it reads fit/imdb" in shown
    assert sorted(toy.executions(root)) == ["corpus/humor", "corpus/imdb", "fit/humor", "side/all"]
    partial = jobs.plan(profiles.load_profile(root / "toy.yaml"))["corpus/imdb"].executed
    assert partial.is_file() and jobs.relative(partial) in shown
    (root / "hook.py").write_text("")
    assert run.main([str(root / "toy.yaml")]) == 0
    assert Counter(toy.executions(root)) == Counter([*ALL, "corpus/imdb"])


def test_what_synthlib_raises_is_said_without_a_traceback(root):
    job = jobs.plan(profiles.load_profile(root / "toy.yaml"))["side/all"]
    (root / "hook.py").write_text("from synthlib.tasks import find_file\nfind_file('news')")
    said = execute(job).message
    assert said.startswith("04_side.ipynb, In [4]: unknown task 'news'; known tasks: ") and "Traceback" not in said
    assert "Traceback" in job.executed.read_text()
    (root / "hook.py").write_text("from synthlib.diversity import normalise\nnormalise('news')")  # numpy says no
    assert "ValueError" in (said := execute(job).message) and "Traceback" in said and "diversity.py" in said


def test_a_killed_worker_and_a_killed_kernel_fail_their_job_only(root, capsys):
    (root / "hook.py").write_text(
        "import psutil, signal, sys\n"  # on Linux a kernel's parent is the process that it was forked from
        "if name == 'corpus/imdb': psutil.Process().parents()[sys.platform == 'linux'].kill()\n"
        "if name == 'corpus/humor': os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run.main([str(root / "toy.yaml"), "--jobs", "2"]) == 1
    shown = capsys.readouterr().out
    assert "--- corpus/imdb failed ---\nThe process that ran it was killed. Was memory short?" in shown
    assert "--- corpus/humor failed ---\nThe notebook's kernel was killed. Was memory short?" in shown
    assert "side/all" in toy.executions(root) and to_run(root) == ALL[:-1]


def test_a_run_killed_midway_goes_on_where_it_was(root):
    (root / "hook.py").write_text("import time\nif name == 'corpus/humor': time.sleep(300)")
    process = start(root, "--jobs", "1")
    wait_until(lambda: "corpus/humor" in toy.executions(root), 120)
    process.kill()
    process.communicate()
    assert to_run(root) == ALL[1:]
    (root / "hook.py").write_text("")
    clock = time.monotonic()
    assert run.main([str(root / "toy.yaml"), "--only", "fit"]) == 0
    assert time.monotonic() - clock < 200  # the killed run's processes have let go of their job
    assert Counter(toy.executions(root)) == Counter([*ALL[:4], "corpus/humor"])


def test_two_runs_at_once_do_every_job_once(root):
    processes = [start(root, "--jobs", "1") for _ in range(2)]
    shown = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], shown
    assert sorted(toy.executions(root)) == sorted(ALL)
    assert to_run(root) == []


def test_ctrl_c_keeps_what_is_finished(root):
    (root / "hook.py").write_text("import time\nif name == 'corpus/humor': time.sleep(300)")
    process = start(root, "--jobs", "1", "--only", "corpus")
    wait_until(lambda: "corpus/humor" in toy.executions(root), 120)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    shown, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors
    assert shown.splitlines()[-1].startswith("stopped: 1 of 2 jobs are finished and kept")


def test_a_file_edited_during_the_run_leaves_no_false_results(root, capsys):
    (root / "hook.py").write_text("if name == 'side/all': (root / 'data/votes/panel.csv').write_text('edited')")
    arguments = [str(root / "toy.yaml"), "--only", "side"]
    assert run.main(arguments) == 1
    assert "so run them again: side/all" in capsys.readouterr().out
    assert run.main(arguments) == 0
    (root / "data" / "votes" / "panel.csv").write_text("votes/panel.csv")
    assert "side/all" in to_run(root)  # back to the first key: its results were made half with another file


def test_a_file_that_cannot_be_read_any_more_casts_doubt_on_its_jobs_alone(root):
    planned = jobs.plan(profiles.load_profile(root / "toy.yaml"))
    assert jobs.find_changed(planned) == set()
    (root / "notebooks" / "02_fit.ipynb").write_text("{")
    assert jobs.find_changed(planned) == {"fit/imdb", "fit/humor", "report/all"}


def test_an_empty_manifest_is_of_an_unfinished_job(root):
    job = jobs.plan(profiles.load_profile(root / "toy.yaml"))["side/all"]
    job.folder.mkdir(parents=True)
    (job.folder / jobs.MANIFEST).write_text("")
    assert not jobs.is_finished(job) and "side/all" in to_run(root)


def test_a_job_sees_the_folders_that_its_key_was_made_with(root, monkeypatch):
    for name in jobs.FOLDER_VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("SYNTHLIB_DATA", str(root / "planned"))
    job = jobs.plan(profiles.load_profile(root / "toy.yaml"))["side/all"]
    for name in ("SYNTHLIB_DATA", "SYNTHLIB_CALLS"):
        monkeypatch.setenv(name, str(root / "of-a-worker"))
    (root / "hook.py").write_text(
        "(root / 'seen').write_text(f\"{os.environ['SYNTHLIB_DATA']} {'SYNTHLIB_CALLS' in os.environ}\")"
    )
    assert execute(job).status == "run"
    assert (root / "seen").read_text() == f"{root / 'planned'} False"


def test_dask_runs_the_jobs(root, capsys):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        arguments = [str(root / "toy.yaml"), "--only", "fit", "--dask", cluster.scheduler.address]
        assert run.main(arguments) == 0
    assert toy.executions(root) == ALL[:4]
    assert "fit     2        2       0" in capsys.readouterr().out


def test_the_plan_starts_nothing(root, capsys):
    assert run.main([str(root / "toy.yaml"), "--plan", "--only", "fit"]) == 0
    shown = capsys.readouterr().out
    assert "fit     humor  run        ?" in shown and "report" not in shown and "4 of 4 jobs to run" in shown
    assert not (root / "results").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": {"corpus": {"valeu": 3}}}, "valeu: Extra inputs are not permitted"),
        ({"stages": {"corpus": {"value": "2e-5"}}}, "write 2.0e-5"),
        ({"stages": {"corpus": {"value": 2.5}}}, "value: Input should be a valid integer"),
        ({"stages": {"corpus": {"output": "x"}}}, "output cannot be set here"),
        ({"stages": {"fit": {}}}, "stage fit needs corpus"),
        ({"stages": {"fitt": {}}}, "unknown stage(s) ['fitt']"),
        ({"shared": {"seed": 1, "tasks": ["imdb", "news"], "value": 3}}, "unknown task 'news'"),
        ({"shared": {"seed": -1, "tasks": ["imdb"], "value": 3}}, "seed: Input should be greater than or equal to 0"),
        (
            {"shared": {"seed": 1, "tasks": ["imdb"], "value": 3, "extra": 1}},
            "no stage takes shared value(s) ['extra']",
        ),
        ({"shown_task": "sms_spam"}, "shown_task 'sms_spam' is not among"),
        ({"stages": {"side": {"tasks": ["sms_spam"]}}}, "task(s) ['sms_spam'] do not run"),
        ({"name": "cache"}, "the name 'cache' is taken"),
        ({"publsh": True}, "publsh: Extra inputs are not permitted"),
    ],
)
def test_bad_requests_are_refused_before_any_work(root, capsys, change, message):
    toy.write_profile(root, toy.PROFILE | change)
    assert run.main([str(root / "toy.yaml")]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and "Traceback" not in shown.err and shown.out == ""
    assert not (root / "results").exists()


def test_other_bad_requests(root, capsys):
    assert run.main([str(root / "absent.yaml")]) == 2
    assert "no profile" in capsys.readouterr().err
    assert run.main([str(root / "toy.yaml"), "--only", "fits"]) == 2
    assert "unknown stage 'fits'" in capsys.readouterr().err
    assert run.main([str(root / "toy.yaml"), "--dask", "tcp://127.0.0.1:9"]) == 2
    assert "no dask scheduler" in capsys.readouterr().err
    (root / "other.yaml").write_text("base: toy.yaml\nstages: {corpus: 3}")
    assert run.main([str(root / "other.yaml")]) == 2
    assert "corpus must be a mapping of names to values, not 3" in capsys.readouterr().err
    (root / "other.yaml").write_text(f"base: ../{root.name}/other.yaml")
    assert run.main([str(root / "other.yaml")]) == 2
    assert "other.yaml is its own base" in capsys.readouterr().err
    (root / "toy.yaml").write_text("name: [")
    assert run.main([str(root / "toy.yaml")]) == 2
    assert "is no YAML" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run.main([str(root / "toy.yaml"), "--jobs", "0"])
    assert not (root / "results").exists()


def test_a_key_follows_imports_through_the_library():
    found = {path.name for path in keys.library_files(["def f():\n    from synthlib import results as r"])}
    of_params = {"base.py", "study.py", "beyond.py", "backends.py", "voters.py", "settings.py", "scoring.py"}
    of_params |= {"devices.py", "encoders.py", "fields.py"}
    assert found == of_params | {"__init__.py", "results.py", "tasks.py", "paths.py", "annotated.py"}
    assert keys.library_files(["import numpy"]) == []


def test_texts_in_a_folder_count_by_content(tmp_path, monkeypatch):
    monkeypatch.delenv("SYNTHLIB_DATA", raising=False)
    with pytest.raises(ValueError, match="SYNTHLIB_DATA"):
        keys._own_texts(["imdb"])
    monkeypatch.setenv("SYNTHLIB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"imdb\.parquet"):
        keys._own_texts(["imdb"])
    write_texts(tmp_path, "imdb", n_train=1, n_test=1)
    before = keys._own_texts(["imdb"])
    os.utime(tmp_path / "imdb.parquet", ns=(1, 1))  # as of a copy
    assert keys._own_texts(["imdb"]) == before
    texts = pd.read_parquet(tmp_path / "imdb.parquet")
    texts.assign(text=texts["text"] + "!").to_parquet(tmp_path / "imdb.parquet")
    assert keys._own_texts(["imdb"]) != before
    texts.assign(label="good").to_parquet(tmp_path / "imdb.parquet")  # refused before anything runs
    with pytest.raises(ValueError, match=r"imdb.parquet: unknown label\(s\) \['good'\]; allowed are"):
        keys._own_texts(["imdb"])


def test_an_encoder_of_ones_own_counts_by_its_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHLIB_DATA", str(tmp_path))
    write_texts(tmp_path, "imdb", n_train=1, n_test=1)
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    cell = next(cell for cell in cells if cell.stage == "train")
    own = cell.params.model_copy(update={"task": "imdb", "source": "folder", "encoder": str(tmp_path)})
    notebook = paths.NOTEBOOKS / "03_train.ipynb"
    found = []
    for weights in ("old", "newer", "newer"):
        (tmp_path / "model.safetensors").write_text(weights)
        found.append(keys.job_key(STAGES["train"], own, notebook, {}))
    assert found[0] != found[1] == found[2]


def test_limits_and_speed_of_asking_do_not_count():
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "paper.yaml"))
    p = next(cell.params for cell in cells if cell.stage == "generate")

    def key(**changes):
        asked = p.model_copy(update={"llm": p.llm | changes})
        return keys.job_key(STAGES["generate"], asked, paths.NOTEBOOKS / "02_generate.ipynb", {})

    raised = {"max_usd": 300.0, "max_calls": 9, "concurrency": 8, "requests_per_minute": 5, "tokens_per_minute": 7}
    assert key(**raised, timeout_seconds=5.0) == key() != key(temperature=0.5)
    assert keys.OPERATIONAL - {"batch_size"} == raised.keys() | {"timeout_seconds"} <= Llm.model_fields.keys()
    assert "batch_size" in Local.model_fields


@pytest.mark.parametrize(
    ("stage", "change", "file"),
    [
        ("train", {"source": "hub"}, "annotations/annot_csc_sarcasm/annotations.parquet"),
        ("instance_subjectivity", {}, "annotations/annot_crowdtruth_relation/annotations.parquet"),
        ("generate", {"backend": "local", "llm": {"model": "MODEL"}}, "MODEL/config.json"),
    ],
)
def test_what_a_notebook_reads_counts(tmp_path, monkeypatch, stage, change, file):
    monkeypatch.setenv("SYNTHLIB_ANNOTATIONS", str(tmp_path / "annotations"))
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    p = next(cell for cell in cells if cell.stage == stage).params
    if "llm" in change:
        change = change | {"llm": {"model": str(tmp_path / "MODEL")}}
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    found = []
    for content in ("old", "newer"):
        path.write_text(content)
        notebook = paths.NOTEBOOKS / f"{STAGES[stage].notebook}.ipynb"
        found.append(keys.job_key(STAGES[stage], p.model_copy(update=change), notebook, {}))
    assert found[0] != found[1]


def test_forms_count_beside_the_modules_that_fill_them():
    forms = keys._forms(keys.library_files(["from synthlib.crowd import form"]))
    assert {path.name for path in forms} == {"form.html", "mturk.html"} and keys._forms([keys.LIBRARY / "run.py"]) == []


def test_the_task_whose_texts_workers_read_counts():
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    p = next(cell.params for cell in cells if cell.stage == "collect")
    other = next(name for name in task_names() if name not in p.tasks)
    assert other in keys.chosen_tasks(p.model_copy(update={"text_task": other}))


def test_the_time_left_learns_from_the_jobs_that_have_run(root, capsys):
    class TenTimesAsFast(Executor):
        def submit(self, fn, /, *args, **kwargs):
            (future := Future()).set_result(Outcome("run", 6.0))
            return future

    planned = jobs.plan(profiles.load_profile(root / "toy.yaml"))
    run.run_jobs(planned, TenTimesAsFast(), n_at_once=1, estimates=dict.fromkeys(toy.STAGES, 60.0))
    left = re.findall(r"about ([\d.]+) min left, (\S+?)\]", capsys.readouterr().err)
    assert left[0] == ("6.0", "corpus/imdb") and left[-1] == ("0.1", "side/all")


def test_a_process_killed_while_idle_is_replaced():
    with pools.open_pool(1, None) as (slots, _):
        first = slots.submit(os.getpid).result()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: slots._slots[0][0]._broken, 10)
        assert slots.submit(os.getpid).result() != first


def test_cores_are_shared_out():
    with pools.open_pool(1, None) as (executor, n_at_once):
        assert n_at_once == 1
        threads = executor.submit(os.getenv, "OMP_NUM_THREADS").result()
    assert threads == os.environ.get("OMP_NUM_THREADS", str(pools.count_cores()))


@pytest.mark.last
def test_the_smoke_profile_from_the_command_line(tmp_path):
    """Every notebook of the study, executed; tables and figures are there."""
    command = [sys.executable, "-m", "synthlib.run", str(paths.PARAMS / "smoke.yaml")]
    environment = os.environ | {"SYNTHLIB_RESULTS": str(tmp_path / "results")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    planned = [path.parent for path in (tmp_path / "results" / "smoke").glob("*/*/manifest.json")]
    assert len(planned) == 14
    for folder in planned:
        manifest = jobs.read_manifest(folder)
        assert manifest["stage"] == folder.parent.name and folder.name.startswith(manifest["cell"])
        assert list(folder.glob("*.parquet")), f"{folder} has no table"
        for ending in ("pdf", "png", "csv"):
            assert list(folder.glob(f"[01]?_*.{ending}")), f"{folder} has no figure as {ending}"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("encoder: all-MiniLM-L6-v2", "encoder: all-MiniLM-L6-v3", "unknown encoder 'all-MiniLM-L6-v3'; give all-Mini"),
        ("device: auto", "device: gpu", "unknown device 'gpu'; give auto, cpu, cuda"),
    ],
)
def test_an_unknown_encoder_or_device_is_refused_before_any_work(tmp_path, capsys, before, after, message):
    profile = tmp_path / "mine.yaml"
    companion = (paths.PARAMS / "companion.yaml").read_text().replace("name: companion", "name: mine")
    profile.write_text(companion.replace(before, after))
    assert run.main([str(profile), "--plan"]) == 2
    assert message in capsys.readouterr().err


def test_features_of_another_encoder_are_refused_before_any_work(tmp_path, capsys):
    profile = tmp_path / "other.yaml"
    companion = (paths.PARAMS / "companion.yaml").read_text().replace("name: companion", "name: other")
    profile.write_text(companion.replace("encoder: all-MiniLM-L6-v2", "encoder: owner/other@1"))
    assert run.main([str(profile), "--plan"]) == 2
    assert "holds vectors of 'all-MiniLM-L6-v2', not of 'owner/other@1'" in capsys.readouterr().err


def test_an_encoder_folder_in_the_home_folder_counts_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.safetensors").write_text("weights")
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    p = next(cell for cell in cells if cell.stage == "diversity").params
    assert keys._own_models(p) == {}
    assert keys._own_models(p.model_copy(update={"encoder": "~/mine"}))["encoder"]


def test_a_task_that_nobody_compared_does_not_stop_the_ranking(tmp_path, monkeypatch):
    """04 with the released panel and one task more, of one's own."""
    import papermill

    monkeypatch.setenv("SYNTHLIB_TASKS", str(paths.ROOT / "docs" / "new_task"))
    values = {"tasks": ["ag_news", "imdb", "humor", "tweet_irony", "complaint_severity"], "n_resamples": 100}
    values["output"] = os.path.relpath(tmp_path, paths.ROOT)
    done = papermill.execute_notebook(
        paths.NOTEBOOKS / "04_task_subjectivity.ipynb", tmp_path / "04.ipynb", values, progress_bar=False, cwd=tmp_path
    )
    shown = json.dumps(done.cells)
    assert "Nobody compared" in shown and "not ranked" in shown
    assert len(pd.read_parquet(tmp_path / "scores.parquet")) == 4
