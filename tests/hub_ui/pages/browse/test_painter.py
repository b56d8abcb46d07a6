from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from gradio import Request

from hub_ui import services
from hub_ui.generate.backend import DeferredBackend
from hub_ui.generate.base_models import choose_base
from hub_ui.pages.browse.painter import Window, Windows, loaded_base
from hub_ui.settings import from_environment
from hub_ui.widgets.facets import LoadedBase


def test_the_base_in_memory_is_one_that_loras_can_be_found_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as built:
        assert loaded_base(built) is None
        tiny = choose_base(None, None, "tiny-shapes")
        deferred = built.generation.local
        assert isinstance(deferred, DeferredBackend)
        engine = deferred.backend
        monkeypatch.setattr(engine, "_loaded", SimpleNamespace(spec=tiny))
        assert loaded_base(built) == LoadedBase(architecture="tiny-shapes", label="Tiny Shapes")
        monkeypatch.setattr(engine, "_loaded", SimpleNamespace(spec=replace(tiny, architecture="")))
        assert loaded_base(built) is None
        monkeypatch.setattr(engine, "_loaded", None)


def test_a_window_has_the_places_of_its_pages() -> None:
    assert Window(first=2, last=3).places(60) == range(120, 240)


def test_the_script_names_the_pages_and_the_card_that_has_the_focus() -> None:
    assert Window.of({"first": "3", "last": "4", "focused": "7"}) == Window(first=3, last=4, focused=7)
    assert Window.of({"first": 3, "last": 4}) == Window(first=3, last=4)


def test_a_window_of_thousands_is_cut() -> None:
    assert Window.of({"first": "10", "last": "9999"}) == Window(first=10, last=14)


@pytest.mark.parametrize("first", ["", "-1", "x", "²", "1e3", "123456789", None])
def test_what_is_no_window_is_none(first: object) -> None:
    assert Window.of({"first": first, "last": "1"}) is None


def test_each_page_has_its_own_window() -> None:
    windows, one, other = Windows(), Request(session_hash="one"), Request(session_hash="other")
    windows.put(one, Window(first=5, last=6))
    assert (windows.get(one), windows.get(other)) == (Window(first=5, last=6), Window())
