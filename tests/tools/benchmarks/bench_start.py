"""An app beside an empty one: from an empty process to the first page and to the list of commands, and idle.

Idle is what an app that nobody looks at costs: processor time over a minute, as a share of one core.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import psutil

from tests.programs import ROOT, free_run_of_ports, python, started
from tests.tools.benchmarks.figures import Figure, interleaved, limit

# Nothing answers at this address: the app has hubs that it never needs to ask.
NOWHERE = dict.fromkeys(("HF_ENDPOINT", "CIVITAI_ENDPOINT", "REPLICATE_ENDPOINT"), "http://127.0.0.1:9")
# The two apps say where they are, once they have answered.
OURS = """
import os, sys, threading, urllib.request
from hub_ui import settings
from hub_ui.app import services
from hub_ui.web.app import serving
with services.build(settings.from_environment(os.environ, hosted="hosted" in sys.argv)) as built, serving(built) as url:
    assert urllib.request.urlopen(url).status == 200
    print(url, *({"torch", "diffusers"} & set(sys.modules)), flush=True)
    threading.Event().wait()
"""
EMPTY = """
import threading, urllib.request
import gradio as gr
with gr.Blocks(analytics_enabled=False) as app:
    typed, echo = gr.Textbox(label="typed"), gr.Textbox(label="echo")
    typed.submit(lambda text: text, typed, echo)
_, url, _ = app.launch(prevent_thread_lock=True, quiet=True)
assert urllib.request.urlopen(url).status == 200
print(url, flush=True)
threading.Event().wait()
"""
HELP = "import sys; from hub_ui.commands.cli import main; sys.exit(main(['--help']))"
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
SETTLE_SECONDS = 40.0
MOST_OF_A_CORE = 0.1


def seconds_to_help(script: str) -> float:
    start = time.perf_counter()
    done = python("-c", script)
    took = time.perf_counter() - start
    if "--help" not in done.stdout:
        raise AssertionError(f"this is no help: {done.stdout}")
    return took


@contextmanager
def served(script: str, *words: str, endpoints: Mapping[str, str] = NOWHERE) -> Iterator[tuple[str, psutil.Popen]]:
    """Where an app is that has served its first page, and its process. Raises if torch or diffusers came along."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        # Where nobody else on this computer expects an app to ask.
        port = str(free_run_of_ports())
        own = {"HUB_UI_HOME": home, "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SERVER_PORT": port}
        environ = {**os.environ, **endpoints, **own}
        with started(sys.executable, "-c", script, *words, cwd=ROOT, env=environ) as (said, process):
            if len(said.split()) != 1:
                raise AssertionError(f"the page was not served as it should be: {said or 'no answer'}")
            yield said.strip(), process


def seconds_to_serve(script: str) -> float:
    start = time.perf_counter()
    with served(script):
        return time.perf_counter() - start


def percent_of_a_core(script: str, *words: str, seconds: float, settle: float = SETTLE_SECONDS) -> float:
    """What the process and its children use in `seconds`, from `settle` seconds after the page is served."""
    with served(script, *words) as (_url, process):
        time.sleep(settle)
        before = _processor_seconds(process)
        time.sleep(seconds)
        return 100 * (_processor_seconds(process) - before) / seconds


def _processor_seconds(process: psutil.Process) -> float:
    used = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(times.user + times.system for times in used)


def figures(*, runs: int = 5, seconds: float = 60) -> Iterator[Figure]:
    seconds_to_serve(EMPTY)  # what is on disk is in memory from here on
    seconds_to_serve(OURS)
    page, empty_page = interleaved(partial(seconds_to_serve, OURS), partial(seconds_to_serve, EMPTY), runs=runs)
    yield Figure(name="start to first page", ours=page, other=empty_page, against="an empty Gradio page", target=1.3)
    seconds_to_help(EMPTY_HELP)
    listed, empty_list = interleaved(partial(seconds_to_help, HELP), partial(seconds_to_help, EMPTY_HELP), runs=runs)
    yield Figure(name="start to --help", ours=listed, other=empty_list, against="an empty typer app", target=1.2)
    for name, words in (("idle app", ()), ("idle hosted page", ("hosted",))):
        used = percent_of_a_core(OURS, *words, seconds=seconds)
        yield limit(name, used, MOST_OF_A_CORE, "% of a core")
