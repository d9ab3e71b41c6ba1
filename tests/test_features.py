"""Feature tables: what is shipped, what comes back, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from synthlib import data, encoders, features, surface
from synthlib.tasks import load_task, task_names
from synthlib.vectors import Vectors

ENCODER = "all-MiniLM-L6-v2"
FIXTURE = Path(__file__).parent / "fixtures" / "made_up_features.parquet"
SETS = [*task_names(), "tweet_irony_raw", *data.HUMAN_VOTES]
MADE_UP = pd.DataFrame(
    [
        ("m1", "joy", "train", "Best morning ever!! The ferry waited for us 😀 #lucky"),
        ("m2", "anger", "train", "They cancelled the 7.15 again and nobody at the desk would say why."),
        ("m3", "sadness", "test", "It's quiet now that the house is empty, and I don't like it."),
        ("m4", "optimism", "test", "@neighbour We'll plant the beans again next week. They will come up this time."),
    ],
    columns=["key", "label", "split", "text"],
).assign(evaluation=[False, False, True, True])
# as a folder must hold it: the same, with a training and a test text of every label
OWN = pd.concat(
    [MADE_UP]
    + [
        pd.DataFrame([(key, label, split, f"{label} in {split}", False)], columns=MADE_UP.columns)
        for key, label, split in (
            ("n1", "sadness", "train"),
            ("n2", "optimism", "train"),
            ("n3", "joy", "test"),
            ("n4", "anger", "test"),
        )
    ],
    ignore_index=True,
)


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    path = tmp_path_factory.mktemp("rebuilt") / "made_up.parquet"
    features.write(path, MADE_UP, encoder=ENCODER, device="cpu")
    return path


def test_rebuilt_rows_equal_the_stored_ones(rebuilt):
    """The encoder, surface measures and file format still give what they gave when the shipped tables were made."""
    fresh, stored = features.read(rebuilt, encoder=ENCODER), features.read(FIXTURE, encoder=ENCODER)
    pd.testing.assert_frame_equal(fresh.rows, stored.rows)
    np.testing.assert_array_equal(fresh.function_words, stored.function_words)
    np.testing.assert_allclose(fresh.features, stored.features, atol=0.01)  # processors differ by about 0.005
    assert np.abs(fresh.features[0] - fresh.features[1]).max() > 0.3  # the tolerance tells texts apart


def test_table_holds_no_text_and_says_what_made_it(rebuilt):
    schema = pq.read_schema(rebuilt)
    made = json.loads(schema.metadata[b"synthlib"])
    assert made["encoder"] == ENCODER and made["pooling"] == "mean" and made["max_length"] == 256
    assert not {"text", "text_raw", "head", "tail"} & set(schema.names)
    assert not any(text.encode() in rebuilt.read_bytes() for text in MADE_UP["text"])
    assert schema.field("feature").type.value_type == "halffloat"


def test_round_trip_keeps_rows_and_vectors_together(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4, 5)).astype(np.float16)
    path = tmp_path / "new" / "toy.parquet"
    features.write_table(path, MADE_UP, MADE_UP["text"].tolist(), Vectors(vectors, {"encoder": "toy"}, 0))
    table = features.read(path, encoder="toy")
    np.testing.assert_array_equal(table.features, vectors.astype(np.float32))
    assert table.rows["text"].tolist() == MADE_UP["text"].tolist()  # write_table keeps what it is given
    assert table.function_words.shape == (4, len(surface.FUNCTION_WORDS))
    chosen = table.where(table.rows["split"] == "test")
    assert chosen.rows["key"].tolist() == ["m3", "m4"]
    np.testing.assert_array_equal(chosen.features, table.features[2:])
    assert not list(path.parent.glob("*.tmp*"))


@pytest.mark.parametrize("name", SETS)
def test_shipped_table_loads_aligned(name):
    table = features.load(name, "features", ENCODER)
    n = len(table.rows)
    assert n and table.features.shape == (n, 384) and table.function_words.shape == (n, len(surface.FUNCTION_WORDS))
    assert np.isfinite(table.features).all() and np.linalg.norm(table.features, axis=1).min() > 1
    assert table.rows["key"].is_unique
    assert not {"text", "text_raw", "head", "tail"} & set(table.rows)
    schema = pq.read_schema(features.FOLDER / f"{name}.parquet")
    assert schema.field("feature").type.value_type == "halffloat"
    strings = table.rows.select_dtypes(["object", "string"])
    assert strings.map(lambda value: len(str(value))).max(axis=None) < 40  # keys and labels, nothing longer


@pytest.mark.parametrize("name", task_names())
def test_shipped_rows_are_the_ones_promised(name):
    rows, task = features.load(name, "features", ENCODER).rows, load_task(name)
    assert set(rows["label"]) == set(task.label_names) and set(rows["split"]) <= set(data.SPLITS)
    size = rows.groupby("split").size()
    full = pd.read_csv(features.FOLDER / "statistics.csv").query("task == @name").groupby("split")["rows"].sum()
    for split, most in (("train", 2000), ("validation", 500), ("test", 1000)):
        assert size.get(split, 0) == min(most, full.get(split, 0))
    pool = features.load_pools(task)
    assert set(rows.loc[rows["pool"], "key"]) == set(pool) and len(pool) == 50 * len(task.label_names)
    assert (rows.loc[rows["pool"], "split"] == "train").all()
    evaluated = rows[rows["evaluation"]]
    assert (evaluated["split"] == "test").all()
    assert evaluated.groupby("label").size().between(47, 50).all()  # relation has 47 of one label
    assert set(data.load_instance_votes(name)["key"]) == set(evaluated["key"])


def test_shipped_extras():
    agreement = features.load("financial_phrasebank", "features", ENCODER).rows["agreement"]
    assert set(agreement) == {50, 66, 75, 100}
    irony, raw = (features.load(name, "features", ENCODER).rows for name in ("tweet_irony", "tweet_irony_raw"))
    assert set(raw["key"]) == set(irony.loc[irony["split"] == "test", "key"])
    assert raw.loc[raw["label"] == "irony", "irony_tag"].all()  # STUDY: the tags stand in every ironic test tweet
    for name, task in data.HUMAN_VOTES.items():
        votes, rows = data.load_instance_votes(name), features.load(name, "features", ENCODER).rows
        assert set(votes["key"]) == set(rows["key"]) and set(votes["label"]) <= set(load_task(task).label_names)


def test_shipped_size_is_within_thirty_megabytes():
    assert sum(path.stat().st_size for path in features.FOLDER.iterdir()) <= 30e6


@pytest.fixture
def shipped_copy(tmp_path, monkeypatch):
    for name in ("index.json", "relation.parquet"):
        shutil.copy(features.FOLDER / name, tmp_path)
    monkeypatch.setattr(features, "FOLDER", tmp_path)
    return tmp_path / "relation.parquet"


def test_truncated_table_is_refused(shipped_copy):
    shipped_copy.write_bytes(shipped_copy.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="is corrupt"):
        features.load("relation", "features", ENCODER)
    with pytest.raises(ValueError, match="no readable feature table"):
        features.read(shipped_copy, encoder=ENCODER)


def test_altered_byte_is_noticed(shipped_copy):
    content = bytearray(shipped_copy.read_bytes())
    content[len(content) // 2] ^= 1
    shipped_copy.write_bytes(content)
    with pytest.raises(ValueError, match="is corrupt"):
        features.load("relation", "features", ENCODER)


def test_plain_parquet_is_no_feature_table(tmp_path):
    MADE_UP.to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(ValueError, match="no readable feature table"):
        features.read(tmp_path / "plain.parquet", encoder=ENCODER)


def test_missing_table_is_said_to_be_missing(tmp_path, shipped_copy):
    with pytest.raises(FileNotFoundError):
        features.read(tmp_path / "none.parquet", encoder=ENCODER)
    with pytest.raises(ValueError, match="no shipped features 'imbd'; there are ag_news"):
        features.load("imbd", "features", ENCODER)


def test_other_encoder_is_refused():
    with pytest.raises(ValueError, match="holds vectors of 'all-MiniLM-L6-v2', not of 'bert-base'"):
        features.load("relation", "features", "bert-base")


def make_full(n_train=2600, n_validation=700, n_test=1300):
    splits = ["train"] * n_train + ["validation"] * n_validation + ["test"] * n_test
    frame = pd.DataFrame({"key": [f"k{i:05d}" for i in range(len(splits))], "split": splits})
    frame["label"] = np.where(np.arange(len(frame)) % 4 == 0, "spam", "ham")
    return frame.assign(evaluation=(frame["split"] == "test") & (frame.index % 13 == 0))


def test_selection_keeps_pool_and_evaluation_rows_within_the_limits():
    full = make_full()
    pool = full.loc[full["split"] == "train", "key"][::26].tolist()
    chosen = features.select(full, pool)
    assert chosen.groupby("split").size().to_dict() == {"train": 2000, "validation": 500, "test": 1000}
    assert set(chosen.loc[chosen["pool"], "key"]) == set(pool)
    assert chosen["evaluation"].sum() == full["evaluation"].sum()
    pd.testing.assert_frame_equal(chosen, features.select(full.sample(frac=1, random_state=1), pool))  # any row order


def test_selection_without_pool_draws_one():
    chosen = features.select(make_full(), None)
    assert chosen[chosen["pool"]].groupby("label").size().to_dict() == {"ham": 50, "spam": 50}


def test_selection_refuses_a_pool_outside_training():
    with pytest.raises(ValueError, match=r"1 pool key\(s\) are not among the training rows, the first is 'k03299'"):
        features.select(make_full(), ["k00001", "k03299"])


def test_folder_source_encodes_once(tmp_path, monkeypatch):
    from synthlib import encode

    folder = tmp_path / "texts"
    folder.mkdir()
    OWN.to_parquet(folder / "tweet_emotion.parquet")
    monkeypatch.setenv("SYNTHLIB_DATA", str(folder))
    monkeypatch.setattr(features, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(features, "load_pools", lambda task: ["m1"])
    table = features.load("tweet_emotion", "folder", ENCODER)
    stored = features.read(FIXTURE, encoder=ENCODER)
    known = table.where(table.rows["key"].isin(MADE_UP["key"]))
    assert known.rows["key"].tolist() == MADE_UP["key"].tolist() and table.rows["pool"].sum() == 1
    np.testing.assert_allclose(known.features, stored.features, atol=0.01)
    monkeypatch.setattr(encode, "encode", None)  # a second call must not encode
    again = features.load("tweet_emotion", "folder", ENCODER)
    np.testing.assert_array_equal(again.features, table.features)


def test_texts_of_ones_own_get_a_pool_of_their_own(tmp_path, monkeypatch):
    """End to end from a folder: none of its keys is in the released pool; another label makes another table."""
    from tiny_encoder import write_tiny_encoder

    (tmp_path / "encoder").mkdir()
    encoder = write_tiny_encoder(tmp_path / "encoder")
    monkeypatch.setenv("SYNTHLIB_DATA", str(tmp_path))
    monkeypatch.setattr(features, "RESULTS", tmp_path / "results")
    OWN.assign(agreement=range(8)).to_parquet(tmp_path / "tweet_emotion.parquet")
    with pytest.warns(UserWarning, match="200 of 200 texts of the released few-shot pool are not among the training"):
        table = features.load("tweet_emotion", "folder", encoder)
    assert table.rows["pool"].tolist() == [True] * 4 + [False] * 4 and table.features.shape == (8, 16)
    assert sorted(table.rows["agreement"]) == list(range(8)) and "text" not in table.rows
    turned = OWN.assign(label=OWN["label"].replace({"joy": "anger", "anger": "joy"}))
    turned.to_parquet(tmp_path / "tweet_emotion.parquet")
    with pytest.warns(UserWarning, match="200 of 200"):
        changed = features.load("tweet_emotion", "folder", encoder).rows
    assert changed.set_index("key")["label"]["m1"] == "anger"


@pytest.fixture
def own_encoder(tmp_path, monkeypatch):
    """Texts and an encoder of one's own, and nowhere a table made of them yet; the encoder's folder."""
    from tiny_encoder import write_tiny_encoder

    (tmp_path / "encoder").mkdir()
    encoder = write_tiny_encoder(tmp_path / "encoder")
    monkeypatch.setenv("SYNTHLIB_DATA", str(tmp_path))
    monkeypatch.setattr(features, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(features, "load_pools", lambda task: ["m1"])
    OWN.to_parquet(tmp_path / "tweet_emotion.parquet")
    return encoder


@pytest.mark.parametrize("change", ["length", "measure", "tokenizer"])
def test_a_table_is_made_anew_where_what_makes_it_has_changed(own_encoder, tmp_path, monkeypatch, change):
    code = [tmp_path / path.name for path in features._MAKERS]
    for path, copy in zip(features._MAKERS, code, strict=True):
        shutil.copy(path, copy)
    monkeypatch.setattr(features, "_MAKERS", code)

    def count_tables():
        features.load("tweet_emotion", "folder", own_encoder)
        return len(list((tmp_path / "results" / "cache" / "features").iterdir()))

    assert count_tables() == 1
    code[1].write_text(code[1].read_text() + "# a remark\n")
    assert count_tables() == 1
    if change == "length":
        monkeypatch.setattr(encoders, "MAX_LENGTH", 4)
    elif change == "measure":
        code[1].write_text(code[1].read_text().replace("255", "9"))
    else:
        vocabulary = tmp_path / "encoder" / "vocab.txt"
        vocabulary.write_text(vocabulary.read_text() + "\ncow")
    assert count_tables() == 2


def test_columns_of_ones_own_neither_clash_nor_count(own_encoder, tmp_path):
    plain = features.load("tweet_emotion", "folder", own_encoder)
    more = OWN.assign(question="who?", feature=1.0, pool="no", annotations=[["a", "b"]] * 8)
    more.to_parquet(tmp_path / "tweet_emotion.parquet")
    pd.testing.assert_frame_equal(features.load("tweet_emotion", "folder", own_encoder).rows, plain.rows)
    assert len(list((tmp_path / "results" / "cache" / "features").iterdir())) == 1


def test_texts_come_in_the_order_of_their_features(tmp_path, monkeypatch):
    OWN.sample(frac=1, random_state=0).to_parquet(tmp_path / "tweet_emotion.parquet")
    monkeypatch.setenv("SYNTHLIB_DATA", str(tmp_path))
    monkeypatch.setattr(features, "load_pools", lambda task: ["m1"])
    texts = features.load_texts("tweet_emotion", "folder")
    known = texts[texts["key"].isin(MADE_UP["key"])]
    assert known["key"].tolist() == features.read(FIXTURE, encoder=ENCODER).rows["key"].tolist()
    assert texts.set_index("key")["text"].to_dict() == OWN.set_index("key")["text"].to_dict()
    with pytest.raises(ValueError, match="'features' has no texts"):
        features.load_texts("tweet_emotion", "features")


def test_fewer_training_rows_are_part_of_more():
    shipped = features.load("tweet_irony", "features", ENCODER).rows
    few, more = (features.load("tweet_irony", "features", ENCODER, n_train=n).rows for n in (150, 400))
    for rows, n_train in ((few, 150), (more, 400)):
        assert (rows["split"] == "train").sum() == n_train and rows["pool"].sum() == shipped["pool"].sum()
        assert rows.query("split != 'train'")["key"].tolist() == shipped.query("split != 'train'")["key"].tolist()
    assert set(few["key"]) < set(more["key"]) < set(shipped["key"])


def test_other_test_sets_come_from_the_texts_at_hand(tmp_path, monkeypatch):
    shipped = features.load("tweet_irony", "features", ENCODER).rows
    assert features.extra_test_sets("tweet_irony", "features", shipped) == list(features.EXTRA_TEST_SETS["tweet_irony"])
    monkeypatch.delenv("SYNTHLIB_ANNOTATIONS", raising=False)
    assert features.extra_test_sets("tweet_irony", "folder", shipped) == ["tweet_irony_raw"]
    assert features.extra_test_sets("tweet_irony", "folder", shipped.drop(columns="irony_tag")) == []
    with pytest.raises(ValueError, match="no texts of 'isarcasmeval_en'; set SYNTHLIB_ANNOTATIONS"):
        features.load_texts("isarcasmeval_en", "folder")
    votes = {"instance_id": ["a", "a", "b"], "text": ["so glad", "so glad", "rain"], "annotator_id": [1, 2, 1]}
    votes |= {"label": ["sarcastic", "non_sarcastic", "sarcastic"], "gold": ["sarcastic"] * 3}
    (tmp_path / "annot_isarcasmeval_en").mkdir()
    pd.DataFrame(votes).to_parquet(tmp_path / "annot_isarcasmeval_en" / "annotations.parquet")
    monkeypatch.setenv("SYNTHLIB_ANNOTATIONS", str(tmp_path))
    assert features.extra_test_sets("tweet_irony", "folder", shipped)[1:] == ["isarcasmeval_en"]
    assert features.load_texts("isarcasmeval_en", "folder")["text"].tolist() == ["so glad", "rain"]
