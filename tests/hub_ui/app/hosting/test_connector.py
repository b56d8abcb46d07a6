"""Hubs as visitors meet them: what is private stays with the one whose key opened it."""

from itertools import chain
from pathlib import Path

import pytest

from connectors.errors import AccessError, HubUiError, NotFound
from connectors.query import Query
from connectors.ref import HubName, Ref
from hub_ui.access.visitor import SharedKeys, Visitor, use_visitor
from hub_ui.app.hosting.connector import VisitorCatalog, load_once
from hub_ui.app.services import Services
from hub_ui.catalog import snapshot
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.changes import encode
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.app.hosting.private_data import ADA, BEN, GATED, PAID, PRIVATE, SECRET, VERSION
from tests.hub_ui.catalog.builders import catalog, lora
from tests.hub_ui.stand_ins import services_of
from tests.recording import Recorder

ALL = (*PRIVATE.values(), PRIVATE["replicate"].at(VERSION))


def visitor(keys: dict[HubName, str]) -> Visitor:
    return Visitor(id="someone", keys=dict(keys))


def refusal(services: Services, ref: Ref, keys: dict[HubName, str]) -> str:
    with use_visitor(visitor(keys)), pytest.raises(HubUiError) as raised:
        services.lookup.get(ref)
    return raised.value.message


@pytest.mark.parametrize("ref", ALL, ids=str)
def test_what_is_private_opens_for_its_owner_alone(page: Services, ref: Ref) -> None:
    ada = visitor(ADA)
    with use_visitor(ada):
        assert page.lookup.get(ref).title == SECRET
        assert page.catalog.lora(ref.lora).private
    for keys in (BEN, {}):
        assert "ada/" not in refusal(page, ref, keys)
        with use_visitor(visitor(keys)), pytest.raises(NotFound):
            page.catalog.lora(ref.lora)
        with use_visitor(visitor(keys)):
            assert (page.lookup.find_record(ref), page.catalog.also_on(ref)) == (None, ())


def test_nothing_private_is_written(page: Services, home: Path) -> None:
    with use_visitor(visitor(ADA)):
        for ref in ALL:
            page.lookup.get(ref)
        page.lookup.inspect(PRIVATE["huggingface"])
        page.lookup.inspect(PAID)
    texts = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert [text for text in texts if SECRET.encode() in text] == []
    assert not any(page.catalog.stats().loras.values())


def test_a_search_finds_nothing_private_whoever_asks(page: Services) -> None:
    with use_visitor(visitor(ADA)):
        answers = list(chain.from_iterable(page.lookup.search(Query(text="secret"))))
    assert [lora for answer in answers if answer.page for lora in answer.page.loras] == []
    assert [answer.error for answer in answers if answer.error] == []


def test_what_a_closed_files_header_says_is_known_to_who_may_read_it(page: Services) -> None:
    ada, ben = visitor(ADA), visitor(BEN)
    for each in (ada, ben):
        with use_visitor(each):
            page.lookup.get(GATED)
    with use_visitor(ada):
        assert page.lookup.inspect(GATED).adapter.rank == 4
        file = page.catalog.file(GATED)
        assert page.lookup.find_facts(file) is not None
        assert page.lookup.record(GATED).rank == 4
    with use_visitor(ben):
        assert page.lookup.find_facts(file) is None
        assert page.lookup.record(GATED).rank is None
        with pytest.raises(AccessError, match="your account at Hugging Face has none yet"):
            page.lookup.inspect(GATED)


def test_another_key_or_none_forgets_what_the_last_one_opened(page: Services) -> None:
    ada = visitor(ADA)
    with use_visitor(ada):
        page.lookup.get(PRIVATE["huggingface"])
        ada.put_key("huggingface", "")
        with pytest.raises(NotFound):
            page.catalog.lora(PRIVATE["huggingface"])
        with pytest.raises(NotFound, match="nothing of that name that is open to everyone"):
            page.lookup.get(PRIVATE["huggingface"])


@pytest.mark.parametrize(
    ("ref", "keys", "said"),
    [
        (PRIVATE["replicate"], {}, "Add yours for this visit under Settings."),
        (PRIVATE["replicate"], BEN, "does not have"),
        (PRIVATE["huggingface"], {}, "nothing of that name that is open to everyone."),
        (PRIVATE["huggingface"], BEN, "nothing of that name that your account may see."),
    ],
)
def test_a_refusal_says_what_this_visitor_can_do(page: Services, ref: Ref, keys: dict[str, str], said: str) -> None:
    assert said in refusal(page, ref, keys)


