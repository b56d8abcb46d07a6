import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.claims.resolve import flatten
from connectors.errors import Gated, HubDown, HubUiError, KeyRequired, NotFound, RateLimited
from connectors.record import Lora, Record
from connectors.ref import Ref
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import LoraFacts
from hub_ui.app.lookup import Lookup
from hub_ui.app.services import Services
from hub_ui.catalog.catalog import facts_keys
from hub_ui.web.browse.cards import HeaderReader
from tests.hub_ui.catalog.builders import claim, file, lora, version
from tests.hub_ui.stand_ins import Hub, services_on

RANK_4 = Facts(adapter=LoraFacts(what="lora", rank=4, claims=(claim("rank", 4, source="header"),)))


@pytest.fixture
def built(home: Path) -> Iterator[Services]:
    with services_on(home, Hub(name="civitai", loras=[lora(n) for n in range(1, 40)])) as made:
        yield made


def records(*numbers: int) -> list[Record]:
    return [flatten(lora(number)) for number in numbers]


class Inspecting:
    """Stands in for the reading itself: `answer` is what it finds, or how it fails. Remembers what it was asked."""

    def __init__(self, built: Services, monkeypatch: pytest.MonkeyPatch, answer: Any = RANK_4) -> None:
        self.asked: list[str] = []
        self._built, self._answer = built, answer
        monkeypatch.setattr(Lookup, "inspect", lambda lookup, ref: self._inspect(ref))

    def _inspect(self, ref: Ref) -> Facts:
        self.asked.append(str(ref))
        found: Facts | HubUiError = self._answer() if callable(self._answer) else self._answer
        if isinstance(found, HubUiError):
            raise found
        self._built.catalog.remember_facts(facts_keys(ref, None)[0], found.encode())
        return found


def test_what_was_read_is_told_and_not_read_again(built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    inspecting = Inspecting(built, monkeypatch)
    reader = HeaderReader(services=built)
    assert len(list(reader.read(records(1, 2, 3)))) == 1
    assert list(reader.read(records(1, 2, 3))) == []
    assert sorted(inspecting.asked) == ["civitai:1@10#100", "civitai:2@20#200", "civitai:3@30#300"]


def test_only_the_first_cards_are_read(built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    inspecting = Inspecting(built, monkeypatch)
    assert len(list(HeaderReader(services=built).read(records(*range(1, 40))))) == 1
    assert len(inspecting.asked) == 24


def test_a_hub_is_asked_for_two_headers_at_a_time(built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    most, now, lock = 0, 0, threading.Lock()
    two = threading.Barrier(2, timeout=30)

    def counting() -> Facts:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        two.wait()
        with lock:
            now -= 1
        two.wait()
        return RANK_4

    Inspecting(built, monkeypatch, counting)
    assert list(HeaderReader(services=built).read(records(1, 2, 3, 4))) != []
    assert most == 2


@pytest.mark.parametrize(
    "shut",
    [
        lora(1, access="gated"),
        lora(1, access="removed"),
        lora(1, versions=()),
        lora(1, versions=(version("civitai:1@10", files=(file(format="pickle"),)),)),
    ],
)
def test_what_can_not_be_had_is_not_asked_for(built: Services, monkeypatch: pytest.MonkeyPatch, shut: Lora) -> None:
    inspecting = Inspecting(built, monkeypatch)
    assert list(HeaderReader(services=built).read([flatten(shut)])) == []
    assert inspecting.asked == []


@pytest.mark.parametrize("error", [KeyRequired("A key."), Gated("Ask."), NotFound("Gone.")])
def test_an_unread_file_costs_its_own_rank(built: Services, monkeypatch: pytest.MonkeyPatch, error: HubUiError) -> None:
    inspecting = Inspecting(built, monkeypatch, error)
    reader = HeaderReader(services=built)
    assert list(reader.read(records(1, 2, 3))) == []
    assert list(reader.read(records(1, 2, 3))) == []
    assert len(inspecting.asked) == 3


@pytest.mark.parametrize("error", [RateLimited("Slow."), HubDown("Down.")])
def test_a_busy_hub_is_left_alone(built: Services, monkeypatch: pytest.MonkeyPatch, error: HubUiError) -> None:
    inspecting = Inspecting(built, monkeypatch, error)
    assert list(HeaderReader(services=built).read(records(*range(1, 20)))) == []
    assert len(inspecting.asked) <= 2


def test_nothing_more_is_read_once_nobody_wants_it(built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    go, is_first = threading.Event(), threading.Lock()

    def waiting() -> Facts:
        assert is_first.acquire(blocking=False) or go.wait(30)
        return RANK_4

    inspecting = Inspecting(built, monkeypatch, waiting)
    reader = HeaderReader(services=built)
    steps = reader.read(records(*range(1, 20)))
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    go.set()
    reader.close()
    assert len(inspecting.asked) == 3


def test_a_record_is_shown_with_what_its_file_was_found_to_be(built: Services) -> None:
    record = records(1)[0]
    assert built.lookup.with_header_facts(record) == (record, None)
    built.catalog.remember_facts(facts_keys(record.ref, None)[0], RANK_4.encode())
    assert built.lookup.with_header_facts(record)[0] == replace(record, rank=4, claims=RANK_4.adapter.claims)
