"""`python -m hub_ui.demo.samples.hashing` reads every made-up file once and writes digests.json anew."""

import hashlib
import json
from dataclasses import asdict

from hub_ui.demo.hubs.content import Content, chunks
from hub_ui.demo.hubs.weights import generated_safetensors
from hub_ui.demo.samples.catalogue import SAMPLES
from hub_ui.demo.samples.digests import TABLE, Digest, recipe
from hub_ui.demo.samples.headers import spec
from hub_ui.demo.samples.sample import Weights


def made_up() -> dict[str, Weights]:
    """Every recipe in the catalogue."""
    files = (file for sample in SAMPLES for release in sample.releases for file in release.files)
    found = (file.content for file in files if isinstance(file.content, Weights))
    return {recipe(weights): weights for weights in found}


def digest(weights: Weights) -> Digest:
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
    """The header with the eight bytes of its length."""
    length = int.from_bytes(content.read(0, 8), "little")
    return content.read(0, 8 + length)


def main() -> None:
    table = {name: asdict(digest(weights)) for name, weights in sorted(made_up().items())}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
