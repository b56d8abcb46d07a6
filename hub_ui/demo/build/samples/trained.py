"""The trained LoRAs for the tiny base model, which ship with the package."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_ui.demo.build.samples.sample import Picture

WEIGHTS = Path(__file__).parents[2] / "data" / "weights"


@dataclass(frozen=True, kw_only=True)
class TrainedLora:
    """`path` is the file; only the newest of several versions has pictures."""

    name: str
    path: Path
    words: tuple[str, ...]
    weight: float
    pictures: tuple[Picture, ...] = ()


def trained_loras(folder: Path = WEIGHTS) -> dict[str, TrainedLora]:
    """By file name without extension. Empty if none was trained."""
    notes = folder / "loras.json"
    if not notes.is_file():
        return {}
    entries = json.loads(notes.read_text(encoding="utf-8"))["loras"]
    loras = (lora for entry in entries for lora in _versions(entry, folder))
    return {lora.name: lora for lora in loras if lora.path.is_file()}


def _versions(entry: dict[str, Any], folder: Path) -> Iterator[TrainedLora]:
    for file in dict.fromkeys([entry["file"], *(version["file"] for version in entry["versions"])]):
        yield TrainedLora(
            name=Path(file).stem,
            path=folder / file,
            words=tuple(entry["trigger_words"]),
            weight=float(entry["weight"]),
            pictures=tuple(map(_picture, entry["pictures"])) if file == entry["file"] else (),
        )


def _picture(shot: dict[str, Any]) -> Picture:
    return Picture(
        name=Path(shot["file"]).stem,
        prompt=shot["prompt"],
        weight=float(shot["weight"]),
        settings={"seed": shot["seed"]},
    )
