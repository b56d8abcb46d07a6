from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.connector import Connector
from connectors.errors import BadRef, HubDown, HubUiError, NetworkError, NotFound
from connectors.record import Lora, WeightFile
from connectors.ref import Ref, is_bare, unwrap
from hub_ui.app.services import Services
from hub_ui.app.used_loras import FoundLora, find_ref, find_searched, find_used_lora, may_be_name
from hub_ui.images.infotext import UsedLora
from tests.addresses import AUTOV3 as OTHER_AUTOV3
from tests.addresses import BLAKE3, LOOKED_UP, NAMELESS, OTHER_PAGES, SHA256, WRITTEN
from tests.hub_ui import stand_ins
from tests.hub_ui.catalog.builders import lora, version
from tests.hub_ui.stand_ins import Hub, services_on

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
def built(home: Path) -> Iterator[Services]:
    with services_on(home, Asked(name="civitai", loras=[known()])) as made:
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


def test_a_title_is_a_name_too_also_while_a_hub_is_down_which_is_why_a_hash_is_not_found(built: Services) -> None:
    found = find_used_lora(built, UsedLora(name="Ink"))
    assert (found.ref and found.ref.lora, found.by) == (Ref.parse("civitai:2"), "name")
    assert find_used_lora(built, UsedLora(name="Ink", hash="f" * 10)).by == "name"
    found = find_used_lora(built, UsedLora(name="nowhere", hash="f" * 10))
    assert (found.ref, found.failure) == (None, "CivitAI does not answer.")
    with pytest.raises(NetworkError, match="CivitAI does not answer"):
        find_ref(built, "0" * 64)


@pytest.mark.parametrize("name", ["", "<script>", "%", "'; drop table loras; --", "x" * 5_000, "\ud800"])
def test_hostile_names_find_nothing(built: Services, name: str) -> None:
    assert find_used_lora(built, UsedLora(name=name)).ref is None


class Knows(Hub):
    """A hub that knows one file by its BLAKE3."""

    def by_hash(self, value: str) -> tuple[Lora, Ref]:
        self.asked.append(value)
        if value != BLAKE3:
            raise NotFound("CivitAI has no file with this hash.", hub="civitai")
        return pasted(), Ref.parse("civitai:4128@41280#9001")


def pasted() -> Lora:
    ref = Ref.parse("civitai:4128@41280#9001")
    file = WeightFile(ref=ref, name="ink_lines.safetensors", size=9, sha256=SHA256, autov3=OTHER_AUTOV3, primary=True)
    return lora(4128, title="Ink", versions=(replace(version("civitai:4128@41280"), files=(file,)),))


@pytest.fixture
def hub() -> Knows:
    return Knows(name="civitai", loras=[pasted()])


@pytest.fixture
def knowing(home: Path, hub: Knows) -> Iterator[Services]:
    with services_on(home, hub) as made:
        made.catalog.add([pasted()])
        yield made


@pytest.mark.parametrize(("text", "ref"), LOOKED_UP)
def test_what_is_known_of_a_file_opens_its_lora(knowing: Services, text: str, ref: str) -> None:
    assert may_be_name(text)
    assert str(find_ref(knowing, text)) == str(find_searched(knowing, text)) == ref


@pytest.mark.parametrize(("text", "ref"), WRITTEN)
def test_search_opens_what_names_a_lora(knowing: Services, text: str, ref: str) -> None:
    if not is_bare(unwrap(text)):
        assert may_be_name(text)
        assert str(find_searched(knowing, text)) == ref


def test_search_says_why_an_address_names_no_lora(knowing: Services) -> None:
    for text in (*NAMELESS, *(address for address, _ in OTHER_PAGES)):
        with pytest.raises(BadRef, match="paste the address of the LoRA's own page"):
            find_searched(knowing, text)


def test_only_what_is_not_known_here_is_asked_of_hubs(knowing: Services, hub: Knows) -> None:
    find_ref(knowing, SHA256)
    assert hub.asked == []
    find_ref(knowing, BLAKE3)
    assert hub.asked == [BLAKE3]


@pytest.mark.parametrize(
    ("text", "asks", "reason"),
    [
        ("0123456789", True, "and the hubs that know hashes has a file with the hash 0123456789"),
        (BLAKE3, False, "No LoRA in the library and the catalog has"),
        ("<lora:nobodys:1>", True, "No file called nobodys was seen"),
        ("nobodys.safetensors", False, "No file called nobodys.safetensors was seen"),
    ],
)
def test_what_nobody_knows_says_who_was_asked(knowing: Services, text: str, asks: bool, reason: str) -> None:
    with pytest.raises(NotFound, match=reason):
        find_ref(knowing, text, asks=asks)


@pytest.mark.parametrize(
    "text", ["deadbeef", "a" * 10, "1234567", "c3" * 33, "<lora:a:1><lora:b:1>", "a/b/../x.safetensors", "x" * 9_999]
)
def test_nothing_is_looked_up_for_other_words(knowing: Services, hub: Knows, text: str) -> None:
    with pytest.raises(HubUiError):
        find_ref(knowing, text)
    assert hub.asked == []


COMMIT = "a" * 40


@pytest.fixture
def named(home: Path) -> Iterator[Services]:
    """Hugging Face has ada/ink-lines; Replicate is down."""
    hubs: tuple[Connector, ...] = (
        Hub(name="huggingface", loras=[stand_ins.lora("huggingface")]),
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
def test_what_names_a_lora_is_told_from_words(named: Services, text: str, ref: str) -> None:
    assert may_be_name(text)
    assert str(find_searched(named, text)) == ref


@pytest.mark.parametrize(
    "text",
    [
        "ink wash", "ada/no-such", "style: anime", "sd1.5", "w/o hat", "http", "hub:civitai", "base:sdxl",
        "no such ink.safetensors", "w/o.", "(w/o)", "tag:lora:civitai:257749", "creator:ada/ink", "ink knd:style",
    ],
)  # fmt: skip
def test_anything_else_is_searched_for(named: Services, text: str) -> None:
    assert find_searched(named, text) is None


@pytest.mark.parametrize("text", ["https://example.org/x", "civitai:abc", "replicate:ada", "https://["])
def test_an_address_that_names_no_lora_is_told_so(named: Services, text: str) -> None:
    with pytest.raises(BadRef, match="names no LoRA"):
        find_searched(named, text)
