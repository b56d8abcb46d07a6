import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.errors import BadAnswer, HubDown, HubUiError
from connectors.http.retry import RetryPolicy
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.crawl import Crawl, CrawlOptions, Place, Progress, Source
from tests.hub_ui import stand_ins
from tests.hub_ui.catalog.builders import catalog as opened
from tests.hub_ui.catalog.builders import lora

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
STALE = BadAnswer("CivitAI refused the request (400).", hub="civitai")
DOWN = HubDown("CivitAI can't be reached.", hub="civitai")


def dated(number: int) -> Lora:
    """Later numbers are newer, by ten days each."""
    return lora(number, updated_at=f"{datetime(2026, 1, 1) + number * timedelta(days=10):%Y-%m-%dT%H:%M:%SZ}")


@dataclass(kw_only=True)
class PagedHub(stand_ins.Hub):
    """Newest first, two LoRAs a page; the cursor is the number of the next. `failures` are by the request's number."""

    failures: dict[int, HubUiError] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    queries: list[Query] = field(default_factory=list)

    def search(self, query: Query, cursor: str | None = None) -> Page:
        self.queries.append(query)
        self._ask(f"page {cursor}")
        if (failure := self.failures.pop(len(self.asked), None)) is not None:
            raise failure
        if cursor in self.refused:
            raise STALE
        start = int(cursor or 0)
        within = [each for each in self.loras if query.age is None or self._age(each) in query.age]
        more = start + 2 < len(within)
        return Page(loras=tuple(within[start : start + 2]), cursor=str(start + 2) if more else None)

    def _age(self, of: Lora) -> int:
        return int((datetime.now(UTC) - datetime.fromisoformat(of.updated_at or "")).total_seconds())


def hub_with(*numbers: int) -> PagedHub:
    return PagedHub(name="civitai", loras=[dated(number) for number in sorted(numbers, reverse=True)])


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with opened(tmp_path) as found:
        yield found


def crawl(catalog: Catalog, hub: PagedHub, **options: object) -> Progress:
    policy = RetryPolicy(tries=3, first=0.01, longest=5.0)
    source = Source(connector=hub, address="http://127.0.0.1:9")
    run = Crawl([source], catalog, CrawlOptions(**options), policy)  # type: ignore[arg-type]
    run.run(lambda: None, lambda: None)
    return run.progress[0]


def ids(catalog: Catalog) -> set[str]:
    records = catalog.search(Query(limit=100, nsfw="explicit")).records
    return {record.ref.id for record in records}


def test_a_crawl_reads_the_list_to_its_end(catalog: Catalog) -> None:
    hub = hub_with(1, 2, 3, 4, 5)
    now = crawl(catalog, hub)
    assert (now.pages, now.new, now.changed, now.unchanged, now.complete) == (3, 5, 0, 0, True)
    assert ids(catalog) == {"1", "2", "3", "4", "5"}
    assert (hub.queries[0].sort, hub.queries[0].nsfw, hub.queries[0].limit) == ("newest", "explicit", 100)


def test_a_second_crawl_reads_what_is_new_since_the_first(catalog: Catalog) -> None:
    crawl(catalog, hub_with(1, 2, 3, 4, 5))
    hub = hub_with(1, 2, 3, 4, 5, 6)
    now = crawl(catalog, hub)
    assert (now.pages, now.new, now.unchanged) == (1, 1, 1)
    assert hub.asked == ["page None"]


