"""The demo as `hub-ui demo` runs it, in this process: sample hubs on loopback, a fresh home, the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree
from typing import Any

from hub_ui import app, services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.services import Services
from tests.faulty_hubs import HubEndpoints, running_hubs


@dataclass(frozen=True, kw_only=True)
class Demo:
    url: str
    hubs: HubEndpoints
    services: Services


@contextmanager
def whole_demo(folder: Path, **changed: Any) -> Iterator[Demo]:
    """With the hubs and what stands behind the page, for tests that interfere with either."""
    copytree(SAMPLES, folder / "data", dirs_exist_ok=True)
    with served_demo(folder, **changed) as demo:
        yield demo


@contextmanager
def served_demo(folder: Path, **changed: Any) -> Iterator[Demo]:
    """On hubs whose data lies in `folder` already. `changed` are settings."""
    with running_hubs(folder / "data") as hubs:
        chosen = replace(demo_settings(folder / "home", folder / "loras", hubs), **changed)
        with services.build(chosen) as built, app.serving(built) as url:
            yield Demo(url=url, hubs=hubs, services=built)
