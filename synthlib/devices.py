"""Which device to compute on."""

from __future__ import annotations

import torch


def pick_device(device: str) -> str:
    """Return ``device``, with ``auto`` resolved to ``cuda`` where there is one and ``cpu`` elsewhere."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
