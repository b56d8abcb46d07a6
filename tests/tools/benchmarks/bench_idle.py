"""What an app that nobody looks at costs: processor time over a minute, as a share of one core."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.tools.benchmarks.figures import Figure, report

ROOT = Path(__file__).resolve().parents[3]
# Nothing answers at this address: the app has hubs that it never needs to ask.
NOWHERE = dict.fromkeys(("HF_ENDPOINT", "CIVITAI_ENDPOINT", "REPLICATE_ENDPOINT"), "http://127.0.0.1:9")
OURS = """
import os, sys, threading
from hub_ui import services, settings
from hub_ui.app import serving
with services.build(settings.from_environment(os.environ, hosted="hosted" in sys.argv)) as built, serving(built):
    print("served", flush=True)
    threading.Event().wait()
"""
EMPTY = """
import threading
import gradio as gr
with gr.Blocks(analytics_enabled=False) as app:
    pass
app.launch(prevent_thread_lock=True, quiet=True)
print("served", flush=True)
threading.Event().wait()
"""
SETTLE_SECONDS = 40
MOST_OF_A_CORE = 0.1


def percent_of_a_core(script: str, *words: str, seconds: float, settle: float = SETTLE_SECONDS) -> float:
    """What the process and its children use in `seconds`, from `settle` seconds after the page is served."""
    with tempfile.TemporaryDirectory() as home:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # Where nobody else on this computer expects an app to ask.
        own = {"HUB_UI_HOME": home, "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SERVER_PORT": str(port)}
        environ = {**os.environ, **NOWHERE, **own}
        with subprocess.Popen(
            [sys.executable, "-c", script, *words], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                assert "served" in process.stdout.read(7)
                time.sleep(settle)
                before = _processor_seconds(process.pid)
                time.sleep(seconds)
                return 100 * (_processor_seconds(process.pid) - before) / seconds
            finally:
                process.kill()


def _processor_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    used = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(times.user + times.system for times in used)


def figures(*, seconds: float = 60) -> list[Figure]:
    ours, hosted = percent_of_a_core(OURS, seconds=seconds), percent_of_a_core(OURS, "hosted", seconds=seconds)
    empty = percent_of_a_core(EMPTY, seconds=seconds)
    most, page = "the limit", "an empty Gradio page"
    return [
        Figure(name="idle app", ours=ours, other=MOST_OF_A_CORE, against=most, target=1, unit="% of a core"),
        Figure(name="idle hosted page", ours=hosted, other=MOST_OF_A_CORE, against=most, target=1, unit="% of a core"),
        Figure(name="idle app", ours=ours, other=empty, against=page, target=1, unit="% of a core"),
    ]


if __name__ == "__main__":
    sys.exit(report(figures()))
