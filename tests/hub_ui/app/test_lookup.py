import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import connectors
from connectors.errors import HubDown, HubTimeout, HubUiError
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import HubName
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.identify import IdentifiedFile
from hub_ui.settings import from_environment
from tests.hub_ui.stand_ins import Hub, lora, services_on


def test_a_person_may_have_a_hub_asked_at_once_that_is_left_alone(home: Path) -> None:
    nobody = {f"{name}_ENDPOINT": "http://127.0.0.1:9" for name in ("CIVITAI", "HF", "REPLICATE")}
    with services.build(from_environment({**nobody, "HUB_UI_HOME": str(home)})) as built:
        breaker = built.lookup.guards["civitai"].breaker
        while breaker.state == "closed":
            with suppress(HubUiError), breaker.request():
                raise HubDown("down")
        with pytest.raises(HubDown):
            breaker.check()
        built.lookup.ask_again("civitai")
        breaker.check()
        built.lookup.ask_again("a hub that is not here")


def test_what_was_asked_just_now_is_not_asked_again(home: Path) -> None:
    hub = Hub(name="civitai", loras=[lora(title="Ink")])
    with services_on(home, hub) as built:
        for text in ("ink", "ink", "oil"):
            [*built.lookup.search(Query(text=text))]
    assert hub.asked == ["search", "search"]


def test_with_a_new_key_a_hub_is_asked_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(name="civitai", loras=[lora(title="Ink")])
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: (hub,))
    keys = dict[HubName, str]()
    chosen = replace(from_environment({"HUB_UI_HOME": str(home)}), tokens=keys)
    with services.build(chosen) as built:
        [*built.lookup.search(Query())]
        keys["civitai"] = "k" * 32
        [*built.lookup.search(Query())]
    assert hub.asked == ["search", "search"]


def test_a_hub_that_is_down_needs_no_other_way(home: Path) -> None:
    with services_on(home, Hub(name="civitai", loras=[lora()])) as built:
        built.lookup.fetch(lora().ref)
        down = HubDown("The hub can't be reached.", hub="civitai")
        assert built.lookup.explain(down, lora().ref) is down


def test_a_name_no_lock_file_may_hold_gets_no_entry(home: Path) -> None:
    with services_on(home, Hub(name="civitai")) as built:
        found = IdentifiedFile(path="ink.safetensors", state="recognised", ref=lora().versions[0].ref)
        assert built.lookup.entry_of(found, "a:b.safetensors") is None
        assert built.lookup.entry_of(found, "ink.safetensors") is not None


def titles_added(built: Services, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles of what is written into the catalog from now on."""
    add, added = built.catalog.add, list[str]()

    def note(found: Sequence[Lora], **more: Any) -> int:
        added.extend(each.title for each in found)
        return add(found, **more)

    monkeypatch.setattr(built.catalog, "add", note)
    return added


@pytest.mark.usefixtures("new_answers")
def test_a_hubs_answer_that_visitors_share_is_written_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(name="civitai", loras=[lora(title="Ink")])
    with services_on(home, hub) as built:
        added = titles_added(built, monkeypatch)
        for title in ("Ink", "Ink", "Ink, anew"):
            hub.loras = hub.loras if hub.loras[0].title == title else [lora(title=title)]
            [*built.lookup.search(Query())]
        assert (added, built.catalog.lora(hub.loras[0].ref).title) == (["Ink", "Ink, anew"], "Ink, anew")
        for _opened in range(2):
            built.lookup.fetch(hub.loras[0].ref)
        assert added[2:] == ["Ink, anew"]


@pytest.mark.usefixtures("new_answers")
def test_answers_to_filters_chosen_in_turns_are_written_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = {"sdxl": [lora(title="Ink")], "flux1": [lora(title="Oil")]}
    hub = Hub(name="civitai")
    with services_on(home, hub) as built:
        added = titles_added(built, monkeypatch)
        for base in ("sdxl", "flux1", "sdxl", "flux1"):
            hub.loras = lists[base]
            [*built.lookup.search(Query(bases=(base,)))]
    assert added == ["Ink", "Oil"]


def test_a_file_tried_often_has_one_header_written(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ink.safetensors"
    ends = {f"lora_unet_mid_block_attentions_0_proj_in.lora_{end}.weight" for end in ("down", "up")}
    save_file({name: np.ones((4, 4), np.float32) for name in ends}, path)
    ref = lora().versions[0].files[0].ref
    entry = Entry(ref=ref, title="Ink", file=path.name, size=1, sha256="ab" * 32, source="")
    with services_on(home, Hub(name="civitai")) as built:
        built.catalog.add([lora()])
        added = titles_added(built, monkeypatch)
        built.lookup.remember_header(entry, path)
        monkeypatch.setattr(built.catalog, "remember_facts", pytest.fail)
        built.lookup.remember_header(entry, path)
    assert added == [lora().title]


@pytest.mark.usefixtures("new_answers")
def test_what_a_hub_withholds_now_is_in_no_list_any_more(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(name="civitai", loras=[lora(title="Ink", nsfw="mature")])
    with services_on(home, hub) as built:
        [*built.lookup.search(Query())]
        assert built.catalog.search(Query(nsfw="explicit")).total == 1
        page = Page(loras=(), withheld=(hub.loras[0].ref,))
        monkeypatch.setattr(hub, "search", lambda query, cursor: page)
        [*built.lookup.search(Query())]
        assert built.catalog.search(Query(nsfw="explicit")).total == 0


@pytest.fixture
def hanging(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Services, Hub]]:
    """A hub that has listed its LoRA, and now hangs until its event is set."""
    hub = Hub(name="civitai", loras=[lora(title="Ink")])
    monkeypatch.setattr("hub_ui.app.lookup.OPEN_SECONDS", 0.1)
    with services_on(home, hub) as built:
        [*built.lookup.search(Query())]
        hub.hang = threading.Event()
        yield built, hub
        hub.hang.set()


def test_while_a_hub_hangs_its_lora_is_as_remembered_and_a_download_waits(hanging: tuple[Services, Hub]) -> None:
    built, hub = hanging
    found, failure = built.lookup.get_or_recall(hub.loras[0].ref)
    assert (found.title, type(failure)) == ("Ink", HubTimeout)
    threading.Timer(0.4, (hub.hang or threading.Event()).set).start()
    assert built.lookup.fetch(hub.loras[0].ref, is_patient=True).title == "Ink"


def test_what_a_hub_was_silent_about_is_waited_for_once_until_it_is_asked_for(hanging: tuple[Services, Hub]) -> None:
    (built, hub), ref = hanging, lora().ref
    for _ in range(3):
        with pytest.raises(HubTimeout):
            built.lookup.fetch(ref)
    assert hub.asked == ["search", f"get {ref}"]
    (hub.hang or threading.Event()).set()
    built.lookup.ask_again("civitai")
    assert built.lookup.fetch(ref).title == "Ink"
