"""`hubs`, `demo` and `serve` as processes: what they print, whether they answer, and how they end."""

import json
import re
import signal
import socket
import sys
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import PIPE

import psutil
import pytest

from tests.hub_ui.library.shared_hubs import CONTRACT, Line
from tests.programs import ROOT, free_run_of_ports, started


def running(*words: str) -> AbstractContextManager[tuple[str, psutil.Popen]]:
    return started(sys.executable, "-m", "hub_ui.commands.cli", *words, cwd=ROOT, stderr=PIPE)


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return int(answer.status)


@pytest.mark.parametrize("stop", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.cluster)])
def test_hubs_prints_where_they_answer_and_stops_fast(stop: signal.Signals) -> None:
    with running("hubs", "--data", str(CONTRACT)) as (line, process):
        addresses = json.loads(line)
        assert list(addresses) == ["HF_ENDPOINT", "CIVITAI_ENDPOINT", "REPLICATE_ENDPOINT"]
        assert status(addresses["CIVITAI_ENDPOINT"] + "/api/v1/models") == 200
        process.send_signal(stop)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""


def test_demo_serves_the_page_on_the_samples_until_stopped(home: Path) -> None:
    with running("demo", "--no-browser", "--port", "0") as (line, process):
        found = re.fullmatch(r"hub-ui demo: (http://127\.0\.0\.1:\d+/)  \(Ctrl-C stops it\)\n", line)
        assert found is not None, line
        assert status(found[1]) == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
    assert [path.name for path in (home / "demo").glob("run-*")] == []


@pytest.mark.cluster
def test_serve_takes_a_port_and_stops_on_sigterm() -> None:
    with running("serve", "--hosted", "--host", "127.0.0.1") as (line, process):
        found = re.fullmatch(r"hub-ui: (http://127\.0\.0\.1:\d+/)  .*\n", line)
        assert found is not None
        assert status(found[1]) == 200
        process.terminate()
        assert process.wait(timeout=30) == 0


@pytest.mark.cluster
def test_a_space_is_hosted_and_listens_where_its_proxy_expects_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_run_of_ports()
    monkeypatch.setenv("SPACE_ID", "ada/loras")
    monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
    with running("serve") as (line, _process):
        assert f":{port}/" in line
        # On another address of this computer than the usual one.
        with urllib.request.urlopen(f"http://127.0.0.2:{port}/config", timeout=30) as answer:
            config = json.loads(answer.read())
    assert config["space_id"] is None
    assert (home / "hosted" / "catalog.sqlite").is_file()


@pytest.mark.parametrize("words", [["serve"], ["demo", "--no-browser"], ["hubs", "--data", str(CONTRACT)]])
def test_a_port_in_use_is_told_in_a_sentence_of_ours(words: list[str], line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert line.run(*words, "--port", str(port)) == 1
    said = line.err
    assert said.startswith(f"hub-ui: Port {port} is in use by another program. Choose another one with --port")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--host", "nowhere.invalid", "--port", "7860"], "can't listen on nowhere.invalid, port 7860: "),
        (["hubs", "--data", str(CONTRACT), "--port", "65534"], "There is no port 65536: 65535 is the last one."),
        (["hubs", "--data", "nowhere"], "hub-ui: --data nowhere: no such folder\n"),
    ],
)
def test_an_address_or_a_folder_that_nobody_can_serve_is_a_usage_error(words: list[str], said: str, line: Line) -> None:
    assert line.run(*words) == 2
    assert said in line.err


@pytest.mark.cluster
def test_demo_on_recorded_answers_starts_in_a_fresh_home(home: Path) -> None:
    assert not (home / "demo").exists()
    with running("demo", "--no-browser", "--data", str(CONTRACT)) as (line, process):
        assert line.startswith("hub-ui demo: http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
