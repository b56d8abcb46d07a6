"""The base model that comes with this package."""

from __future__ import annotations

from pathlib import Path

PACKAGED = Path(__file__).parents[2] / "demo" / "weights" / "base"
