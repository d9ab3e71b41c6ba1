"""Vectors of texts: those of the released synthetic texts are shipped, all others are made by the encoder.

data/vectors/ holds one parquet file per set of released texts: ``key`` (:func:`synthlib.hub.make_key` of a text) and
``feature`` (its vector, float16); the schema's metadata says what made them, as in :mod:`synthlib.features`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synthlib.encoders import MAX_LENGTH
from synthlib.hub import make_key
from synthlib.paths import DATA

FOLDER = DATA / "vectors"


@dataclass(frozen=True)
class Vectors:
    """Vectors of N texts, and where they are from.

    Attributes
    ----------
    features : ndarray of float16, shape (N, D)
        See :func:`synthlib.encode.encode`.
    made : dict
        encoder, sha256 (:func:`synthlib.encoders.fingerprint`), pooling, max_length (tokens).
    n_shipped : int
        How many were shipped; the others were made here.
    """

    features: np.ndarray
    made: dict[str, Any]
    n_shipped: int


def find_vectors(
    texts: Sequence[str],
    encoder: str,
    *,
    shipped: Sequence[str] = (),
    device: str = "auto",
    progress: str | None = None,
) -> Vectors:
    """Return the vectors of texts, in their order; what is not shipped is encoded.

    Parameters
    ----------
    encoder : str
        As for :func:`synthlib.encoders.locate`.
    shipped : sequence of str
        Sets of released texts, names of files in data/vectors, to look in. One that is not there, or of another
        encoder, has none of the texts.
    progress : str, optional
        Title of a progress bar over texts that are encoded; None shows none.

    Raises
    ------
    ValueError
        A text is blank, the encoder is unknown, or a shipped file is corrupt.
    """
    known, made = _read_shipped(shipped, encoder)
    keys = [make_key(text) for text in texts]
    missing = [place for place, key in enumerate(keys) if key not in known]
    if missing or not known:
        from synthlib import encode  # torch is only needed where texts are encoded

        encode.refuse_blank(texts)
        loaded = encode.load_encoder(encoder, device)
        made = {"encoder": encoder, "sha256": loaded.sha256, "pooling": "mean", "max_length": MAX_LENGTH}
        encoded = encode.encode([texts[place] for place in missing], loaded, progress=progress)
        if not known:
            return Vectors(encoded, made, 0)
        known |= {keys[place]: vector for place, vector in zip(missing, encoded, strict=True)}
    width = len(next(iter(known.values())))
    found = np.array([known[key] for key in keys], dtype=np.float16).reshape(len(keys), width)
    return Vectors(found, made, len(keys) - len(missing))


def write_vectors(name: str, texts: Sequence[str], vectors: Vectors) -> None:
    """Write data/vectors/<name>.parquet, a row a distinct text."""
    places = {make_key(text): place for place, text in enumerate(texts)}
    columns = {"key": pa.array(list(places)), "feature": as_column(vectors.features[list(places.values())])}
    FOLDER.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        note_made(pa.table(columns), vectors.made),
        FOLDER / f"{name}.parquet",
        compression="zstd",
        write_page_checksum=True,
    )


def _read_shipped(names: Sequence[str], encoder: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the shipped vectors by key, and what made them."""
    known, made = {}, {}
    for path in (FOLDER / f"{name}.parquet" for name in names):
        if not path.is_file():
            continue
        try:
            table = pq.read_table(path, page_checksum_verification=True)
            made_by = read_made(table)
            vectors = dict(zip(table["key"].to_pylist(), as_matrix(table["feature"]), strict=True))
        except (pa.ArrowInvalid, OSError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is corrupt ({error}); restore it: git checkout -- {path}") from None
        if made_by["encoder"] == encoder:
            known, made = known | vectors, made_by
    return known, made


def note_made(table: pa.Table, made: dict[str, Any]) -> pa.Table:
    """Return a table whose schema says what made its vectors (:attr:`Vectors.made`)."""
    return table.replace_schema_metadata((table.schema.metadata or {}) | {b"synthlib": json.dumps(made).encode()})


def read_made(table: pa.Table) -> dict[str, Any]:
    """Return what :func:`note_made` noted."""
    return json.loads((table.schema.metadata or {})[b"synthlib"])


def as_column(matrix: np.ndarray) -> pa.FixedSizeListArray:
    """Return a matrix (N, D) as a column of N lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def as_matrix(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column of N lists of one length as a matrix (N, D)."""
    flat = column.combine_chunks()
    return flat.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
