"""Public copies of the texts: read through the datasets library from folders and from a hub on this machine."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from loopback_hub import serve_hub

from synthlib import data, features, hub
from synthlib.tasks import load_task

NOTHING_SHIPPED = pd.DataFrame({"key": pd.Series(dtype=str), "split": pd.Series(dtype=str), "evaluation": []})


@pytest.fixture(autouse=True)
def _cache_elsewhere(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def at_folder(name, folder):
    """Return a task whose public copy lies in a folder."""
    task = load_task(name)
    copy = task.reference.hub.model_copy(update={"id": str(folder)})
    return task.model_copy(update={"reference": task.reference.model_copy(update={"hub": copy})})


def write_copy(folder, task, files):
    """Write split -> rows (text, label as the copy writes it) as the files of a task's public copy."""
    source = task.reference.hub
    for split, rows in files.items():
        path = folder / source.files[split]
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame(rows, columns=[source.text, source.label])
        if source.format == "csv":
            frame.to_csv(path, index=False)
        else:
            frame.to_parquet(path, index=False)


def zip_phrasebank():
    lines = {
        50: "Sales at a@b rose .@positive\nThe caf\xe9 closed .@negative\nIt is a bank .@neutral\n",
        66: "Sales at a@b rose .@positive\nThe caf\xe9 closed .@negative\n",
        75: "The caf\xe9 closed .@negative\n",
        100: "The caf\xe9 closed .@negative\n",
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for level, path in load_task("financial_phrasebank").reference.hub.agreement.items():
            inner = path.partition("::")[0].removeprefix("zip://")
            zipped.writestr(inner, lines[level].replace("\n", "\r\n").encode("iso-8859-1"))
        zipped.writestr("FinancialPhraseBank-v1.0/README.txt", "no data")
    return archive.getvalue()


PHRASES = {
    ("Sales at a@b rose .", "positive", 66),
    ("The café closed .", "negative", 100),
    ("It is a bank .", "neutral", 50),
}


def test_keys_are_those_of_the_shipped_tables():
    """FIPS 180-2, appendix B.1: the SHA-256 of "abc"."""
    assert hub.make_key("abc") == hub.make_key("\n abc ") == "ba7816bf8f01cfea"
    assert hub.make_key("Abc") != hub.make_key("abc")
    assert features.load("imdb", "features", "all-MiniLM-L6-v2").rows["key"].str.fullmatch("[0-9a-f]{16}").all()


def test_official_splits_and_labels_are_kept(tmp_path):
    task = at_folder("reddit_emotion", tmp_path)
    train = [("what a day", [17]), ("oh no", [25]), ("really?", [26]), ("fine", [27]), ("joy and tears", [17, 25])]
    write_copy(tmp_path, task, {"train": train, "validation": [("so good", [17])], "test": [("who knew", [26])]})
    texts = data.load_hub(task)
    assert texts[["text", "label", "split"]].to_numpy().tolist() == [
        ["what a day", "joy", "train"],
        ["oh no", "sadness", "train"],
        ["really?", "surprise", "train"],
        ["so good", "joy", "validation"],
        ["who knew", "surprise", "test"],
    ]
    assert texts["key"].tolist() == [hub.make_key(text) for text in texts["text"]]
    assert not texts["evaluation"].any()
    assert texts.attrs["dropped"] == {"other_label": 2, "empty": 0, "two_labels": 0, "duplicate": 0}


def test_evaluation_rows_are_found_by_key_in_test_only(tmp_path):
    task = at_folder("imdb", tmp_path)
    write_copy(tmp_path, task, {"train": [("good", 1), ("bad", 0)], "test": [("great ", 1), ("awful", 0)]})
    keys = [hub.make_key(text) for text in ("great", "bad")]
    shipped = pd.DataFrame({"key": keys, "split": ["test", "train"], "evaluation": True})
    texts = data.load_hub(task, shipped)
    assert texts.loc[texts["evaluation"], "text"].tolist() == ["great "]


def test_copies_and_contradictions_are_dropped_and_counted(tmp_path):
    task = at_folder("imdb", tmp_path)
    train = [(f"film {n}", n % 2) for n in range(60)]
    test = [("film 0 ", 0), ("film 1", 1), ("film 2", 1), ("other", 0)]
    write_copy(tmp_path, task, {"train": [*train, ("film 3", 1)], "test": test})
    shipped = pd.DataFrame({"key": [hub.make_key("film 1")], "split": ["train"], "evaluation": False})
    texts = data.load_hub(task, shipped).set_index("text")
    assert "film 2" not in texts.index  # it has two labels
    assert texts.loc["film 0 ", "split"] == "test" and "film 0" not in texts.index  # a copy in test is kept there ...
    assert texts.loc["film 1", "split"] == "train"  # ... but for a text that data/features has in train
    assert texts.index.is_unique and texts["key"].is_unique
    assert texts.attrs["dropped"] == {"other_label": 0, "empty": 0, "two_labels": 2, "duplicate": 3}


def test_too_many_copies_are_refused(tmp_path):
    task = at_folder("imdb", tmp_path)
    write_copy(tmp_path, task, {"train": [("a", 0), ("a", 0), ("b", 1)], "test": [("c", 1)]})
    with pytest.raises(ValueError, match=r"'duplicate': 1} of 4 rows would be dropped; at most 10%"):
        data.load_hub(task, NOTHING_SHIPPED)


def test_without_official_split_each_label_is_divided(tmp_path):
    task = at_folder("humor", tmp_path)
    rows = [(f"joke {n}", True) for n in range(200)] + [(f"news {n}", False) for n in range(100)] + [("null", False)]
    write_copy(tmp_path, task, {"all": rows})
    texts = data.load_hub(task, NOTHING_SHIPPED)
    counts = texts.groupby(["label", "split"]).size()
    assert counts["humor"].to_dict() == {"train": 140, "validation": 10, "test": 50}
    assert counts["non_humor"].to_dict() == {"train": 71, "validation": 5, "test": 25}
    assert "null" in set(texts["text"])  # a text, not a missing value
    again = data.load_hub(task, NOTHING_SHIPPED)
    pd.testing.assert_frame_equal(texts, again)


def test_drawn_splits_leave_shipped_texts_in_place_and_do_not_depend_on_order():
    texts = pd.DataFrame({"label": "ham", "key": [f"{n:03d}" for n in range(100)]})
    shipped = pd.DataFrame({"key": ["000", "001", "002", "999"], "split": ["test", "train", "validation", "test"]})

    def draw(frame):
        rng = np.random.default_rng(1)
        return hub.draw_splits(frame, shipped, fractions=(0.7, 0.05, 0.25), rng=rng).to_numpy()

    split = pd.Series(draw(texts), index=texts["key"])
    assert split.value_counts().to_dict() == {"train": 70, "test": 25, "validation": 5}
    assert split[["000", "001", "002"]].tolist() == ["test", "train", "validation"]
    mixed = texts.sample(frac=1, random_state=3)
    pd.testing.assert_series_equal(pd.Series(draw(mixed), index=mixed["key"])[texts["key"]], split)


def test_irony_texts_lose_the_tags_that_give_them_away(tmp_path):
    task = at_folder("tweet_irony", tmp_path)
    train = [("so  happy to wait", 1), ("on my way", 0)]
    test = [("love mondays #Not #mondays ", 1), ("rain #notes", 0)]
    write_copy(tmp_path, task, {"train": train, "validation": [("as  if", 1)], "test": test})
    texts = data.load_hub(task)
    cleaned = ["so happy to wait", "on my way", "as if", "love mondays #mondays", "rain #notes"]
    assert texts["text"].tolist() == cleaned
    assert texts["text_raw"].tolist()[2:] == ["as  if", *(text for text, _ in test)]
    assert texts["irony_tag"].tolist() == [False, False, False, True, False]
    assert texts["key"].tolist() == [hub.make_key(text) for text in texts["text"]]


def test_lines_in_an_archive_with_agreement(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "FinancialPhraseBank-v1.0.zip").write_bytes(zip_phrasebank())
    texts = data.load_hub(at_folder("financial_phrasebank", tmp_path))
    assert set(texts[["text", "label", "agreement"]].itertuples(index=False, name=None)) == PHRASES


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("good", 1), ("better", 1)], r"no text has label\(s\) \['negative'\]"),
        ([("good", 7), ("bad", 0)], r"no text has label\(s\) \['positive'\]"),
        ([("  ", 1), ("bad", 0)], r"no text has label\(s\) \['positive'\]"),
        ([(None, 1), ("bad", 0)], r"no text has label\(s\) \['positive'\]"),
    ],
)
def test_copy_without_our_labels_is_refused(tmp_path, rows, message):
    task = at_folder("imdb", tmp_path)
    write_copy(tmp_path, task, {"train": rows, "test": rows})
    with pytest.raises(ValueError, match=message):
        data.load_hub(task)


