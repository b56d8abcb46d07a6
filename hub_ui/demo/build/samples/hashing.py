"""`python -m hub_ui.demo.build.samples.hashing` writes the tables of digests and BlurHashes."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from hub_ui.demo.build.samples import blurhash, digests
from hub_ui.demo.build.samples.catalogue import SAMPLES
from hub_ui.demo.build.samples.digests import recipe
from hub_ui.demo.build.samples.headers import spec
from hub_ui.demo.build.samples.sample import Weights
from hub_ui.demo.hubs.content import Digest, digest_of, generate_safetensors

PICTURES = Path(__file__).parents[2] / "data" / "samples" / "pictures"


def made_up() -> dict[str, Weights]:
    """Every recipe in the catalogue."""
    files = (file for sample in SAMPLES for release in sample.releases for file in release.files)
    found = (file.content for file in files if isinstance(file.content, Weights))
    return {recipe(weights): weights for weights in found}


def digest(weights: Weights) -> Digest:
    return digest_of(generate_safetensors(spec(weights)))


def blurhash_of(path: Path) -> str:
    with Image.open(path) as picture:
        return blurhash.blurhash(picture)


def main() -> None:
    _write(digests.TABLE, {name: asdict(digest(weights)) for name, weights in sorted(made_up().items())})
    _write(blurhash.TABLE, {path.name: blurhash_of(path) for path in sorted(PICTURES.glob("*.webp"))})


def _write(path: Path, table: dict[str, Any]) -> None:
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
