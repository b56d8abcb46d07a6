from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import NetworkError
from connectors.record import Lora, WeightFile
from connectors.ref import Ref
from hub_ui import services
from hub_ui.images.infotext import UsedLora
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.used_loras import FoundLora, find_used_lora
from tests.hub_ui.catalog.builders import lora, version
from tests.hub_ui.stand_ins import Hub

SHA, AUTOV3 = "ab" * 32, "0123456789ab"
FILE = Ref.parse("civitai:2@20#200")


def known() -> Lora:
    file = WeightFile(ref=FILE, name="Ink_Outline v2.safetensors", size=9, sha256=SHA, autov3=AUTOV3, primary=True)
    return lora(2, title="Ink", versions=(replace(version("civitai:2@20"), files=(file,)),))


class Asked(Hub):
    """A hub that can be asked for hashes, and is down."""

    def by_hash(self, value: str) -> tuple[Lora, Ref]:
        raise NetworkError("CivitAI does not answer.", hub="civitai")


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    hubs: tuple[Connector, ...] = (Asked(name="civitai", loras=[known()]),)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        made.catalog.add([known()])
        yield made


@pytest.mark.parametrize("value", [SHA, SHA[:10], AUTOV3])
def test_each_hash_of_a_known_file_finds_it(built: Services, value: str) -> None:
    used = UsedLora(name="something else", hash=value)
    assert find_used_lora(built, used) == FoundLora(used=used, ref=FILE, by="bytes")


@pytest.mark.parametrize("name", ["ink outline v2", "folder/Ink_Outline v2.safetensors"])
def test_a_name_finds_a_file_and_is_no_proof(built: Services, name: str) -> None:
    used = UsedLora(name=name)
    assert find_used_lora(built, used) == FoundLora(used=used, ref=FILE, by="name")


def test_a_title_is_a_name_too(built: Services) -> None:
    found = find_used_lora(built, UsedLora(name="Ink"))
    assert (found.ref and found.ref.lora, found.by) == (Ref.parse("civitai:2"), "name")


def test_a_hub_that_is_down_keeps_nobody_from_finding_it_by_name(built: Services) -> None:
    assert find_used_lora(built, UsedLora(name="Ink", hash="f" * 10)).by == "name"


def test_what_is_not_found_says_why_a_hub_could_not_be_asked(built: Services) -> None:
    found = find_used_lora(built, UsedLora(name="nowhere", hash="f" * 10))
    assert (found.ref, found.failure) == (None, "CivitAI does not answer.")


@pytest.mark.parametrize("name", ["", "<script>", "%", "'; drop table loras; --", "x" * 5_000, "\ud800"])
def test_hostile_names_find_nothing(built: Services, name: str) -> None:
    assert find_used_lora(built, UsedLora(name=name)).ref is None
