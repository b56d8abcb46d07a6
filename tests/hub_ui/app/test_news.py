from pathlib import Path

import pytest

from connectors.errors import BadQuery, HubUiError, NotFound, UsageError
from connectors.query import Range
from hub_ui.app import news
from hub_ui.app.news import SavedSearch, SearchFile

INK = SavedSearch(name="Ink", text="ink kind:style", seen=1_000)


def test_what_is_new_is_what_was_updated_since_then_or_since_the_searchs_own_limit() -> None:
    query = INK.query(1_000 + 90, 7)
    assert (query.text, query.age, query.sort, query.limit) == ("ink", Range(most=90), "newest", 7)
    narrow = SavedSearch(name="", text="updated:<1h", seen=0)
    assert narrow.query(86_400, 1).age == Range(most=3_599)
    # A clock may be put back.
    assert (narrow.query(60, 1).age, INK.query(0, 1).age) == (Range(most=60), Range(most=0))
    with pytest.raises(BadQuery, match="rank"):
        SavedSearch(name="", text="rank:many", seen=0).query(1, 1)


@pytest.mark.parametrize(("seconds", "rounded"), [(90, 3_600), (3_600, 3_600), (4 * 86_400 + 1, 5 * 86_400)])
def test_the_time_of_a_link_is_in_whole_hours_and_days(seconds: int, rounded: int) -> None:
    assert INK.query(1_000 + seconds, 7, is_rounded=True).age == Range(most=rounded)


def test_a_search_takes_the_place_of_the_one_of_its_name_and_one_too_many_is_refused() -> None:
    other = SavedSearch(name=" Ink\n", text="wash", seen=2)
    assert news.add((INK,), other) == (SavedSearch(name="Ink", text="wash", seen=2),)
    full = tuple(SavedSearch(name=str(number), text="", seen=0) for number in range(news.MOST))
    with pytest.raises(UsageError, match="Remove one first"):
        news.add(full, INK)
    assert len(news.add(full, SavedSearch(name="7", text="ink", seen=0))) == news.MOST


@pytest.mark.parametrize(
    "wrong", [SavedSearch(name=" ", text="", seen=0), SavedSearch(name="a", text="b" * 1_001, seen=0)]
)
def test_one_without_a_name_or_too_long_is_refused(wrong: SavedSearch) -> None:
    with pytest.raises(UsageError, match="Make it shorter"):
        news.add((), wrong)


def test_a_look_is_at_the_searches_that_are_named_and_what_is_removed_has_to_be_there() -> None:
    other = SavedSearch(name="Wash", text="wash", seen=1)
    assert [each.seen for each in news.look((INK, other), ["Wash"], 50.4)] == [1_000, 50]
    assert news.remove((INK,), "Ink") == ()
    with pytest.raises(NotFound, match="hub-ui news lists"):
        news.remove((INK,), "Wash")


@pytest.mark.parametrize(
    "text", ["", "{", "5", '[["a"]]', '[["a", "b", "c"]]', '[["a", "b", 1e999]]', '[["a", "b", 1e30]]', "[" * 9_000]
)
def test_what_was_not_written_here_is_no_list_of_searches(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever Python says
        news.loads(text)


def test_the_file_of_searches_reads_back_and_a_damaged_one_is_left_as_it_is(tmp_path: Path) -> None:
    file = SearchFile(path=tmp_path / "new" / "searches.json")
    assert file.read() == ()
    assert file.change(lambda searches: news.add(searches, INK)) == file.read() == (INK,)
    path = tmp_path / "searches.json"
    path.write_bytes(b"\xff[")
    with pytest.raises(HubUiError, match="Mend it, or remove it"):
        SearchFile(path=path).change(lambda searches: ())
    assert path.read_bytes() == b"\xff["
