from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import UsageError
from hub_ui import services
from hub_ui.library.annotations import Annotation
from hub_ui.pages.library import page
from hub_ui.pages.library.page import Shown
from hub_ui.web.view import View
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.render import Renderer
from tests.hub_ui.library.building import INK, entry
from tests.hub_ui.stand_ins import Hub, lora

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    hubs: tuple[Connector, ...] = (Hub(name="civitai", loras=[lora()]),)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        made.library.adopt([entry(base_model="sdxl", trigger_words=("inkstyle",))])
        made.lookup.fetch(INK)
        yield made


def do(built: Services, name: str, before: Shown | None = None, **fields: Any) -> Shown:
    clicked = {"act": name, "ref": str(INK), **fields}
    return page.handle_click(built, before or Shown(view=View(page="library")), clicked, False).shown


def html(built: Services, shown: Shown) -> str:
    return str(page.paint(built, Renderer(), shown)[-1])


def own(built: Services) -> Annotation:
    return built.annotations.get(INK)


def test_a_note_is_saved_and_says_so(built: Services) -> None:
    shown = do(built, "note", do(built, "edit"), value="For covers.\nNot for faces.")
    assert own(built).note == "For covers.\nNot for faces."
    assert ">Saved</span>" in html(built, shown)


def test_a_note_that_can_not_be_saved_stays_on_the_page_with_the_reason(built: Services) -> None:
    shown = do(built, "note", do(built, "edit"), value="x" * 4001)
    said = html(built, shown)
    assert "A note has at most 4,000 characters, and this one 4,001." in said
    assert "x" * 4001 in said
    assert own(built).note == ""


def test_tags_are_added_and_taken_away(built: Services) -> None:
    do(built, "add-tag", value="client A")
    do(built, "add-tag", value="night")
    do(built, "remove-tag", value="client A")
    assert own(built).tags == ("night",)


def test_own_trigger_words_start_from_those_of_the_hub(built: Services) -> None:
    shown = do(built, "add-word", do(built, "edit"), value="my ink")
    assert own(built).trigger_words == ("inkstyle", "my ink")
    assert built.library.entry(INK).trigger_words == ("inkstyle", "my ink")
    assert "As the hub says" in html(built, shown)
    do(built, "remove-word", shown, value="inkstyle")
    assert built.library.entry(INK).trigger_words == ("my ink",)
    do(built, "reset", shown, field="trigger_words")
    assert (own(built).trigger_words, built.library.entry(INK).trigger_words) == (None, ("inkstyle",))


def test_an_own_weight_is_what_try_begins_with(built: Services) -> None:
    do(built, "weight", value="0.65")
    assert own(built).weight == 0.65
    assert built.library.entry(INK).weight == 0.65
    do(built, "weight", value="")
    assert own(built).weight is None


@pytest.mark.parametrize("text", ["x", "nan", "3", "-1.5"])
def test_what_is_no_weight_is_said_at_the_entry(built: Services, text: str) -> None:
    shown = do(built, "weight", do(built, "edit"), value=text)
    assert "A weight is a number from -1 to 2." in html(built, shown)


def test_another_base_model_shows_who_says_otherwise(built: Services) -> None:
    shown = do(built, "base_model", do(built, "edit"), value="flux.1-dev")
    assert built.library.entry(INK).architecture == "flux1"
    assert "CivitAI says SDXL, you say FLUX.1." in html(built, shown)
    shown = do(built, "base_model", shown, value="")
    assert "you say" not in html(built, shown)
    assert built.library.entry(INK).base_model == "sdxl"


def test_the_heart_in_the_row_needs_no_open_entry(built: Services) -> None:
    shown = do(built, "favorite")
    assert (own(built).favorite, shown.opened.ref) == (True, "")
    do(built, "favorite")
    assert not own(built).favorite


def test_without_an_open_entry_an_error_is_raised(built: Services) -> None:
    with pytest.raises(UsageError):
        do(built, "add-tag", value="x" * 61)


def test_what_is_no_field_is_not_reset(built: Services) -> None:
    with pytest.raises(UsageError):
        do(built, "reset", field="ref")


def test_hostile_text_is_text(built: Services) -> None:
    built.own_values.change(INK, note=HOSTILE, tags=(HOSTILE,), trigger_words=(HOSTILE,))
    painted = "".join(page.paint(built, Renderer(), do(built, "edit")))
    assert HOSTILE not in painted
    assert painted.count("&lt;img src=x onerror=alert(1)&gt;") > 4
