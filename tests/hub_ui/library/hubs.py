"""One small file on each of the three local hubs, and a library that pulls it the way the app does."""

from functools import partial
from pathlib import Path

import connectors
from connectors.connector import pin
from connectors.ref import HubName, Ref
from hub_ui.library.download.partial_file import Meter, read_state
from hub_ui.library.download.transfer import DownloadOptions
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.building import QUICK, record

HUBS: tuple[HubName, ...] = ("civitai", "huggingface", "replicate")
REFS = {
    "civitai": "civitai:1001@2001#3001",
    "huggingface": "huggingface:maker/red#lora.safetensors",
    "replicate": f"replicate:maker/tuned@{'a' * 64}",
}
SIZE = 1604
# Where the delivery host has each hub's file: what a fault is to match, so that it hits the bytes alone.
DELIVERED = {"civitai": "/model/3001/", "huggingface": "/repos/maker/red/", "replicate": "trained_model.tar"}
TOKENS: dict[HubName, str] = {"replicate": "r8_key"}


def library_in(folder: Path, options: DownloadOptions = QUICK) -> Library:
    return Library(folder / "loras", folder / "loras.lock", options=options)


def partial_bytes(library: Library) -> int:
    """How many bytes unfinished pulls have left for the next ones."""
    states = map(read_state, (library.folder / ".hub-ui").glob("*.json"))
    return sum(stop - start for state in states if state for start, stop in state.spans)


def pull(hubs: HubEndpoints, hub: HubName, library: Library, meter: Meter | None = None) -> Entry:
    connector = next(found for found in connectors.build(hubs.by_name, TOKENS) if found.name == hub)
    pinned = pin(connector, Ref.parse(REFS[hub]))
    about = record(ref=pinned, hub=hub, creator="maker")
    locate = partial(connector.download, pinned)
    return library.pull(locate, about, meter or Meter())


def weights_in(library: Library) -> list[Path]:
    """Every file that has its final name."""
    return sorted(library.folder.rglob("*.safetensors"))
