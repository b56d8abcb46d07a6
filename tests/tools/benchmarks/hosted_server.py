"""A hosted page on the demo's hubs, in a process of its own: prints its address, then serves until it is ended."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

from hub_ui import app, services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.folder import Origins
from hub_ui.hosting.limits import Limits

# The visitors of a bench share an address, and each wants an image within three minutes.
LIMITS = Limits(people_per_address=1000, connections_per_address=2000, queue=200, searches_per_minute=10_000)


def main(home: Path, *origins: str) -> None:
    names = ("huggingface", "civitai", "replicate", "delivery")
    settings = demo_settings(home, home / "loras", Origins(**dict(zip(names, origins, strict=True))))
    with services.build(replace(settings, hosted=True, limits=LIMITS)) as built, app.serving(built) as url:
        print(url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
