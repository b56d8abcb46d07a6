"""The page's process is told to end while it generates: it ends soon, in order, and nothing is left half done."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.hub_ui.commands.test_serving import first_line, running, stream
from tests.hub_ui.web.raw import Event, Visitor

REF = "huggingface:shapeworks/ink-outline-tiny"
FORM: dict[str, Any] = {"Prompt": "a red circle", "Seed": 1, "Steps": 500, "place": "This computer"}
MOST_SECONDS = 120


def messages(visitor: Visitor, event: Event, **form: Any) -> Iterator[str]:
    """What the page is told of a generation."""
    filled = {**FORM, **form}
    joined = visitor.join(event.number, [filled.get(name) for name in event.inputs]).json()["event_id"]
    return (str(message.get("output")) for message in visitor.messages() if message.get("event_id") == joined)


@pytest.mark.cluster
def test_a_page_that_generates_ends_when_it_is_told_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_UI_STOP_SECONDS", "1")
    with running("demo", "--no-browser", "--port", "0") as process:
        found = re.search(r"http://\S+", first_line(process))
        assert found is not None
        visitor = Visitor(url=found[0], services=cast(Any, None))
        visitor.look_at(f"view=try&lora={REF}")
        told = messages(visitor, visitor.event("make.click > progress"))
        assert any("data:image/png" in text for text in told)
        process.send_signal(signal.SIGTERM)
        assert any("hub-ui was stopped before this was done. Start it again in a minute." in text for text in told)
        assert (process.wait(timeout=MOST_SECONDS), stream(process.stderr).read()) == (0, "")
    library = home / "demo" / "loras"
    assert (len(list(library.rglob("*.safetensors"))), list(library.rglob("*.part"))) == (1, [])
    done = subprocess.run(
        [sys.executable, "-m", "hub_ui.cli", "verify", "--library", str(library)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_what_runs_is_done_before_the_page_ends_and_nothing_new_begins(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_UI_STOP_SECONDS", "300")
    with running("demo", "--no-browser", "--port", "0") as process:
        found = re.search(r"http://\S+", first_line(process))
        assert found is not None
        visitor = Visitor(url=found[0], services=cast(Any, None))
        visitor.look_at(f"view=try&lora={REF}")
        event = visitor.event("make.click > progress")
        # So many that all that is looked at meanwhile comes before the last one.
        told = messages(visitor, event, Steps=120)
        assert any("data:image/png" in text for text in told)
        process.send_signal(signal.SIGTERM)
        while (ready := visitor.get("ready")).status_code == 200:
            pass
        assert (ready.status_code, ready.json()["stopping"]) == (503, True)
        other = visitor.another()
        other.look_at(f"view=try&lora={REF}")
        assert any("hub-ui is being stopped here" in text for text in messages(other, event))
        # The page has the image, and not the sentence of one that was ended.
        rest = " ".join(told)
        assert ("was stopped" in rest, "data-act='tile'" in rest or 'data-act="tile"' in rest) == (False, True)
        assert (process.wait(timeout=MOST_SECONDS), stream(process.stderr).read()) == (0, "")
