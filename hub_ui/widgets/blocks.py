"""Gradio's Blocks for several languages and visitors: each event is in its request's language, and its visitor's."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import queueing, utils
from starlette.requests import cookie_parser

from hub_ui.hosting.address import read_address
from hub_ui.hosting.cookie import read_visitor
from hub_ui.hosting.visitor import Visitor, Visitors, use_visitor
from hub_ui.i18n import LANGUAGES, Language, _, language, use_language
from hub_ui.locales import choose_language, get_language
from hub_ui.logs import REQUEST_ID_HEADER, use_request_id

COOKIE = "hub-ui-language"
# What components show of their own. Choices are (name, value) pairs.
WORDS = ("label", "placeholder", "info")
BUTTONS = ("button", "uploadbutton", "downloadbutton")


def read_choice(headers: Mapping[str, str]) -> str:
    """What a person chose on the Settings page: a code of LANGUAGES, or empty for "as the browser says"."""
    chosen = cookie_parser(headers.get("cookie") or "").get(COOKIE, "")
    return chosen if chosen in LANGUAGES else ""


def read_language(headers: Mapping[str, str]) -> Language:
    return get_language(choose_language(read_choice(headers), headers.get("accept-language") or ""))


class TranslatedBlocks(gr.Blocks):
    """Components are built once, with English words (N_); each request gets them in its own language.

    Gradio (6.31) sends `config` with the page, so nothing is written anew, or moves, once the page is there.
    `visitors` are those of a hosted page, and `sign_in` says whether they can sign in to Hugging Face.
    """

    def __init__(self, *, visitors: Visitors | None = None, sign_in: bool = False, **options: Any) -> None:
        self._sign_in = sign_in
        self._html: dict[int, Callable[[], str]] = {}
        self._visitors = visitors
        super().__init__(**options)

    @property
    def expects_oauth(self) -> bool:
        """Gradio (6.31) signs people in only where its own button is, which knows no other languages."""
        return self._sign_in

    def keep_html(self, component: gr.HTML, html: Callable[[], str]) -> None:
        """`html()` is what `component` shows first, in the present language."""
        self._html[component._id] = html

    @property
    def config(self) -> Any:
        """In the present language (see hub_ui/web/middleware.py)."""
        if language().code == "en":
            return self._config
        return {**self._config, "components": [self._translate(part) for part in self._config["components"]]}

    @config.setter
    def config(self, config: Any) -> None:
        self._config = config

    def _translate(self, component: dict[str, Any]) -> dict[str, Any]:
        props = dict(component["props"])
        for name in WORDS:
            if isinstance(shown := props.get(name), str):
                props[name] = _(shown)
        if component["type"] in BUTTONS and isinstance(shown := props.get("value"), str):
            props["value"] = _(shown)
        if isinstance(props.get("choices"), list):
            props["choices"] = [(_(str(name)), value) for name, value in props["choices"]]
        if html := self._html.get(component["id"]):
            props["value"] = html()
        return {**component, "props": props}

    async def call_function(
        self,
        block_fn: Any,
        processed_input: Any,
        iterator: Any = None,
        requests: Any = None,
        *others: Any,
        **named: Any,
    ) -> Any:
        """Each step of a generator comes through here too, and Gradio's threads copy the context."""
        request = requests[0] if isinstance(requests, list) else requests
        headers = request.headers if request else {}
        visitor = find_visitor(self._visitors, request) if self._visitors else None
        number = headers.get(REQUEST_ID_HEADER) or ""
        with use_language(read_language(headers)), use_visitor(visitor), use_request_id(number):
            return await super().call_function(block_fn, processed_input, iterator, requests, *others, **named)


def find_visitor(visitors: Visitors, request: gr.Request | None) -> Visitor:
    if request is None:
        return visitors.find("")
    peer = request.client.host if request.client else ""
    address = read_address(request.headers, peer, trusts_proxy=visitors.trusts_proxy)
    return visitors.find(read_visitor(request.headers), address, peer)


# After each event, Gradio (6.31) would sum up the last 10,000 for its monitoring page, which is closed here.
_MONITORING = {"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(2**62)}


@contextmanager
def gradio_settings() -> Iterator[Path]:
    """Gradio without analytics and monitoring, loops that stay open, and an upload folder open to everyone here."""
    with tempfile.TemporaryDirectory(prefix="hub-ui-", ignore_cleanup_errors=True) as name, _locks_without_loops():
        folder = Path(name).resolve()
        settings = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(folder), **_MONITORING}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield folder
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


@contextmanager
def _locks_without_loops() -> Iterator[None]:
    """Gradio (6.31) makes an event loop for each of its locks, which need none, and closes none of them."""
    with ExitStack() as closing:
        for module, name, lock in (
            (queueing, "safe_get_lock", asyncio.Lock),
            (utils, "safe_get_lock", asyncio.Lock),
            (utils, "safe_get_stop_event", asyncio.Event),
        ):
            closing.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, lock)
        yield
