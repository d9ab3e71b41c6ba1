"""Where a notebook writes and what it reads of earlier stages."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from synthlib.params import STAGES, Params
from synthlib.paths import DATA, RESULTS, ROOT

RELEASED = DATA / "results" / "companion"
LATEST = RESULTS / "companion" / "latest.json"


def open_output(p: Params) -> Path:
    """Return the folder a notebook writes to, made if need be: ``p.output``, or results/interactive/<stage>."""
    stage = next(name for name, stage in STAGES.items() if stage.model is type(p))
    folder = ROOT / p.output if p.output else RESULTS / "interactive" / stage
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def find_checkpoint(p: Params) -> Path | None:
    """Return the folder for unfinished work of a long job; None for a notebook opened by hand.

    It is not in the job's own folder, which is emptied when a failed job is run again.
    """
    return RESULTS / "cache" / "checkpoints" / Path(p.output).name if p.output else None


def find_input(p: Params, stage: str, cell: str = "all") -> Path:
    """Return the folder of an earlier stage's cell.

    The runner names it in ``p.inputs``. Where that is empty (a notebook opened by hand) it is the last companion run's,
    else the released one's.

    Raises
    ------
    FileNotFoundError
        There is none; the message says how to make it.
    """
    name = f"{stage}/{cell}"
    if p.inputs:
        if name not in p.inputs:
            raise FileNotFoundError(f"inputs has no {name!r}; it names {sorted(p.inputs)}")
        return ROOT / p.inputs[name]
    latest = json.loads(LATEST.read_text(encoding="utf-8")) if LATEST.is_file() else {}
    folder = ROOT / latest[name] if name in latest else RELEASED / stage / cell
    if not folder.is_dir():  # deleted since it was noted
        folder = RELEASED / stage / cell
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no {name} yet; make it with: python -m synthlib.run params/companion.yaml --only {stage}"
        )
    return folder


def write_table(frame: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write ``<folder>/<name>.parquet`` and return its path."""
    path = folder / f"{name}.parquet"
    frame.to_parquet(path, index=False, compression="zstd")
    return path


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Return the table that :func:`write_table` wrote.

    Raises
    ------
    FileNotFoundError
        The folder has no such table; the message names those it has.
    """
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no table {name!r}; it has {sorted(p.stem for p in folder.glob('*.parquet'))}"
        )
    return pd.read_parquet(path)