def test_copy_without_the_columns_is_refused(tmp_path):
    task = at_folder("humor", tmp_path)
    pd.DataFrame({"text": ["a"], "funny": [True]}).to_csv(tmp_path / "dataset.csv", index=False)
    with pytest.raises(ValueError, match=r"dataset.csv: missing column\(s\) \['humor'\]; it has \['text', 'funny'\]"):
        data.load_hub(task)


def test_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(ConnectionError, match=r"cannot read .*train-00000-of-00001.parquet .*use source: folder"):
        data.load_hub(at_folder("imdb", tmp_path))


def test_task_without_public_copy_is_refused():
    task = load_task("relation")
    task = task.model_copy(update={"reference": task.reference.model_copy(update={"hub": None})})
    with pytest.raises(ValueError, match=r"task 'relation' has no pinned public copy .*use source: folder"):
        data.load_hub(task)


def test_rows_by_label_over_http(tmp_path, monkeypatch):
    """FewRel's form, from a server on this machine in the place of GitHub."""
    task = load_task("relation")
    source = task.reference.hub
    rows = {
        name: [{"tokens": ["the", "\u00a0", "river", name, str(n)], "h": ["river", "Q1", [[2]]]} for n in range(20)]
        for name in [*source.labels, "P6"]
    }
    path = f"{source.id}/{source.revision}/data/train_wiki.json"
    with serve_hub("", "", {path: json.dumps(rows).encode()}) as address:
        monkeypatch.setitem(hub.HOSTS, "github", f"{address}/datasets//resolve//{{id}}/{{revision}}")
        texts = data.load_hub(task, NOTHING_SHIPPED)
    assert texts["text"].tolist()[0] == "the river P17 0" and texts["label"].tolist()[0] == "country"
    counts = texts.groupby(["label", "split"]).size()
    assert counts["league"].to_dict() == {"train": 14, "validation": 1, "test": 5} and len(texts) == 80
    assert texts.attrs["dropped"]["other_label"] == 20


def test_revision_is_the_one_asked_for(tmp_path):
    """In a process of its own: the address of the hub is read when the library is imported."""
    source = load_task("financial_phrasebank").reference.hub
    code = """
import json, sys
from synthlib import hub
from synthlib.tasks import load_task
source = load_task("financial_phrasebank").reference.hub
print(json.dumps(hub.read_texts(source)[["text", "label", "agreement"]].to_numpy().tolist()))
try:
    hub.read_texts(source.model_copy(update={"revision": "0" * 40}))
except ConnectionError as error:
    print(error)
"""
    with serve_hub(source.id, source.revision, {"data/FinancialPhraseBank-v1.0.zip": zip_phrasebank()}) as address:
        environment = os.environ | {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    texts, refusal = done.stdout.splitlines()
    assert {tuple(row) for row in json.loads(texts)} == PHRASES
    assert "@" + "0" * 40 in refusal and "use source: folder" in refusal
