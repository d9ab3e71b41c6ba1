"""Whether one's own texts can be learned from and tested on: every label in both splits, no text in both."""

from __future__ import annotations

import warnings

import pandas as pd

from synthlib.tasks import Task

NEEDED = ("train", "test")  # validation texts may be missing


def check_splits(frame: pd.DataFrame, task: Task, *, origin: str) -> None:
    """Raise if a label has no training or no test text, or a text is for training and for testing.

    Texts that are repeated within a split are allowed, with a warning. White space at the ends does not count.

    Parameters
    ----------
    frame : DataFrame
        text, label, split, key.
    origin : str
        Where it came from, for messages.

    Raises
    ------
    ValueError
        The message names label and split with the counts, or the keys of the first such text.
    """
    counts = pd.crosstab(frame["label"], frame["split"]).reindex(index=task.label_names, columns=NEEDED, fill_value=0)
    bare = [f"{label!r} has none in split {split!r}" for split in NEEDED for label in counts.index[counts[split] == 0]]
    if bare:
        found = "; ".join(f"{split}: {counts[split].to_dict()}" for split in NEEDED)
        raise ValueError(f"{origin}: every label needs training and test texts, but {', '.join(bare)} (it has {found})")
    texts = frame[["key", "split"]].assign(text=frame["text"].str.strip())
    train, test = (texts[texts["split"] == split].drop_duplicates("text") for split in NEEDED)
    both = train.merge(test, on="text", suffixes=("_train", "_test"))
    if len(both):
        first = both.iloc[0]
        raise ValueError(
            f"{origin}: {len(both)} text(s) stand in train and in test, the first with keys {first['key_train']!r} "
            f"(train) and {first['key_test']!r} (test); take each out of one of them"
        )
    repeated = texts.duplicated(["split", "text"])
    if repeated.any():
        second = texts[repeated].iloc[0]
        same = texts[(texts["text"] == second["text"]) & (texts["split"] == second["split"])]
        warnings.warn(
            f"{origin}: {int(repeated.sum())} text(s) are repeated within a split, the first with keys "
            f"{same['key'].iloc[0]!r} and {second['key']!r} ({second['split']})",
            stacklevel=3,
        )
