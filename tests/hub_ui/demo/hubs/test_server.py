import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from hub_ui.demo.hubs import server
from hub_ui.demo.hubs.server import running_hubs
from tests.faulty_hubs import apps_behind
from tests.recording import Recorder


def free_run_of_ports() -> int:
    """Below the ports that systems hand out (from 32768, or 49152), which other programs take at any moment."""
    for port in random.sample(range(20_000, 32_000, 4), 100):
        with ExitStack() as stack, suppress(OSError):
            for number in range(port, port + 4):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port
    raise AssertionError("no four free ports stand side by side")


def test_a_given_port_is_taken_with_the_three_after_it(data: Path) -> None:
    port = free_run_of_ports()
    with running_hubs(data, port=port) as hubs:
        assert hubs.as_env() == {
            "HF_ENDPOINT": f"http://127.0.0.1:{port}",
            "CIVITAI_ENDPOINT": f"http://127.0.0.1:{port + 1}",
            "REPLICATE_ENDPOINT": f"http://127.0.0.1:{port + 2}",
        }


def test_a_taken_port_is_an_error(data: Path) -> None:
    with (
        running_hubs(data) as hubs,
        pytest.raises(OSError, match="in use"),
        running_hubs(data, port=int(hubs.huggingface.rpartition(":")[2])),
    ):
        pass


def test_two_sets_of_hubs_run_side_by_side(data: Path, tmp_path: Path) -> None:
    with running_hubs(data) as full, running_hubs(tmp_path) as empty:
        assert len(requests.get(f"{full.huggingface}/api/models", timeout=30).json()) == 5
        assert requests.get(f"{empty.huggingface}/api/models", timeout=30).json() == []


def test_nothing_answers_after_the_stop(data: Path) -> None:
    with running_hubs(data) as hubs:
        pass
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(hubs.civitai, timeout=1)


def test_answers_do_not_wait_for_acknowledgements() -> None:
    # asyncio sets TCP_NODELAY only on a socket that names its protocol.
    with server._bind(0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_what_stands_in_front_of_an_origin_sees_every_request_and_how_much_was_sent(data: Path) -> None:
    recorder = Recorder()
    with running_hubs(data, apps=apps_behind(recorder.around)) as hubs:
        page = requests.get(f"{hubs.huggingface}/api/models?limit=1", timeout=30).content
    (request,) = recorder.requests
    assert (request.origin, request.target, request.status) == ("huggingface", "/api/models?limit=1", 200)
    assert (request.sent, request.ended) == (len(page), True)
