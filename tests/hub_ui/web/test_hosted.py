"""A shared page by raw HTTP: every route of it has a decision, and none of them reaches what is the owner's."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from starlette.routing import BaseRoute

from connectors.errors import AccessError, UsageError
from connectors.ref import Ref
from hub_ui.access.quotas import Limits
from hub_ui.app.services import Services
from hub_ui.generate.compare import comparison
from hub_ui.generate.request import GenerationRequest
from hub_ui.settings import from_environment, hosted_policy
from hub_ui.web.app import LAUNCH, start_jobs
from hub_ui.web.requests import RequestCheck, own_parts
from hub_ui.web.server import gradio_settings
from hub_ui.web.site import build_routes
from tests.connectors.serving import raw_server
from tests.hub_ui.web.conftest import PART, with_settings
from tests.hub_ui.web.raw import Visitor, served
from tests.recording import Recorder

KEYS = {"huggingface": "hf_member", "civitai": "civ_buyer", "replicate": "r8_owner"}
# Only the owner's keys open these.
CLOSED = ("huggingface:maker/closed", "civitai:1001@2002#3003")
# What each route of a shared page may do. A route that is new needs a decision here, and a refusal where it could
# write, read a path, spend money, or show what others do.
SEARCHES = {
    "GET /", "GET /ask", "GET /more", "GET /group", "GET /suggestions", "GET /tray", "GET /compare", "GET /news/ask",
    "GET /feed",
}  # fmt: skip
OPENS = {"GET /lora/read", "GET /lora/similar", "GET /lora-image", "GET /lora/example"}
PAGES = {"GET /try", "GET /train", "GET /settings", "GET /glossary", "GET /about", "GET /image"}
# Where a hub that is left alone may be asked again, and what a browser keeps in its own cookies.
CHOICES = {"POST /hubs/again", "POST /settings/look", "GET /news", "POST /news", "POST /lora/follow"}
# A visitor's own: their keys, what they listed and gave, their jobs. Nobody else gets there.
OWN = {
    "POST /settings/key", "POST /lora/keep", "POST /visit/remove", "GET /visit/file", "GET /visit/loras.lock",
    "GET /library", "POST /upload", "GET /uploaded", "POST /image/forget", "POST /try", "POST /try/form",
    "POST /try/weights", "POST /try/full", "GET /judge", "GET /judge/image", "GET /judge/proof", "POST /judge/share",
    "GET /try/ask", "GET /try/price", "GET /jobs/{id_}", "POST /jobs/{id_}/stop",
}  # fmt: skip
# Whatever is sent along: nothing of it is read.
REFUSED = {
    "POST /lora/download", "POST /lora/favorite", "GET /library-lock", "GET /library/check", "POST /library",
    "POST /library/entry", "POST /library-keep", "POST /library-import", "POST /library-file", "GET /downloads",
    "GET /downloads/stream", "POST /downloads/{act}", "GET /history", "GET /history/image", "GET /judge/kept",
    "POST /history/remove", "POST /history/bring-back", "GET /train/elsewhere", "POST /train/price",
    "POST /train/start", "POST /train/follow", "POST /train/cancel", "POST /settings/values", "POST /settings/images",
}  # fmt: skip
# The program's own files, images that were shown, and what their maker alone has the address of.
FILES = {"GET /web", "GET /hub-picture", "GET /hub-video", "GET /local-picture", "GET /images/{inside}/{name}"}
# How the page is, and what its owner reads with a token.
HEALTH = {"GET /health", "GET /ready", "GET /metrics"}
DECIDED = SEARCHES | OPENS | PAGES | CHOICES | OWN | REFUSED | FILES | HEALTH
# Of Gradio's: the endpoints show what hubs have, and generate within the same bounds.
GRADIO = {
    "GET /", "GET /config", "GET /gradio_api/info", "GET /gradio_api/startup-events", "GET /gradio_api/queue/data",
    "GET /gradio_api/call/{api_name}/{event_id}", "GET /gradio_api/call/v2/{api_name}/{event_id}",
    "GET /gradio_api/file={path_or_url}", "GET /logout", "POST /gradio_api/call/{api_name}",
    "POST /gradio_api/call/v2/{api_name}", "POST /gradio_api/queue/join", "POST /gradio_api/cancel",
    "POST /gradio_api/reset",
}  # fmt: skip
VALUES = {"id": "1", "path": "/etc/passwd", "place": "replicate", "base": "/etc", "library": "/etc", "name": "x"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[Visitor]:
    """A shared page whose owner has a key for each hub."""
    with served(tmp_path_factory.mktemp("keyed"), hosted=True, around=recorder.around, tokens=KEYS) as visitor:
        yield visitor


def named(route: BaseRoute) -> set[str]:
    methods: set[str] = getattr(route, "methods", None) or {"GET"}
    return {f"{method} {re.sub(':[a-z]+}', '}', str(getattr(route, 'path', '')))}" for method in methods - {"HEAD"}}


def filled(route: str) -> tuple[str, str]:
    """The method and the path of a route, with something in the place of its parts."""
    method, _, path = re.sub("{[a-z_]+}", "x", route.replace("{act}", "cancel")).partition(" /")
    return method, path


@pytest.fixture
def routes(built: Services, tmp_path: Path) -> Iterator[Sequence[BaseRoute]]:
    """Of a shared page."""
    shared = with_settings(built, hosted=True)
    with ExitStack() as closing:
        yield build_routes(shared, closing, start_jobs(shared), tmp_path)


def test_every_route_of_a_shared_page_has_a_decision(routes: Sequence[BaseRoute]) -> None:
    assert set().union(*map(named, routes)) == DECIDED


@pytest.mark.parametrize("headers", [{}, PART])
@pytest.mark.parametrize("route", sorted(REFUSED))
def test_what_only_its_owner_may_do_is_refused_in_words(hosted: Visitor, route: str, headers: dict[str, str]) -> None:
    answer = replace(hosted, headers=headers).request(*filled(route), allow_redirects=False)
    if (route, headers) == ("GET /history", PART):
        # The pane of the Compare page.
        assert (answer.status_code, answer.text) == (200, "")
        return
    assert (answer.status_code, "shared page" in answer.text.lower()) == (422, True)


def test_of_gradios_routes_those_are_open_that_something_uses(routes: Sequence[BaseRoute]) -> None:
    with gradio_settings():
        server = gr.Server()
        server.launch(**LAUNCH)
        paths = server.openapi()["paths"]
        server.get_blocks().close(verbose=False)
    table = RequestCheck(server, own_parts(routes), hosted_policy(Limits()).limits)
    found = {
        f"{method.upper()} {path.rstrip('/') or '/'}"
        for path, methods in paths.items()
        for method in {*methods} - {"head"}
    }
    assert len(found) > 50
    assert {each for each in found if table.is_open(*re.sub(r"{\w+}", "x", each).split(" ", 1))} == GRADIO


def test_whatever_a_visitor_asks_for_nothing_of_the_owner_is_touched(keyed: Visitor, recorder: Recorder) -> None:
    recorder.forget()
    for ref in CLOSED:
        values = {**VALUES, "ref": ref, "refs": ref, "open": ref, "lora": ref, "q": ref, "view": "try"}
        for route in DECIDED:
            method, path = filled(route)
            answer = keyed.get(path, params=values) if method == "GET" else keyed.post(path, data=values)
            assert answer.status_code < 500 or answer.status_code == 502
        for name, arguments in {"search": {"text": ref}, "show": {"ref": ref}, "inspect": {"source": ref}}.items():
            keyed.call(name, **arguments)
        keyed.call("try", refs=ref, prompt="a boat")
    assert [request.target for request in recorder.requests if _has_key(request.text)] == []
    assert [request.target for request in recorder.requests if request.method not in ("GET", "HEAD")] == []
    assert (keyed.services.library.entries(), keyed.services.history.entries()) == ((), [])


def _has_key(text: str) -> bool:
    return any(key in text for key in KEYS.values()) or "authorization" in text.lower()


def test_no_address_that_a_visitor_names_is_asked(hosted: Visitor) -> None:
    with raw_server(lambda: iter([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"])) as canary:
        for url in (
            f"{canary.url}/x.safetensors",
            f"{canary.url}/api/models/a/b",
            f"http://huggingface.co@{canary.url[7:]}",
        ):
            calls: dict[str, dict[str, Any]] = {
                "search": {"text": url}, "show": {"ref": url}, "inspect": {"source": url},
                "try": {"refs": [url], "prompt": url},
            }  # fmt: skip
            for name, arguments in calls.items():
                assert hosted.call(name, **arguments).said or name == "search"
            for path in ("", "ask", "lora", "hub-picture", "hub-video"):
                hosted.get(path, params={"q": url, "open": url, "ref": url, "url": url, "hub": "civitai"})
        assert canary.sent == 0


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("huggingface:maker/closed", "with a key of your own"),
        ("replicate:maker/tuned", "Add yours for this visit under Settings."),
        ("civitai:1001@2002#3003", "is not free yet"),
    ],
)
def test_what_only_a_key_opens_is_refused_without_talk_of_the_owners(keyed: Visitor, ref: str, said: str) -> None:
    with pytest.raises(AccessError) as raised:
        keyed.services.downloads.pull(Ref.parse(ref))
    assert (said in raised.value.message, "your key" in raised.value.message) == (True, False)


def test_an_estimate_on_replicate_and_more_than_four_loras_are_refused(keyed: Visitor, recorder: Recorder) -> None:
    recorder.forget()
    job = GenerationRequest(adapters=(), prompt="a boat")
    with pytest.raises(UsageError, match="generates on its own computer only"):
        keyed.services.generation.estimate(job, comparison.single(job), place="replicate")
    assert recorder.requests == ()
    refs = [Ref.parse(f"civitai:{number}") for number in range(1, 6)]
    with pytest.raises(UsageError, match="at most 4 LoRAs at once, not 5"):
        keyed.services.generation.inputs(refs)
    with pytest.raises(UsageError, match="at most 4 LoRAs at once, not 5"):
        keyed.services.generation.plan(refs, prompt="")


def test_settings_of_a_shared_page_hold_no_key_and_no_page_tells_of_the_owners(home: Path, keyed: Visitor) -> None:
    environ = {"HUB_UI_HOME": str(home), "HF_TOKEN": "hf_x", "CIVITAI_TOKEN": "civ_x", "REPLICATE_API_TOKEN": "r8_x"}
    shared = from_environment(environ, hosted=True)
    assert (dict(shared.tokens), shared.home, shared.library) == ({}, home / "hosted", home / "hosted" / "loras")
    page = "".join(keyed.get(path).text for path in ("", "settings", "config", "gradio_api/info"))
    home_pages = (str(keyed.services.settings.home), str(Path.home()), "Addresses and folders")
    secrets = (*KEYS.values(), "HF_TOKEN", "your key", *home_pages)
    assert [word for word in secrets if word in page] == []


def given(**fields: Any) -> GenerationRequest:
    return GenerationRequest(adapters=(), prompt="a boat", **fields)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (given(steps=500), "at most 60 steps at once, not 500"),
        (given(width=4096, height=64), "at most 1,536 pixels a side at once, not 4,096"),
        (given(frames=257), "at most 33 frames at once, not 257"),
        (given(base="/etc"), "A shared page generates with the bases of its list."),
    ],
)
def test_a_visitor_asks_for_no_more_than_the_bounds(keyed: Visitor, job: GenerationRequest, said: str) -> None:
    for ask in (keyed.services.generation.generate, keyed.services.generation.estimate):
        with pytest.raises(UsageError, match=said):
            ask(job, comparison.single(job))
