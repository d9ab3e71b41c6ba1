"""Public sets with people's votes on single texts, read from a folder of annotations where the user has them.

The folder (SYNTHLIB_ANNOTATIONS) holds ``annot_<name>/annotations.parquet``, one row a vote: instance_id, text,
annotator_id, label, gold and perhaps label_is_default. data/votes and data/features ship the votes and the features of
the texts, no text.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

#: The sets' labels to those of the task whose classifiers are tested on them.
LABELS = {
    "expun_humor": {"joke": "humor", "not_joke": "non_humor"},
    "isarcasmeval_en": {"sarcastic": "irony", "non_sarcastic": "non_irony"},
}


def find_file(name: str) -> Path | None:
    """Return the file of a set's annotations; None where SYNTHLIB_ANNOTATIONS is not set or has no such set."""
    folder = os.environ.get("SYNTHLIB_ANNOTATIONS")
    path = Path(folder) / f"annot_{name}" / "annotations.parquet" if folder else None
    return path if path and path.is_file() else None


def load(name: str, path: Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the texts of a set and its votes; see :func:`split_annotations`.

    Parameters
    ----------
    path : Path, optional
        None takes the file in SYNTHLIB_ANNOTATIONS.

    Raises
    ------
    ValueError
        There is no such file.
    """
    path = path or find_file(name)
    if path is None:
        raise ValueError(f"no texts of {name!r}; set SYNTHLIB_ANNOTATIONS=<folder with annot_{name}/>")
    return split_annotations(pd.read_parquet(path), LABELS[name])


def split_annotations(votes: pd.DataFrame, labels: dict[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items (text, key, gold as ``source_label``) and the votes (key, annotator, label) of annotated texts.

    Parameters
    ----------
    votes : DataFrame
        instance_id, text, annotator_id, label, gold and perhaps label_is_default: one row a vote.
    labels : dict
        The set's labels to the task's.
    """
    votes = votes.rename(columns={"instance_id": "key", "annotator_id": "annotator"})
    items = votes.drop_duplicates("key")[["text", "key", "gold"]].rename(columns={"gold": "source_label"})
    kept = [c for c in ("key", "annotator", "label", "label_is_default") if c in votes]
    return items.reset_index(drop=True), votes[kept].assign(label=votes["label"].map(labels))
