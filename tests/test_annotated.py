"""Reading sets with people's votes from a folder of annotations."""

import numpy as np
import pandas as pd
import pytest

from synthlib import agreement
from synthlib.votes import annotated


def write(folder, name, frame):
    path = folder / f"annot_{name}" / "annotations.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)
    return folder


def make_votes(n_texts, labels, **columns):
    rows = [(f"t{i}", f"text {i}", f"a{a}", labels[(i + a) % len(labels)]) for i in range(n_texts) for a in range(3)]
    return pd.DataFrame(rows, columns=["instance_id", "text", "annotator_id", "label"]).assign(**columns)


def test_labels_become_those_of_the_task(tmp_path):
    write(tmp_path, "expun_humor", make_votes(4, ["joke", "not_joke"], gold="pun"))
    items, votes = annotated.load_set(tmp_path, "expun_humor", threshold=3.5)
    assert items.columns.tolist() == ["text", "key", "source_label"] and len(items) == 4
    assert votes["label"].tolist()[:3] == ["humor", "non_humor", "humor"]
    assert "text" not in votes


def test_a_large_set_is_drawn_down_by_whole_texts_and_always_alike(tmp_path):
    write(tmp_path, "multipico_irony_en", make_votes(1500, ["irony", "non_irony"], gold=None))
    items, votes = annotated.load_set(tmp_path, "multipico_irony_en", threshold=3.5)
    assert len(items) == 1400 and "source_label" not in items
    assert (votes.groupby("key").size() == 3).all() and set(votes["key"]) == set(items["key"])
    again, _ = annotated.load_set(tmp_path, "multipico_irony_en", threshold=3.5)
    pd.testing.assert_frame_equal(items, again)


def test_a_rating_on_the_threshold_is_left_out(tmp_path):
    write(tmp_path, "csc_sarcasm", make_votes(2, ["1"]).assign(rating=[1, 3, 6, 2, 3, 5]))
    _, votes = annotated.load_set(tmp_path, "csc_sarcasm", threshold=3)
    assert votes["rating"].tolist() == [1, 6, 2, 5]
    assert votes["label"].tolist() == ["non_irony", "irony", "non_irony", "irony"]
    assert len(annotated.load_set(tmp_path, "csc_sarcasm", threshold=3.5)[1]) == 6
    with pytest.raises(ValueError, match=r"threshold 9: ratings run from 1 to 6"):
        annotated.load_set(tmp_path, "csc_sarcasm", threshold=9)


def test_every_relation_is_a_question_of_its_own(tmp_path):
    ticked = [["spouse"], ["spouse", "child"], ["none"], ["spouse"], ["age"]]
    rows = pd.DataFrame({"instance_id": ["s1", "s1", "s1", "s2", "s3"], "labels": ticked, "text": "x"})
    write(tmp_path, annotated.RELATIONS, rows.assign(annotator_id=[f"w{i}" for i in range(5)]))
    counts = annotated.count_relations(tmp_path)
    assert sorted(counts) == ["child", "none", "spouse"]  # the sentences s2 and s3 have one worker each
    assert counts["spouse"].loc["s1"].to_dict() == {"no": 1, "yes": 2}
    assert np.isclose(agreement.alpha(counts["child"].to_numpy()), agreement.alpha([[2, 1]]))


def test_what_is_missing_or_unknown_is_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="annot_expun_humor"):
        annotated.read_annotations(tmp_path, "expun_humor")
    write(tmp_path, "expun_humor", make_votes(2, ["joke", "pun"]))
    with pytest.raises(ValueError, match=r"unknown label\(s\) \['pun'\]; allowed are \['joke', 'not_joke'\]"):
        annotated.load_set(tmp_path, "expun_humor", threshold=3.5)
    write(tmp_path, "csc_sarcasm", make_votes(2, ["1"]))
    with pytest.raises(ValueError, match=r"missing column\(s\) \['rating'\]"):
        annotated.read_annotations(tmp_path, "csc_sarcasm")
    write(tmp_path, "isarcasmeval_en", make_votes(0, ["sarcastic"]))
    with pytest.raises(ValueError, match="no rows"):
        annotated.read_annotations(tmp_path, "isarcasmeval_en")
    (tmp_path / "annot_multipico_irony_en").mkdir()
    (tmp_path / "annot_multipico_irony_en" / "annotations.parquet").write_text("not parquet")
    with pytest.raises(ValueError, match="cannot be read as parquet"):
        annotated.read_annotations(tmp_path, "multipico_irony_en")
    monkeypatch.setenv(annotated.VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        annotated.find_annotations()
    monkeypatch.delenv(annotated.VARIABLE)
    assert annotated.find_annotations() is None
