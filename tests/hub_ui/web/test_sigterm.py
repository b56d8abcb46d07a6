"""The app's process is told to end while it generates: it ends soon, in order, and nothing is left half done."""

import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from tests.hub_ui.commands.test_serve import first_line, running, stream
from tests.hub_ui.web.raw import Visitor

REF = "huggingface:shapeworks/ink-outline-tiny"
MOST_SECONDS = 120


def visitor_of(process: subprocess.Popen[str]) -> Visitor:
    found = re.search(r"http://\S+", first_line(process))
    assert found is not None
    return Visitor(url=found[0], services=cast(Any, None))


def begin(visitor: Visitor, steps: int) -> str:
    """The id of a call that generates, and has its LoRA."""
    assert visitor.call("pull", ref=REF).said == ""
    # The base is loaded, so that steps are made soon.
    assert visitor.call("try", refs=[REF], prompt="a red circle", seed=1, steps=1).said == ""
    id_ = str(visitor.begin("try", refs=[REF], prompt="a red circle", seed=1, steps=steps).json()["event_id"])
    while visitor.get("ready").json()["queue"]["generations"] == 0:
        time.sleep(0.1)
    return id_


@pytest.mark.cluster
def test_an_app_that_generates_ends_when_it_is_told_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_UI_STOP_SECONDS", "1")
    with running("demo", "--no-browser", "--port", "0") as process, ThreadPoolExecutor(1) as reader:
        visitor = visitor_of(process)
        answer = reader.submit(visitor.read, "try", begin(visitor, 500))
        process.send_signal(signal.SIGTERM)
        assert "hub-ui was stopped before this was done. Start it again in a minute." in answer.result().said
        assert (process.wait(timeout=MOST_SECONDS), stream(process.stderr).read()) == (0, "")
    library = home / "demo" / "loras"
    assert (len(list(library.rglob("*.safetensors"))), list(library.rglob("*.part"))) == (1, [])
    done = subprocess.run(
        [sys.executable, "-m", "hub_ui.cli", "verify", "--library", str(library)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.cluster
def test_what_runs_is_done_before_the_app_ends_and_nothing_new_begins(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_UI_STOP_SECONDS", "300")
    with running("demo", "--no-browser", "--port", "0") as process, ThreadPoolExecutor(1) as reader:
        visitor = visitor_of(process)
        # So many that all that is looked at meanwhile comes before the last one.
        answer = reader.submit(visitor.read, "try", begin(visitor, 120))
        process.send_signal(signal.SIGTERM)
        while (ready := visitor.get("ready")).status_code == 200:
            time.sleep(0.1)
        assert (ready.status_code, ready.json()["stopping"]) == (503, True)
        assert "hub-ui is being stopped here" in visitor.call("try", refs=[], prompt="x", base="tiny-shapes").said
        # The program has the image, and not the sentence of one that was ended.
        assert (answer.result().said, answer.result().data[1]["steps"]) == ("", 120)
        assert (process.wait(timeout=MOST_SECONDS), stream(process.stderr).read()) == (0, "")
