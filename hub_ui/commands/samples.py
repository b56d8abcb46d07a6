"""What the local hubs serve, and settings that point at them."""

from __future__ import annotations

from pathlib import Path

from connectors.errors import UsageError
from hub_ui.demo.hubs.endpoints import Origins
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.settings import Settings

# The local Replicate answers like the real one: nothing without a key. Any key will do.
REPLICATE_KEY = "r8_demo"


def hub_data(given: Path | None) -> Path:
    """The folder named on the command line, or the samples."""
    if given is None:
        return SAMPLES
    if not given.is_dir():
        raise UsageError(f"--data {given}: no such folder")
    return given


def demo_settings(home: Path, library: Path, hubs: Origins) -> Settings:
    return Settings(
        home=home,
        library=library,
        lock=library / "loras.lock",
        endpoints={"civitai": hubs.civitai, "huggingface": hubs.huggingface, "replicate": hubs.replicate},
        tokens={"replicate": REPLICATE_KEY},
        demo=True,
    )
