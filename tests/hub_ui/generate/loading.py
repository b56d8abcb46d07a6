"""`python -m tests.hub_ui.generate.loading FOLDER BASE PRECISION`: what loading takes of this computer's own memory.

It loads a base of published size, whose files are sparse, for a GPU that reads weights from the disk, and prints the
most bytes that were taken at once, as JSON. The simulated GPU takes its own of the same memory: an autoencoder.
"""

import json
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hub_ui.generate.base_models.load import load_pipeline
from hub_ui.generate.base_models.repo_layout import LocalBase
from hub_ui.generate.memory.device import Device
from hub_ui.generate.memory.offload import Placement
from tests.hub_ui.generate.real_pipelines import spec_of
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

_NAMES = {"F32": 4, "BF16": 2}


def save_sparse(folder: Path, network: nn.Module, dtype: str) -> None:
    """The files of a network without values: its settings, and weights that take no room on the disk."""
    width, header, end = _NAMES[dtype], dict[str, Any](), 0
    for name, value in network.state_dict().items():
        start, end = end, end + value.numel() * width
        header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [start, end]}
    shutil.rmtree(folder)
    # diffusers' networks and transformers' call their settings and their files otherwise.
    settings: Any = getattr(network, "save_config", None) or network.config.save_pretrained  # type: ignore[union-attr]
    settings(folder)
    is_of_diffusers = hasattr(network, "save_config")
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with (folder / f"{'diffusion_pytorch_' if is_of_diffusers else ''}model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def peak_of(do: Callable[[], object]) -> int:
    """The most bytes of memory that no file is behind, beyond those before, looked at again and again."""
    before, most, ended = _anonymous(), 0, threading.Event()

    def look() -> None:
        nonlocal most
        while not ended.wait(0.02):
            most = max(most, _anonymous())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        do()
    finally:
        ended.set()
        thread.join()
    return most - before


def _anonymous() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


def main(folder: str, base: str, precision: str) -> int:
    spec = spec_of(base).in_precision(precision)
    assert spec is not None
    device = Device(label="GPU", kind="cuda", dtype=str(spec.dtype), free_bytes=10**12)
    with simulated_cuda(Card(memory=10**12)) as cuda:
        # The first use of torch and of both libraries takes some of its own.
        torch.zeros(10).to(torch.float8_e4m3fn)
        peak = peak_of(
            lambda: load_pipeline(spec, LocalBase(folder=Path(folder)), device, Placement(level="disk_offload"))
        )
        on_device = cuda.cards[0].peak
    print(json.dumps({"peak": peak, "device": on_device}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
