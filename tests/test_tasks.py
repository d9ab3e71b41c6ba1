"""The ten tasks: what their files say, and which faults of a file are noticed."""

import pytest
import yaml

from synthlib import tasks
from synthlib.paths import PARAMS
from synthlib.tasks import Hub, load_task, load_tasks, task_names

COPY = {
    "id": "a/b",
    "revision": "0" * 40,
    "format": "csv",
    "text": "text",
    "label": "label",
    "labels": {"0": "ham", "1": "spam"},
}


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """Return a function that changes the file of sms_spam and loads it."""
    monkeypatch.setattr(tasks, "PARAMS", tmp_path)
    (tmp_path / "tasks").mkdir()

    def load(change):
        values = yaml.safe_load((PARAMS / "tasks" / "sms_spam.yaml").read_text(encoding="utf-8"))
        change(values)
        (tmp_path / "tasks" / "sms_spam.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        return load_task("sms_spam")

    return load


def test_tasks_are_those_of_the_study():
    """Li et al. (2023): ten tasks, four of them in the least subjective group."""
    loaded = load_tasks(list(task_names()))
    assert len(loaded) == 10 and sum(len(task.label_names) for task in loaded.values()) == 28
    least = {name for name, task in loaded.items() if task.group == "least_subjective"}
    assert least == {"ag_news", "relation", "imdb", "sms_spam"}
    assert loaded["ag_news"].label_names == ["World", "Sports", "Business", "Sci/Tech"]


@pytest.mark.parametrize("name", task_names())
def test_every_task_says_where_its_texts_and_labels_are_from(name):
    reference = load_task(name).reference
    assert min(len(reference.citation), len(reference.licence), len(reference.labels_from)) > 2
    assert reference.hub is not None and len(reference.hub.revision) == 40
    assert all(not path.startswith("/") for path in reference.hub.files.values())


def test_labels_that_nobody_judged_are_said_to_be_the_source():
    """Sarcasm and humor labels are the source of the text: the publisher, a collection of jokes."""
    for name in ("humor", "sarcasm_headlines"):
        assert "not a judgement" in load_task(name).reference.labels_from
    assert "not a judgement" not in load_task("reddit_emotion").reference.labels_from


def test_attributes_of_a_label_narrow_those_of_the_task():
    task = load_task("sms_spam")
    ham, spam = task.attributes_of("ham"), task.attributes_of("spam")
    assert ham["sender"] != spam["sender"] and set(task.attributes) <= set(ham)


def test_unknown_task_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown task 'imbd'; known tasks: ag_news, .*tweet_irony"):
        load_task("imbd")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("reference"), r"sms_spam\.yaml.*reference: Field required"),
        (lambda v: v.update(colour="red"), r"colour: Extra inputs are not permitted"),
        (lambda v: v.update(group="subjective"), "least_subjective"),
        (lambda v: v["labels"].pop("ham"), "at least 2 items"),
        (lambda v: v["reference"]["hub"].update(revision="main"), r"revision: String should match pattern"),
        (lambda v: v["reference"]["hub"].update(revision=None), r"revision: Input should be a valid string"),
        (lambda v: v["reference"]["hub"].update(labels={"0": "ham", "1": "junk"}), r"gives \['ham', 'junk'\], not"),
    ],
)
def test_faulty_file_is_refused(changed, change, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        changed(change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"is empty; docs/new_task\.md"),
        ("# a comment alone\n", "is empty"),
        ("- a\n- b\n", "must be a mapping of fields to values, not a list"),
        ("title: [", "is no YAML"),
        ("name: toy\n", "take out name: a task's name is that of its file, 'toy'"),
        ("title: A toy\n", r"9 bad parameter\(s\)\s+group: Field required"),
        ("title: A toy\n1: x\n", r"10 bad parameter(?s:.*)1: Keys should be strings"),
    ],
)
def test_file_that_is_no_task_is_refused_in_plain_words(tmp_path, monkeypatch, text, message):
    monkeypatch.setattr(tasks, "PARAMS", tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "toy.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"toy\.yaml.*{message}") as error:
        load_task("toy")
    assert "pydantic" not in str(error.value)


@pytest.mark.parametrize(
    "files",
    [
        {"files": {"train": "a"}},
        {"files": {"all": "a"}},
        {"files": {"all": "a"}, "fractions": [0.7, 0.05, 0.2]},
        {"files": {"all": "a", "test": "b"}, "fractions": [0.7, 0.05, 0.25]},
        {"files": {"train": "a", "test": "b", "dev": "c"}},
    ],
)
def test_copy_whose_splits_are_not_known_is_refused(files):
    with pytest.raises(ValueError, match=r"files"):
        Hub(**COPY, **files)


def test_copy_with_or_without_official_splits_is_taken():
    assert Hub(**COPY, files={"train": "a", "test": "b"}).fractions is None
    assert Hub(**COPY, files={"all": "a"}, fractions=[0.7, 0.05, 0.25]).host == "hub"
