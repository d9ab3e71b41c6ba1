"""The frozen encoder: right mean, same vectors in any batch, clear errors. A tiny random BERT stands in for speed."""

import numpy as np
import pytest
import torch
from tiny_encoder import write_tiny_encoder

from synthlib import devices, encode, encoders

TEXTS = ["a short text", "the cat sat on the mat and the dog sat on the cat", "the dog", "mat " * 40]


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny_encoder"))


@pytest.fixture(scope="module")
def tiny(tiny_folder):
    return encode.load_encoder(tiny_folder, "cpu")


def test_model_folder_gives_vectors_of_its_size(tiny, tiny_folder):
    features = encode.encode(TEXTS, tiny)
    assert features.shape == (4, 16) == (4, tiny.dim)
    assert features.dtype == np.float16 and np.isfinite(features).all()
    assert tiny.name == tiny_folder and len(tiny.sha256) == 64


def test_vector_is_the_mean_of_the_last_layer(tiny):
    with torch.inference_mode():
        states = tiny.model(**tiny.tokenizer(TEXTS[1], return_tensors="pt")).last_hidden_state
    expected = states[0].mean(0).numpy()  # no padding: every token counts, the two special ones too
    np.testing.assert_allclose(encode.encode(TEXTS[1:2], tiny)[0], expected, atol=0.03)  # bfloat16 products


def test_batches_and_order_do_not_matter(tiny):
    together = encode.encode(TEXTS, tiny).astype(np.float32)
    alone = np.concatenate([encode.encode([text], tiny) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=0.02)
    turned = encode.encode(TEXTS[::-1], tiny, batch_size=3)[::-1]
    np.testing.assert_allclose(together, turned, atol=0.02)
    assert np.abs(together[0] - together[1]).max() > 0.1  # the tolerance tells texts apart


def test_text_is_cut_at_the_maximum_length(tiny):
    long = encode.encode(["cat " * (encode.MAX_LENGTH + 50)], tiny)
    cut = encode.encode(["cat " * (encode.MAX_LENGTH - 2)], tiny)
    np.testing.assert_array_equal(long, cut)


def test_no_texts_give_no_vectors(tiny):
    assert encode.encode([], tiny).shape == (0, 16)


@pytest.mark.parametrize("blank", ["", "  \n\t"])
def test_blank_text_is_refused_with_its_position(tiny, blank):
    with pytest.raises(ValueError, match=r"1 blank text\(s\), the first at position 2"):
        encode.encode(["one", "two", blank], tiny)


@pytest.mark.parametrize("name", ["all-MiniLM-L7-v2", "no/such/folder", "owner/model"])
def test_unknown_encoder_is_refused(name):
    with pytest.raises(ValueError, match="unknown encoder"):
        encode.load_encoder(name, "cpu")


def test_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no model\.safetensors"):
        encoders.fingerprint(str(tmp_path))


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "vocab.txt", "model.safetensors"])
def test_an_encoder_is_known_by_all_that_decides_its_vectors(tmp_path, file):
    before = encoders.fingerprint(write_tiny_encoder(tmp_path))
    (tmp_path / "README.md").write_text("notes")
    assert encoders.fingerprint(str(tmp_path)) == before
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes() + b" ")
    assert encoders.fingerprint(str(tmp_path)) != before


def test_a_relative_folder_starts_at_the_repository_root(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "ROOT", tmp_path)
    (tmp_path / "mine").mkdir()
    write_tiny_encoder(tmp_path / "mine")
    monkeypatch.chdir("/")  # as a notebook, which runs in notebooks/
    assert encode.load_encoder("mine", "cpu").dim == 16
    assert encoders.fingerprint("mine") == encoders.fingerprint(str(tmp_path / "mine"))


def test_packaged_weights_are_the_expected_ones(monkeypatch):
    assert encoders.fingerprint(encoders.PACKAGED) == encoders.PACKAGED_SHA256
    monkeypatch.setattr(encoders, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="expected 0000"):
        encoders.fingerprint(encoders.PACKAGED)


def test_device_is_picked():
    assert devices.pick_device("cpu") == "cpu"
    assert devices.check_device("cuda:1") == "cuda:1"  # whether there is one or not
    with pytest.raises(ValueError, match="unknown device 'gpu'; give auto, cpu, cuda, or"):
        devices.pick_device("gpu")
    assert devices.pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
