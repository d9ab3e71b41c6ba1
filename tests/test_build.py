"""Building data/features from texts: the whole command on made-up texts, with a tiny encoder."""

import json

import numpy as np
import pandas as pd
import pytest
from tiny_encoder import write_tiny_encoder

from synthlib import build, cli, data, features, vectors
from synthlib.tasks import load_task, task_names

ANNOTATED = {
    "expun_humor": ["joke", "not_joke"],
    "isarcasmeval_en": ["sarcastic", "non_sarcastic"],
    "multipico_irony_en": ["irony", "non_irony"],
    "csc_sarcasm": ["5", "2"],
}


def make_texts(name):
    task = load_task(name)
    rows = [
        {
            "key": f"{name}-{label}-{split}-{i}",
            "label": label,
            "split": split,
            "text": f"the {label} cat {i} {verb} on the mat",
        }
        for label in task.label_names
        for split, verb in zip(data.SPLITS, ("lay", "stood", "sat"), strict=True)
        for i in range(3)
    ]
    frame = pd.DataFrame(rows).assign(evaluation=lambda f: (f["split"] == "test") & f["key"].str.endswith("0"))
    if name == "financial_phrasebank":
        frame["agreement"] = 75
    if name == "tweet_irony":
        tags = np.where((frame["label"] == "irony") & (frame["split"] == "test"), " #irony", "")
        frame["text_raw"] = frame["text"] + tags
    return frame


