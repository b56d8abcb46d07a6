"""Sizes and hashes of the generated files, stored in a table because computing them is slow."""

import json
from pathlib import Path

from hub_ui.demo.build.samples.sample import Weights
from hub_ui.demo.hubs.content import Digest

TABLE = Path(__file__).with_name("digests.json")


def known_digests() -> dict[str, Digest]:
    """Digests by recipe name."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return {recipe: Digest(**digest) for recipe, digest in table.items()}


def recipe(weights: Weights) -> str:
    """The name of generated weights. The same recipe gives the same bytes."""
    parts = (weights.network, weights.layout, weights.algorithm, f"rank {weights.rank}", weights.dtype)
    return ", ".join((*parts, f"seed {weights.seed}"))


def layout(weights: Weights) -> str:
    """The name of the tensors of generated weights: names, dtypes and shapes, without their values."""
    parts = (weights.network, weights.layout, weights.algorithm, f"rank {weights.rank}", weights.dtype)
    return " ".join((*parts, *weights.encoders, *weights.only))
