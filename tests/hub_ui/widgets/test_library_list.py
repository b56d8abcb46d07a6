from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.ref import Ref
from hub_ui.catalog.search import Facets
from hub_ui.library.annotations import Annotation
from hub_ui.library_index import LibraryRow, base_label, search_row
from hub_ui.library_search import MARKS, Chip, Found, parse
from hub_ui.widgets import library_list
from hub_ui.widgets.library_list import Heading, LibraryItem, ListPage, Note
from hub_ui.widgets.render import Renderer
from tests.hub_ui.library.building import INK, entry

EVIL = '<img src=x onerror="alert(1)">'
RENDER = Renderer()


def item(ref: Ref = INK, **options: Any) -> LibraryItem:
    """`options` are fields of the entry, the annotation and the item."""
    own = {name: options.pop(name) for name in ("favorite", "note", "tags") if name in options}
    shown = {name: options.pop(name) for name in ("notes", "image", "is_selected", "is_open") if name in options}
    held = entry(ref=ref, **options)
    annotation = Annotation(ref=held.ref.lora, **own)
    row = LibraryRow(
        entry=held,
        annotation=annotation,
        row=search_row(held, annotation, None),
        base=base_label(held),
        is_missing=False,
        is_removed=False,
        added=0.0,
        name=held.title.casefold(),
    )
    return LibraryItem(row=row, title=held.title, creator="maker", base=row.base, size=held.size, **shown)


def html(*items: LibraryItem, found: int | None = None, number: int = 0) -> str:
    page = ListPage(items=items, found=len(items) if found is None else found, number=number)
    return library_list.list_html(RENDER, page, count=len(items))


def test_text_of_hubs_and_files_is_escaped_everywhere() -> None:
    shown = html(
        item(title=EVIL, trigger_words=(EVIL,), base_model=EVIL, note=EVIL, tags=(EVIL,), notes=(Note(text=EVIL),))
    )
    assert "<img" not in shown
    assert shown.count("&lt;img") >= 8


def test_the_search_and_its_parts_are_escaped() -> None:
    chips = (Chip(label=EVIL, rest=EVIL),)
    shown = library_list.search_html(RENDER, EVIL, chips, sort="name", problem=EVIL, count=1)
    assert "<img" not in shown


def test_a_folder_and_files_without_entry_are_escaped() -> None:
    heading = Heading(count=1, summary=EVIL, folder=EVIL, lock=EVIL, text=EVIL, foreign=(EVIL,), said=EVIL)
    assert "<img" not in library_list.heading_html(RENDER, heading)


def test_ticks_favourites_and_the_open_entry_are_said_to_assistive_technology() -> None:
    shown = html(item(is_selected=True, favorite=True, is_open=True))
    assert shown.count('aria-checked="true"') == 2
    assert 'aria-pressed="true"' in shown
    assert 'aria-expanded="true"' in shown
    plain = html(item())
    assert 'aria-checked="true"' not in plain
    assert 'aria-pressed="false"' in plain
    assert 'aria-expanded="false"' in plain


def test_the_head_is_ticked_only_where_all_rows_are() -> None:
    both = (item(is_selected=True), item(Ref.parse("civitai:7@8#9"), is_selected=True))
    assert ListPage(items=both, found=2, number=0).is_whole_selected
    assert not ListPage(items=(both[0], replace(both[1], is_selected=False)), found=2, number=0).is_whole_selected
    assert not ListPage(items=(), found=0, number=0).is_whole_selected


@pytest.mark.parametrize("act", ["select-page", "select", "favorite", "try", "edit"])
def test_each_row_has_what_the_page_and_the_scripts_listen_to(act: str) -> None:
    shown = html(item())
    assert f'data-act="{act}"' in shown
    assert f'<li class="row" data-ref="{INK}">' in shown


def test_a_note_about_a_file_has_its_button() -> None:
    note = Note(text="The file is gone.", tone="problem", act="fetch", button="Download again", ref="civitai:1@2")
    shown = html(item(notes=(note,)))
    assert '<small class="state problem">The file is gone.' in shown
    assert 'data-act="fetch" data-ref="civitai:1@2">Download again</button>' in shown


def test_a_file_of_no_hub_is_not_linked() -> None:
    local = Ref.parse("local:mine@" + "a" * 64)
    assert '<b dir="auto">' in html(item(local))
    assert "<a " not in html(item(local))


def test_a_row_shows_four_words_and_how_many_more_there_are() -> None:
    shown = html(item(trigger_words=("one", "two", "three", "four", "five", "six")))
    assert shown.count('class="word"') == 4
    assert '<span class="more-words">+2</span>' in shown
    assert "more-words" not in html(item(trigger_words=("one",)))


def test_a_long_note_is_cut() -> None:
    assert item(note="word " * 100).snippet.endswith("…")
    assert len(item(note="word " * 100).snippet) == 141
    assert item(note="two\nlines").snippet == "two lines"


def test_pages_are_turned_where_there_are_several() -> None:
    assert 'class="turn"' not in html(item())
    first, last = html(item(), found=120), html(item(), found=120, number=2)
    assert 'data-value="-1" disabled' in first
    assert 'data-value="1">' in first
    assert "101 to 101 of 120" in last
    assert 'data-value="3" disabled' in last


def test_an_empty_library_says_something_else_than_a_search_that_finds_nothing() -> None:
    page = ListPage(items=(), found=0, number=0)
    assert "Nothing here yet." in library_list.list_html(RENDER, page, count=0)
    assert "Nothing in the library fits." in library_list.list_html(RENDER, page, count=3)


def found(**marks: int) -> Found:
    counts = dict.fromkeys(MARKS, 0) | {name.replace("_", ":"): count for name, count in marks.items()}
    return Found(rows=(), facets=Facets(hubs={"civitai": 2}, kinds={"style": 1}), marks=counts, tags={"night": 2})


def choices(name: str, text: str = "", **marks: int) -> list[str]:
    [group] = [group for group in library_list.groups(parse(text), found(**marks)) if group.facet == name]
    return [choice.value for choice in group.choices]


def test_favourites_are_always_offered_and_other_marks_where_there_are_some() -> None:
    assert choices("marks") == ["is:favorite"]
    assert choices("marks", has_note=3) == ["is:favorite", "has:note"]
    assert choices("marks", "is:missing") == ["is:favorite", "is:missing"]


def test_a_choice_that_is_on_stays_where_nothing_is_found() -> None:
    assert choices("tags") == ["night"]
    assert choices("tags", "tag:day") == ["night", "day"]
    assert choices("kinds", "kind:character") == ["character", "style"]


def test_the_filters_count_what_is_chosen() -> None:
    shown = library_list.facets_html(RENDER, parse("tag:night is:favorite"), found())
    assert '<span class="badge">2</span>' in shown
