"""How many numbers a base has, counted in the files of a folder: only their headers are read."""

from __future__ import annotations

import math
from pathlib import Path

from safetensors import SafetensorError, safe_open

_NETWORKS = ("unet", "transformer")


def in_base(folder: Path) -> int:
    """Of all parts; 0 where there is no such folder."""
    return sum(map(_count, folder.glob("*/*.safetensors")))


def in_network(folder: Path) -> int:
    """Of the part that is run in every step."""
    return sum(_count(path) for name in _NETWORKS for path in folder.glob(f"{name}/*.safetensors"))


def _count(path: Path) -> int:
    try:
        with safe_open(path, framework="np") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return 0
