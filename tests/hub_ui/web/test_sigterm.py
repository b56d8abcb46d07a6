"""The page's process is told to end while it generates: it ends soon, in order, and nothing is left half done."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from tests.hub_ui.commands.test_serving import first_line, running, stream
from tests.hub_ui.web.raw import Event, Visitor

REF = "huggingface:shapeworks/ink-outline-tiny"
FORM: dict[str, Any] = {"Prompt": "a red circle", "Seed": 1, "Steps": 500, "place": "This computer"}
MOST_SECONDS = 120


def generating(visitor: Visitor, event: Event) -> bool:
    """Waits until the first look at an image that is under way."""
    joined = visitor.join(event.number, [FORM.get(name) for name in event.inputs]).json()["event_id"]
    told = (str(message.get("output")) for message in visitor.messages() if message.get("event_id") == joined)
    return any("data:image/png" in text for text in told)


def test_a_page_that_generates_ends_when_it_is_told_to(home: Path) -> None:
    with running("demo", "--no-browser", "--port", "0") as process:
        found = re.search(r"http://\S+", first_line(process))
        assert found is not None
        visitor = Visitor(url=found[0], services=cast(Any, None))
        visitor.look_at(f"view=try&lora={REF}")
        assert generating(visitor, visitor.event("make.click > progress"))
        process.send_signal(signal.SIGTERM)
        assert (process.wait(timeout=MOST_SECONDS), stream(process.stderr).read()) == (0, "")
    library = home / "demo" / "loras"
    assert (len(list(library.rglob("*.safetensors"))), list(library.rglob("*.part"))) == (1, [])
    done = subprocess.run(
        [sys.executable, "-m", "hub_ui.cli", "verify", "--library", str(library)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
