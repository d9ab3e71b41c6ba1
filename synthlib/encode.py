"""Texts to vectors with a frozen encoder: the last layer's mean over the tokens of each text."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import TqdmWarning, tqdm

with warnings.catch_warnings():  # transformers imports tqdm.auto, which asks for ipywidgets where it meets a notebook
    warnings.simplefilter("ignore", TqdmWarning)
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

from synthlib.devices import pick_device
from synthlib.encoders import MAX_LENGTH, fingerprint, locate

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder: ``name`` and ``sha256`` (its fingerprint) say which, ``dim`` is the size of a vector."""

    name: str
    sha256: str
    tokenizer: Any
    model: torch.nn.Module
    device: torch.device

    @property
    def dim(self) -> int:
        """Size of one vector."""
        return self.model.config.hidden_size


def load_encoder(name: str, device: str) -> Encoder:
    """Return an encoder, ready for :func:`encode`.

    Parameters
    ----------
    name : str
        As for :func:`synthlib.encoders.locate`.
    device : str
        ``cpu``, ``cuda``, or ``auto``: cuda where there is one.

    Raises
    ------
    ValueError
        The name is unknown, a folder has no weights or no tokenizer, or the packaged weights are not the
        expected ones.
    """
    device = torch.device(pick_device(device))
    location, revision = locate(name)
    sha256 = fingerprint(name)
    tokenizer = load_tokenizer(name)
    with _quiet_transformers():
        model = AutoModel.from_pretrained(location, revision=revision).eval().to(device)
    return Encoder(name, sha256, tokenizer, model, device)


def load_tokenizer(name: str) -> Any:
    """Return the tokenizer of an encoder, without its weights; ``name`` and errors as for :func:`load_encoder`."""
    location, revision = locate(name)
    if revision is None and not any(Path(location).joinpath(file).is_file() for file in TOKENIZER_FILES):
        raise ValueError(f"encoder folder {location} has no tokenizer (one of {', '.join(TOKENIZER_FILES)})")
    with _quiet_transformers():
        return AutoTokenizer.from_pretrained(location, revision=revision)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep transformers from reporting weights of a head that is not wanted here, and from a progress bar."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()


def refuse_blank(texts: Sequence[str]) -> None:
    """Raise a ValueError, with the position of the first, if a text is blank."""
    blank = [i for i, text in enumerate(texts) if not text.strip()]
    if blank:
        raise ValueError(f"{len(blank)} blank text(s), the first at position {blank[0]}")


@torch.inference_mode()
def encode(texts: Sequence[str], encoder: Encoder, *, batch_size: int = 64, progress: str | None = None) -> np.ndarray:
    """Return one vector per text: the mean of the encoder's last layer over the text's tokens.

    Texts are batched by length, so little is spent on padding; matrix products run in bfloat16. A text is cut at
    :data:`synthlib.encoders.MAX_LENGTH` tokens.

    Parameters
    ----------
    texts : sequence of str, length N
        None may be blank.
    progress : str, optional
        Title of a progress bar over texts; None shows none.

    Returns
    -------
    features : ndarray of float16, shape (N, D)
        N texts in the order given, D the encoder's size. Not normalised.

    Raises
    ------
    ValueError
        A text is blank; the message gives its position.
    """
    refuse_blank(texts)
    if not texts:
        return np.empty((0, encoder.dim), dtype=np.float16)
    tokens = encoder.tokenizer(list(texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]
    order = sorted(range(len(texts)), key=lambda i: len(tokens[i]), reverse=True)
    features = np.empty((len(texts), encoder.dim), dtype=np.float16)
    with (
        tqdm(total=len(texts), desc=progress, unit="text", disable=progress is None) as bar,
        torch.autocast(encoder.device.type, torch.bfloat16),
    ):
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            batch = encoder.tokenizer.pad({"input_ids": [tokens[i] for i in rows]}, return_tensors="pt").to(
                encoder.device
            )
            states = encoder.model(**batch).last_hidden_state  # (B, T, D)
            mask = batch["attention_mask"][..., None].float()  # (B, T, 1)
            features[rows] = ((states.float() * mask).sum(1) / mask.sum(1)).half().cpu().numpy()  # (B, D)
            bar.update(len(rows))
    return features