def write_annotations(folder, labels):
    folder.mkdir(parents=True)
    rows = [
        {"instance_id": f"i{i}", "text": f"a short text {i}", "annotator_id": f"p{p}", "label": labels[(i + p) % 2]}
        for i in range(3)
        for p in range(2)
    ]
    frame = pd.DataFrame(rows).assign(gold=labels[0])
    if folder.name == "annot_csc_sarcasm":
        frame = frame.assign(rating=frame["label"].astype(float), gold=None)
    frame.to_parquet(folder / "annotations.parquet")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A data folder made by the command ``synthlib build-features``."""
    root = tmp_path_factory.mktemp("build")
    for folder in ("texts", "encoder", "data/features", "data/votes"):
        (root / folder).mkdir(parents=True)
    for name in task_names():
        make_texts(name).to_parquet(root / "texts" / f"{name}.parquet")
    for name, labels in ANNOTATED.items():
        write_annotations(root / "annotations" / f"annot_{name}", labels)
    encoder = write_tiny_encoder(root / "encoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "FOLDER", root / "data" / "features")
        patch.setattr(build, "DATA", root / "data")
        patch.setattr(
            features, "load_pools", lambda task: [f"{task.name}-{label}-train-1" for label in task.label_names]
        )
        folders = [str(root / "texts"), str(root / "annotations")]
        assert cli.main(["build-features", *folders, "--encoder", encoder, "--device", "cpu"]) == 0
    return root, encoder


def test_every_set_is_built_and_listed(built):
    root, encoder = built
    tables = {path.stem for path in (root / "data" / "features").glob("*.parquet")}
    assert tables == {*task_names(), "tweet_irony_raw", *ANNOTATED}
    index = json.loads((root / "data" / "features" / "index.json").read_text())["files"]
    assert {name.removesuffix(".parquet") for name in index} == tables
    for name in tables:
        table = features.read(root / "data" / "features" / f"{name}.parquet", encoder=encoder)
        assert table.features.shape == (len(table.rows), 16) and np.isfinite(table.features).all()


def test_no_text_is_written_anywhere(built):
    root, _ = built
    for path in (root / "data").rglob("*.*"):
        columns = (pd.read_csv if path.suffix == ".csv" else pd.read_parquet)(path) if path.suffix != ".json" else {}
        assert not {"text", "text_raw"} & set(columns)
        assert b"sat on the mat" not in path.read_bytes() and b"a short text" not in path.read_bytes()


def test_rows_carry_pool_evaluation_agreement_and_irony_tag(built):
    root, encoder = built
    tables = {
        name: features.read(root / "data/features" / f"{name}.parquet", encoder=encoder).rows for name in task_names()
    }
    for name, rows in tables.items():
        assert len(rows) == 9 * len(load_task(name).label_names)
        assert rows.loc[rows["pool"], "key"].str.endswith("train-1").all() and rows["pool"].sum() == len(rows) / 9
        assert rows.loc[rows["evaluation"], "key"].str.endswith("test-0").all()
    assert set(tables["financial_phrasebank"]["agreement"]) == {75}
    irony = tables["tweet_irony"].query("split == 'test'")
    assert (irony["irony_tag"] == (irony["label"] == "irony")).all()
    assert not tables["tweet_irony"]["hashtag"].any()  # measured on the cleaned text


def test_raw_irony_is_of_the_raw_test_texts(built):
    root, encoder = built
    raw, clean = (
        features.read(root / "data/features" / f"{n}.parquet", encoder=encoder)
        for n in ("tweet_irony_raw", "tweet_irony")
    )
    assert (raw.rows["split"] == "test").all() and (raw.rows["hashtag"] == (raw.rows["label"] == "irony")).all()
    clean = clean.where(clean.rows["split"] == "test")
    assert raw.rows["key"].tolist() == clean.rows["key"].tolist()
    differs = np.abs(raw.features - clean.features).max(axis=1) > 0.05
    np.testing.assert_array_equal(differs, raw.rows["label"] == "irony")


def test_votes_of_people_are_translated_to_the_task(built):
    root, _ = built
    votes = data.load_instance_votes("expun_humor", root / "data" / "votes" / "human_expun_humor.csv")
    assert votes.groupby("key")["label"].agg(set).map(sorted).tolist() == [["humor", "non_humor"]] * 3
    assert set(votes["annotator"]) == {"p0", "p1"}


def test_ratings_become_votes_and_stay_beside_them(built):
    root, _ = built
    votes = data.load_instance_votes("csc_sarcasm", root / "data" / "votes" / "human_csc_sarcasm.csv")
    assert (votes["label"] == "irony").tolist() == (votes["rating"] == 5).tolist()


def test_only_the_named_sets_are_built_again(built, monkeypatch):
    root, encoder = built
    monkeypatch.setattr(features, "FOLDER", root / "data" / "features")
    monkeypatch.setattr(build, "DATA", root / "data")
    before = {path: path.stat().st_mtime_ns for path in (root / "data").rglob("*.*")}
    none = root / "no such folder"
    settings = {"encoder": encoder, "device": "cpu"}
    build.build_features(none, root / "annotations", **settings, only=["csc_sarcasm"])
    changed = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {"csc_sarcasm.parquet", "human_csc_sarcasm.csv", "index.json"}
    with pytest.raises(ValueError, match=r"unknown annotated set\(s\) \['poems'\]; known are"):
        build.build_features(none, root / "annotations", **settings, only=["poems"])


def test_statistics_count_all_texts(built):
    root, _ = built
    statistics = pd.read_csv(root / "data" / "features" / "statistics.csv")
    assert set(statistics["task"]) == set(task_names()) and (statistics["rows"] == 3).all()
    relation = statistics.query("task == 'relation' and label == 'league'")
    assert (relation["words_median"] == 8).all() and (relation["digit"] == 1).all()
    irony = statistics.query("task == 'tweet_irony' and split == 'test'").set_index("label")["irony_tag"]
    assert irony.to_dict() == {"irony": 1.0, "non_irony": 0.0}


def test_unsound_text_stops_the_build_before_encoding(tmp_path, monkeypatch):
    frame = make_texts(task_names()[0])
    frame.loc[3, "text"] = " "
    frame.to_parquet(tmp_path / f"{task_names()[0]}.parquet")
    monkeypatch.setattr(features, "FOLDER", tmp_path / "features")
    with pytest.raises(ValueError, match=r"1 empty text\(s\), the first with key 'ag_news-"):
        build.build_features(tmp_path, tmp_path, encoder="no such encoder", device="cpu", only=[])
    assert not (tmp_path / "features").exists()


def test_vectors_of_all_released_texts_are_built(tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "FOLDER", tmp_path / "vectors")
    monkeypatch.setattr(build, "task_names", lambda: ["humor"])
    (tmp_path / "encoder").mkdir()
    encoder = write_tiny_encoder(tmp_path / "encoder")
    assert cli.main(["build-vectors", "--encoder", encoder, "--device", "cpu"]) == 0
    assert {path.stem for path in vectors.FOLDER.iterdir()} == {"humor", *data.STORIES}
    texts = data.load_stories("textbook")["text"].tolist()
    assert vectors.find_vectors(texts, encoder, shipped=["textbook"]).n_shipped == len(texts) == 120


def test_an_unknown_encoder_is_an_error_of_the_command(capsys):
    assert cli.main(["build-vectors", "--encoder", "no/such"]) == 2
    assert "unknown encoder 'no/such'" in capsys.readouterr().err
