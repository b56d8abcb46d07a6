"""The recorded headers: each becomes a file again, and is read like anybody's."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.weights.inspect import inspect_path
from connectors.weights.lora_facts import LoraFacts
from tests.corpus import HEADERS
from tests.tools.accuracy import sparse
from tests.tools.accuracy.scoring import Score, score


def cases() -> list[Path]:
    return sorted(HEADERS.glob("*.json"))


def judge(path: Path, folder: Path) -> Score:
    """Writes the case as a file into `folder`, reads it, and takes it away again."""
    case = json.loads(path.read_text(encoding="utf-8"))
    return score(path.stem, case["truth"], read_back(case, folder / f"{path.stem}.safetensors"))


def read_back(case: Mapping[str, Any], file: Path) -> LoraFacts:
    shapes = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in case["tensors"].items()}
    sparse.write(file, shapes, case["metadata"], _alphas(case))
    try:
        return inspect_path(file).adapter
    finally:
        file.unlink()


def _alphas(case: Mapping[str, Any]) -> dict[str, float]:
    """A recorded header has no values: the true alpha where it is known, else 1."""
    value = case["truth"].get("alpha")
    alpha = float(value) if isinstance(value, int | float) else 1.0
    return {name: alpha for name in case["tensors"] if name.endswith(".alpha")}
