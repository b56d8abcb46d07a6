import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors import federation
from connectors.connector import Connector, Download
from connectors.errors import HubDown, HubTimeout, HubUiError, NotFound
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import HubName, Ref


@dataclass(kw_only=True)
class Told:
    """A hub that answers page after page as it is told: LoRAs, so many new ones, or an exception."""

    name: HubName = "civitai"
    pages: Sequence[int | tuple[Lora, ...] | Exception] = (1,)
    hang: threading.Event | None = None
    asked: list[str | None] = field(default_factory=list)

    def search(self, query: Query, cursor: str | None = None) -> Page:
        self.asked.append(cursor)
        if self.hang is not None:
            self.hang.wait(60)
        number = int(cursor or 0)
        page = self.pages[number]
        if isinstance(page, Exception):
            raise page
        more = str(number + 1) if number + 1 < len(self.pages) else None
        loras = page if isinstance(page, tuple) else tuple(_lora(self.name, number, i) for i in range(page))
        return Page(loras=loras, cursor=more)

    def get(self, ref: Ref) -> Lora:
        return self.search(Query()).loras[0]

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        raise NotImplementedError

    def locate(self, ref: Ref) -> Download:
        raise NotImplementedError


def _lora(hub: HubName, page: int, number: int) -> Lora:
    name = {"civitai": f"{page}{number}", "huggingface": f"a/{page}-{number}", "replicate": f"a/{page}-{number}"}[hub]
    return Lora(ref=Ref(hub=hub, id=name), title=name, url="https://example.org")


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def _hubs(*hubs: Told) -> list[Connector]:
    return list(hubs)


def search(hubs: Sequence[Connector], query: Query, **more: Any) -> Iterator[federation.Answer]:
    return itertools.chain.from_iterable(federation.search(hubs, query, **more))


def test_answers_come_in_the_order_of_arrival() -> None:
    last, second = threading.Event(), threading.Event()
    hubs = _hubs(Told(name="civitai", hang=last), Told(name="huggingface"), Told(name="replicate", hang=second))
    answers = search(hubs, Query(), timeout=60)
    assert next(answers).hub == "huggingface"
    second.set()
    assert next(answers).hub == "replicate"
    last.set()
    assert next(answers).hub == "civitai"


def test_a_pause_comes_before_the_first_answer_and_one_after_it(hang: threading.Event) -> None:
    answering = threading.Event()
    hubs = _hubs(Told(name="civitai", hang=hang), Told(name="huggingface", hang=answering))
    groups = federation.search(hubs, Query(), pause=0.1, timeout=60)
    assert next(groups) == ()
    answering.set()
    assert [[answer.hub for answer in group] for group in itertools.islice(groups, 2)] == [["huggingface"], []]


def test_answers_that_come_together_are_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(federation, "TOGETHER_SECONDS", 60.0)
    hubs = _hubs(Told(name="civitai"), Told(name="huggingface"), Told(name="replicate"))
    [group] = federation.search(hubs, Query(), pause=60, timeout=60)
    assert {answer.hub for answer in group} == {"civitai", "huggingface", "replicate"}


def test_a_hanging_hub_delays_no_other(hang: threading.Event) -> None:
    hubs = _hubs(Told(name="civitai", hang=hang), Told(name="huggingface"), Told(name="replicate"))
    answers = search(hubs, Query(), timeout=60)
    assert {next(answers).hub, next(answers).hub} == {"huggingface", "replicate"}
    assert not hang.is_set()


def test_a_hanging_hub_ends_in_a_timeout(hang: threading.Event) -> None:
    [answer] = search(_hubs(Told(name="civitai", hang=hang)), Query(), timeout=0.1)
    assert (answer.hub, type(answer.error)) == ("civitai", HubTimeout)


def test_a_failing_hub_costs_its_own_results_only() -> None:
    failing = Told(name="civitai", pages=[HubDown("down", hub="civitai")])
    found = federation.collect(_hubs(failing, Told(name="huggingface", pages=[2])), Query())
    assert [lora.hub for lora in found.loras] == ["huggingface", "huggingface"]
    assert [(error.name, error.hub) for error in found.failures] == [("HubDown", "civitai")]


