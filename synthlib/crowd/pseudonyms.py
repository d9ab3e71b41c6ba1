"""Workers' names for the votes: a keyed hash, so that nobody without the salt can find out who voted."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

SALT = "salt"
_LENGTH = 32  # bytes


def open_salt(path: Path) -> bytes:
    """Return the salt of a file, which is made (for its owner's eyes only) where there is none.

    Keep the file apart from the votes: with it, and a list of names, the pseudonyms can be found out. Delete it once no
    more votes will come, and they are for good.

    Raises
    ------
    ValueError
        The file is too short to be a salt.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(_LENGTH))
    salt = path.read_bytes()
    if len(salt) < _LENGTH:
        raise ValueError(f"{path} holds {len(salt)} bytes; a salt has at least {_LENGTH}. Delete it to make a new one")
    return salt


def hide(name: str, salt: bytes) -> str:
    """Return the pseudonym of a worker: the same for the same name and salt.

    Examples
    --------
    >>> hide("A1B2C3", bytes(32)) == hide("A1B2C3", bytes(32)) != hide("A1B2C3", bytes(31) + b"x")
    True
    """
    return "w" + hmac.new(salt, name.encode(), hashlib.sha256).hexdigest()[:12]
