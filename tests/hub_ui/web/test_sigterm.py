"""The app is told to end while it generates. Ends before that: tests/hub_ui/web/test_app.py."""

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from tests.hub_ui.commands.test_serve import running
from tests.hub_ui.library.download.queueing import eventually
from tests.hub_ui.web.raw import Visitor

MOST_SECONDS = 120


def begin(visitor: Visitor, steps: int) -> str:
    """The id of a call that generates."""
    # The base is loaded, so that steps are made soon.
    assert visitor.call("try", refs=[], base="tiny-shapes", prompt="a red circle", seed=1, steps=1).said == ""
    asked: dict[str, Any] = {"refs": [], "base": "tiny-shapes", "prompt": "a red circle", "seed": 1, "steps": steps}
    id_ = str(visitor.begin("try", **asked).json()["event_id"])
    eventually(lambda: visitor.get("ready").json()["queue"]["generations"], MOST_SECONDS)
    return id_


@pytest.mark.cluster
def test_what_runs_is_done_before_the_end_and_nothing_new_begins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_UI_STOP_SECONDS", "300")
    with running("demo", "--no-browser", "--port", "0") as (line, process), ThreadPoolExecutor(1) as reader:
        visitor = Visitor(url=re.findall(r"http://\S+", line)[0], services=cast(Any, None))
        # So many that all that is looked at meanwhile comes before the last one.
        answer = reader.submit(visitor.read, "try", begin(visitor, 120))
        process.send_signal(signal.SIGTERM)
        while (ready := visitor.get("ready")).status_code == 200:
            time.sleep(0.1)
        assert (ready.status_code, ready.json()["stopping"]) == (503, True)
        assert "hub-ui is being stopped here" in visitor.call("try", refs=[], prompt="x", base="tiny-shapes").said
        # The program has the image, and not the sentence of one that was ended.
        assert (answer.result().said, answer.result().data[1]["steps"]) == ("", 120)
        assert (process.wait(timeout=MOST_SECONDS), process.stderr.read()) == (0, "")
