from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from connectors.claims.resolve import record_of
from connectors.connector import Download
from connectors.errors import Gated, HubDown, KeyRequired, NotFound, RateLimited, UsageError
from connectors.query import Query
from connectors.record import Lora, WeightFile
from connectors.ref import Ref
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.catalog.catalog import facts_keys
from hub_ui.demo.hubs.folder import generate_safetensors
from hub_ui.library import lockfile
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.settings import from_environment
from tests.connectors import serving
from tests.connectors.http.test_ranges import parts
from tests.connectors.serving import Hub as Server
from tests.hub_ui.stand_ins import Hub, lora, services_on, version, with_bytes

REF = Ref.parse("civitai:1001")
FIRST = Ref.parse("civitai:1001@2001#3001")
_UP = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
_SPEC = {"tensors": {f"{_UP}.lora_down.weight": ["F16", [4, 640]], f"{_UP}.lora_up.weight": ["F16", [640, 4]]}}
_FILE = generate_safetensors(_SPEC)
SMALL = _FILE.read(0, _FILE.size)
DOWN = HubDown("CivitAI can't be reached.", hub="civitai")


@pytest.fixture
def hub() -> Hub:
    return Hub(name="civitai", loras=[lora()])


@pytest.fixture
def built(hub: Hub, home: Path) -> Iterator[Services]:
    with services_on(home, hub, Hub(name="huggingface", loras=[lora("huggingface")])) as made:
        yield made


def test_the_catalog_finds_by_the_same_text_what_a_hub_found(built: Services) -> None:
    # Part of "Ink lines", but not a word of it.
    part = Query(text="nk lin")
    assert built.catalog.search(part).total == 0
    assert len(list(chain.from_iterable(built.lookup.search(part)))) == 2
    assert built.catalog.search(part).total == 2


def test_a_lora_is_asked_for_and_remembered_and_one_its_hub_lacks_is_not_found(built: Services, hub: Hub) -> None:
    assert built.lookup.get(REF).title == "Ink lines"
    assert hub.asked == ["get civitai:1001"]
    assert built.catalog.lora(REF).title == "Ink lines"
    with pytest.raises(NotFound, match=r"CivitAI has no LoRA civitai:404\. It may have been removed"):
        built.lookup.get(Ref.parse("civitai:404"))


@pytest.mark.parametrize("error", [DOWN, RateLimited("Slow down.", hub="civitai")])
def test_while_a_hub_fails_what_was_seen_before_opens(built: Services, hub: Hub, error: HubDown | RateLimited) -> None:
    built.lookup.get(REF)
    hub.error = error
    assert built.lookup.get(REF).title == "Ink lines"
    for other in (Ref.parse("civitai:77"), REF.at("9999")):
        with pytest.raises(type(error)):
            built.lookup.get(other)


@pytest.mark.usefixtures("new_answers")
def test_a_missing_key_is_told_even_where_something_is_remembered(built: Services, hub: Hub) -> None:
    built.lookup.get(REF)
    hub.error = KeyRequired("A key is wanted.", hub="civitai")
    with pytest.raises(KeyRequired):
        built.lookup.get(REF)


@pytest.mark.usefixtures("new_answers")
@pytest.mark.parametrize("ref", [REF, FIRST])
def test_a_lora_that_its_hub_no_longer_has_stays_marked_as_removed(built: Services, hub: Hub, ref: Ref) -> None:
    built.lookup.get(REF)
    hub.loras.clear()
    assert built.lookup.get(ref).access == "removed"
    assert built.catalog.lora(REF).access == "removed"


def test_a_removed_version_is_marked_alone(built: Services, hub: Hub) -> None:
    built.lookup.get(REF)
    hub.loras = [replace(lora(), versions=(version(REF.at("2002"), "v2"),))]
    opened = built.lookup.get(FIRST)
    gone = opened.version("2001")
    assert (opened.access, gone and gone.access) == ("open", "removed")


@pytest.mark.parametrize("ref", [str(REF.at("9999")), "hf:ada/ink-lines@deadbeef", f"hf:ada/ink-lines@{'d' * 40}"])
def test_a_version_that_does_not_exist_is_not_answered_with_another(built: Services, ref: str) -> None:
    asked = Ref.parse(ref)
    built.lookup.get(asked.lora)
    with pytest.raises(NotFound):
        built.lookup.get(asked)
    assert built.catalog.lora(asked.lora).access == "open"


