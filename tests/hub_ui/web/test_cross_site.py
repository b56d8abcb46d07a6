"""Local mode against other web sites: whatever their pages make a browser send, on any route, changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.hub_ui.web.raw import Visitor, served
from tests.recording import Recorder

SECRET = "hf_of_another_site"
EVENT = {"session_hash": "x", "fn_index": 0, "data": [], "event_data": None}
PULL = {"data": ["civitai:1001"]}
KEY = {"hub": "huggingface", "key": SECRET}
OWN_HEADER = {"x-hub-ui": "settings"}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request that has an effect, or tells something, if it comes from the page itself."""

    method: str
    path: str
    more: dict[str, Any]


def ask(method: str, path: str, **more: Any) -> Ask:
    return Ask(method=method, path=path, more=more)


# Forms of other sites send these types without asking the browser's leave first (CORS "simple" requests).
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TEXT = {"Content-Type": "text/plain"}
ASKS = [
    ask("GET", ""), ask("GET", "config"), ask("GET", "?view=library"), ask("GET", "theme.css"), ask("GET", "glossary"),
    ask("GET", "gradio_api/info"), ask("GET", "gradio_api/openapi.json"), ask("GET", "gradio_api/startup-events"),
    ask("GET", "gradio_api/heartbeat/x"), ask("GET", "gradio_api/queue/data?session_hash=x"),
    ask("GET", "gradio_api/call/search/x"), ask("GET", "gradio_api/file=/etc/hostname"), ask("GET", "gradio_api/token"),
    ask("GET", "gradio_api/upload_progress?upload_id=x"), ask("GET", "gradio_api/user"),
    ask("GET", "gradio_api/app_id"),
    ask("GET", "gradio_api/runs"), ask("GET", "gradio_api/mcp/schema"), ask("GET", "gradio_api/mcp/"),
    ask("GET", "images/x/x.png"), ask("GET", "hub-picture?url=x"), ask("GET", "logout"),
    ask("GET", "login/huggingface"),
    ask("GET", "health"), ask("GET", "ready"), ask("GET", "metrics"), ask("GET", "visit/loras.lock"),
    ask("HEAD", ""), ask("OPTIONS", "gradio_api/queue/join"),
    ask("POST", "gradio_api/queue/join", json=EVENT),
    ask("POST", "gradio_api/queue/join", data=json.dumps(EVENT), headers=TEXT),
    ask("POST", "gradio_api/queue/join", data={json.dumps(EVENT): ""}, headers=FORM),
    ask("POST", "gradio_api/call/search", json={"data": ["ink"]}), ask("POST", "gradio_api/call/pull", json=PULL),
    ask("POST", "gradio_api/call/pull", data=json.dumps(PULL), headers=TEXT),
    ask("POST", "gradio_api/call/v2/pull", json={"ref": "civitai:1001"}), ask("POST", "gradio_api/call/try", json={}),
    ask("POST", "gradio_api/run/pull", json=PULL), ask("POST", "gradio_api/api/pull", json=PULL),
    ask("POST", "gradio_api/upload", files={"files": ("x.png", b"from another site")}),
    ask("POST", "gradio_api/upload?upload_id=x", files=[("files", (f"{n}.txt", b"x")) for n in range(9)]),
    ask("POST", "gradio_api/cancel", json={"session_hash": "x", "fn_index": 0, "event_id": "x"}),
    ask("POST", "gradio_api/reset", json={"event_id": "x"}), ask("POST", "gradio_api/stream/x", json={}),
    ask("POST", "gradio_api/component_server", json={}), ask("POST", "login", data={"username": "x", "password": "x"}),
    ask("POST", "settings/keys", json=KEY, headers=OWN_HEADER), ask("POST", "settings/keys", json=KEY),
    ask("POST", "settings/keys", data=json.dumps(KEY), headers=TEXT),
    ask("POST", "settings/keys", data=KEY, headers=FORM),
    ask("POST", "settings/keys", json={"hub": "replicate", "do": "remove"}, headers=OWN_HEADER),
    ask("POST", "settings/values", json={"library": "/tmp/elsewhere"}, headers=OWN_HEADER),
    ask("POST", "settings/values", data=json.dumps({"proxy": "http://evil.invalid"}), headers=TEXT),
    ask("POST", "gradio_api/mcp/", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    ask("POST", "gradio_api/mcp", data='{"jsonrpc": "2.0", "id": 1, "method": "initialize"}', headers=TEXT),
    ask("PUT", "settings/keys", json=KEY), ask("DELETE", "settings/keys"), ask("PATCH", "config"),
]  # fmt: skip
# What browsers send for pages of other sites, and for names of other sites that lead here (rebinding).
SITES = {
    "rebinding": {"Host": "evil.example"},
    "rebinding, its own origin": {"Host": "evil.example:7860", "Origin": "http://evil.example:7860"},
    "rebinding, behind a name of ours": {"Host": "localhost.evil.example", "X-Forwarded-Host": "localhost"},
    "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    "another site, an old browser": {"Origin": "https://evil.example", "Referer": "https://evil.example/"},
    "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "a file on the disk": {"Origin": "null"},
    "another port": {"Origin": "http://localhost:9999", "Sec-Fetch-Site": "same-site"},
    "another port of the same name": {"Origin": "http://127.0.0.1:9999"},
    "another scheme": {"Origin": "https://127.0.0.1"},
    "an image or script without an origin": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "an image on another port": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "a frame": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
}


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("local"), around=recorder.around) as visitor:
        yield visitor


def state(page: Visitor) -> dict[str, Any]:
    """Everything that a request could change, on the disk too."""
    home = page.services.settings.home
    return {
        "library": page.services.library.entries(),
        "queue": page.services.queue.tasks(),
        "keys": dict(page.services.settings.tokens),
        "files": sorted(
            str(path.relative_to(home)) for path in home.rglob("*") if not path.name.endswith(("-wal", "-shm"))
        ),
    }


@pytest.mark.parametrize("site", SITES)
def test_no_route_answers_a_page_of_another_site(page: Visitor, recorder: Recorder, site: str) -> None:
    before = state(page)
    recorder.forget()
    answers = {}
    for asked in ASKS:
        headers = {**asked.more.get("headers", {}), **SITES[site]}
        more = {**asked.more, "headers": headers}
        with requests.request(
            asked.method, page.url + asked.path, timeout=30, allow_redirects=False, stream=True, **more
        ) as answer:
            answers[f"{asked.method} {asked.path}"] = answer.status_code
    assert {asked: status for asked, status in answers.items() if status != 403} == {}
    assert state(page) == before
    assert recorder.requests == ()


def test_a_link_on_another_site_leads_to_the_page_alone(page: Visitor) -> None:
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    linked = replace(page, headers=visit)
    assert linked.get("?view=library").status_code == 200
    assert linked.get("gradio_api/queue/data?session_hash=x").status_code == 403
    assert linked.post("", data={"view": "library"}).status_code == 403


def test_the_page_itself_and_programs_are_answered(page: Visitor) -> None:
    own = {"Origin": page.url.rstrip("/"), "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    for headers in (own, {}, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}):
        asking = replace(page, headers=headers, session=uuid4().hex)
        assert asking.get("config").status_code == 200
        assert asking.post("gradio_api/call/search", json={"data": ["ink"]}).status_code == 200