def test_what_a_list_withholds_now_is_in_no_list_any_more(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = hub_with(1, 2)
    crawl(catalog, hub)
    page = Page(loras=(), withheld=(dated(1).ref,))
    monkeypatch.setattr(hub, "search", lambda query, cursor: page)
    crawl(catalog, hub)
    assert ids(catalog) == {"2"}


def test_all_reads_the_whole_list_again(catalog: Catalog) -> None:
    crawl(catalog, hub_with(1, 2, 3, 4, 5))
    now = crawl(catalog, hub_with(1, 2, 3, 4, 5, 6), whole=True)
    assert (now.pages, now.new, now.unchanged) == (3, 1, 5)


def test_since_goes_back_to_a_time_and_does_not_count_as_complete(catalog: Catalog) -> None:
    back = datetime(2026, 2, 5, tzinfo=UTC)
    assert crawl(catalog, hub_with(1, 2, 3, 4, 5), since=back).new == 2
    assert crawl(catalog, hub_with(1, 2, 3, 4, 5)).new == 3


def test_the_limit_ends_a_crawl_and_the_next_one_goes_on_there(catalog: Catalog) -> None:
    hub = hub_with(1, 2, 3, 4, 5)
    first, second = crawl(catalog, hub, limit=2), crawl(catalog, hub)
    assert (first.loras, first.complete, second.loras, second.complete) == (2, False, 3, True)
    assert hub.asked == ["page None", "page 2", "page 4"]


def test_a_hub_that_fails_keeps_its_place(catalog: Catalog) -> None:
    hub = hub_with(1, 2, 3, 4, 5)
    hub.failures = {2: DOWN, 3: DOWN, 4: DOWN}
    first = crawl(catalog, hub)
    assert (first.error, first.complete, first.loras) == (DOWN, False, 2)
    assert crawl(catalog, hub).complete
    assert hub.asked == ["page None", "page 2", "page 2", "page 2", "page 2", "page 4"]


def test_a_cursor_is_kept_while_the_hub_does_not_answer_the_start_of_its_list_either(catalog: Catalog) -> None:
    hub = hub_with(1, 2, 3, 4, 5)
    crawl(catalog, hub, limit=2)
    hub.failures = {2: STALE, 3: STALE}
    assert crawl(catalog, hub).error == STALE
    assert crawl(catalog, hub).complete
    assert hub.asked == ["page None", "page 2", "page None", "page 2", "page 4"]


def test_a_cursor_that_is_no_longer_taken_starts_the_list_over_without_duplicates(catalog: Catalog) -> None:
    hub = hub_with(1, 2, 3, 4, 5)
    crawl(catalog, hub, limit=2)
    hub.failures = {2: STALE}
    now = crawl(catalog, hub)
    assert (now.new, now.unchanged, now.complete) == (3, 2, True)
    assert hub.asked == ["page None", "page 2", "page None", "page 2", "page 4"]


def test_a_hub_that_refuses_a_cursor_which_it_has_just_given_is_an_error(catalog: Catalog) -> None:
    hub = hub_with(1, 2, 3)
    hub.refused = {"2"}
    assert [crawl(catalog, hub).error for _ in range(2)] == [STALE, STALE]
    assert hub.asked == ["page None", "page 2", "page 2", "page None", "page 2"]


def test_what_a_complete_list_lacks_is_asked_for_and_marked_once_its_hub_has_it_no_more(catalog: Catalog) -> None:
    catalog.add([dated(1), dated(2)], at=datetime(2026, 1, 1, tzinfo=UTC))
    hub = hub_with(1)
    now = crawl(catalog, hub)
    assert (now.removed, hub.asked) == (1, ["page None", "get civitai:2"])
    assert [catalog.lora(dated(number).ref).access for number in (1, 2)] == ["open", "removed"]


def test_what_a_list_leaves_out_though_it_is_there_is_not_marked(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = hub_with(1)
    monkeypatch.setattr(hub, "get", lambda ref: dated(2))
    catalog.add([dated(2)], at=datetime(2026, 1, 1, tzinfo=UTC))
    assert crawl(catalog, hub).removed == 0
    assert catalog.lora(Ref.parse("civitai:2")).access == "open"


@pytest.mark.parametrize("options", [{"bases": ("sdxl",)}, {"since": datetime(2026, 1, 1, tzinfo=UTC)}, {"limit": 1}])
def test_a_list_that_is_not_all_of_the_hub_proves_nothing(catalog: Catalog, options: dict[str, object]) -> None:
    catalog.add([dated(9)], at=datetime(2026, 1, 1, tzinfo=UTC))
    hub = hub_with(1, 2, 3)
    crawl(catalog, hub, **options)
    assert "get civitai:9" not in hub.asked


def test_a_run_that_was_ended_does_not_read_the_hubs_again_that_it_had_read(catalog: Catalog) -> None:
    done, slow = hub_with(1, 2), PagedHub(name="replicate", loras=[stand_ins.lora("replicate")])
    sources = [Source(connector=hub, address="http://127.0.0.1:1") for hub in (done, slow)]
    slow.failures = {1: DOWN}
    ended = Crawl(sources, catalog, CrawlOptions())

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ended.run(interrupt, lambda: None)
    again = Crawl(sources, catalog, CrawlOptions())
    again.run(lambda: None, lambda: None)
    assert [hub.complete for hub in again.progress] == [True, True]
    assert done.asked == ["page None"]


def test_a_place_that_cannot_be_read_is_the_first_one(catalog: Catalog) -> None:
    catalog.put_state("crawl civitai http://127.0.0.1:9", '{"complete": 7')
    assert crawl(catalog, hub_with(1, 2, 3)).new == 3


def test_what_is_complete_is_told_by_the_hubs_own_times() -> None:
    place = Place(began=NOW)
    page = Page(loras=(dated(1), dated(2)))
    assert place.after(page, "run").complete == datetime(2026, 1, 21, tzinfo=UTC)
    future = Page(loras=(lora(1, updated_at="2999-01-01T00:00:00Z"),))
    assert place.after(future, "run").complete == NOW


def test_the_part_that_is_done_is_how_far_back_the_list_is(catalog: Catalog) -> None:
    hub = hub_with(*range(1, 30))
    now = crawl(catalog, hub, limit=6)
    assert 0 < now.fraction <= 1
    assert Progress(hub="civitai", label="CivitAI", fraction=0.5, seconds=30.0).seconds_left == 30.0
    assert Progress(hub="civitai", label="CivitAI").seconds_left is None


@pytest.mark.parametrize(
    ("address", "seconds"), [("https://civitai.com", 1.0), ("http://127.0.0.1:8", 0.0), ("http://localhost", 0.0)]
)
def test_a_hub_is_asked_as_often_as_it_allows(address: str, seconds: float) -> None:
    assert Source(connector=hub_with(1), address=address).seconds_per_page == seconds


def test_a_stop_ends_the_wait_between_two_pages(catalog: Catalog) -> None:
    source = Source(connector=hub_with(1, 2, 3), address="https://civitai.com")
    run = Crawl([source], catalog, CrawlOptions())
    reached = threading.Event()

    def interrupt() -> None:
        if run.progress[0].pages:
            reached.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.run(interrupt, lambda: None)
    assert (reached.is_set(), run.progress[0].complete) == (True, False)
