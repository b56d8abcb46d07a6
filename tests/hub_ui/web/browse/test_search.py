import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import HubDown
from connectors.guard import without_guard
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.access.quotas import LimitReached
from hub_ui.app import documents, services
from hub_ui.app.lookup import Lookup
from hub_ui.app.services import Services
from hub_ui.catalog.search import BaseCount, Facets
from hub_ui.library import lockfile
from hub_ui.settings import from_environment
from hub_ui.web.browse import search
from hub_ui.web.browse.search import Results
from tests.hub_ui.catalog.builders import lora
from tests.hub_ui.library.building import entry
from tests.hub_ui.stand_ins import Hub, services_on

DOWN = HubDown("CivitAI can't be reached.", hub="civitai")


@pytest.fixture
def hub() -> Hub:
    return Hub(name="civitai", loras=[lora(1), lora(2)])


@pytest.fixture
def built(hub: Hub, home: Path) -> Iterator[Services]:
    with services_on(home, hub) as made:
        yield made


def test_a_search_starts_with_every_hub_asked_and_ends_with_its_cards(built: Services) -> None:
    first, *_, last = search.search(built, Query())
    assert (first.ids, first.waiting, first.is_held) == ((), 8, True)
    assert (titles(built, last), last.waiting, last.has_more) == (["Ink 1", "Ink 2"], 0, False)


def test_what_was_seen_before_is_shown_before_any_hub_answers(built: Services) -> None:
    built.catalog.add([lora(number) for number in range(1, 7)])
    first, *_ = search.search(built, Query())
    assert (len(first.ids), first.total, first.pending, first.is_held) == (6, 6, ("civitai",), False)


