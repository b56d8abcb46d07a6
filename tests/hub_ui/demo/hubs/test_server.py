import socket
from pathlib import Path

import pytest
import requests

from hub_ui.demo.hubs import server
from hub_ui.demo.hubs.server import running_hubs
from tests.programs import free_run_of_ports


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


def test_hubs_that_nobody_asks_any_more_stop_without_a_word(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_hubs(data) as hubs, requests.get(hubs.civitai + "/api/v1/models", timeout=30):
        caplog.set_level("ERROR", "uvicorn.error")
    assert caplog.text == ""


def test_answers_do_not_wait_for_acknowledgements() -> None:
    # asyncio sets TCP_NODELAY only on a socket that names its protocol.
    with server._bind(0) as bound:
        assert bound.proto == socket.IPPROTO_TCP
