"""Feature tables: what is known of a text without the text (encoder vector, form, label, key), made and read here.

One parquet file per set, one row per text, columns ``key, label, split, evaluation, pool`` and, by task, others; the
surface measures; ``function_words`` (counts) and ``feature`` (the encoder's vector, float16). The schema's metadata
names the encoder. data/features/ ships them for the real texts; ``source: folder`` and ``hub`` build the same tables.
"""

from __future__ import annotations

import ast
import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthlib import data, encoders, surface
from synthlib.files import replacing
from synthlib.params import SHIPPED_ROWS
from synthlib.paths import DATA, RESULTS
from synthlib.tasks import Task, load_task
from synthlib.vectors import Vectors, as_column, as_matrix, find_vectors, note_made, read_made
from synthlib.votes import annotated

FOLDER = DATA / "features"
N_VALIDATION, N_TEST = 500, 1000
N_POOL = 50  # real texts per label that requests may show
SELECTION_SEED = 20231206
TEXT_COLUMNS = ("text", "text_raw", "head", "tail")  # of real texts; no table of features holds them
_MAKERS = tuple(Path(__file__).with_name(name) for name in ("encode.py", "surface.py"))
RAW_IRONY = "tweet_irony_raw"
#: Sets on which a task's classifiers are tested besides its own test rows.
EXTRA_TEST_SETS = {
    "tweet_irony": (RAW_IRONY, "isarcasmeval_en", "multipico_irony_en", "csc_sarcasm"),
    "humor": ("expun_humor",),
}


@dataclass(frozen=True)
class FeatureTable:
    """Rows and what was measured of their texts, aligned row by row.

    Attributes
    ----------
    rows : DataFrame, N rows
        key, label, split, evaluation, pool, surface measures and, by task, agreement or irony_tag.
    features : ndarray of float32, shape (N, D)
        The encoder's vectors.
    function_words : ndarray of uint8, shape (N, W)
        Counts of :data:`synthlib.surface.FUNCTION_WORDS`.
    """

    rows: pd.DataFrame
    features: np.ndarray
    function_words: np.ndarray

    def where(self, mask: np.ndarray | pd.Series) -> FeatureTable:
        """Return the table of the rows for which ``mask`` is true."""
        mask = np.asarray(mask, dtype=bool)
        return FeatureTable(self.rows[mask].reset_index(drop=True), self.features[mask], self.function_words[mask])


def load(name: str, source: str, encoder: str | None, *, n_train: int = SHIPPED_ROWS) -> FeatureTable:
    """Return the real rows of a task, or of one of its :func:`extra_test_sets`.

    Parameters
    ----------
    source : str
        ``features`` reads data/features; ``folder`` and ``hub`` take texts, encode them once and keep the table in
        results/cache.
    encoder : str or None
        Name of the encoder the vectors must be of. With texts, None encodes nothing: the table has rows alone.
    n_train : int
        Training rows at most; shipped are 2,000.

    Raises
    ------
    ValueError
        The file is corrupt, or of another encoder.
    """
    if source == "features":
        path = FOLDER / f"{name}.parquet"
        check_shipped(path)
        table = read(path, encoder=encoder)
        if n_train >= SHIPPED_ROWS or "pool" not in table.rows:
            return table
        chosen = select(table.rows, table.rows.loc[table.rows["pool"], "key"].tolist(), n_train=n_train)
        return table.where(table.rows["key"].isin(chosen["key"]))
    frame = load_texts(name, source, n_train=n_train)
    if encoder is None:
        nothing = np.empty((len(frame), 0))
        return FeatureTable(_drop_texts(frame), nothing.astype(np.float32), nothing.astype(np.uint8))
    digest = hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    digest.update(_describe_making(encoder).encode())
    path = RESULTS / "cache" / "features" / f"{name}-{digest.hexdigest()[:16]}.parquet"
    if not path.is_file():
        write(path, frame, encoder=encoder, device="auto")
    return read(path, encoder=encoder)


