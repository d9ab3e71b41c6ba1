"""Which device to compute on."""

from __future__ import annotations

import re


def check_device(device: str) -> str:
    """Return ``device``; ValueError if it is none that is known. Whether this machine has it is not looked at."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ValueError(f"unknown device {device!r}; give auto, cpu, cuda, or one of several graphics cards as cuda:0")
    return device


def pick_device(device: str) -> str:
    """Return ``device``, with ``auto`` resolved to ``cuda`` where there is one and ``cpu`` elsewhere."""
    import torch  # parameters are checked without it

    return ("cuda" if torch.cuda.is_available() else "cpu") if check_device(device) == "auto" else device
