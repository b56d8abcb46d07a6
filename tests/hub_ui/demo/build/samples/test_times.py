from datetime import date

from hub_ui.demo.build.samples.times import iso_microseconds, iso_milliseconds, stable_hex, stable_number, stamp

TODAY = date(2026, 9, 1)


def test_counts_back_from_today() -> None:
    assert stamp(TODAY, 3, "a").date() == date(2026, 8, 29)


def test_the_hour_follows_from_the_salt() -> None:
    assert stamp(TODAY, 3, "a") == stamp(TODAY, 3, "a")
    assert stamp(TODAY, 3, "a") != stamp(TODAY, 3, "b")


def test_writes_dates_as_each_hub_does() -> None:
    moment = stamp(TODAY, 0, "a").replace(hour=7, minute=5, second=9)
    assert iso_milliseconds(moment) == "2026-09-01T07:05:09.000Z"
    assert iso_microseconds(moment) == "2026-09-01T07:05:09.000000Z"


def test_names_stay_the_same() -> None:
    assert stable_hex("a", "b")[:8] == "59b271ae"
    assert stable_number("a", below=100) == 99