def fingerprint_folder(encoder: str) -> str:
    """Return the fingerprint of an encoder that is a folder, whose content may change; else nothing."""
    return encoders.fingerprint(encoder) if encoders.is_folder(encoder) else ""


def _describe_making(encoder: str) -> str:
    """Return what decides a table beside its rows: the encoder, and the code that measures and encodes."""
    code = [ast.dump(ast.parse(path.read_bytes())) for path in _MAKERS]  # comments do not count
    return json.dumps([encoder, fingerprint_folder(encoder), encoders.MAX_LENGTH, code])


def load_texts(name: str, source: str, *, n_train: int = SHIPPED_ROWS) -> pd.DataFrame:
    """Return the real texts whose features :func:`load` gives, in the same order.

    Parameters
    ----------
    source : str
        ``folder`` or ``hub``.

    Returns
    -------
    texts : DataFrame
        text, key and, of a task, label, split, evaluation, pool and what else the source has.

    Raises
    ------
    ValueError
        The source has no texts.
    """
    if source == "features":
        raise ValueError("source 'features' has no texts; use folder (SYNTHLIB_DATA) or hub")
    if name in annotated.SETS:
        folder = annotated.find_annotations()
        if folder is None:
            raise ValueError(f"no texts of {name!r}; set {annotated.VARIABLE}=<folder with annot_{name}/>")
        return annotated.load_set(folder, name, threshold=annotated.RATING_THRESHOLD)[0]
    if name == RAW_IRONY:
        return take_raw(load_texts("tweet_irony", source))
    task = load_task(name)
    frame = data.load_folder(task) if source == "folder" else data.load_hub(task)
    return select(frame, find_pool(frame, task), n_train=n_train)


def extra_test_sets(task: str, source: str, rows: pd.DataFrame) -> list[str]:
    """Return the sets on which a task's classifiers can be tested besides its own test rows.

    Raw irony tweets, and sets with people's votes (:mod:`synthlib.votes.annotated`): with texts, those at hand.

    Parameters
    ----------
    rows : DataFrame
        The task's own; irony tweets that came with their raw form have a column irony_tag.
    """
    known = EXTRA_TEST_SETS.get(task, ())
    if source == "features":
        return list(known)
    return [name for name in known if (name == RAW_IRONY and "irony_tag" in rows) or annotated.find_file(name)]


