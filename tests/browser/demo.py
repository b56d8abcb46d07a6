"""The demo as `hub-ui demo` runs it, in this process: sample hubs on loopback, a fresh home, the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub_ui import app, services
from hub_ui.commands.samples import demo_settings
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.demo.samples import write_samples


@contextmanager
def running_demo(folder: Path) -> Iterator[str]:
    """Yields the page's address. Everything lies below `folder`."""
    write_samples(folder / "data")
    with running_hubs(folder / "data") as hubs:
        chosen = demo_settings(folder / "home", folder / "loras", hubs)
        with services.build(chosen) as built, app.serving(built) as url:
            yield url
