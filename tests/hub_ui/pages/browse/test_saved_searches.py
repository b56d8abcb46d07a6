from __future__ import annotations

import pytest

from connectors.errors import BadQuery, UsageError
from connectors.query import Query, Range
from hub_ui.pages.browse.saved_searches import SavedSearches, apply_act, menu_html, query_name
from hub_ui.pages.view import PAGE_SIZE, View
from hub_ui.widgets.render import Renderer

INK = Query(text="ink", bases=("flux1",), rank=Range(least=16), sort="likes", limit=PAGE_SIZE)
NONE = SavedSearches(queries={})
HOSTILE = "<img src=x onerror=alert(1)>${alert(2)}"


def test_what_is_written_is_read_again() -> None:
    saved = NONE.add("Ink", INK)
    assert saved.write() == [["Ink", "q=ink+rank%3A%3E%3D16&base=flux1&sort=likes"]]
    assert SavedSearches.read(saved.write()) == saved


@pytest.mark.parametrize(
    "kept",
    [None, "x", {}, [None, 1, []], [["a"]], [["a", 1]], [[1, "q=ink"]], [["", "q=ink"]], [["a", "x" * 30_000]]],
)
def test_what_the_browser_should_not_hold_is_left_out(kept: object) -> None:
    assert SavedSearches.read(kept) == NONE


def test_an_invalid_filter_of_the_browser_is_left_out_and_the_rest_stays() -> None:
    assert SavedSearches.read([["a", "q=ink&kind=nonsense&open=/etc"]]).queries["a"].text == "ink"


def test_a_search_without_a_name_has_what_its_summary_says() -> None:
    assert [*NONE.add("  ", INK).queries] == ["FLUX.1, ink, rank at least 16"]
    assert query_name(Query()) == "All LoRAs"
    assert len(query_name(Query(text="ink " * 40))) == 79


def test_a_name_that_is_there_takes_the_new_search() -> None:
    assert NONE.add("a", INK).add("a", Query(text="sea")).queries["a"].text == "sea"


def test_there_are_fifty_at_most() -> None:
    full = SavedSearches(queries={str(number): INK for number in range(50)})
    with pytest.raises(UsageError, match="You have 50 saved searches"):
        full.add("one more", INK)
    assert len(full.add("7", INK).queries) == len(SavedSearches.read([*full.write(), ["x", ""]]).queries) == 50


def test_a_search_is_opened_on_the_list_and_at_this_browsers_level() -> None:
    saved = NONE.add("Ink", INK)
    then = saved.open("Ink", View(page="try", open="civitai:1").with_query(nsfw="mature"))
    assert (then.page, then.open, then.query.text, then.query.nsfw) == ("browse", "", "ink", "mature")
    assert saved.add("bare", Query(nsfw="explicit")).queries["bare"].nsfw == "soft"


def test_clicks_save_open_and_remove() -> None:
    view, saved = apply_act(View(query=INK), NONE, {"act": "save-search", "name": "Ink"})
    assert (view.query, [*saved.queries]) == (INK, ["Ink"])
    assert apply_act(View(), saved, {"act": "open-search", "name": "Ink"})[0].query == INK
    assert apply_act(view, saved, {"act": "remove-search", "name": "Ink"}) == (view, NONE)
    assert apply_act(view, saved, {"act": "nonsense"}) == (view, saved)
    with pytest.raises(BadQuery, match="no such search"):
        apply_act(view, NONE, {"act": "open-search", "name": "Ink"})


def test_a_hostile_name_is_text() -> None:
    shown = menu_html(Renderer(), View(), NONE.add(HOSTILE, INK))
    assert "<img" not in shown
    assert shown.count("&lt;img src=x onerror=alert(1)&gt;") == 4
