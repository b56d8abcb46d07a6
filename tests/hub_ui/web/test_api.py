"""The named endpoints by the official clients, on the demo's hubs: from a search to a picture."""

import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from gradio_client import Client  # type: ignore[import-untyped]
from gradio_client.exceptions import AppError  # type: ignore[import-untyped]
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.images import png_metadata
from hub_ui.web import app
from hub_ui.web.api import OF_IMAGES, Endpoint, with_arguments, without_paths
from tests.hub_ui.stand_ins import services_of

NAMES = ["search", "show", "inspect", "pull", "try", "compare"]
HAT = "huggingface:hatbox/top-hat-tiny@"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of an own and a hosted page on the same hubs."""
    home = tmp_path_factory.mktemp("pages")
    with (
        running_hubs(SAMPLES) as hubs,
        services_of(hubs, home / "own") as mine,
        services_of(hubs, home / "shared", hosted=True) as theirs,
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


def in_session(url: str, ask: Callable[[ClientSession], Awaitable[Any]]) -> Any:
    async def call() -> Any:
        async with (
            streamable_http_client(f"{url}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await ask(session)

    return asyncio.run(call())


def call_tool(url: str, name: str, arguments: dict[str, Any]) -> Any:
    return in_session(url, lambda session: session.call_tool(name, arguments))


def tools(url: str) -> list[Any]:
    return list(in_session(url, lambda session: session.list_tools()).tools)


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
    assert (image.mimeType, Image.open(io.BytesIO(base64.b64decode(image.data))).size) == ("image/png", (128, 128))
    assert requests.get(address.text.removeprefix("Image URL: "), timeout=30).status_code == 200
    assert json.loads(report.text)["seed"] == 7


def test_gradio_client_has_loras_compared_and_one_that_fits_no_base_stands_aside(client: Client) -> None:
    found = client.predict("", bases=["tiny-shapes", "flux.1-dev"], hubs="huggingface", api_name="/search")["results"]
    of_base = {
        base: [one["ref"] for one in found if one["base_model"] == base] for base in ("tiny-shapes", "flux.1-dev")
    }
    refs = [*of_base["tiny-shapes"][:2], of_base["flux.1-dev"][0]]
    image, report = client.predict(refs, ["a cat", "a house"], seed=7, steps=1, weights=0.5, api_name="/compare")
    assert (report["sheet"]["kind"], len(report["sheet"]["cells"])) == ("loras", 4)
    assert [lora["ref"] for lora in report["loras"]] == refs[:2]
    assert "stands aside" in report["notes"][0]
    tiles = png_metadata.read(Path(image)).tiles
    assert tiles is not None
    assert len(tiles.corners) == 4


def test_agents_have_six_tools_whose_arguments_are_described(own: str) -> None:
    found = tools(own)
    assert [tool.name for tool in found] == NAMES
    arguments = [(tool.name, name, about) for tool in found for name, about in tool.inputSchema["properties"].items()]
    assert [(tool, name) for tool, name, about in arguments if not about.get("description")] == []
    assert len(arguments) == 35


def test_the_values_of_an_argument_are_listed_where_they_are_few(own: str) -> None:
    search = tools(own)[0].inputSchema["properties"]
    kinds = {"enum": ["character", "concept", "control", "runner", "style", "tool"]}
    assert search["kinds"]["anyOf"] == [kinds, {"type": "array", "items": kinds}, {"type": "null"}]
    assert search["hubs"]["anyOf"][0] == {"enum": ["civitai", "huggingface", "replicate"]}
    assert search["nsfw"]["enum"] == ["explicit", "mature", "safe", "soft"]
    assert (search["limit"]["minimum"], search["limit"]["maximum"]) == (1, 200)
    assert "additional_description" not in search["text"]


def test_gradio_client_has_what_an_argument_means_a_lora_by_its_hash_and_its_path(client: Client) -> None:
    shown = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/search"]["parameters"]
    assert shown[6]["python_type"] == {"type": "int", "description": "The number of results, at most 200."}
    sha256 = client.predict("huggingface:hatbox/top-hat-tiny", api_name="/show")["file"]["sha256"]
    assert client.predict(sha256, api_name="/show")["ref"].startswith(HAT)
    assert len(client.predict(sha256[:10], api_name="/search")["results"]) == 1
    entry = client.predict("huggingface:hatbox/top-hat-tiny", api_name="/pull")
    assert Path(entry["file_path"]).stat().st_size == entry["size"]
    assert entry["ref"].startswith(HAT)


def test_a_hosted_page_has_none_that_writes(hosted: str) -> None:
    assert [tool.name for tool in tools(hosted)] == ["search", "show", "inspect", "try", "compare"]
    shown = Client(hosted, verbose=False).view_api(return_format="dict", print_info=False)
    assert set(shown["named_endpoints"]) == {"/search", "/show", "/inspect", "/try", "/compare"}
    assert requests.post(f"{hosted}gradio_api/call/pull", json={"data": [HAT]}, timeout=30).status_code == 404


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


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("show", {"ref": "nonsense"}, "names no LoRA"),
        ("search", {"text": "license:commercial"}, "Choose one of: license:sell_images (images may be sold)"),
        ("search", {"text": "license:blah"}, "Or choose a use that it must allow: sell_images, run_as_service, sell"),
        (
            "search",
            {"kinds": ["styl"]},
            '“kinds” can\'t be ["styl"]. Did you mean “style”? '
            "It has to be one of character, style, concept, control, tool, runner or a list of such or null.",
        ),
    ],
)
def test_an_error_is_one_for_agents_too(own: str, name: str, arguments: dict[str, Any], said: str) -> None:
    answer = call_tool(own, name, arguments)
    assert answer.isError
    assert said in answer.content[0].text


def test_an_agent_finds_what_may_be_sold_and_has_an_answer_as_json_too(own: str) -> None:
    assert "license:sell (the LoRA may be sold), license:sell_images (its images may be)" in tools(own)[0].description
    found = call_tool(own, "search", {"text": "license:sell", "bases": "tiny-shapes"}).structuredContent["results"]
    assert found
    assert {record["permissions"]["sell"] for record in found} == {True}
    answer = call_tool(own, "show", {"ref": "huggingface:hatbox/top-hat-tiny"})
    assert answer.structuredContent == json.loads(answer.content[0].text)


def test_one_value_stands_for_a_list_and_a_page_of_results_begins_where_it_is_asked_to(client: Client) -> None:
    found = client.predict("hat", hubs="huggingface", bases="tiny-shapes", kinds="concept", api_name="/search")
    assert [record["ref"].startswith(HAT) for record in found["results"]] == [True]
    whole = client.predict("", bases="tiny-shapes", limit=6, api_name="/search")["results"]
    page = client.predict("", bases="tiny-shapes", limit=2, offset=3, api_name="/search")["results"]
    assert [record["ref"] for record in page] == [record["ref"] for record in whole[3:5]]
    assert len(whole) == 6


def test_visitors_reach_no_file_of_the_computer(hosted: str) -> None:
    with pytest.raises(AppError, match="A shared page generates with the bases of its list"):
        Client(hosted, verbose=False).predict("/etc/passwd", api_name="/inspect")


def test_plain_http_works_in_two_steps_with_names_or_positions_but_not_as_a_form(own: str) -> None:
    given: dict[str, dict[str, Any]] = {"v2/search": {"text": "top hat"}, "search": {"data": ["top hat"]}}
    for path, arguments in given.items():
        begun = requests.post(f"{own}gradio_api/call/{path}", json=arguments, timeout=30).json()
        found = requests.get(f"{own}gradio_api/call/search/{begun['event_id']}", timeout=60).text
        assert json.loads(found.partition("data: ")[2])[0]["results"][0]["ref"].startswith(HAT)
    answer = requests.post(f"{own}gradio_api/call/v2/show", data={"ref": "civitai:1"}, timeout=30)
    assert (answer.status_code, "Content-Type: application/json" in answer.json()["detail"]) == (415, True)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("v2/search", '{"txt": "hat"}', 422, "/search has no argument “txt”. Did you mean “text”? It has: text, hubs,"),
        (
            "v2/show",
            "{}",
            422,
            "/show needs the argument “ref”, text: The LoRA as HUB:ID, the address of its page, or a hash of its file.",
        ),
        ("v2/show", "{", 400, "The body of the request is no JSON"),
        ("v2/show", "[1]", 422, "/show takes a JSON object of its arguments: ref."),
        ("v2/search", '{"limit": 0}', 422, "“limit” can't be 0. It has to be a whole number from 1 to 200."),
        ("v2/search", '{"sort": "like"}', 422, "Did you mean “likes”? It has to be one of relevance, downloads,"),
        ("v2/try", '{"refs": [], "prompt": "ink", "session_hash": "a"}', 422, "/try has no argument “session_hash”."),
        ("show", "{}", 422, "/show takes a JSON object whose “data” is a list of its arguments, in this order: ref."),
        ("show", '{"data": ["civitai:1", 2]}', 422, "whose “data” is a list of its arguments, in this order: ref."),
        ("show", '{"data": []}', 422, "/show needs the argument “ref”"),
        ("show", '{"data": [5]}', 422, "“ref” can't be 5. It has to be text."),
        ("show", '{"data": ["civitai:1"], "session_hash": 5}', 422, "“session_hash” has to be text."),
        ("v2/shows", "{}", 404, "There is no endpoint “shows”. There are: search, show, inspect, pull, try, compare."),
    ],
)
def test_a_request_that_is_wrong_is_told_what_is_right(own: str, path: str, body: str, status: int, said: str) -> None:
    json_type = {"Content-Type": "application/json"}
    answer = requests.post(f"{own}gradio_api/call/{path}", data=body, headers=json_type, timeout=30)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_two_ranges_of_a_file_are_refused(own: str, client: Client) -> None:
    image, _ = client.predict([], "ink", base="tiny-shapes", steps=1, api_name="/try")
    served = requests.get(f"{own}gradio_api/file={image}", headers={"Range": "bytes=0-1,2-3"}, timeout=30)
    assert (served.status_code, served.json()["detail"]) == (416, "Ask for one range of bytes at a time.")


def test_what_a_client_might_take_for_a_file_has_another_name() -> None:
    assert without_paths({"images": [{"params": {"path": "/etc/passwd", "url": "x"}}], "path": "a"}) == {
        "images": [{"params": {"file_path": "/etc/passwd", "url": "x"}}],
        "file_path": "a",
    }


def test_added_arguments_are_told_where_docstrings_have_no_indentation_as_since_python_3_13() -> None:
    def function(text: str, **_fields: Any) -> None: ...

    function.__doc__ = "Searches.\n\nArgs:\n    text: Words.\n\nReturns:\n    None"
    assert list(Endpoint(function=with_arguments(function, OF_IMAGES[:1])).arguments) == ["text", "weights"]
