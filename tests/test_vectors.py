"""Vectors of texts: shipped ones are what the encoder makes, others are encoded, a corrupt file is refused."""

import numpy as np
import pytest
from tiny_encoder import write_tiny_encoder

from synthlib import data, encode, encoders, vectors
from synthlib.settings import RELEASED_SETTINGS
from synthlib.tasks import load_task, task_names

TEXTS = ["a short text", "the cat sat on the mat", "the dog", " the dog "]
RELEASED = {name: data.load_corpus(load_task(name), list(RELEASED_SETTINGS)) for name in task_names()}
RELEASED |= {name: data.load_stories(name) for name in data.STORIES}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Name of a tiny encoder; what is shipped of it lies in a folder of the test's own."""
    monkeypatch.setattr(vectors, "FOLDER", tmp_path / "shipped")
    (tmp_path / "encoder").mkdir()
    return write_tiny_encoder(tmp_path / "encoder")


@pytest.mark.parametrize("name", RELEASED)
def test_every_released_text_has_its_vector(name, monkeypatch):
    monkeypatch.setattr(encode, "load_encoder", None)  # nothing may be encoded
    texts = RELEASED[name]["text"].tolist()
    found = vectors.find_vectors(texts, encoders.PACKAGED, shipped=[name])
    assert found.n_shipped == len(texts) and found.features.shape == (len(texts), 384)
    assert np.isfinite(found.features).all() and found.made["sha256"] == encoders.PACKAGED_SHA256


def test_shipped_vectors_are_what_the_encoder_makes():
    texts = [frame["text"].iloc[place] for frame in RELEASED.values() for place in (0, -1)]
    shipped = vectors.find_vectors(texts, encoders.PACKAGED, shipped=list(RELEASED))
    made = vectors.find_vectors(texts, encoders.PACKAGED, device="cpu")
    assert (shipped.n_shipped, made.n_shipped) == (len(texts), 0) and shipped.made == made.made
    np.testing.assert_allclose(made.features, shipped.features, atol=0.01)  # processors differ by about 0.005


def test_only_what_is_not_shipped_is_encoded(tiny, monkeypatch):
    whole = vectors.find_vectors(TEXTS, tiny)
    vectors.write_vectors("toy", TEXTS[1:], vectors.Vectors(whole.features[1:], whole.made, 0))
    asked = []
    monkeypatch.setattr(
        encode, "encode", lambda texts, *_, real=encode.encode, **__: asked.extend(texts) or real(texts, *_)
    )
    found = vectors.find_vectors(TEXTS, tiny, shipped=["toy", "absent"])
    assert asked == TEXTS[:1] and found.n_shipped == 3
    np.testing.assert_allclose(found.features, whole.features, atol=0.02)  # batches differ: bfloat16 products


def test_no_texts_have_no_vectors_of_the_right_size(tiny):
    vectors.write_vectors("toy", TEXTS, vectors.find_vectors(TEXTS, tiny))
    assert vectors.find_vectors([], tiny, shipped=["toy"]).features.shape == (0, 16)
    assert vectors.find_vectors([], tiny).features.shape == (0, 16)


def test_a_blank_text_is_named_by_its_place_among_all(tiny):
    whole = vectors.find_vectors(TEXTS, tiny)
    vectors.write_vectors("toy", TEXTS[:2], vectors.Vectors(whole.features[:2], whole.made, 0))
    with pytest.raises(ValueError, match="the first at position 3"):
        vectors.find_vectors([*TEXTS[:3], " "], tiny, shipped=["toy"])


def test_vectors_of_another_encoder_are_not_taken(tiny):
    vectors.write_vectors("toy", TEXTS, vectors.Vectors(np.zeros((4, 16), np.float16), {"encoder": "another"}, 0))
    found = vectors.find_vectors(TEXTS, tiny, shipped=["toy"])
    assert found.n_shipped == 0 and np.abs(found.features).max() > 0 and found.made["encoder"] == tiny


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_corrupt_file_is_refused(tiny, damage):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(300, 16)).astype(np.float16)
    vectors.write_vectors("toy", [f"text {i}" for i in range(300)], vectors.Vectors(noise, {"encoder": tiny}, 0))
    path = vectors.FOLDER / "toy.parquet"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"toy\.parquet is corrupt .* restore it: git checkout -- "):
        vectors.find_vectors(TEXTS, tiny, shipped=["toy"])
