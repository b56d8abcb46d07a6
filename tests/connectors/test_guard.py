import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import sleep

import pytest

from connectors.connector import FindsByHash, HasHistory, HasImages
from connectors.errors import BadAnswer, Gated, HubDown, HubTimeout, HubUiError, NotFound, RateLimited
from connectors.guard import Asker, CircuitBreaker, GuardedConnector, HubGuard, Outcome, TokenBucket
from connectors.query import Query
from connectors.record import Example, Lora, Version
from connectors.ref import Ref
from connectors.registry import Rate
from tests.clock import Clock
from tests.connectors.test_federation import Told

INK = Ref(hub="civitai", id="1001")


class ToldMore(Told):
    def history(self, ref: Ref) -> tuple[Version, ...]:
        return ()

    def by_hash(self, value: str) -> tuple[Lora, Ref]:
        return self.get(INK), INK

    def images(self, ref: Ref) -> tuple[Example, ...]:
        return ()


@pytest.fixture
def time() -> Clock:
    return Clock(100.0)


@pytest.fixture
def breaker(time: Clock) -> CircuitBreaker:
    return CircuitBreaker("civitai", failures=3, clock=time)


def fail(breaker: CircuitBreaker, error: HubUiError, times: int = 1) -> None:
    for _ in range(times):
        with suppress(type(error)), breaker.request():
            raise error


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.request():
        """The hub answers."""


def test_a_hub_that_fails_three_times_in_a_row_is_left_alone(breaker: CircuitBreaker) -> None:
    fail(breaker, HubDown("down"), 2)
    assert breaker.state == "closed"
    fail(breaker, HubTimeout("slow"))
    with pytest.raises(HubDown) as caught:
        breaker.check()
    assert caught.value.message == (
        "CivitAI has failed several times in a row, so it is not asked just now. It is asked again in 15 seconds."
    )
    assert (caught.value.retry_after, caught.value.hub) == (15.0, "civitai")


@pytest.mark.parametrize("error", [NotFound("no"), Gated("ask"), BadAnswer("what?")])
def test_a_refusal_is_an_answer(breaker: CircuitBreaker, error: HubUiError) -> None:
    fail(breaker, HubDown("down"), 2)
    fail(breaker, error)
    fail(breaker, HubDown("down"), 2)
    assert breaker.state == "closed"


def test_one_request_tries_whether_the_hub_answers_again(breaker: CircuitBreaker, time: Clock) -> None:
    fail(breaker, HubDown("down"), 3)
    time.now += 15
    with breaker.request(), pytest.raises(HubDown, match="asked again in 3 seconds"):
        breaker.check()
    assert breaker.state == "closed"


def test_each_pause_is_twice_as_long_up_to_five_minutes(breaker: CircuitBreaker, time: Clock) -> None:
    fail(breaker, HubDown("down"), 3)
    pauses = []
    for _ in range(6):
        with pytest.raises(HubDown) as caught:
            breaker.check()
        pauses.append(caught.value.retry_after)
        time.now += caught.value.retry_after or 0
        fail(breaker, HubDown("down"))
    assert pauses == [15, 30, 60, 120, 240, 300]
    time.now += 300
    succeed(breaker)
    fail(breaker, HubDown("down"), 3)
    with pytest.raises(HubDown, match="in 15 seconds"):
        breaker.check()


def test_a_person_may_have_it_asked_at_once_but_a_crowd_may_not(breaker: CircuitBreaker, time: Clock) -> None:
    fail(breaker, HubDown("down"), 3)
    breaker.ask_again()
    fail(breaker, HubDown("down"))
    breaker.ask_again()
    with pytest.raises(HubDown):
        breaker.check()
    time.now += 3
    breaker.ask_again()
    succeed(breaker)
    breaker.check()


def test_requests_that_hang_count_before_they_end(breaker: CircuitBreaker, time: Clock) -> None:
    with breaker.request(), breaker.request(), breaker.request():
        breaker.check()
        time.now += 21
        with pytest.raises(HubDown):
            breaker.check()


@pytest.mark.parametrize(("asked", "waits"), [(12.0, 12.0), (None, 30.0), (86_400.0, 300.0)])
def test_a_hub_that_asks_to_slow_down_is_left_alone_as_long_as_makes_sense(
    breaker: CircuitBreaker, asked: float | None, waits: float
) -> None:
    fail(breaker, RateLimited("slow down", retry_after=asked))
    with pytest.raises(RateLimited) as caught:
        breaker.check()
    assert caught.value.retry_after == waits


def test_breaker_stays_open_as_long_as_the_failing_hub_asks(breaker: CircuitBreaker) -> None:
    fail(breaker, HubDown("down", retry_after=40), 3)
    with pytest.raises(HubDown, match="in 40 seconds"):
        breaker.check()


def test_a_hub_that_asks_the_owner_of_one_key_to_slow_down_is_there_for_the_others(breaker: CircuitBreaker) -> None:
    with suppress(RateLimited), breaker.request(is_shared=False):
        raise RateLimited("slow down", retry_after=60)
    assert breaker.state == "closed"


