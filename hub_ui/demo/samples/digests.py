"""Sizes and hashes of the made-up files. `python -m hub_ui.demo.samples.digests` writes the table anew.

They are kept in a file because CivitAI's objects name them, and hashing gigabytes at every start would take long.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from hub_ui.demo.hubs.content import Content, chunks
from hub_ui.demo.hubs.weights import generated_safetensors
from hub_ui.demo.samples.catalogue import SAMPLES
from hub_ui.demo.samples.headers import spec
from hub_ui.demo.samples.sample import Weights

TABLE = Path(__file__).with_name("digests.json")


@dataclass(frozen=True, kw_only=True)
class Digest:
    """`tensors` is the hash of what follows the header, the start of which CivitAI calls AutoV3."""

    size: int
    sha256: str
    header: str
    tensors: str


def known_digests() -> dict[str, Digest]:
    """By the name of the file's recipe."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return {recipe: Digest(**digest) for recipe, digest in table.items()}


def recipe(weights: Weights) -> str:
    """Names made-up weights: those of the same recipe are the same bytes."""
    parts = (weights.network, weights.layout, weights.algorithm, f"rank {weights.rank}", weights.dtype)
    return ", ".join((*parts, f"seed {weights.seed}"))


def digest(weights: Weights) -> Digest:
    """Reads the whole file once."""
    content = generated_safetensors(spec(weights))
    start = header_bytes(content)
    whole, tensors = hashlib.sha256(start), hashlib.sha256()
    for chunk in chunks(content, len(start)):
        whole.update(chunk)
        tensors.update(chunk)
    return Digest(
        size=content.size,
        sha256=whole.hexdigest(),
        header=hashlib.sha256(start).hexdigest(),
        tensors=tensors.hexdigest(),
    )


def header_bytes(content: Content) -> bytes:
    length = int.from_bytes(content.read(0, 8), "little")
    return content.read(0, 8 + length)


def made_up() -> dict[str, Weights]:
    """Every recipe in the catalogue."""
    files = (file for sample in SAMPLES for release in sample.releases for file in release.files)
    found = (file.content for file in files if isinstance(file.content, Weights))
    return {recipe(weights): weights for weights in found}


def main() -> None:
    table = {name: asdict(digest(weights)) for name, weights in sorted(made_up().items())}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