def test_a_record_is_of_the_default_file_unless_one_is_named_and_without_versions_of_the_lora() -> None:
    two = lora(versions=(version(REF.at("2002"), "v2"), version(REF.at("2001"))))
    assert record_of(two, REF).ref == Ref.parse("civitai:1001@2002#3001")
    assert record_of(two, FIRST).ref == FIRST
    assert record_of(lora(versions=()), REF).ref == REF


@pytest.mark.parametrize("ref", ["civitai:1001@9999", "civitai:1001@2001#9"])
def test_a_record_of_what_is_not_there_is_not_found(ref: str) -> None:
    with pytest.raises(NotFound):
        record_of(lora(), Ref.parse(ref))


def held(built: Services, weight: float | None = None) -> Entry:
    """An entry of the library with its file, as if pulled before."""
    entry = Entry(
        ref=FIRST, title="Ink", file="sdxl/ink.safetensors", size=1, sha256="0" * 64, source="", weight=weight,
        architecture="sdxl", trigger_words=("inkstyle",),
    )  # fmt: skip
    built.settings.library.mkdir(parents=True)
    built.settings.lock.write_text(lockfile.dumps([entry]), encoding="utf-8")
    built.library.path(entry).parent.mkdir()
    built.library.path(entry).touch()
    return entry


def test_a_lora_of_the_library_is_tried_without_its_hub_while_its_file_is_there(built: Services, hub: Hub) -> None:
    entry = held(built)
    [adapter] = built.generation.inputs([REF], [0.5])
    assert (adapter.ref, adapter.path, adapter.weight) == (FIRST, built.library.path(entry), 0.5)
    assert (adapter.trigger_words, adapter.architecture) == (("inkstyle",), "sdxl")
    assert hub.asked == []
    built.library.path(entry).unlink()
    hub.error = DOWN
    with pytest.raises(HubDown):
        built.generation.inputs([REF])


@pytest.mark.parametrize(("authors", "used"), [(0.7, 0.7), (0.0, 0.0), (None, 1.0)])
def test_without_a_weight_the_authors_own_is_used(built: Services, authors: float | None, used: float) -> None:
    held(built, weight=authors)
    assert built.generation.inputs([REF])[0].weight == used


SHA = "ab" * 32


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    """Where the bytes of the hub's file are."""
    with serving.hub() as answering:
        answering.answers["/ink.safetensors"] = parts(SMALL)
        hub.address = answering.url
        yield answering


def test_a_header_is_read_once_and_the_lora_found_by_its_rank(built: Services, hub: Hub, server: Server) -> None:
    built.lookup.get(REF)
    assert 4 not in built.catalog.search(Query()).facets.of("rank")
    first = built.lookup.inspect(REF)
    assert (first.adapter.rank, first.size, first.requests, first.bytes_read > 0) == (4, len(SMALL), 1, True)
    assert built.lookup.inspect(REF) == replace(first, requests=0, bytes_read=0)
    assert len(server.asked) == 1
    assert built.catalog.search(Query()).facets.of("rank")[4] == 1


def test_people_who_ask_at_once_share_one_reading(built: Services, hub: Hub, server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(built.lookup.inspect, [FIRST] * 8))
    assert ({facts.adapter.rank for facts in found}, len(server.asked)) == ({4}, 1)


def test_the_same_bytes_under_another_ref_are_not_read_again(built: Services, hub: Hub, server: Server) -> None:
    hub.loras = [with_bytes(SHA)]
    built.lookup.get(REF)
    built.lookup.inspect(REF)
    twin = WeightFile(ref=Ref.parse("hf:ada/twin@" + "a" * 40), name="twin.safetensors", sha256=SHA.upper())
    known = built.lookup.find_facts(twin)
    assert known is not None
    assert known.adapter.rank == 4


def test_a_header_read_before_its_hash_was_known_is_still_known(built: Services, hub: Hub, server: Server) -> None:
    built.lookup.inspect(FIRST)
    hub.loras = [with_bytes(SHA)]
    built.lookup.get(REF)
    assert built.lookup.inspect(FIRST).requests == 0
    assert len(server.asked) == 1


