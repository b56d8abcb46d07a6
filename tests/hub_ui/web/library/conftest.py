"""Two LoRAs in the library, on a hub that knows the first; the queue does not run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.app.services import Services
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.building import entry, sha256, weights
from tests.hub_ui.stand_ins import Hub, lora, services_on

MIST = Ref.parse("civitai:7@8#9")


@pytest.fixture
def hub() -> Hub:
    return Hub(name="civitai", loras=[lora()])


@pytest.fixture
def built(home: Path, hub: Hub) -> Iterator[Services]:
    with services_on(home, hub) as made:
        put(made, entry(title="Ink", file="sd1/ink.safetensors"), 1)
        put(made, entry(ref=MIST, title="Mist", file="sd1/mist.safetensors"), 2)
        yield made


def put(built: Services, one: Entry, fill: int) -> None:
    data = weights(fill=bytes([fill]))
    path = built.library.folder / one.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    built.library.adopt([replace(one, size=len(data), sha256=sha256(data))])


def thousands(built: Services, count: int = 3000) -> None:
    one = entry()
    built.library.adopt(
        replace(
            one, ref=Ref.parse(f"civitai:{n}@{n}#{n}"), title=f"Style {n:04}", file=f"sdxl/ada/{n}.safetensors",
            base_model="sdxl-1.0" if n % 2 else "pony", size=n, sha256=f"{n:064x}", trigger_words=(f"word{n}",),
        )
        for n in range(100, 100 + count)
    )  # fmt: skip
