"""Pulling a LoRA that has several homes, now or in the queue."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.settings import from_environment
from tests.connectors import serving
from tests.connectors.http.test_ranges import parts
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.building import entry, sha256, weights
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, Line, answering, copied, with_two_homes
from tests.hub_ui.stand_ins import Hub, lora, services_on, with_bytes


@pytest.fixture(name="two_homes")
def one_file_on_two_hubs(tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEndpoints]:
    """The catalog knows both."""
    with answering(with_two_homes(copied(tmp_path / "hubs")), monkeypatch) as hubs:
        assert line("show", HUGGINGFACE)[0] == line("show", "civitai:1001")[0] == 0
        yield hubs


def pulled(line: Line, ref: str) -> str:
    code, item = line("pull", ref)
    assert code == 0
    return str(item["ref"]).partition("@")[0]


def test_other_homes_are_shown_and_the_one_without_a_key_is_pulled_from(two_homes: HubEndpoints, line: Line) -> None:
    assert line("show", "civitai:1001")[1]["homes"] == ["huggingface:maker/history"]
    assert line("show", HUGGINGFACE)[1]["homes"] == ["civitai:1001"]
    assert pulled(line, "civitai:1001") == "huggingface:maker/history"
    assert pulled(line, CIVITAI) == "civitai:1001"


def test_what_was_pulled_from_another_home_is_installed(two_homes: HubEndpoints, line: Line) -> None:
    for _ in range(2):
        assert pulled(line, "civitai:1001") == "huggingface:maker/history"
    with services.build(from_environment(os.environ)) as built:
        entry = built.downloads.find_installed(Ref.parse("civitai:1001"))
        assert (entry, built.library.entries()) == (built.library.entries()[0], (entry,))
        assert built.downloads.find_installed(Ref.parse(CIVITAI)) is None


def test_with_both_keys_it_is_as_asked(two_homes: HubEndpoints, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIVITAI_TOKEN", "key")
    assert pulled(line, "civitai:1001") == "civitai:1001"


def test_a_home_that_fails_is_no_reason_to_give_up(two_homes: HubEndpoints, line: Line) -> None:
    two_homes.faults.add(Fault(kind="status", hub="huggingface", match="/maker/history", status=404))
    assert pulled(line, "civitai:1001") == "civitai:1001"


INK = Ref.parse("civitai:1001@2001#3001")
BYTES = weights()
SHA = sha256(BYTES)


@pytest.fixture
def hubs() -> tuple[Hub, Hub]:
    """CivitAI, which has nothing any more, and Hugging Face, which has the same bytes."""
    return Hub(name="civitai"), Hub(name="huggingface", loras=[with_bytes(SHA, "huggingface")])


@pytest.fixture
def built(home: Path, hubs: tuple[Hub, Hub]) -> Iterator[Services]:
    with services_on(home, *hubs) as made, serving.hub() as server:
        server.answers["/ink.safetensors"] = parts(BYTES)
        for hub in hubs:
            hub.address = server.url
        yield made


def test_a_pinned_ref_is_queued_by_its_file_and_another_open_to_the_newest(built: Services) -> None:
    built.catalog.add([lora()])
    task = built.downloads.enqueue(Ref.parse("civitai:1001@2001"))
    assert (task.ref, task.title) == (INK, "Ink lines")
    assert built.downloads.enqueue(INK).id == task.id
    built.catalog.add([lora()])
    assert built.downloads.enqueue(INK.lora).ref == INK.lora


def test_a_ref_that_nobody_ever_saw_is_queued_as_it_is_and_there_after_a_restart(built: Services) -> None:
    assert built.downloads.enqueue(INK).title == str(INK)
    built.downloads.enqueue(INK)
    with services.build(built.settings) as again:
        assert [task.ref for task in again.queue.tasks()] == [INK]


def test_the_queue_pulls_into_the_library(built: Services, hubs: tuple[Hub, Hub]) -> None:
    hubs[0].loras = [lora()]
    built.queue.start()
    assert built.queue.wait(built.downloads.enqueue(INK).id).state == "done"
    assert built.library.entry(INK).sha256 == SHA


def test_what_the_lock_file_pins_and_its_hub_took_down_comes_from_another_hub(built: Services) -> None:
    pinned = entry(ref=INK, size=len(BYTES), sha256=SHA)
    built.library.adopt([pinned])
    built.catalog.add([with_bytes(SHA, "huggingface")])
    built.queue.start()
    assert built.queue.wait(built.queue.add(INK).id).state == "done"
    assert built.library.path(pinned).read_bytes() == BYTES
    assert built.library.entries() == (pinned,)


def test_what_is_nowhere_fails_with_its_reason(built: Services) -> None:
    built.queue.start()
    failed = built.queue.wait(built.queue.add(INK).id)
    assert failed.error is not None
    assert (failed.state, failed.error.name) == ("failed", "NotFound")