def take_raw(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the test rows of irony tweets with the raw text, tags and all, in the place of the cleaned one."""
    raw = frame[frame["split"] == "test"].reset_index(drop=True)
    return raw.assign(text=raw["text_raw"])


def read(path: str | Path, *, encoder: str) -> FeatureTable:
    """Return a feature table from its file.

    Raises
    ------
    ValueError
        The file cannot be read, or its vectors are of another encoder than ``encoder``.
    """
    try:
        table = pq.read_table(path)
        made = read_made(table)
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise ValueError(f"{path} is no readable feature table ({error}); delete it and make it again") from None
    if made["encoder"] != encoder:
        raise ValueError(
            f"{path} holds vectors of {made['encoder']!r}, not of {encoder!r}; "
            f"set encoder: {made['encoder']}, or source: folder to encode texts anew"
        )
    rows = table.drop_columns(["function_words", "feature"]).to_pandas()
    return FeatureTable(rows, as_matrix(table["feature"]).astype(np.float32), as_matrix(table["function_words"]))


def write(path: str | Path, frame: pd.DataFrame, *, encoder: str, device: str) -> None:
    """Encode the ``text`` column of ``frame`` and write everything but :data:`TEXT_COLUMNS` as a feature table."""
    texts = frame["text"].tolist()
    write_table(path, _drop_texts(frame), texts, find_vectors(texts, encoder, device=device, progress=Path(path).stem))


def write_table(path: str | Path, frame: pd.DataFrame, texts: list[str], vectors: Vectors) -> None:
    """Write rows, the surface features of their texts, their vectors, and what made those."""
    rows = frame.reset_index(drop=True)
    measured = surface.measure_surface(texts)
    table = pa.Table.from_pandas(pd.concat([rows, measured.astype(_compact(measured))], axis=1), preserve_index=False)
    table = table.append_column("function_words", as_column(surface.count_function_words(texts)))
    table = table.append_column("feature", as_column(vectors.features))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pq.write_table(note_made(table, vectors.made), temporary, compression="zstd")


def select(frame: pd.DataFrame, pool: list[str] | None, *, n_train: int = SHIPPED_ROWS) -> pd.DataFrame:
    """Return the rows of a task that the study uses, marked in ``pool``.

    All pool and evaluation rows, filled up at random to ``n_train`` training, 500 validation and 1,000 test rows. Of
    the same texts, fewer training rows are part of more.

    Parameters
    ----------
    pool : list of str or None
        Keys of the few-shot pool; None draws 50 per label from the training rows, at most half of a label's.

    Raises
    ------
    ValueError
        A pool key is not among the training rows.
    """
    rng = np.random.default_rng(SELECTION_SEED)
    frame = frame.sort_values("key").reset_index(drop=True)
    train = frame[frame["split"] == "train"]
    if pool is None:
        shuffled = train.iloc[rng.permutation(len(train))]
        rank, sizes = shuffled.groupby("label").cumcount(), shuffled.groupby("label")["key"].transform("size")
        pool = shuffled.loc[rank < np.minimum(N_POOL, (sizes + 1) // 2), "key"].tolist()
    unknown = sorted(set(pool) - set(train["key"]))
    if unknown:
        raise ValueError(f"{len(unknown)} pool key(s) are not among the training rows, the first is {unknown[0]!r}")
    frame = frame.assign(pool=frame["key"].isin(pool))
    chosen = []
    for split, most in (("train", n_train), ("validation", N_VALIDATION), ("test", N_TEST)):
        rows = frame[frame["split"] == split]
        first = rows["pool"] | rows["evaluation"]
        rest = rng.permutation(rows.index[~first])[: max(0, most - int(first.sum()))]
        chosen += sorted([*rows.index[first], *rest])
    return frame.loc[chosen].reset_index(drop=True)


def load_pools(task: Task) -> list[str]:
    """Return the keys of the task's few-shot pool in data/corpora/pools.json, 50 per label; of another task none."""
    pools = json.loads((DATA / "corpora" / "pools.json").read_text(encoding="utf-8"))
    return [key for label in task.label_names for key in pools.get(f"{task.name}/{label}", [])]


def find_pool(frame: pd.DataFrame, task: Task) -> list[str] | None:
    """Return the keys of the task's released few-shot pool; None if there is none, or (with a warning) a row lacks."""
    pool = load_pools(task)
    if not pool:
        return None
    absent = set(pool) - set(frame.loc[frame["split"] == "train", "key"])
    if not absent:
        return pool
    warnings.warn(
        f"{task.name}: {len(absent)} of {len(pool)} texts of the released few-shot pool are not among the training "
        "texts; a pool is drawn from these instead, and the released few-shot texts were written from another one",
        stacklevel=3,
    )
    return None


def check_shipped(path: Path) -> None:
    """Raise if a shipped table is missing, or not the one that data/features/index.json lists."""
    index = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))["files"]
    if path.name not in index:
        raise ValueError(f"no shipped features {path.stem!r}; there are {', '.join(Path(n).stem for n in index)}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != index[path.name]["sha256"]:
        raise ValueError(f"{path} is corrupt (its sha256 is not the listed one); restore it: git checkout -- {path}")


def _drop_texts(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=[c for c in TEXT_COLUMNS if c in frame]).reset_index(drop=True)


def _compact(measured: pd.DataFrame) -> dict[str, str]:
    return {c: "float32" if measured[c].dtype.kind == "f" else "int32" for c in measured}