def test_a_few_cards_wait_so_that_none_comes_above(built: Services, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HOLD_SECONDS", 60.0)
    hub.loras = [lora(number, downloads=number) for number in range(1, 7)]
    built.catalog.add([hub.loras[0]])
    first, *_, last = search.search(built, Query(sort="downloads"))
    assert (first.ids, first.is_held) == ((), True)
    assert (titles(built, last), last.above) == (["Ink 6", "Ink 5", "Ink 4", "Ink 3", "Ink 2", "Ink 1"], 0)


def test_a_few_cards_wait_no_longer_than_a_moment(built: Services, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HOLD_SECONDS", 0.0)
    answering = threading.Event()
    monkeypatch.setattr(hub, "search", lambda query, cursor: answering.wait(30) and Page(loras=()))
    built.catalog.add([lora(1)])
    steps = search.search(built, Query())
    first, second = next(steps), next(steps)
    answering.set()
    assert (first.ids, titles(built, second), second.pending) == ((), ["Ink 1"], ("civitai",))
    assert (first.is_held, second.is_held) == (True, False)
    assert titles(built, list(steps)[-1]) == ["Ink 1"]


@dataclass(kw_only=True)
class Slow(Hub):
    """Answers once it may."""

    may: threading.Event = field(default_factory=threading.Event)

    def search(self, query: Query, cursor: str | None = None) -> Page:
        assert self.may.wait(30)
        return super().search(query, cursor)


@pytest.fixture
def slow(home: Path) -> Iterator[tuple[Services, list[Slow]]]:
    """The first has nothing, the others a LoRA each."""
    hubs = [Slow(name="civitai"), Slow(name="huggingface", loras=on("huggingface", 5))]
    hubs.append(Slow(name="replicate", loras=on("replicate", 7)))
    with services_on(home, *hubs) as made:
        yield made, hubs
        for hub in hubs:
            hub.may.set()


def test_after_the_pause_each_answer_shows(slow: tuple[Services, list[Slow]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HOLD_SECONDS", 0.0)
    built, (first, second, third) = slow
    steps = search.search(built, Query(sort="downloads"))
    # Nothing is known and nobody has answered: the search itself, and after the pause.
    assert [(now.ids, now.is_held) for now in (next(steps), next(steps))] == [((), True), ((), True)]
    first.may.set()
    # An answer without a LoRA is one too.
    assert [(now.ids, now.is_held) for now in (next(steps), next(steps))] == [((), True), ((), False)]
    second.may.set()
    now = next(steps)
    assert (titles(built, now), now.pending, now.is_held) == (["5"], ("replicate",), False)
    third.may.set()
    now = list(steps)[-1]
    assert (titles(built, now), now.above) == (["5"], 1)


def test_in_the_pause_answers_wait_together(slow: tuple[Services, list[Slow]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HOLD_SECONDS", 60.0)
    built, (first, second, third) = slow
    steps = search.search(built, Query(sort="downloads"))
    next(steps)
    second.may.set()
    now = next(steps)
    assert (now.ids, now.is_held, now.pending) == ((), True, ("civitai", "replicate"))
    first.may.set()
    third.may.set()
    assert titles(built, list(steps)[-1]) == ["7", "5"]


@pytest.mark.usefixtures("new_answers")
def test_when_no_hub_answers_a_note_says_so(built: Services, hub: Hub) -> None:
    list(search.search(built, Query()))
    hub.error = DOWN
    last = list(search.search(built, Query()))[-1]
    assert (len(last.ids), last.note) == (2, "No hub answers. These were last seen just now.")


def test_over_the_budget_the_list_is_the_catalogs(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Hub(name="huggingface")
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: (hub, other))
    settings = from_environment({"HUB_UI_HOME": str(home), "HUB_UI_RATE_CIVITAI": "2"}, hosted=True)
    with services.build(settings) as hosted:
        list(search.search(hosted, Query()))
        last = list(search.search(hosted, Query(text="Ink 1")))[-1]
    assert (hub.asked, other.asked, len(last.ids)) == (["search"], ["search", "search"], 2)
    asked_often = "CivitAI has been asked as often as it allows. What was seen before is shown; it is asked again in "
    assert re.fullmatch(re.escape(asked_often) + r"\d+ seconds\.", last.note)


def test_visitors_who_search_the_same_cost_the_hub_one_request(hub: Hub, home: Path) -> None:
    with services_on(home, hub, hosted=True) as hosted:
        lists = [list(search.search(hosted, Query()))[-1].ids for _ in range(20)]
    assert (hub.asked, len(set(lists))) == (["search"], 1)


def enter(services: Services, ref: str) -> None:
    services.settings.lock.parent.mkdir(parents=True, exist_ok=True)
    services.settings.lock.write_text(lockfile.dumps([entry(ref=Ref.parse(ref))]), encoding="utf-8")


def test_what_is_installed_and_favourites_are_filters_of_the_list(built: Services) -> None:
    list(search.search(built, Query()))
    enter(built, "civitai:2@20#200")
    assert titles(built, search.cards_while_typing(built, Query(installed=True))) == ["Ink 2"]
    assert search.cards_while_typing(built, Query()).facets.of("installed") == {"yes": 1}
    list(search.search(built, Query()))
    built.annotations.change(Ref.parse("civitai:2"), favorite=True)
    assert titles(built, search.cards_while_typing(built, Query(favorite=True))) == ["Ink 2"]
    assert search.cards_while_typing(built, Query()).facets.of("favorite") == {"yes": 1}


def test_who_sees_no_library_is_told_nothing_of_it_by_a_filter(home: Path, hub: Hub) -> None:
    with services_on(home, hub, hosted=True) as hosted:
        list(search.search(hosted, Query()))
        enter(hosted, "civitai:2@20#200")
        assert search.cards_while_typing(hosted, Query(installed=True)).ids == ()
        assert documents.search(hosted, Query(installed=True), offline=True).records == ()


def test_nothing_at_all_is_said_in_words(built: Services) -> None:
    assert list(search.search(built, Query(text="zzzz")))[-1].note.startswith("Nothing matches.")
    unknown = list(search.search(built, Query(licenses=("apache2",))))[-1].note
    assert unknown.startswith("“apache2” is no licence known here, and no LoRA seen so far has it. Did you mean")


def test_while_a_person_types_no_hub_is_asked(built: Services, hub: Hub) -> None:
    assert search.cards_while_typing(built, Query()).note.endswith("Press Enter to ask the hubs.")
    list(search.search(built, Query()))
    assert len(search.cards_while_typing(built, Query()).ids) == 2
    assert hub.asked == ["search"]


def base(id_: str, count: int, *children: BaseCount) -> BaseCount:
    return BaseCount(id=id_, label=id_, count=count, children=children)


def test_a_choice_that_is_shown_keeps_its_place_and_new_ones_come_last() -> None:
    shown = Facets(bases=(base("sdxl", 2, base("pony", 1)), base("sd1", 1)), counts={"tags": {"ink": 2, "art": 1}})
    found = Facets(
        bases=(base("sd1", 9), base("flux1", 5), base("sdxl", 4, base("illustrious", 3))),
        counts={"tags": {"art": 7, "icon": 5, "ink": 3}},
    )
    kept = search.keep_places(shown, found)
    assert kept.bases == (base("sdxl", 4, base("pony", 0), base("illustrious", 3)), base("sd1", 9), base("flux1", 5))
    assert [*kept.of("tags").items()] == [("ink", 3), ("art", 7), ("icon", 5)]


def test_cards_keep_their_places_and_new_finds_flow_in_below_the_last_one_or_wait_above_it() -> None:
    placed = search.place((2, 4), (1, 2, 3, 4, 5, 6), 3, is_whole=True)
    assert placed == ((2, 4, 5), 2, 0)
    # Not in the list any more.
    placed = search.place((2, 9), (1, 2, 3), 4, is_whole=True)
    assert placed == ((2, 9, 3), 1, 1)
    # Past the end of what was read.
    assert search.place((9,), (1, 2, 3), 4, is_whole=False) == ((9,), 3, 1)
    # In another order.
    placed = search.place((2, 1), (1, 3, 2, 4), 9, is_whole=True)
    assert placed == ((2, 1, 4), 1, 0)
    # Of two that turned out to be one LoRA the second is gone.
    placed = search.place((2, 1, 2), (1, 2, 3), 4, is_whole=True)
    assert placed == ((2, 1, 2, 3), 0, 1)


@dataclass(kw_only=True)
class Paged(Hub):
    """Answers page after page; `cursor` is the number of the next one."""

    pages: list[list[Lora]] = field(default_factory=list)

    def search(self, query: Query, cursor: str | None = None) -> Page:
        self._ask(f"page {cursor or 0}")
        at = int(cursor or 0)
        return Page(loras=tuple(self.pages[at]), cursor=str(at + 1) if self.pages[at + 1 :] else None)


def on(hub: str, *downloads: int) -> list[Lora]:
    """A LoRA for each number, called by it."""
    path = {"civitai": "civitai:{}", "huggingface": "huggingface:a/l{}", "replicate": "replicate:a/l{}"}[hub]
    return [
        Lora(ref=Ref.parse(path.format(number)), title=str(number), url="https://hub.invalid", downloads=number)
        for number in downloads
    ]


@pytest.fixture
def three(home: Path) -> Iterator[Services]:
    hubs: tuple[Connector, ...] = (
        Paged(name="civitai", pages=[on("civitai", 900, 500), on("civitai", 400, 60), on("civitai", 50)]),
        Paged(name="huggingface", pages=[on("huggingface", 700, 300), on("huggingface", 40)]),
        Paged(name="replicate", pages=[on("replicate", 30, 600)]),
    )
    with services_on(home, *hubs) as made:
        yield made


def titles(built: Services, now: Results) -> list[str]:
    records = built.catalog.cards(now.ids, now.query)
    return [records[number].title for number in now.ids if number in records]


def test_one_order_holds_over_all_hubs_and_each_hubs_number_is_that_of_the_list(three: Services) -> None:
    now = list(search.search(three, Query(sort="downloads")))[-1]
    assert titles(three, now) == ["900", "700", "600", "500", "300", "30"]
    assert (now.above, now.below, now.total, now.has_more) == (0, 0, 6, True)
    now = list(search.search(three, Query(sort="downloads", limit=6)))[-1]
    hits = [(status.hub, status.hits) for status in now.statuses]
    assert hits == [("civitai", 2), ("huggingface", 2), ("replicate", 2)]


def more(built: Services, now: Results) -> Results:
    """The next page, as the link below `now` leads to it."""
    return search.next_cards(built, now.query, after=now.ids[-1], shown=len(now.ids), cursors=now.cursors)


def test_the_next_page_asks_no_hub_while_the_list_is_long_enough(three: Services) -> None:
    three.catalog.add(on("civitai", *range(1000, 1009)))
    now = list(search.search(three, Query(sort="downloads", limit=4)))[-1]
    after = more(three, now)
    assert titles(three, after) == ["1004", "1003", "1002", "1001"]
    civitai = without_guard(three.connectors[0])
    assert (after.below, civitai.asked) == (7, ["page 0"])  # type: ignore[attr-defined]


def test_the_hubs_next_pages_are_read_where_the_list_runs_low(three: Services) -> None:
    now = list(search.search(three, Query(sort="downloads")))[-1]
    after = more(three, now)
    # What the next pages had of the middle of the list has no card yet.
    assert (titles(three, after), after.has_more, after.note) == ([], False, search.NO_MORE)
    whole = search.first_cards(three, Query(sort="downloads"))
    assert titles(three, whole) == ["900", "700", "600", "500", "400", "300", "60", "50", "40", "30"]


def test_a_card_that_left_the_list_leaves_its_place_to_the_one_that_followed(three: Services) -> None:
    now = list(search.search(three, Query(sort="downloads", limit=4)))[-1]
    after = search.next_cards(three, now.query, after=10**9, shown=2)
    assert titles(three, after) == ["600", "500", "300", "30"]


def test_a_hub_that_failed_is_asked_again_with_the_others_by_a_new_search(three: Services) -> None:
    civitai = without_guard(three.connectors[0])
    civitai.error = DOWN  # type: ignore[attr-defined]
    now = list(search.search(three, Query(sort="downloads", limit=6)))[-1]
    assert (titles(three, now), now.failed) == (["700", "600", "300", "30"], {"civitai": ""})
    civitai.error = None  # type: ignore[attr-defined]
    three.lookup.ask_again("civitai")
    now = list(search.search(three, Query(sort="downloads", limit=6)))[-1]
    assert (titles(three, now), now.above, now.failed) == (["900", "700", "600", "500", "300", "30"], 0, {})


def test_the_page_that_a_hub_failed_to_give_is_asked_for_by_the_next_click(three: Services) -> None:
    now = list(search.search(three, Query(sort="downloads", limit=6)))[-1]
    civitai = without_guard(three.connectors[0])
    civitai.error = DOWN  # type: ignore[attr-defined]
    after = more(three, now)
    assert (after.cursors, after.note) == ({"civitai": "1"}, "CivitAI can't be reached.")
    civitai.error = None  # type: ignore[attr-defined]
    search.next_cards(three, now.query, after=now.ids[-1], shown=6, cursors=after.cursors)
    assert civitai.asked[-2:] == ["page 1", "page 2"]  # type: ignore[attr-defined]


def test_over_the_limit_the_next_page_comes_by_a_later_click(three: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def spend(lookup: Lookup, *given: object, **named: object) -> None:
        raise LimitReached("Search again in a minute.")

    now = list(search.search(three, Query(sort="downloads")))[-1]
    monkeypatch.setattr(Lookup, "search", spend)
    after = more(three, now)
    assert (after.cursors, after.failed, after.note) == (now.cursors, now.cursors, "Search again in a minute.")
    last = list(search.search(three, Query(sort="downloads")))[-1]
    assert (len(last.ids), last.pending, last.note) == (6, (), "Search again in a minute.")


@pytest.mark.parametrize(
    ("between", "found", "note"), [(7, ["2"], ""), (99, [], "The hubs sent nothing more that matches.")]
)
def test_more_is_read_past_pages_without_a_fit(home: Path, between: int, found: list[str], note: str) -> None:
    pages = [on("civitai", 3), *([] for _ in range(between)), on("civitai", 2)]
    with services_on(home, Paged(name="civitai", pages=pages)) as made:
        last = more(made, list(search.search(made, Query()))[-1])
        assert (titles(made, last), last.has_more, last.note) == (found, False, note)


@pytest.mark.parametrize(
    ("text", "corrected", "asked"),
    [("neom", "neon", 2), ("red-nights", "", 2), ("neon nights lora", "", 2), ("masterpiece, nights", "", 3)],
)
def test_hubs_that_have_nothing_are_asked_for_less(
    built: Services, hub: Hub, text: str, corrected: str, asked: int
) -> None:
    """For the corrected words, the name, or one word after the other."""
    built.catalog.add([lora(1, title="neon")] if corrected else [])
    hub.loras = [lora(2, title="neon nights")]
    *_, last = search.search(built, Query(text=text))
    assert (titles(built, last)[-1], last.corrected, len(hub.asked)) == ("neon nights", corrected, asked)
