"""Sizes and hashes of the made-up files, kept in a table: CivitAI's objects name them, and hashing them takes long."""

import json
from pathlib import Path

from hub_ui.demo.build.samples.sample import Weights
from hub_ui.demo.hubs.content import Digest

TABLE = Path(__file__).with_name("digests.json")


def known_digests() -> dict[str, Digest]:
    """By the name of the file's recipe."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return {recipe: Digest(**digest) for recipe, digest in table.items()}


def recipe(weights: Weights) -> str:
    """Names made-up weights: those of the same recipe are the same bytes."""
    parts = (weights.network, weights.layout, weights.algorithm, f"rank {weights.rank}", weights.dtype)
    return ", ".join((*parts, f"seed {weights.seed}"))
