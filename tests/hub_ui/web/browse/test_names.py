from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.connector import Connector
from connectors.errors import BadRef, HubDown
from hub_ui.services import Services
from hub_ui.used_loras import find_searched, may_be_name
from tests.hub_ui.stand_ins import Hub, lora, services_on

COMMIT = "a" * 40


@pytest.fixture
def built(home: Path) -> Iterator[Services]:
    """Hugging Face has ada/ink-lines; Replicate is down."""
    hubs: tuple[Connector, ...] = (
        Hub(name="huggingface", loras=[lora("huggingface")]),
        Hub(name="replicate", error=HubDown("Replicate can't be reached.", hub="replicate")),
    )
    with services_on(home, *hubs) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("https://civitai.com/models/257749/some-slug?modelVersionId=290640", "civitai:257749@290640"),
        ("https://huggingface.co/ada/ink-lines/tree/main", "huggingface:ada/ink-lines@main"),
        ("https://replicate.com/ada/ink-lines", "replicate:ada/ink-lines"),
        ("urn:air:flux1:lora:civitai:257749@290640", "civitai:257749@290640"),
        (f"huggingface:ada/ink-lines@{COMMIT}#ink.safetensors", f"huggingface:ada/ink-lines@{COMMIT}#ink.safetensors"),
        ("civitai:257749", "civitai:257749"),
        ("ada/ink-lines", "huggingface:ada/ink-lines"),
    ],
)
def test_what_names_a_lora_is_told_from_words(built: Services, text: str, ref: str) -> None:
    assert may_be_name(text)
    assert str(find_searched(built, text)) == ref


@pytest.mark.parametrize(
    "text",
    [
        "ink wash", "ada/no-such", "style: anime", "sd1.5", "w/o hat", "http", "hub:civitai", "base:sdxl",
        "no such ink.safetensors", "w/o.", "(w/o)", "tag:lora:civitai:257749", "creator:ada/ink", "ink knd:style",
    ],
)  # fmt: skip
def test_anything_else_is_searched_for(built: Services, text: str) -> None:
    assert find_searched(built, text) is None


@pytest.mark.parametrize("text", ["https://example.org/x", "civitai:abc", "replicate:ada", "https://["])
def test_an_address_that_names_no_lora_is_told_so(built: Services, text: str) -> None:
    with pytest.raises(BadRef, match="names no LoRA"):
        find_searched(built, text)
