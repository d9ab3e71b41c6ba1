"""The frozen encoder: right mean, same vectors in any batch, clear errors. A tiny random BERT stands in for speed."""

import numpy as np
import pytest
import torch
from tiny_encoder import write_tiny_encoder

from synthlib import devices, encode

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
        encode.fingerprint(str(tmp_path))


def test_packaged_weights_are_the_expected_ones(monkeypatch):
    assert encode.fingerprint(encode.PACKAGED) == encode.PACKAGED_SHA256
    monkeypatch.setattr(encode, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="expected 0000"):
        encode.fingerprint(encode.PACKAGED)


def test_device_is_picked():
    assert devices.pick_device("cpu") == "cpu"
    assert devices.pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
