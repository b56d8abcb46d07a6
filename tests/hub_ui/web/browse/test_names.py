from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import BadQuery, BadRef, HubDown
from connectors.query import Query
from hub_ui import services
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.web.browse.search_box import submit
from hub_ui.web.view import PAGE_SIZE, View
from tests.hub_ui.stand_ins import Hub, lora

COMMIT = "a" * 40


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Hugging Face has ada/ink-lines; Replicate is down."""
    hubs: tuple[Connector, ...] = (
        Hub(name="huggingface", loras=[lora("huggingface")]),
        Hub(name="replicate", error=HubDown("Replicate can't be reached.", hub="replicate")),
    )
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("https://civitai.com/models/257749/some-slug?modelVersionId=290640", "civitai:257749@290640"),
        (" https://huggingface.co/ada/ink-lines/tree/main ", "huggingface:ada/ink-lines@main"),
        ("https://replicate.com/ada/ink-lines", "replicate:ada/ink-lines"),
        ("urn:air:flux1:lora:civitai:257749@290640", "civitai:257749@290640"),
        (f"huggingface:ada/ink-lines@{COMMIT}#ink.safetensors", f"huggingface:ada/ink-lines@{COMMIT}#ink.safetensors"),
        ("civitai:257749", "civitai:257749"),
        ("ada/ink-lines", "huggingface:ada/ink-lines"),
    ],
)
def test_what_names_a_lora_opens_it_and_leaves_the_question(built: Services, text: str, ref: str) -> None:
    then = submit(built, View().with_query(text="ink"), text)
    assert (then.open, then.query.text) == (ref, "ink")


@pytest.mark.parametrize("text", ["ink wash", "ada/no-such", "style: anime", "sd1.5", "w/o hat", "http"])
def test_anything_else_is_searched_for(built: Services, text: str) -> None:
    then = submit(built, View(), text)
    assert (then.open, then.query.text) == ("", text)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("hub:civitai", Query(hubs=("civitai",), limit=PAGE_SIZE)),
        ("base:sdxl", Query(bases=("sdxl",), limit=PAGE_SIZE)),
        ("tag:lora:civitai:257749", Query(tags=("lora:civitai:257749",), limit=PAGE_SIZE)),
        ("creator:ada/ink", Query(creators=("ada/ink",), limit=PAGE_SIZE)),
    ],
)
def test_a_filter_alone_is_no_name_of_a_lora(built: Services, text: str, query: Query) -> None:
    assert submit(built, View(), text) == View(query=query)


def test_a_misspelt_filter_is_told_so(built: Services) -> None:
    with pytest.raises(BadQuery, match="Did you mean “kind”"):
        submit(built, View(), "ink knd:style")


@pytest.mark.parametrize("text", ["https://example.org/x", "civitai:abc", "replicate:ada", "https://["])
def test_an_address_that_names_no_lora_is_told_so(built: Services, text: str) -> None:
    with pytest.raises(BadRef, match="names no LoRA"):
        submit(built, View(), text)
