"""The recorded headers: each becomes a file again, and is read like anybody's."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.weights import lora_facts
from connectors.weights.header import read_header
from hub_ui.demo.hubs.folder import Content, generate_safetensors
from tests.corpus import HEADERS
from tests.tools.accuracy.scoring import Score, score


def cases() -> list[Path]:
    return sorted(HEADERS.glob("*.json"))


def judge(path: Path) -> Score:
    case = json.loads(path.read_text(encoding="utf-8"))
    content = content_of(case)
    return score(path.stem, case["truth"], lora_facts.read(read_header(content), content.read))


def content_of(case: Mapping[str, Any]) -> Content:
    """A recorded header has no values: its alphas are the true one where that is known, else 1."""
    value = case["truth"].get("alpha")
    return generate_safetensors(
        {
            "tensors": {name: (entry["dtype"], entry["shape"]) for name, entry in case["tensors"].items()},
            "metadata": case["metadata"],
            "scalars": {"*.alpha": float(value) if isinstance(value, int | float) else 1.0},
        }
    )