def test_a_budget_fills_up_as_time_goes_by(time: Clock) -> None:
    budget = TokenBucket(60, clock=time)
    assert [budget.take(10) for _ in range(4)] == [0, 0, 0, 10]
    time.now += 10
    assert (budget.take(10), budget.take(2)) == (0, 2)
    time.now += 1000
    assert [budget.take(10) for _ in range(4)] == [0, 0, 0, 10]


def test_a_hundred_who_ask_the_same_cost_one_request(time: Clock) -> None:
    hub = Told(hang=threading.Event())
    connector = GuardedConnector(hub, HubGuard("civitai", seconds=15, clock=time))
    with ThreadPoolExecutor(100) as pool:
        pages = [pool.submit(connector.search, Query(text="ink")) for _ in range(100)]
        assert hub.hang is not None
        hub.hang.set()
        assert {id(page.result()) for page in pages} == {id(pages[0].result())}
    connector.search(Query(text="ink", installed=True))
    connector.search(Query(text="robot"))
    connector.search(Query(text="ink"), cursor="0")
    assert hub.asked == [None, None, "0"]
    time.now += 16
    connector.search(Query(text="ink"))
    assert len(hub.asked) == 4


def test_a_hub_that_hangs_takes_only_so_many_searches_until_it_answers(time: Clock) -> None:
    hub = Told(hang=threading.Event())
    connector = GuardedConnector(hub, HubGuard("civitai", clock=time))
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(connector.search, Query(text=f"ink {number}")) for number in range(16)]
        while len(hub.asked) < 16:
            sleep(0.01)
        time.now += 5
        with pytest.raises(HubTimeout, match="CivitAI is slow to answer just now"):
            connector.search(Query(text="one more"))
        assert hub.hang is not None
        hub.hang.set()
        assert [len(page.result().loras) for page in waiting] == [1] * 16
    connector.search(Query(text="one more"))


def test_an_error_is_nobody_elses_answer(time: Clock) -> None:
    hub = Told(pages=(HubDown("down"),))
    connector = GuardedConnector(hub, HubGuard("civitai", seconds=15, clock=time))
    with pytest.raises(HubDown):
        connector.search(Query())
    hub.pages = (1,)
    connector.search(Query())
    assert len(hub.asked) == 2


def test_who_has_a_key_gets_their_own_answer_and_budget(time: Clock) -> None:
    outcomes: list[Outcome] = []
    askers = [Asker(), Asker(), Asker(key="ada's"), Asker(key="ada's"), Asker(key="bob's"), Asker(right="owner")]
    asking = iter(askers)
    guard = HubGuard(
        "civitai", rate=Rate(keyless=4, keyed=2), seconds=15, asker=lambda _: next(asking),
        report=lambda _, outcome: outcomes.append(outcome), clock=time,
    )  # fmt: skip
    connector = GuardedConnector(Told(), guard)
    for _ in askers:
        with suppress(RateLimited):
            connector.search(Query(text="ink"))
    assert outcomes == ["answered", "shared", "answered", "over_budget", "answered", "answered"]
    assert guard.breaker.state == "closed"


def test_what_is_over_the_budget_says_when_there_is_more(time: Clock) -> None:
    connector = GuardedConnector(Told(), HubGuard("civitai", rate=Rate(keyless=6), clock=time))
    connector.get(INK)
    with pytest.raises(RateLimited) as caught:
        connector.get(INK)
    assert caught.value.retry_after == 10
    assert caught.value.message == (
        "CivitAI has been asked as often as it allows. What was seen before is shown; it is asked again in 10 seconds."
    )
    time.now += 10
    connector.get(INK)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "answered"), (NotFound("no"), "not_found"), (Gated("ask"), "refused"), (HubDown("down"), "no_answer"),
        (BadAnswer("what?"), "bad_answer"), (RateLimited("slow"), "rate_limited"), (HubUiError("?"), "fault"),
        (ZeroDivisionError("?"), "fault"),
    ],
)  # fmt: skip
def test_each_request_is_counted_by_how_it_ended(error: Exception | None, outcome: Outcome) -> None:
    outcomes: list[Outcome] = []
    guard = HubGuard("civitai", report=lambda _, found: outcomes.append(found))
    with suppress(HubUiError, ZeroDivisionError):
        GuardedConnector(Told(pages=(error or 1,)), guard).get(INK)
    assert outcomes == [outcome]


def test_files_of_a_hub_that_is_left_alone_are_not_asked_for(time: Clock) -> None:
    guard = HubGuard("civitai", clock=time)
    connector = GuardedConnector(Told(pages=(HubDown("down"),)), guard)
    for _ in range(5):
        with pytest.raises(HubDown, match="down"):
            connector.get(INK)
    asking: tuple[Callable[[Ref], object], ...] = (connector.get, connector.download, connector.locate)
    for ask in asking:
        with pytest.raises(HubDown, match="not asked just now"):
            ask(INK)


def test_what_a_hub_can_do_beside_searching_it_can_behind_its_guard() -> None:
    guard = HubGuard("civitai")
    plain, able = GuardedConnector(Told(), guard), GuardedConnector(ToldMore(), guard)
    assert not isinstance(plain, HasHistory | FindsByHash | HasImages)
    assert isinstance(able, HasHistory)
    assert isinstance(able, FindsByHash)
    assert isinstance(able, HasImages)
    assert (able.history(INK), able.by_hash("ab")[1], able.images(INK)) == ((), INK, ())
