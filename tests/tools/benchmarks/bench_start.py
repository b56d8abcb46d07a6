"""From an empty process to the first page served, and to the list of commands, each against an empty app."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.tools.benchmarks.figures import Figure, interleaved, report

ROOT = Path(__file__).resolve().parents[3]
TARGET = 1.3
HELP_TARGET = 1.2
OURS = """
import os, sys, urllib.request
from hub_ui import services, settings
from hub_ui.app import serving
with services.build(settings.from_environment(os.environ)) as built, serving(built) as url:
    assert urllib.request.urlopen(url).status == 200
    print("served", *({"torch", "diffusers"} & set(sys.modules)), flush=True)
    os._exit(0)
"""
EMPTY = """
import os, urllib.request
import gradio as gr
with gr.Blocks(analytics_enabled=False) as app:
    pass
_, url, _ = app.launch(prevent_thread_lock=True, quiet=True)
assert urllib.request.urlopen(url).status == 200
print("served", flush=True)
os._exit(0)
"""

HELP = "import sys; from hub_ui.cli import main; sys.exit(main(['--help']))"
EMPTY_HELP = """
import typer
import connectors.errors, connectors.registry, hub_ui.terminal
app = typer.Typer()
@app.callback()
def options():
    pass
@app.command()
def nothing():
    pass
app(["--help"])
"""


def seconds_to_help(script: str) -> float:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    took = time.perf_counter() - start
    if "--help" not in done.stdout:
        raise AssertionError(f"this is no help: {done.stdout}")
    return took


def seconds_to_serve(script: str) -> float:
    """From starting Python to its line that the page was served. Raises if torch or diffusers came along."""
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "HUB_UI_HOME": home, "GRADIO_ANALYTICS_ENABLED": "False"}
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", script], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            said = process.stdout.readline().split()
            took = time.perf_counter() - start
        if said != ["served"]:
            raise AssertionError(f"the page was not served as it should be: {said or 'no answer'}")
        return took


def figures(*, runs: int = 5) -> list[Figure]:
    seconds_to_serve(EMPTY)  # what is on disk is in memory from here on
    seconds_to_serve(OURS)
    ours, empty = interleaved(lambda: seconds_to_serve(OURS), lambda: seconds_to_serve(EMPTY), runs=runs)
    page = Figure(name="start to first page", ours=ours, other=empty, against="an empty Gradio page", target=TARGET)
    seconds_to_help(EMPTY_HELP)
    ours, empty = interleaved(lambda: seconds_to_help(HELP), lambda: seconds_to_help(EMPTY_HELP), runs=runs)
    listed = Figure(name="start to --help", ours=ours, other=empty, against="an empty typer app", target=HELP_TARGET)
    return [page, listed]


if __name__ == "__main__":
    sys.exit(report(figures()))
