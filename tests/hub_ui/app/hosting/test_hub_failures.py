"""hub_ui/app/hosting/downloads.py while a hub fails: what it gave to anyone before comes from the shared cache."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import AccessError, HubDown, HubTimeout, HubUiError, NotFound, RateLimited
from connectors.ref import Ref
from hub_ui.access.visitor import SharedKeys, Visitor, use_visitor
from hub_ui.app.services import Services
from hub_ui.library.lockfile import Entry
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.app.hosting.private_data import ADA, GATED, PAID, PRIVATE, write_private_data
from tests.hub_ui.library.shared_hubs import edited
from tests.hub_ui.stand_ins import Hub, lora, services_of, services_on

OPEN = Ref.parse("civitai:1001@2001#3001")
RED = Ref.parse("huggingface:maker/red")
DOWN = (Fault(kind="status", status=500),)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gated and the paid file have the bytes of an open one."""
    folder = write_private_data(tmp_path_factory.mktemp("private"))
    files = json.loads((folder / "files.json").read_text())
    weights = {**files["huggingface"]["maker/red"]["lora.safetensors"], "access": "gated"}
    edited(folder / "files.json", "huggingface", "maker/closed", "lora.safetensors", value=weights)
    edited(folder / "files.json", "civitai", "3003", value={**files["civitai"]["3001"], "access": "paid"})
    return folder


@pytest.fixture
def hubs(data: Path) -> Iterator[HubEndpoints]:
    with running_hubs(data) as found:
        yield found


def pull(page: Services, ref: Ref, visitor: Visitor | None = None) -> Entry:
    with use_visitor(visitor or Visitor(id="ben")):
        entry = page.downloads.pull(ref)
        assert page.downloads.path(entry).is_file()
        assert page.downloads.find_installed(ref) == entry
    return entry


@pytest.mark.parametrize("ref", [OPEN, RED])
@pytest.mark.parametrize("fault", [*DOWN, Fault(kind="status", status=429, retry_after=60)])
def test_while_a_hub_fails_its_open_file_is_here(page: Services, hubs: HubEndpoints, ref: Ref, fault: Fault) -> None:
    entry = pull(page, ref, Visitor(id="ada"))
    hubs.faults.add(fault)
    assert pull(page, entry.ref) == entry


@pytest.mark.parametrize(("ref", "keys"), [(OPEN.lora, {}), (OPEN, {"civitai": "civ_other"})])
def test_what_only_the_hub_knows_is_refused(page: Services, hubs: HubEndpoints, ref: Ref, keys: Any) -> None:
    """Without a version, which is the newest; of who has a key, whether the hub had refused it before it failed."""
    pull(page, OPEN, Visitor(id="ada"))
    hubs.faults.add(*DOWN)
    with pytest.raises((HubDown, RateLimited)):
        pull(page, ref, Visitor(id="ben", keys=keys))


def test_of_a_lora_with_an_open_copy_the_copy_is_what_a_visitor_has(page: Services) -> None:
    pull(page, OPEN)
    assert pull(page, RED).ref.lora == RED.lora
    assert pull(page, GATED).ref.lora == RED.lora


@pytest.mark.parametrize("ref", [GATED, PAID, PRIVATE["huggingface"]])
def test_equal_bytes_of_an_open_file_open_nothing(page: Services, hubs: HubEndpoints, ref: Ref) -> None:
    opened = {pull(page, each, Visitor(id="cy")).sha256 for each in (OPEN, RED)}
    with use_visitor(ada := Visitor(id="ada", keys=dict(ADA))):
        pinned = page.lookup.get(ref).pin(ref)
    entry = pull(page, pinned, ada)
    with use_visitor(Visitor(id="ben")), pytest.raises(HubUiError):
        page.downloads.pull(entry.ref)
    hubs.faults.add(*DOWN)
    assert entry.sha256 in opened
    with pytest.raises(HubUiError):
        pull(page, entry.ref)


@pytest.mark.parametrize("ref", [GATED, PAID, PRIVATE["huggingface"]])
def test_what_only_the_owners_key_fetched_is_refused_later_too(hubs: HubEndpoints, home: Path, ref: Ref) -> None:
    shared = SharedKeys.parse(str(ref.lora), ADA)
    with services_of(hubs, home, hosted=True, shared_keys=shared) as page:
        entry = pull(page, ref, Visitor(id="ada"))
        hubs.faults.add(*DOWN)
        with pytest.raises(HubUiError):
            pull(page, entry.ref)
    with services_of(hubs, home, hosted=True) as page, pytest.raises(HubUiError):
        pull(page, entry.ref)


@pytest.mark.parametrize(("status", "error"), [(401, AccessError), (403, AccessError), (404, NotFound)])
def test_a_refusal_is_an_answer(page: Services, hubs: HubEndpoints, status: int, error: type[HubUiError]) -> None:
    entry = pull(page, RED, Visitor(id="ada"))
    hubs.faults.add(Fault(kind="status", hub="huggingface", match="/resolve/", status=status))
    with pytest.raises(error):
        pull(page, entry.ref)


def test_on_ones_own_computer_a_failure_stays_one(hubs: HubEndpoints, home: Path) -> None:
    with services_of(hubs, home) as own:
        own.catalog.add([own.lookup.fetch(OPEN)])
        hubs.faults.add(*DOWN)
        with pytest.raises((HubDown, RateLimited)):
            own.downloads.pull(OPEN)


def test_the_link_of_an_open_file_is_there_while_its_hub_is_left_alone(page: Services, hubs: HubEndpoints) -> None:
    assert page.visitor_downloads is not None
    hubs.faults.add(*DOWN)
    with use_visitor(Visitor(id="ben")):
        while page.lookup.guards["civitai"].breaker.state == "closed":
            with pytest.raises(HubUiError):
                page.lookup.fetch(OPEN)
        link = page.visitor_downloads.link(OPEN, is_open=True)
    assert link == f"{hubs.civitai}/api/download/models/2001?fileId=3001"


def test_a_file_is_not_asked_of_a_hub_that_has_just_been_silent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(name="civitai", loras=[lora()])
    monkeypatch.setattr("hub_ui.app.lookup.OPEN_SECONDS", 0.1)
    with services_on(home, hub, hosted=True) as page, use_visitor(Visitor(id="ada")):
        pinned = page.lookup.fetch(lora().ref).pin(lora().ref)
        hub.hang = threading.Event()
        assert page.visitor_downloads is not None
        for ask in (page.downloads.pull, page.visitor_downloads.locate):
            with pytest.raises(HubTimeout):
                ask(pinned)
        hub.hang.set()
