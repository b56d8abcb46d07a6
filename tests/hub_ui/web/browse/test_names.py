from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import BadQuery, BadRef, HubDown
from connectors.query import Query
from hub_ui import services
from hub_ui.pages.browse.page import apply_filter, submit, type_text, with_sort
from hub_ui.web.view import PAGE_SIZE, View
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.render import Renderer
from tests.hub_ui.stand_ins import Hub, lora

COMMIT = "a" * 40


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Hugging Face has ada/ink-lines; Replicate is down."""
    hubs: tuple[Connector, ...] = (
        Hub(name="huggingface", loras=[lora("huggingface")]),
        Hub(name="replicate", error=HubDown("Replicate can't be reached.", hub="replicate")),
    )
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("https://civitai.com/models/257749/some-slug?modelVersionId=290640", "civitai:257749@290640"),
        (" https://huggingface.co/ada/ink-lines/tree/main ", "huggingface:ada/ink-lines@main"),
        ("https://replicate.com/ada/ink-lines", "replicate:ada/ink-lines"),
        ("urn:air:flux1:lora:civitai:257749@290640", "civitai:257749@290640"),
        (f"huggingface:ada/ink-lines@{COMMIT}#ink.safetensors", f"huggingface:ada/ink-lines@{COMMIT}#ink.safetensors"),
        ("civitai:257749", "civitai:257749"),
        ("ada/ink-lines", "huggingface:ada/ink-lines"),
    ],
)
def test_what_names_a_lora_opens_it_and_leaves_the_question(built: Services, text: str, ref: str) -> None:
    then = submit(built, View().with_query(text="ink"), text)
    assert (then.open, then.query.text) == (ref, "ink")


@pytest.mark.parametrize("text", ["ink wash", "ada/no-such", "style: anime", "sd1.5", "w/o hat", "http"])
def test_anything_else_is_searched_for(built: Services, text: str) -> None:
    then = submit(built, View(), text)
    assert (then.open, then.query.text) == ("", text)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("hub:civitai", Query(hubs=("civitai",), limit=PAGE_SIZE)),
        ("base:sdxl", Query(bases=("sdxl",), limit=PAGE_SIZE)),
        ("tag:lora:civitai:257749", Query(tags=("lora:civitai:257749",), limit=PAGE_SIZE)),
        ("creator:ada/ink", Query(creators=("ada/ink",), limit=PAGE_SIZE)),
    ],
)
def test_a_filter_alone_is_no_name_of_a_lora(built: Services, text: str, query: Query) -> None:
    assert submit(built, View(), text) == View(query=query)


def test_a_misspelt_filter_is_told_so(built: Services) -> None:
    with pytest.raises(BadQuery, match="Did you mean “kind”"):
        submit(built, View(), "ink knd:style")


@pytest.mark.parametrize("text", ["https://example.org/x", "civitai:abc", "replicate:ada", "https://["])
def test_an_address_that_names_no_lora_is_told_so(built: Services, text: str) -> None:
    with pytest.raises(BadRef, match="names no LoRA"):
        submit(built, View(), text)


def test_a_click_on_a_filter_changes_the_question() -> None:
    assert apply_filter(View(), {"act": "toggle", "facet": "bases", "value": "flux1"}).query.bases == ("flux1",)


def test_a_click_on_the_searched_word_takes_it_away() -> None:
    assert (
        apply_filter(View().with_query(text="ink wash"), {"act": "remove", "facet": "text", "value": "ink wash"})
        == View()
    )


def test_a_second_click_on_a_part_that_is_gone_changes_nothing() -> None:
    view = View().with_query(kinds=("style",))
    assert apply_filter(view, {"act": "remove", "facet": "kind", "value": "tool"}) == view
    assert apply_filter(view, {"act": "remove", "facet": "kind", "value": "style"}) == View()


@pytest.mark.parametrize(
    "act", [{}, {"act": "toggle", "facet": "limit", "value": "1"}, {"act": "nsfw", "value": "all"}]
)
def test_clicks_that_no_page_of_ours_makes_are_refused(act: dict[str, str]) -> None:
    with pytest.raises(BadQuery):
        apply_filter(View(), act)


def test_the_order_is_one_of_the_known_ones() -> None:
    assert with_sort(View(), "newest").query.sort == "newest"
    with pytest.raises(BadQuery, match="Choose one of"):
        with_sort(View(), "up")


def test_while_a_person_types_the_query_so_far_is_searched_and_keys_are_suggested(built: Services) -> None:
    typing = type_text(built, View(), "ink ki", " wash")
    assert [suggestion.text for suggestion in typing.suggestions] == ["kind:"]
    assert typing.query == View().with_query(text="ink ki wash").query


def test_a_filter_that_is_not_finished_says_what_it_lacks_and_is_left_out(built: Services) -> None:
    typing = type_text(built, View(), "ink rank:x", "")
    assert "“x” is no range for rank." in typing.problem
    assert typing.query == View().with_query(text="ink").query


@pytest.mark.parametrize(("view", "text"), [(View(page="try"), "ink"), (View(), "https://civitai.com/models/1")])
def test_on_other_pages_and_of_an_address_nothing_is_searched_while_it_is_typed(
    built: Services, view: View, text: str
) -> None:
    assert type_text(built, view, text, "").query is None


def test_a_suggestion_carries_the_whole_text_and_where_the_cursor_goes(built: Services) -> None:
    typing = type_text(built, View(), "ink ki", " wash")
    assert 'data-before="ink kind:" data-after="wash"' in Renderer()("completion", number="3", **vars(typing))


def test_a_quick_filter_excludes_until_a_second_click() -> None:
    act = {"act": "exclude", "facet": "access", "value": "paid"}
    hidden = apply_filter(View().with_query(excluded=(("text", "sea"),)), act)
    assert hidden.text == "-sea -access:paid"
    assert apply_filter(hidden, act).text == "-sea"
    with pytest.raises(BadQuery):
        apply_filter(View(), act | {"value": "nonsense"})
    with pytest.raises(BadQuery):
        apply_filter(View(), act | {"facet": "x y"})
