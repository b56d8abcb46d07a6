"""The local hubs are where they say, and no text in a path, a parameter or a body makes one fail."""

import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from hub_ui.demo.hubs import server
from hub_ui.demo.hubs.server import running_hubs
from tests.faulty_hubs import HubEndpoints
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


TEXTS = ("", " ", "9" * 5000, "日本", "../..", "a\nb", "\0", "%", "null", "-1", "true")
PATHS = {
    "civitai": ("api/v1/models/", "api/v1/model-versions/", "api/download/models/", "models/", "pictures/"),
    "huggingface": ("api/models/maker/red/revision/", "api/models/maker/red/tree/", "maker/red/resolve/main/"),
    "replicate": ("v1/models/maker/", "v1/predictions/", "maker/"),
    "delivery": ("", "pictures/"),
}
LISTS = {"civitai": "api/v1/models", "huggingface": "api/models", "replicate": "v1/search"}
TOKEN = {"Authorization": "Bearer hf_member"}


@pytest.mark.parametrize("text", TEXTS)
def test_a_path_with_any_text_is_answered(hubs: HubEndpoints, text: str) -> None:
    for hub, paths in PATHS.items():
        for path in paths:
            url = f"{getattr(hubs, hub)}/{path}{quote(text, safe='')}"
            assert requests.get(url, headers=TOKEN, timeout=30).status_code < 500


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["limit", "page", "cursor", "query", "nsfw", "sort", "filter"])
def test_a_parameter_with_any_text_is_answered(hubs: HubEndpoints, name: str, text: str) -> None:
    for hub, path in LISTS.items():
        url = f"{getattr(hubs, hub)}/{path}"
        assert requests.get(url, params={name: text}, headers=TOKEN, timeout=30).status_code < 500


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"3", b"\xff", b'{"paths": null}'])
def test_a_body_with_any_bytes_is_answered(hubs: HubEndpoints, body: bytes) -> None:
    headers: dict[str, Any] = {**TOKEN, "Content-Type": "application/json"}
    for url in (
        f"{hubs.huggingface}/api/models/maker/red/paths-info/main",
        f"{hubs.replicate}/v1/predictions",
    ):
        assert requests.post(url, data=body, headers=headers, timeout=30).status_code < 500
