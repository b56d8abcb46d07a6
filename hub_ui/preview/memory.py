"""How much memory there is: this computer's own, and a GPU's."""

from __future__ import annotations

import psutil


def installed() -> int:
    """Bytes of memory that this computer has."""
    return int(psutil.virtual_memory().total)


def available() -> int:
    """Bytes of it that are free, or would be at once."""
    return int(psutil.virtual_memory().available)


def free(kind: str) -> int:
    """Bytes to be had on a device now; what torch holds in reserve counts as free."""
    import torch

    if kind == "cuda":
        return int(torch.cuda.mem_get_info()[0]) + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    if kind == "mps":
        return int(torch.mps.recommended_max_memory()) - int(torch.mps.driver_allocated_memory())
    return available()
