"""hub_ui/access/quotas.py: what visitors use, with a clock of its own."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import UsageError
from hub_ui.access import quotas as limits
from hub_ui.access.quotas import DUPLICATE, TABLE, Limit, LimitReached, Limits, Quotas, Use, read_limits
from hub_ui.access.visitor import Visitor, use_visitor
from tests.clock import Clock

LIMITS = Limits(
    images_per_hour=20, searches_per_minute=3, opens_per_minute=1, download_bytes_per_hour=10**9, people_per_address=2
)


def made(clock: Clock) -> Quotas:
    return Quotas(LIMITS, advice=DUPLICATE, clock=clock)


@pytest.mark.parametrize(
    ("use", "amount", "said"),
    [
        ("searches", 3, "3 searches a minute a person. The next one in 1 min 2 s. Duplicate this Space to have it"),
        ("opens", 1, "1 LoRA opened a minute a person. The next one in 1 min 2 s."),
        ("images", 20, "20 images an hour a person. The next one in 1 h 2 min. Duplicate this Space to have it for"),
        ("bytes", 10**9, "1.0 GB downloaded an hour a person. This one in 1 h 2 min."),
    ],
)
def test_each_limit_says_how_much_and_when_it_goes_on(use: Use, amount: int, said: str) -> None:
    clock = Clock(1_000_000.0)
    counted = made(clock)
    clock.now -= clock.now % 3600
    with use_visitor(Visitor(id="ada")):
        counted.spend(use, amount)
        with pytest.raises(LimitReached) as raised:
            counted.spend(use)
    assert raised.value.message.startswith(said)


def test_it_goes_on_when_the_sentence_says() -> None:
    clock = Clock(1_000_000.0)
    counted = made(clock)
    with use_visitor(Visitor(id="ada")):
        counted.spend("images", 15)
        clock.now += 1200
        counted.spend("images", 5)
        with pytest.raises(LimitReached) as raised:
            counted.spend("images", 12)
        assert raised.value.retry_after is not None
        clock.now += raised.value.retry_after
        counted.spend("images", 12)
        with pytest.raises(LimitReached):
            counted.spend("images", 4)


def test_more_than_there_is_in_an_hour_never_goes_on_two_visitors_have_their_own_and_the_owner_no_limit() -> None:
    with use_visitor(Visitor(id="ada")), pytest.raises(UsageError) as raised:
        made(Clock(1_000_000.0)).spend("bytes", 2 * 10**9)
    assert raised.value.message.startswith("1.0 GB downloaded an hour a person. This takes 2.0 GB.")
    counted = made(Clock(1_000_000.0))
    for name in ("ada", "ben"):
        with use_visitor(Visitor(id=name)):
            counted.spend("images", 20)
    counted.spend("images", 10_000)


def test_who_drops_the_cookie_is_still_at_the_same_address() -> None:
    counted = made(Clock(1_000_000.0))
    for name in ("ada", "ben"):
        with use_visitor(Visitor(id=name, address="8.8.8.8")):
            counted.spend("images", 20)
    with use_visitor(Visitor(id="eve", address="8.8.8.8")), pytest.raises(LimitReached) as raised:
        counted.spend("images")
    assert raised.value.message.startswith("40 images an hour for all people at one network address. The next one in")
    with use_visitor(Visitor(id="eve", address="9.9.9.9")):
        counted.spend("images")


def test_what_is_refused_counts_for_nobody() -> None:
    counted = made(Clock(1_000_000.0))
    with use_visitor(Visitor(id="ada", address="8.8.8.8")):
        counted.spend("images", 18)
        for _ in range(100):
            with pytest.raises(LimitReached):
                counted.spend("images", 3)
    with use_visitor(Visitor(id="ben", address="8.8.8.8")):
        counted.spend("images", 20)


def test_many_threads_get_no_more_than_the_limit() -> None:
    counted, visitor = made(Clock(1_000_000.0)), Visitor(id="ada")

    def spend() -> None:
        with use_visitor(visitor):
            counted.spend("images")

    with ThreadPoolExecutor(8) as pool:
        spent = [pool.submit(spend) for _ in range(80)]
    assert [type(each.exception()) for each in spent].count(LimitReached) == 60
    assert sum(each.exception() is None for each in spent) == 20


def test_memory_is_bounded_whoever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_KEYS", 100)
    clock = Clock(1_000_000.0)
    counted = made(clock)
    for number in range(500):
        with use_visitor(Visitor(id=str(number))):
            counted.spend("images")
    assert len(counted._used) == 100
    with use_visitor(Visitor(id="ada")):
        for _ in range(5_000):
            clock.now += 600
            counted.spend("images")
    assert max(map(len, counted._used.values())) <= 32


@pytest.mark.parametrize("has_cookie", [True, False])
def test_refused_requests_make_nobody_forgotten(monkeypatch: pytest.MonkeyPatch, has_cookie: bool) -> None:
    monkeypatch.setattr(limits, "MOST_KEYS", 10)
    counted = made(Clock(1_000_000.0))
    ada = Visitor(id="ada", address="9.9.9.9")
    with use_visitor(ada):
        counted.spend("opens")
    for number in range(100):
        with use_visitor(Visitor(id=str(number), address="8.8.8.8", known=has_cookie)), suppress(LimitReached):
            counted.spend("opens")
    with use_visitor(ada), pytest.raises(LimitReached):
        counted.spend("opens")


@given(st.lists(st.tuples(st.floats(0, 900), st.integers(1, 8)), max_size=60))
def test_no_hour_ever_has_more_than_the_limit(steps: list[tuple[float, int]]) -> None:
    clock, spent = Clock(1_000_000.0), []
    counted = made(clock)
    with use_visitor(Visitor(id="ada")):
        for seconds, amount in steps:
            clock.now += seconds
            try:
                counted.spend("images", amount)
            except LimitReached:
                continue
            spent.append((clock.now, amount))
    assert all(sum(n for at, n in spent if start <= at < start + 3600) <= 20 for start, _ in spent)


@pytest.mark.parametrize("limit", TABLE, ids=lambda limit: limit.name)
def test_each_limit_is_read_from_its_variable_and_a_wrong_value_says_what_to_write(limit: Limit) -> None:
    assert limit.smallest <= limit.default <= limit.largest
    for number in (limit.smallest, limit.largest):
        assert getattr(read_limits({limit.variable: str(number)}), limit.name) == number
    for text in (str(limit.smallest - 1), str(limit.largest + 1), "many", "1.5", "-1", "٣", "1 TB"):
        with pytest.raises(UsageError) as raised:
            read_limits({limit.variable: text})
        assert raised.value.message.startswith(f"{limit.variable}=")
        assert f"Write one, or unset it for {limit.show(limit.default)}." in raised.value.message


def test_limits_are_read_as_people_write_them_and_what_is_none_is_refused() -> None:
    given = {"HUB_UI_LIMIT_CACHE_BYTES": "2GB", "HUB_UI_LIMIT_LORA_BYTES": "500 MB", "HUB_UI_LIMIT_STEPS": " 20 "}
    assert read_limits(given) == Limits(cache_bytes=2_000_000_000, lora_bytes=500_000_000, steps=20)
    with pytest.raises(UsageError, match="HUB_UI_LIMIT_STEPS=2GB is no whole number from 1 to 500"):
        read_limits({"HUB_UI_LIMIT_STEPS": "2GB"})
    assert read_limits({"HUB_UI_LIMIT_BASES": "sdxl-1.0, FLUX.1-dev"}).bases == {"sdxl-1.0", "flux.1-dev"}
    with pytest.raises(UsageError, match=r"/etc names no base model\. Write ids"):
        read_limits({"HUB_UI_LIMIT_BASES": "/etc"})
    with pytest.raises(UsageError, match=r"HUB_UI_LIMIT_STEP is no limit\. Did you mean “HUB_UI_LIMIT_STEPS”"):
        read_limits({"HUB_UI_LIMIT_STEP": "20"})
    assert read_limits({"HUB_UI_LIMIT_STEPS": "", "HUB_UI_LIMIT_BASES": " ", "HOME": "/x"}) == Limits()
