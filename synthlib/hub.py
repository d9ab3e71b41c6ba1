"""Reading public copies of the real texts at pinned commits, and cleaning them as the shipped tables were cleaned.

A key is a function of its text (:func:`make_key`), so a text read here has the key it has in data/, and the few-shot
pools, the evaluation rows and the votes find it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from synthlib.tasks import Hub

SPLITS = ("train", "validation", "test")
SPLIT_SEED = 20231206
MAX_DROPPED = 0.1
HOSTS = {
    "hub": "hf://datasets/{id}@{revision}",
    "github": "https://raw.githubusercontent.com/{id}/{revision}",
}


def make_key(text: str) -> str:
    """Return the key of a text: the first 16 hexadecimal digits of the SHA-256 of the text without outer white space.

    Examples
    --------
    >>> make_key("abc") == make_key(" abc ") == "ba7816bf8f01cfea"  # FIPS 180-2, appendix B.1
    True
    """
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def read_texts(hub: Hub) -> pd.DataFrame:
    """Return the rows of a public copy that carry one of our labels.

    Returns
    -------
    texts : DataFrame
        text, label (ours), split (missing where the copy has no official one), key and, where ``hub.agreement`` is
        given, agreement. ``attrs["dropped"]`` counts the rows left out.

    Raises
    ------
    ConnectionError
        The copy cannot be reached, or has no such revision or file.
    ValueError
        The copy lacks a column or one of our labels.
    """
    parts = [_read_file(hub, path).assign(split=split) for split, path in hub.files.items()]
    texts = pd.concat(parts, ignore_index=True)
    texts["split"] = texts["split"].where(texts["split"] != "all")
    wanted, filled = texts["label"].notna(), texts["text"].fillna("").str.strip() != ""
    dropped = {"other_label": int((~wanted).sum()), "empty": int((wanted & ~filled).sum())}
    texts = texts[wanted & filled].reset_index(drop=True)
    absent = sorted(set(hub.labels.values()) - set(texts["label"]))
    if absent:
        raise ValueError(f"{hub.id}: no text has label(s) {absent}, written {hub.labels} there; wrong revision?")
    texts["key"] = [make_key(text) for text in texts["text"]]
    for level, path in sorted((hub.agreement or {}).items()):
        reach = _read_file(hub, path)
        reached = pd.MultiIndex.from_frame(texts[["text", "label"]]).isin(pd.MultiIndex.from_frame(reach))
        texts.loc[reached, "agreement"] = level
    if hub.agreement:
        texts["agreement"] = texts["agreement"].astype("int64")
    texts.attrs["dropped"] = dropped
    return texts


def drop_duplicates(texts: pd.DataFrame, shipped: pd.DataFrame) -> pd.DataFrame:
    """Return the texts without those that carry two labels, each of the others once.

    Of a text in several splits the copy stays that is in the split in which data/features has it, else the test copy,
    else the validation copy.

    Parameters
    ----------
    texts : DataFrame
        text, label, split, key.
    shipped : DataFrame
        key, split.

    Raises
    ------
    ValueError
        More than a tenth of the rows would go.
    """
    two = texts.groupby("key")["label"].transform("nunique") > 1
    known = texts["key"].map(shipped.set_index("key")["split"])
    rank = texts["split"].map({"test": 1, "validation": 2, "train": 3}).where(texts["split"] != known, 0)
    kept = texts[~two].assign(rank=rank).sort_values("rank", kind="stable").drop_duplicates("key").sort_index()
    counts = {"two_labels": int(two.sum()), "duplicate": int((~two).sum()) - len(kept)}
    if len(texts) - len(kept) > MAX_DROPPED * len(texts):
        raise ValueError(f"{counts} of {len(texts)} rows would be dropped; at most {MAX_DROPPED:.0%} are expected")
    kept = kept.drop(columns="rank").reset_index(drop=True)
    kept.attrs["dropped"] = texts.attrs.get("dropped", {}) | counts
    return kept


def draw_splits(
    texts: pd.DataFrame, shipped: pd.DataFrame, *, fractions: Iterable[float], rng: np.random.Generator
) -> pd.Series:
    """Return a split for every text, so that each label is divided by ``fractions``.

    Texts in data/features stay in the split they have there; the others are drawn to fill the splits up.

    Parameters
    ----------
    texts : DataFrame
        label, key.
    shipped : DataFrame
        key, split.
    fractions : iterable of float
        Shares of train, validation and test.
    """
    order = np.argsort(texts["key"].to_numpy())
    split = texts["key"].map(shipped.set_index("key")["split"]).astype(object)
    shares = dict(zip(SPLITS, fractions, strict=True))
    for label in sorted(texts["label"].unique()):
        rows = order[(texts["label"] == label).to_numpy()[order]]
        free = rng.permutation(rows[split.isna().to_numpy()[rows]])
        for name in ("validation", "test"):
            wanted = max(0, round(shares[name] * len(rows)) - int((split.iloc[rows] == name).sum()))
            split.iloc[free[:wanted]] = name
            free = free[wanted:]
        split.iloc[free] = "train"
    return split


def _read_file(hub: Hub, path: str) -> pd.DataFrame:
    """Return text and label (ours; missing where it is another) of one file of a public copy."""
    frame = _load(hub, path)
    if hub.separator:
        lines = frame["text"].str.rsplit(hub.separator, n=1, expand=True)
        frame = lines.rename(columns={0: hub.text, 1: hub.label})
    missing = {hub.text, hub.label} - set(frame.columns)
    if missing:
        raise ValueError(f"{hub.id}/{path}: missing column(s) {sorted(missing)}; it has {list(frame.columns)}")
    labels = [hub.labels.get(_name_label(value)) for value in frame[hub.label]]
    texts = [
        " ".join(" ".join(value).split()) if isinstance(value, np.ndarray | list) else value
        for value in frame[hub.text]
    ]
    texts = pd.Series(texts, dtype="string").str.rstrip("\r\n")
    return pd.DataFrame({"text": texts, "label": pd.Series(labels, dtype="string")})


def _name_label(value: Any) -> str:
    """Return a label as the yaml files write it; of a list only a single label counts."""
    if isinstance(value, np.ndarray | list):
        return str(value[0]) if len(value) == 1 else ""
    return str(value).strip()


def _load(hub: Hub, path: str) -> pd.DataFrame:
    """Return a file of a public copy as the ``datasets`` library reads it."""
    import datasets  # only needed here, and slow to import

    base = hub.id if Path(hub.id).is_dir() else HOSTS[hub.host].format(id=hub.id, revision=hub.revision)
    inner, _, outer = path.rpartition("::")
    url = f"{inner}::{base}/{outer}" if inner else f"{base}/{outer}"
    options: dict[str, Any] = {"encoding": hub.encoding} if hub.encoding else {}
    by_label = hub.format == "json_by_label"
    if by_label:
        options["sample_by"] = "document"
    if hub.format == "csv":
        options["keep_default_na"] = False  # "null" is a text
    try:
        form = "text" if by_label else hub.format
        frame = datasets.load_dataset(form, data_files=url, split="train", **options).to_pandas()
    except Exception as error:  # the library lets its HTTP client's errors through, of no common type
        raise ConnectionError(
            f"cannot read {url} ({type(error).__name__}: {error}); without the network, or if the revision is gone, "
            "use source: folder with SYNTHLIB_DATA, or source: features"
        ) from error
    if not by_label:
        return frame
    rows = json.loads(frame["text"].iloc[0])
    return pd.DataFrame([{hub.text: row[hub.text], hub.label: label} for label in rows for row in rows[label]])
