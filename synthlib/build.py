"""Building what data/ ships: features, statistics and votes of the real texts, and vectors of the synthetic ones.

No text is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from synthlib import data, features, surface, vectors
from synthlib.paths import DATA
from synthlib.settings import RELEASED_SETTINGS
from synthlib.tasks import load_task, task_names
from synthlib.votes import annotated


def build_features(texts: Path, annotations: Path, *, encoder: str, device: str, only: Collection[str]) -> None:
    """Write data/features (tables, statistics.csv, index.json) and data/votes/human_*.csv.

    Parameters
    ----------
    texts : Path
        Folder with one parquet file per task (text, label, split, key, evaluation; tweet irony also text_raw); not read
        where ``only`` names annotated sets.
    annotations : Path
        Folder with ``annot_<set>/annotations.parquet`` for every set of :data:`synthlib.votes.annotated.SETS`, or
        those in ``only``.
    only : collection of str
        Annotated sets to build; everything else stays as it is. Empty: everything is built.

    Raises
    ------
    ValueError
        ``only`` names an unknown set, or texts or annotations are unsound.
    """
    unknown = sorted(set(only) - set(annotated.SETS))
    if unknown:
        raise ValueError(f"unknown annotated set(s) {unknown}; known are {list(annotated.SETS)}")
    if not only:
        _build_tasks(texts, encoder=encoder, device=device)
    for name in only or annotated.SETS:
        items, votes = annotated.load_set(annotations, name, threshold=annotated.RATING_THRESHOLD)
        features.write(features.FOLDER / f"{name}.parquet", items, encoder=encoder, device=device)
        votes.to_csv(DATA / "votes" / f"human_{name}.csv", index=False)
    write_index()


def build_vectors(*, encoder: str, device: str) -> None:
    """Write data/vectors: of the texts in data/corpora, a file per task and recipe."""
    sets = {name: data.load_corpus(load_task(name), list(RELEASED_SETTINGS)) for name in task_names()}
    sets |= {name: data.load_stories(name) for name in data.STORIES}
    for name, frame in sets.items():
        texts = frame["text"].tolist()
        vectors.write_vectors(name, texts, vectors.find_vectors(texts, encoder, device=device, progress=name))


def _build_tasks(texts: Path, *, encoder: str, device: str) -> None:
    statistics = []
    for name in tqdm(task_names(), desc="tasks", unit="task"):
        task = load_task(name)
        frame = data.load_folder(task, texts)
        statistics.append(describe_texts(frame, name))
        chosen = features.select(frame, features.load_pools(task))
        features.write(features.FOLDER / f"{name}.parquet", chosen, encoder=encoder, device=device)
        if "text_raw" in frame:
            raw = features.take_raw(chosen)
            features.write(features.FOLDER / f"{features.RAW_IRONY}.parquet", raw, encoder=encoder, device=device)
    pd.concat(statistics).to_csv(features.FOLDER / "statistics.csv", index=False, float_format="%.4f")


def describe_texts(frame: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return counts and form of all texts of a task, one row per split and label.

    Returns
    -------
    statistics : DataFrame
        task, split, label, rows, words_q10, words_median, words_q90 (white-space separated words), and the shares of
        texts that hold a question mark, hashtag or digit, and (irony) one of the three tags in the raw text.
    """
    measured = surface.measure_surface(frame["text"].tolist())
    if "text_raw" in frame:
        measured["irony_tag"] = surface.find_irony_tags(frame["text_raw"]).astype(float)
    measured = pd.concat([frame[["split", "label"]].reset_index(drop=True), measured], axis=1)
    rows = []
    for (split, label), group in measured.groupby(["split", "label"]):
        low, middle, high = group["n_words"].quantile([0.1, 0.5, 0.9])
        row = {"task": task, "split": split, "label": label, "rows": len(group)}
        row |= {"words_q10": low, "words_median": middle, "words_q90": high}
        row |= {name: group[name].mean() for name in ("question", "hashtag", "digit", "irony_tag") if name in group}
        rows.append(row)
    return pd.DataFrame(rows)


def write_index() -> None:
    """Write data/features/index.json: size and sha256 of every table there."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(features.FOLDER.glob("*.parquet"))
    }
    text = json.dumps({"files": files}, indent=1) + "\n"
    (features.FOLDER / "index.json").write_text(text, encoding="utf-8")
