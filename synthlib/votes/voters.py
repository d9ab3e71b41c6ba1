"""Who voted: the released panel, or a folder of votes of one's own.

A folder holds pairs.csv (worker, left, right, more_objective, check_passed) or instances.csv (task, key, annotator,
label), or both, and votes.json, whose ``votes_by`` says whose votes they are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthlib.paths import DATA, ROOT

PAIRS, INSTANCES, ABOUT = "pairs.csv", "instances.csv", "votes.json"
PANEL, PEOPLE, SIMULATED = "panel (language model)", "people", "simulated"
#: What may stand in votes.json, and how figures and sentences call these voters.
VOTERS = {
    PANEL: "language-model personas, not people",
    PEOPLE: "people",
    SIMULATED: "simulated workers, not people",
}


@dataclass(frozen=True)
class Votes:
    """A file of votes and whose they are.

    Attributes
    ----------
    path : Path
        The file.
    votes_by : str
        A key of :data:`VOTERS`.
    """

    path: Path
    votes_by: str

    @property
    def judges(self) -> str:
        """How figures and sentences call the voters."""
        return VOTERS[self.votes_by]


def find_votes(folder: str, file: str) -> Votes:
    """Return the file of votes in a folder; "" is data/votes, a panel of language-model personas.

    Parameters
    ----------
    folder : str
        Absolute, or relative to the repository root.
    file : str
        pairs.csv or instances.csv.

    Raises
    ------
    ValueError
        The folder, the file or votes.json is missing, or votes.json does not say who voted.
    """
    if not folder:
        return Votes(DATA / "votes" / f"panel_{file}", PANEL)
    place = ROOT / folder
    if not place.is_dir():
        raise ValueError(f"no such folder of votes: {place}")
    if not (place / file).is_file():
        raise ValueError(f"{place} has no {file}; it has {sorted(p.name for p in place.iterdir()) or 'nothing'}")
    return Votes(place / file, read_voters(place / ABOUT))


def find_any_votes(folder: str) -> dict[str, Votes]:
    """Return the files of votes that a folder of one's own has, by name; for errors see :func:`find_votes`."""
    place = ROOT / folder
    found = [file for file in (PAIRS, INSTANCES) if (place / file).is_file()] or [INSTANCES]
    return {file: find_votes(folder, file) for file in found}


def read_voters(path: Path) -> str:
    """Return who voted, a key of :data:`VOTERS`, by a votes.json.

    Raises
    ------
    ValueError
        There is no such file, or it does not say who voted.
    """
    allowed = " or ".join(f'{{"votes_by": "{name}"}}' for name in VOTERS)
    if not path.is_file():
        raise ValueError(f"{path.parent} does not say whose votes it holds: put {allowed} into {path.name}")
    try:
        about: Any = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON ({error}); it must be {allowed}") from None
    votes_by = about.get("votes_by") if isinstance(about, dict) else None
    if votes_by not in VOTERS:
        raise ValueError(f"{path}: votes_by is {votes_by!r}; it must be one of {list(VOTERS)}")
    return votes_by