def test_refs_that_differ_in_letter_case_are_different_files(built: Services, server: Server) -> None:
    built.lookup.inspect(FIRST)
    upper, lower = (WeightFile(ref=REF.at("2001", name), name="ink.safetensors") for name in ("A", "a"))
    built.catalog.remember_facts(facts_keys(upper.ref, None)[0], built.lookup.inspect(FIRST).encode())
    assert (built.lookup.find_facts(upper) is None, built.lookup.find_facts(lower) is None) == (False, True)


@pytest.mark.parametrize("text", ["{", '{"read_as":0}', "null"])
def test_stored_facts_that_are_damaged_or_old_are_read_anew(built: Services, server: Server, text: str) -> None:
    built.catalog.remember_facts(facts_keys(FIRST, None)[0], text)
    assert built.lookup.find_facts(WeightFile(ref=FIRST, name="ink.safetensors")) is None
    assert built.lookup.inspect(FIRST).requests == 1


def test_a_file_of_the_library_is_read_from_disk(built: Services, hub: Hub, server: Server) -> None:
    built.library.path(held(built)).write_bytes(SMALL)
    found = built.lookup.inspect(FIRST)
    assert (found.adapter.rank, found.requests, server.asked) == (4, 0, [])


def test_once_read_the_header_leads_the_claims(built: Services, hub: Hub, server: Server) -> None:
    hub.loras = [with_bytes(SHA)]
    assert built.lookup.record(REF).rank is None
    built.lookup.inspect(REF)
    record = built.lookup.record(REF)
    assert (record.rank, record.claims[0].source) == (4, "header")


def test_a_pull_remembers_the_header_and_asks_nobody_again(built: Services, hub: Hub, server: Server) -> None:
    entry = built.downloads.pull(REF)
    assert entry.ref == FIRST
    asked = len(server.asked)
    assert built.lookup.record(FIRST).rank == 4
    assert built.lookup.inspect(FIRST).requests == 0
    assert len(server.asked) == asked
    first = built.downloads.pull(REF)
    hub.asked.clear()
    assert built.downloads.pull(FIRST) == first
    assert hub.asked == []


def test_a_pull_has_an_expired_address_renewed(home: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    services: Services

    def renewed(_library: Library, locate: Callable[[], Download], *_: object, **__: object) -> Entry:
        hub.address = "http://127.0.0.1:9/fresh"
        assert locate().ref == FIRST
        assert str(locate()).count("/fresh/ink.safetensors") == 1
        return held(services)

    monkeypatch.setattr(Library, "pull", renewed)
    with services_on(home, hub) as services:
        assert services.downloads.pull(REF).ref == FIRST


@pytest.mark.usefixtures("new_answers")
def test_a_lora_that_is_gone_is_told_with_where_else_its_bytes_are(built: Services, hub: Hub) -> None:
    hub.loras = [with_bytes(SHA)]
    built.lookup.get(FIRST)
    built.catalog.add([with_bytes(SHA, "huggingface")])
    hub.loras = []
    with pytest.raises(
        NotFound, match=r"The same bytes are at huggingface:ada/ink-lines@a{40}#ink\.safetensors: hub-ui"
    ):
        built.downloads.pull(FIRST)


def test_a_gate_is_told_with_its_page(built: Services, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def gated(self: Hub, ref: Ref, lora: Lora | None = None) -> Download:
        raise Gated("Its author lets people in one by one.", hub="civitai")

    monkeypatch.setattr(Hub, "download", gated)
    with pytest.raises(Gated, match=r"Its page: https://hub\.invalid/1001"):
        built.downloads.pull(FIRST)


def test_visitors_of_a_shared_page_get_none_of_its_owners_own_files(home: Path) -> None:
    ref = Ref.parse("local:robot@" + "c" * 64)
    with services.build(from_environment({"HUB_UI_HOME": str(home)}, hosted=True)) as made:
        for ask in (
            lambda: made.lookup.get(ref),
            lambda: made.lookup.record(ref),
            lambda: made.downloads.pull(ref),
            lambda: made.generation.inputs([ref]),
            lambda: made.generation.plan([Path("robot")]),
        ):
            with pytest.raises(UsageError, match="A shared page tries what hubs have"):
                ask()
