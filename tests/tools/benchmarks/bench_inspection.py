"""Inspecting LoRA files on disk, against only reading and parsing the JSON of their headers."""

import json
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from connectors.weights.file_type import Layouts
from connectors.weights.inspect import inspect_path
from hub_ui.demo.build.tensor_tables import header_bytes
from hub_ui.demo.hubs.folder import SAMPLES, expand_tensors, generate_safetensors
from tests.tools.benchmarks.figures import Figure, interleaved, seconds

FILES = 2_000
TARGET = 1.5


# Tables of the demo's samples: whole networks, in the namings that most files have.
TABLES = (
    "sdxl-kohya-lora-rank-8-F16-te1-te2-attn", "sdxl-kohya-dora-rank-4-F16-attn", "sdxl-kohya-lokr-rank-8-F16",
    "sd1-kohya-lora-rank-8-F16-te", "sd1-kohya-loha-rank-4-F16", "flux1-kohya-lora-rank-8-BF16",
    "flux1-diffusers-diffusers-lora-rank-8-BF16-.attn.", "wan-14b-kohya-lora-rank-4-BF16-attn",
)  # fmt: skip


def write(folder: Path, count: int) -> list[Path]:
    """As many files, each with its own name in the metadata, so that no two are the same. Only headers take disk."""
    tables = [json.loads((SAMPLES / "tensors" / f"{table}.json").read_bytes()) for table in TABLES]
    samples = [generate_safetensors({"tensors": expand_tensors(blocks)}) for blocks in tables]
    # kohya's metadata, with the tags of some fifty pictures.
    tags = {"inkdrop": 50, **{f"some tag {number}": 50 - number // 5 for number in range(250)}}
    metadata = {"ss_tag_frequency": json.dumps({"10_inkdrop style": tags}), "ss_network_dim": "8"}
    heads = [header_bytes(sample) for sample in samples]
    tensors = [json.loads(head[8:]) for head in heads]
    paths = [folder / f"{number:04}.safetensors" for number in range(count)]
    for number, path in enumerate(paths):
        sample = number % len(samples)
        document = {"__metadata__": {**metadata, "ss_output_name": path.stem}, **tensors[sample]}
        text = json.dumps(document, separators=(",", ":")).encode()
        with path.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(8 + len(text) + samples[sample].size - len(heads[sample]))
    return paths


def inspect(paths: Sequence[Path], layouts: Callable[[], Layouts]) -> None:
    if not all([inspect_path(path, layouts()).adapter.architecture for path in paths]):
        raise AssertionError("not every file was seen as the LoRA that it is")


def parse(paths: Sequence[Path]) -> None:
    for path in paths:
        with path.open("rb") as file:
            json.loads(file.read(int.from_bytes(file.read(8), "little")))


def figures(*, files: int = FILES, runs: int = 3) -> list[Figure]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        paths = write(Path(folder), files)
        parse(paths)  # what is on disk is in memory from here on
        inspect(paths, Layouts)
        one, parsing = Layouts(), partial(seconds, partial(parse, paths))
        alone, other = interleaved(lambda: seconds(partial(inspect, paths, Layouts)), parsing, runs=runs)
        shared, again = interleaved(lambda: seconds(partial(inspect, paths, lambda: one)), parsing, runs=runs)
    name, against = f"inspect {files:,} files", "parsing their headers"
    return [
        Figure(name=f"{name}, each on its own", ours=alone, other=other, against=against, target=TARGET),
        Figure(name=f"{name} of a folder", ours=shared, other=again, against=against, target=TARGET),
    ]