def test_who_can_sign_in_is_told_to(hubs: HubEndpoints, home: Path) -> None:
    said = r"^Hugging Face gives this only to people who have signed in\. Sign in under Settings\.$"
    with (
        services_of(hubs, home, hosted=True, sign_in=True) as page,
        use_visitor(page.visitors.find("")),
        pytest.raises(AccessError, match=said),
    ):
        page.lookup.inspect(GATED)


def test_a_hub_is_asked_with_a_key_only_for_what_it_refuses_without(page: Services, recorder: Recorder) -> None:
    recorder.forget()
    with use_visitor(visitor(ADA)):
        page.lookup.get(Ref.parse("huggingface:maker/red"))
        page.lookup.get(Ref.parse("civitai:1001"))
        page.lookup.inspect(Ref.parse("huggingface:maker/red"))
    assert [request.target for request in recorder.requests if "bearer" in request.text.lower()] == []


def test_access_is_asked_for_once_in_ten_minutes(page: Services, recorder: Recorder) -> None:
    hub = page.lookup.connector("huggingface")
    with use_visitor(visitor(ADA)):
        pinned = page.lookup.get(GATED).pin(GATED)
        assert hub.check_access(pinned) == "visitor"  # type: ignore[attr-defined]
        recorder.forget()
        assert hub.check_access(pinned) == "visitor"  # type: ignore[attr-defined]
    assert recorder.requests == ()
    with use_visitor(visitor(BEN)), pytest.raises(AccessError):
        hub.check_access(pinned)  # type: ignore[attr-defined]


def test_the_owners_key_counts_for_what_the_owner_lists(hubs: HubEndpoints, home: Path) -> None:
    owner = {"replicate": "r8_ada", "huggingface": "hf_member", "civitai": "civ_buyer"}
    shared = SharedKeys.parse("replicate:list, huggingface:maker/closed", owner)
    with services_of(hubs, home, hosted=True, shared_keys=shared) as page:
        answers = {answer.hub: answer for group in page.lookup.search(Query(hubs=("replicate",))) for answer in group}
        found = answers["replicate"].page
        assert [lora.ref.id for lora in found.loras if found] == ["maker/tuned"]  # type: ignore[union-attr]
        assert page.lookup.get(Ref.parse("replicate:maker/tuned")).title == "tuned"
        assert page.lookup.inspect(GATED).adapter.rank == 4
        for ref in (*PRIVATE.values(), PAID):
            with use_visitor(visitor({})), pytest.raises(HubUiError):
                page.lookup.inspect(ref)


def test_no_key_is_shown_anywhere(page: Services) -> None:
    shared = SharedKeys.parse("replicate:list", ADA)
    with use_visitor(visitor(ADA)) as _:
        found = page.lookup.connector("huggingface").locate(page.lookup.get(GATED).pin(GATED))
    texts = (repr(shared), repr(visitor(ADA)), repr(page.settings), repr(found))
    assert [text for text in texts if any(key in text for key in ADA.values())] == []


def test_a_private_lora_of_the_owner_reads_as_one_that_is_not_there(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(private=True)):
        pass
    with VisitorCatalog(tmp_path / "catalog.sqlite", None) as opened:
        for text in ("civitai:1", "civitai:2"):
            with pytest.raises(NotFound, match=f"^{text} is not in the catalog. Search for it"):
                opened.lora(Ref.parse(text))


def written(path: Path, *numbers: int) -> Path:
    snapshot.export([encode(lora(number)) for number in numbers], path)
    return path


def start(file: Path, home: Path) -> list[str]:
    """What a start of the page says."""
    said: list[str] = []
    with Catalog.open(home / "catalog.sqlite") as catalog:
        load_once(file, catalog, home, said.append)
        said.append(f"{sum(catalog.stats().loras.values())} there")
    return said


def test_a_snapshot_is_read_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    file = written(tmp_path / "catalog.jsonl.zst", 1, 2)
    assert start(file, home) == ["catalog.jsonl.zst: 2 LoRAs in the catalog", "2 there"]
    assert start(file, home) == ["2 there"]
    written(file, 1, 2, 3)
    assert start(file, home) == ["catalog.jsonl.zst: 3 LoRAs in the catalog", "3 there"]


@pytest.mark.parametrize(
    ("data", "said"), [(b"nothing of the kind", "is no snapshot of a catalog"), (None, "There is no file")]
)
def test_the_page_starts_without_a_snapshot_that_can_not_be_read(tmp_path: Path, data: bytes | None, said: str) -> None:
    file = tmp_path / "catalog.jsonl.zst"
    if data is not None:
        file.write_bytes(data)
    first, second = start(file, tmp_path)
    assert said in first
    assert second == "0 there"
