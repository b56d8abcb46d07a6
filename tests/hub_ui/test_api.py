"""The named endpoints by the official clients, on the demo's hubs: from a search to a picture."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from gradio_client import Client  # type: ignore[import-untyped]
from gradio_client.exceptions import AppError  # type: ignore[import-untyped]
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from hub_ui import app, services
from hub_ui.api import without_paths
from hub_ui.commands.demo import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs

NAMES = ["search", "show", "inspect", "pull", "try"]
HAT = "huggingface:hatbox/top-hat-tiny@"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of an own and a hosted page on the same hubs."""
    home = tmp_path_factory.mktemp("pages")
    with running_hubs(SAMPLES) as hubs:
        own = demo_settings(home / "own", home / "loras", hubs)
        shared = replace(demo_settings(home / "shared", home / "shared-loras", hubs), hosted=True)
        with (
            services.build(own) as mine,
            services.build(shared) as theirs,
            app.serving(mine, agents=True) as url,
            app.serving(theirs, agents=True) as hosted_url,
        ):
            yield {"own": url, "hosted": hosted_url}


@pytest.fixture
def own(pages: dict[str, str]) -> str:
    return pages["own"]


@pytest.fixture
def hosted(pages: dict[str, str]) -> str:
    return pages["hosted"]


@pytest.fixture
def client(own: str, tmp_path: Path) -> Client:
    return Client(own, verbose=False, download_files=tmp_path)


def call_tool(url: str, name: str, arguments: dict[str, Any]) -> Any:
    async def call() -> Any:
        async with (
            streamable_http_client(f"{url}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await session.call_tool(name, arguments)

    return asyncio.run(call())


def tools(url: str) -> list[Any]:
    async def call() -> Any:
        async with (
            streamable_http_client(f"{url}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return (await session.list_tools()).tools

    return list(asyncio.run(call()))


@pytest.mark.parametrize("page", ["own", "hosted"])
def test_gradio_client_goes_from_a_search_to_a_picture(pages: dict[str, str], page: str, tmp_path: Path) -> None:
    client = Client(pages[page], verbose=False, download_files=tmp_path)
    ref = client.predict("top hat", bases=["tiny-shapes"], limit=5, api_name="/search")["results"][0]["ref"]
    assert ref.startswith(HAT)
    assert client.predict(ref, api_name="/show")["versions"][0]["files"][0]["name"] == "top-hat.safetensors"
    assert client.predict(ref, api_name="/inspect")["rank"] == 4
    image, report = client.predict([ref], "a person", seed=7, steps=2, api_name="/try")
    with Image.open(image) as made:
        assert (made.size, report["seed"], report["steps"]) == ((128, 128), 7, 2)


@pytest.mark.parametrize("page", ["own", "hosted"])
def test_an_agent_goes_from_a_search_to_a_picture(pages: dict[str, str], page: str) -> None:
    found = json.loads(call_tool(pages[page], "search", {"text": "top hat", "bases": ["tiny-shapes"]}).content[0].text)
    ref = found["results"][0]["ref"]
    assert json.loads(call_tool(pages[page], "inspect", {"source": ref}).content[0].text)["what"] == "lora"
    answer = call_tool(pages[page], "try", {"refs": [ref], "prompt": "a person", "seed": 7, "steps": 2})
    image, address, report = answer.content
    assert Image.open(io.BytesIO(base64.b64decode(image.data))).size == (128, 128)
    assert (image.mimeType, requests.get(address.text.removeprefix("Image URL: "), timeout=30).status_code) == (
        "image/png",
        200,
    )
    assert json.loads(report.text)["seed"] == 7


def test_agents_have_five_tools_whose_arguments_are_described(own: str) -> None:
    found = tools(own)
    assert [tool.name for tool in found] == NAMES
    arguments = [(tool.name, name, about) for tool in found for name, about in tool.inputSchema["properties"].items()]
    assert [(tool, name) for tool, name, about in arguments if not about.get("description")] == []
    assert len(arguments) == 22


def test_a_hosted_page_has_none_that_writes(hosted: str) -> None:
    assert [tool.name for tool in tools(hosted)] == ["search", "show", "inspect", "try"]
    assert set(Client(hosted, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]) == {
        "/search",
        "/show",
        "/inspect",
        "/try",
    }
    assert requests.post(f"{hosted}gradio_api/call/pull", json={"data": [HAT]}, timeout=30).status_code == 404


def test_a_pull_says_where_the_file_is(client: Client) -> None:
    entry = client.predict("huggingface:hatbox/top-hat-tiny", api_name="/pull")
    assert Path(entry["file_path"]).stat().st_size == entry["size"]
    assert entry["ref"].startswith(HAT)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("show", ["nonsense"], "names no LoRA"),
        ("show", ["huggingface:nobody/nothing"], "has no"),
        ("search", ["rank:many"], "rank"),
        ("inspect", ["../secret.safetensors"], "names no LoRA"),
        ("try", [["huggingface:hatbox/top-hat-tiny"], "ink", [0.5, 0.6]], "weight"),
    ],
)
def test_an_error_is_a_sentence(client: Client, name: str, arguments: list[Any], said: str) -> None:
    with pytest.raises(AppError, match=said):
        client.predict(*arguments, api_name=f"/{name}")


def test_an_error_is_one_for_agents_too(own: str) -> None:
    answer = call_tool(own, "show", {"ref": "nonsense"})
    assert answer.isError
    assert "names no LoRA" in answer.content[0].text


@pytest.mark.parametrize("source", ["/etc/passwd", "http://127.0.0.1:9/x.safetensors"])
def test_visitors_reach_neither_files_nor_the_network_of_the_computer(hosted: str, source: str) -> None:
    with pytest.raises(AppError, match="A shared page generates with the bases of its list"):
        Client(hosted, verbose=False).predict(source, api_name="/inspect")


def test_visitors_try_within_the_bounds_of_the_page(hosted: str) -> None:
    with pytest.raises(AppError, match="at most 60 steps"):
        Client(hosted, verbose=False).predict([], "ink", base="tiny-shapes", steps=61, api_name="/try")


@pytest.mark.parametrize(
    "path", ["call/lambda", "call/v2/on_view", "call/", "run/search", "api/search", "mcp/messages", "mcp/sse"]
)
def test_no_other_route_takes_a_request(own: str, path: str) -> None:
    assert requests.post(f"{own}gradio_api/{path}", json={"data": [""], "fn_index": 0}, timeout=30).status_code == 404


@pytest.mark.parametrize("path", ["call/search", "mcp/"])
def testpages_of_other_sites_are_refused(own: str, path: str) -> None:
    answer = requests.post(
        f"{own}gradio_api/{path}", json={"data": [""]}, headers={"Origin": "https://evil.example"}, timeout=30
    )
    assert answer.status_code == 403


def test_plain_http_works_in_two_steps(own: str) -> None:
    begun = requests.post(f"{own}gradio_api/call/v2/search", json={"text": "top hat"}, timeout=30).json()
    answer = requests.get(f"{own}gradio_api/call/search/{begun['event_id']}", timeout=60).text
    assert json.loads(answer.partition("data: ")[2])[0]["results"][0]["ref"].startswith(HAT)


def test_what_a_client_might_take_for_a_file_has_another_name() -> None:
    assert without_paths({"images": [{"params": {"path": "/etc/passwd", "url": "x"}}], "path": "a"}) == {
        "images": [{"params": {"file_path": "/etc/passwd", "url": "x"}}],
        "file_path": "a",
    }