def test_a_fault_in_a_connector_is_that_hubs_failure() -> None:
    broken = Told(name="civitai", pages=[ZeroDivisionError("x")])
    answers = list(search(_hubs(broken, Told(name="huggingface")), Query()))
    errors = [answer.error for answer in answers if answer.error]
    assert [type(error) for error in errors] == [HubUiError]
    assert "CivitAI answered in a way we can't read" in errors[0].message


def test_only_the_asked_hubs_are_asked() -> None:
    civitai, huggingface = Told(name="civitai"), Told(name="huggingface")
    list(search(_hubs(civitai, huggingface), Query(hubs=("huggingface",))))
    assert (civitai.asked, huggingface.asked) == ([], [None])


def test_with_cursors_only_hubs_that_have_one_are_asked() -> None:
    civitai, huggingface = Told(name="civitai", pages=[1, 1]), Told(name="huggingface")
    answers = list(search(_hubs(civitai, huggingface), Query(), cursors={"civitai": "1"}))
    assert [answer.hub for answer in answers] == ["civitai"]
    assert (civitai.asked, huggingface.asked) == (["1"], [])


def test_empty_pages_are_passed_over() -> None:
    sparse = Told(name="civitai", pages=[0, 0, 2])
    answer = next(iter(search(_hubs(sparse), Query())))
    assert answer.page is not None
    assert len(answer.page.loras) == 2


def test_after_six_empty_pages_a_hub_hands_over_where_it_is() -> None:
    answer = next(iter(search(_hubs(Told(name="civitai", pages=[0] * 20)), Query())))
    assert answer.page is not None
    assert (answer.page.loras, answer.page.cursor) == ((), "6")


def test_pages_are_followed_up_to_the_limit() -> None:
    hub = Told(name="civitai", pages=[10, 10, 10, 10])
    found = federation.collect(_hubs(hub), Query(limit=15))
    assert (len(found.loras), hub.asked) == (20, [None, "1"])


def test_a_lora_that_stands_on_two_pages_is_brought_once() -> None:
    first = (_lora("civitai", 0, 0), _lora("civitai", 0, 1))
    hub = Told(name="civitai", pages=[first, *[first[:1]] * 1000])
    found = federation.collect(_hubs(hub), Query(limit=10))
    assert (found.loras, len(hub.asked)) == (first, 9)


def test_every_hub_brings_as_many_as_are_asked_for() -> None:
    hubs = _hubs(Told(name="replicate", pages=[2]), Told(name="civitai", pages=[3, 3]))
    found = federation.collect(hubs, Query(limit=3))
    assert [lora.hub for lora in found.loras] == ["civitai", "civitai", "civitai", "replicate", "replicate"]


def test_what_a_hub_brought_before_it_failed_is_kept() -> None:
    hub = Told(name="civitai", pages=[2, HubDown("down", hub="civitai")])
    found = federation.collect(_hubs(hub), Query(limit=10))
    assert (len(found.loras), len(found.failures)) == (2, 1)


def test_a_hub_that_goes_on_without_a_find_is_left() -> None:
    hub = Told(name="replicate", pages=[0] * 1000)
    found = federation.collect(_hubs(hub), Query())
    assert (found.loras, found.failures) == ((), ())
    assert len(hub.asked) == 48


def test_a_lora_of_a_hub_that_hangs_is_waited_for_a_while(hang: threading.Event) -> None:
    with pytest.raises(HubTimeout, match=r"CivitAI has not answered for 0 s\. Try again in a minute\.") as caught:
        federation.get(Told(name="civitai", hang=hang), Ref.parse("civitai:1"), 0.1)
    assert caught.value.hub == "civitai"


@pytest.mark.parametrize(
    ("error", "raised"), [(NotFound("gone"), NotFound), (ZeroDivisionError(), HubUiError)], ids=["hub's", "ours"]
)
def test_what_a_hub_raises_for_a_lora_is_raised(error: Exception, raised: type[HubUiError]) -> None:
    with pytest.raises(raised):
        federation.get(Told(name="civitai", pages=(error,)), Ref.parse("civitai:1"), 60)
