"""Inspecting LoRA files on disk, against only reading and parsing the JSON of their headers."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from connectors.weights.file_type import Layouts
from connectors.weights.inspect import inspect_path
from tests.tools.accuracy import sparse
from tests.tools.benchmarks.figures import Figure, interleaved, report
from tests.tools.fuzz import formats
from tests.tools.fuzz.formats import SDXL_PLACES, Sample, made, ss, unet

FILES = 2_000
TARGET = 1.5


def mix() -> list[Sample]:
    """What lies in people's folders: whole networks, in the namings that most files have."""
    sdxl, flux = unet(SDXL_PLACES, 2048), formats.flux(19, 38)
    kohya, lycoris, pt = partial(made, prefix="lora_unet_"), ss(network_module="lycoris.kohya"), {"format": "pt"}
    return [
        Sample(shapes=formats.sdxl(), metadata=_trained("sdxl_base_v1-0")),
        Sample(shapes=kohya(sdxl), metadata=_trained("sdxl_base_v1-0")),
        Sample(shapes=formats.sd1(), metadata=_trained("sd_v1")),
        Sample(shapes=kohya(flux, dtype="BF16"), metadata=_trained("flux1")),
        Sample(shapes=made(formats.flux_diffusers(19, 38), formats.peft, "transformer."), metadata=pt),
        Sample(shapes=made(flux, formats.lokr, "lycoris_"), metadata=lycoris),
        Sample(shapes=made(formats.blocks(40, "blocks", formats.WAN), formats.peft, "diffusion_model."), metadata=pt),
        Sample(shapes=kohya(sdxl, formats.loha), metadata=lycoris),
    ]


def _trained(base: str) -> dict[str, str]:
    """kohya's metadata, with the tags of some fifty pictures."""
    tags = {f"some tag {number}": 50 - number // 5 for number in range(250)}
    return ss(base_model_version=base, tag_frequency=json.dumps({"10_inkdrop style": {"inkdrop": 50, **tags}}))


def write(folder: Path, count: int) -> list[Path]:
    """As many files, each with its own name in the metadata, so that no two are the same."""
    samples, paths = mix(), [folder / f"{number:04}.safetensors" for number in range(count)]
    for number, path in enumerate(paths):
        sample = samples[number % len(samples)]
        # One alpha is read; all of them would take a page of the disk each, gigabytes in sum.
        alphas = sorted(name for name in sample.shapes if name.endswith(".alpha"))
        numbers = dict.fromkeys(alphas[:1], 4.0)
        sparse.write(path, sample.shapes, {**sample.metadata, "ss_output_name": path.stem}, numbers)
    return paths


def inspected(paths: Sequence[Path], layouts: Callable[[], Layouts]) -> float:
    start = time.perf_counter()
    seen = [inspect_path(path, layouts()).adapter.architecture for path in paths]
    took = time.perf_counter() - start
    if not all(seen):
        raise AssertionError("not every file was seen as the LoRA that it is")
    return took


def parsed(paths: Sequence[Path]) -> float:
    start = time.perf_counter()
    for path in paths:
        with path.open("rb") as file:
            json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return time.perf_counter() - start


def figures(*, files: int = FILES, runs: int = 3) -> list[Figure]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        paths = write(Path(folder), files)
        parsed(paths)  # what is on disk is in memory from here on
        inspected(paths, Layouts)
        alone, other = interleaved(partial(inspected, paths, Layouts), partial(parsed, paths), runs=runs)
        one = Layouts()
        shared, again = interleaved(partial(inspected, paths, lambda: one), partial(parsed, paths), runs=runs)
    name, against = f"inspect {files:,} files", "parsing their headers"
    return [
        Figure(name=f"{name}, each on its own", ours=alone, other=other, against=against, target=TARGET),
        Figure(name=f"{name} of a folder", ours=shared, other=again, against=against, target=TARGET),
    ]


if __name__ == "__main__":
    sys.exit(report(figures()))
