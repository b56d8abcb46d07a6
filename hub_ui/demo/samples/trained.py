"""What is known of the LoRAs that were trained for the tiny base model and ship with the package."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_ui.demo.samples.sample import Picture

WEIGHTS = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True, kw_only=True)
class TrainedLora:
    """`file` is relative to the `demo` package."""

    name: str
    file: str
    words: tuple[str, ...]
    weight: float
    pictures: tuple[Picture, ...]


def trained_loras(folder: Path = WEIGHTS) -> dict[str, TrainedLora]:
    """By name; empty as long as none was trained."""
    notes = folder / "loras.json"
    if not notes.is_file():
        return {}
    loras = (_lora(entry, folder) for entry in json.loads(notes.read_text(encoding="utf-8")))
    return {lora.name: lora for lora in loras}


def _lora(entry: dict[str, Any], folder: Path) -> TrainedLora:
    name = Path(entry["file"]).stem
    return TrainedLora(
        name=name,
        file=f"weights/loras/{name}.safetensors",
        words=tuple(entry["trigger_words"]),
        weight=float(entry["weight"]),
        pictures=tuple(_pictures(name, entry, folder)),
    )


def _pictures(name: str, entry: dict[str, Any], folder: Path) -> Iterator[Picture]:
    settings = {"seed": entry["seed"], "steps": 20, "sampler": "DDIM", "cfgScale": 4}
    for path in sorted((folder / "pictures").glob(f"{name}-*.webp")):
        yield Picture(name=path.stem, prompt=entry["prompt"], settings=settings)
