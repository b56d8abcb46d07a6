"""What pyproject.toml asks for is imported, or needed by something that is."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# diffusers and transformers import these themselves, once a base model needs them.
NEEDED_BY_OTHERS = {
    "ftfy": "prompts of Wan's pipelines",
    "gguf": "diffusers' reading of GGUF files",
    "protobuf": "transformers' tokenizers that come as SentencePiece models",
    "sentencepiece": "tokenizers of Kolors and PixArt",
    "torchvision": "image processors of FLUX.2 and Anima",
}


def test_every_dependency_is_imported_or_needed_by_one_that_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {normal(re.split(r"[<>=!~ \[;]", line)[0]) for line in project["dependencies"]}
    homes = packages_distributions()
    used = {normal(name) for module in modules() for name in homes.get(module, [])}
    assert wanted - used == set(NEEDED_BY_OTHERS)


def modules() -> set[str]:
    """Top-level names of everything that the shipped sources import."""
    found = set[str]()
    for path in [*(ROOT / "connectors").rglob("*.py"), *(ROOT / "hub_ui").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
