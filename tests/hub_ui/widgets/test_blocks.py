from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from starlette.datastructures import Headers

from hub_ui.i18n import N_, _, use_language
from hub_ui.locales import get_language
from hub_ui.widgets.blocks import TranslatedBlocks, gradio_settings, read_choice, read_language
from hub_ui.widgets.render import widget


def build(handler: Any) -> TranslatedBlocks:
    app = TranslatedBlocks()
    with app:
        box = gr.Textbox("Search", label=N_("Search"), placeholder=N_("Library"))
        gr.Dropdown([(N_("Catalog"), "Catalog")], label="FLUX.1")
        button = gr.Button(N_("Library"))
        widget(lambda: _("Lock file"), elem_id="made")
        button.click(handler, None, box)
    return app


def props(app: TranslatedBlocks) -> list[dict[str, Any]]:
    return [part["props"] for part in app.config["components"] if part["type"] not in ("form", "row", "column")]


def test_components_have_the_words_of_the_request_and_keep_their_values() -> None:
    app = build(lambda: None)
    with use_language(get_language("ja")):
        box, dropdown, button, made = props(app)
    assert (box["label"], box["placeholder"], box["value"]) == ("検索", "ライブラリ", "Search")
    assert (dropdown["label"], dropdown["choices"]) == ("FLUX.1", [("カタログ", "Catalog")])
    assert (button["value"], made["value"]) == ("ライブラリ", "ロックファイル")
    assert props(app)[0]["label"] == "Search"


def steps_of(app: TranslatedBlocks, headers: dict[str, str]) -> list[Any]:
    """What the click gives, step by step, for a request with `headers`."""
    request = gr.Request(headers=Headers(headers))

    async def run() -> list[Any]:
        found: list[Any] = []
        iterator = None
        while True:
            step = await app.call_function(0, [], iterator, request)
            iterator = step["iterator"]
            if iterator is None:
                return found or [step["prediction"]]
            found.append(step["prediction"])

    return asyncio.run(run())


def test_a_handler_speaks_the_language_of_its_request() -> None:
    app = build(lambda: _("Search"))
    assert steps_of(app, {"accept-language": "zh-CN"}) == ["搜索"]
    assert steps_of(app, {"accept-language": "zh-CN", "cookie": "hub-ui-language=ja"}) == ["検索"]
    assert steps_of(app, {}) == ["Search"]


def test_each_step_of_a_generator_speaks_it_too() -> None:
    def handler() -> Iterator[str]:
        yield _("Search")
        yield _("Library")

    assert steps_of(build(handler), {"accept-language": "ja"}) == ["検索", "ライブラリ"]


def test_a_cookie_that_names_no_language_is_nothing() -> None:
    headers = Headers({"cookie": "hub-ui-language=<script>; a=b", "accept-language": "ja"})
    assert (read_choice(headers), read_language(headers).code) == ("", "ja")


def test_a_page_makes_no_event_loop_that_nobody_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[None] = []
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: made.append(None))
    with gradio_settings(), gr.Blocks() as page:
        page.queue()
    assert made == []


def test_a_page_sums_up_no_events_for_a_monitoring_page_that_is_closed() -> None:
    with gradio_settings(), gr.Blocks() as page:
        queue = page.queue()._queue
    queue.events_recorded = 10_000
    queue.compute_analytics_summary([{"function": "search", "status": "success", "process_time": 0.1}])
    assert (queue.cached_event_analytics_summary, queue.ANALYTICS_MAX_EVENTS) == ({"functions": {}}, 1)


def test_settings_of_gradio_are_as_before_when_the_page_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/mine")
    monkeypatch.delenv("GRADIO_ANALYTICS_MAX_EVENTS", raising=False)
    with gradio_settings() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
    assert (os.environ["GRADIO_TEMP_DIR"], os.environ.get("GRADIO_ANALYTICS_MAX_EVENTS")) == ("/mine", None)
