"""The tables of a store of calls: made where there are none, brought up to date, and refused where they are unknown."""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = 3  # 1 had neither batches nor errors; 2 did not note the file of a batch

_BATCHES = """
CREATE TABLE batches (
    name TEXT PRIMARY KEY, remote TEXT, owner TEXT NOT NULL, asked_at TEXT NOT NULL, state TEXT NOT NULL, file TEXT
);
CREATE INDEX by_batch ON calls (batch) WHERE batch IS NOT NULL;
"""
_SCHEMA = f"""
CREATE TABLE calls (
    key TEXT PRIMARY KEY, question TEXT NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL,
    sends INTEGER NOT NULL, reserved_usd REAL NOT NULL,
    text TEXT, kind TEXT, finish_reason TEXT, prompt_tokens INTEGER, answer_tokens INTEGER, cost_usd REAL,
    seconds REAL, served_by TEXT, asked_at TEXT, raw TEXT, batch TEXT, error TEXT
);
CREATE INDEX by_state ON calls (owner, state) WHERE state = 'sent';
CREATE TABLE totals (
    sends INTEGER NOT NULL, spent_usd REAL NOT NULL, reserved_usd REAL NOT NULL, lost_usd REAL NOT NULL,
    n_lost INTEGER NOT NULL
);
INSERT INTO totals VALUES (0, 0, 0, 0, 0);
{_BATCHES}
PRAGMA user_version = {VERSION};
"""
_FROM_1 = f"""
ALTER TABLE calls ADD COLUMN batch TEXT;
ALTER TABLE calls ADD COLUMN error TEXT;
{_BATCHES}
PRAGMA user_version = {VERSION};
"""
_FROM_2 = f"""
ALTER TABLE batches ADD COLUMN file TEXT;
PRAGMA user_version = {VERSION};
"""
_CHANGES = {1: _FROM_1, 2: _FROM_2}


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a store, made if there is none and brought up to date if it is of an earlier version.

    Raises
    ------
    ValueError
        The file is no store, or one of another version.
    OSError
        It cannot be written.
    """
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        changes = _SCHEMA if version == 0 and empty else _CHANGES.get(version, "")
        for statement in changes.split(";\n"):
            db.execute(statement)
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise OSError(f"the store {path} cannot be opened ({error}): is there room, and may it be written?") from None
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{path} is no store of calls: {error}") from None
    if not changes and version != VERSION:
        db.close()
        raise ValueError(
            f"{path} is a store of version {version}; this program reads version {VERSION}. Export it with the program "
            "that wrote it (synthlib calls export) and import the file into a new store"
        )
    return db
