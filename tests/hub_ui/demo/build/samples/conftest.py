import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

NAMES = (
    "ink-outline",
    "neon-night",
    "sks-robot",
    "sks-robot-v1",
    "zog-monster",
    "top-hat",
    "snowfall",
    "place-left",
    "size-slider",
)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder as the training leaves it, with next to nothing in the files."""
    folder = tmp_path_factory.mktemp("weights")
    for name in NAMES:
        (folder / "loras").mkdir(exist_ok=True)
        save_file({"a.lora_A.weight": np.full((4, 8), len(name), np.float16)}, folder / f"loras/{name}.safetensors")
    for name in NAMES:
        (folder / "pictures").mkdir(exist_ok=True)
        Image.new("RGB", (128, 128), "teal").save(folder / f"pictures/{name}-1.webp")
    entries = [_entry(name) for name in NAMES if not name.endswith("-v1")]
    (folder / "loras.json").write_text(json.dumps({"base": {}, "loras": entries}), encoding="utf-8")
    return folder


def _entry(name: str) -> dict[str, object]:
    shot = {"prompt": f"a red star, {name}", "seed": 7, "weight": 0.9}
    versions = [{"name": "v2", "file": f"loras/{name}.safetensors"}]
    return {
        "file": f"loras/{name}.safetensors",
        "title": name.title(),
        "trigger_words": [f"{name} word"],
        "versions": [*versions, {"name": "v1", "file": f"loras/{name}-v1.safetensors"}],
        "pictures": [{"file": f"pictures/{name}-1.webp", **shot}],
        **shot,
    }
