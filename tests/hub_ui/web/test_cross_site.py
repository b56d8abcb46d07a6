"""Other web sites: whatever their pages make a browser send, on any route, changes nothing and tells nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests

from tests.hub_ui.web.raw import Visitor, served
from tests.hub_ui.web.test_hosted import DECIDED, filled
from tests.recording import Recorder

SECRET = "hf_of_another_site"
JOIN = {"session_hash": "x", "fn_index": 0, "data": ["ink"]}
PULL = {"data": ["civitai:1001"]}


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
    *(ask(*filled(route), data={"ref": "civitai:1001"}) for route in sorted(DECIDED)),
    *(ask("GET", path) for path in (
        "", "?open=civitai:1001", "library", "try", "?view=library", "settings", "glossary", "ask?q=ink",
        "more?after=1&shown=1&page=2", "suggestions?before=ink", "config", "gradio_api/info",
        "gradio_api/startup-events", "gradio_api/queue/data?session_hash=x", "gradio_api/call/search/x",
        "gradio_api/file=/etc/hostname", "gradio_api/mcp/schema", "gradio_api/mcp/", "images/x/x.png",
        "hub-picture?url=x", "logout", "login/huggingface", "health", "ready", "metrics", "visit/loras.lock",
    )),
    ask("HEAD", ""), ask("OPTIONS", "gradio_api/queue/join"),
    ask("POST", "gradio_api/queue/join", json=JOIN),
    ask("POST", "gradio_api/queue/join", data=json.dumps(JOIN), headers=TEXT),
    ask("POST", "gradio_api/queue/join", data={json.dumps(JOIN): ""}, headers=FORM),
    ask("POST", "gradio_api/call/search", json={"data": ["ink"]}), ask("POST", "gradio_api/call/pull", json=PULL),
    ask("POST", "gradio_api/call/pull", data=json.dumps(PULL), headers=TEXT),
    ask("POST", "gradio_api/call/v2/pull", json={"ref": "civitai:1001"}), ask("POST", "gradio_api/call/try", json={}),
    ask("POST", "gradio_api/upload", files={"files": ("x.png", b"from another site")}),
    ask("POST", "upload", files={"file": ("x.png", b"from another site")}),
    ask("POST", "gradio_api/cancel", json={"session_hash": "x", "fn_index": 0, "event_id": "x"}),
    ask("POST", "gradio_api/reset", json={"event_id": "x"}), ask("POST", "login", data={"username": "x"}),
    ask("POST", "lora/favorite", data={"ref": "civitai:1001"}),
    ask("POST", "settings/key", data={"hub": "civitai", "do": "save", "key": SECRET}),
    ask("POST", "settings/values", data={"library": "/tmp/elsewhere"}),
    ask("POST", "gradio_api/mcp/", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    ask("POST", "gradio_api/mcp", data='{"jsonrpc": "2.0", "id": 1, "method": "initialize"}', headers=TEXT),
    ask("PUT", "settings/key", json=PULL), ask("DELETE", "settings/key"), ask("PATCH", "config"),
]  # fmt: skip
# What browsers send for names of other sites that lead here. A hosted page answers to every name.
REBINDING = {
    "rebinding": {"Host": "evil.example"},
    "rebinding, its own origin": {"Host": "evil.example:7860", "Origin": "http://evil.example:7860"},
    "rebinding, behind a name of ours": {"Host": "localhost.evil.example", "X-Forwarded-Host": "localhost"},
}
# What they send for pages of other sites.
SITES = {
    "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    "another site, an old browser": {"Origin": "https://evil.example", "Referer": "https://evil.example/"},
    "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "a file on the disk": {"Origin": "null"},
    "another port": {"Origin": "http://localhost:9999", "Sec-Fetch-Site": "same-site"},
    "another port of the same name": {"Origin": "http://127.0.0.1:9999"},
    "another scheme": {"Origin": "https://127.0.0.1"},
    "an image or script without an origin": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "leave that a script asks first": {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
    "an image on another port": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "another Space": {"Origin": "https://evil.hf.space", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    "a form": {
        "Origin": "https://evil.example",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    },
    "an embedded object": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"},
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("local"), around=recorder.around) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("hosted"), hosted=True, around=recorder.around) as visitor:
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


def faults(page: Visitor, site: dict[str, str]) -> dict[str, str]:
    """What is not refused, or lets the site read the answer or makes it a visitor all the same."""
    found = {}
    for asked in ASKS:
        more = {**asked.more, "headers": {**asked.more.get("headers", {}), **site}}
        with requests.request(
            asked.method, page.url + asked.path, timeout=30, allow_redirects=False, stream=True, **more
        ) as answer:
            if answer.status_code != 403 or {"Access-Control-Allow-Origin", "Set-Cookie"} & answer.headers.keys():
                found[f"{asked.method} {asked.path}"] = f"{answer.status_code} {answer.headers}"
    return found


@pytest.mark.parametrize("mode", ["page", "hosted"])
@pytest.mark.parametrize("site", SITES)
def test_no_route_answers_other_sites(mode: str, site: str, recorder: Recorder, request: pytest.FixtureRequest) -> None:
    page = request.getfixturevalue(mode)
    before = state(page)
    recorder.forget()
    assert faults(page, SITES[site]) == {}
    assert state(page) == before
    assert recorder.requests == ()


@pytest.mark.parametrize("site", REBINDING)
def test_no_route_answers_to_the_name_of_another_site(page: Visitor, site: str) -> None:
    assert faults(page, REBINDING[site]) == {}


VISIT = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FRAME = {**VISIT, "Sec-Fetch-Dest": "iframe"}


@pytest.mark.parametrize(
    ("headers", "path", "local", "shared"),
    [
        (VISIT, "?q=ink", 200, 200),
        (FRAME, "", 403, 200),
        ({**FRAME, "Sec-Fetch-Site": "same-site"}, "", 403, 200),
        # There is no signing in here, so it leads nowhere.
        (VISIT, "login/callback?code=x", 404, 404),
        (VISIT, "judge?sheet=shared/sheet.png", 404, 404),
        (VISIT, "logout", 403, 403),
        (FRAME, "logout", 403, 403),
        (VISIT, "login/huggingface", 403, 403),
        (VISIT, "visit/loras.lock", 403, 403),
        (VISIT, "visit/file?ref=civitai:1001", 403, 403),
        (VISIT, "gradio_api/queue/data?session_hash=x", 403, 403),
        (VISIT, "config", 403, 403),
    ],
)
def test_a_link_on_another_site_leads_to_a_page_alone(
    page: Visitor, hosted: Visitor, headers: dict[str, str], path: str, local: int, shared: int
) -> None:
    answers = [replace(each, headers=headers).get(path, allow_redirects=False) for each in (page, hosted)]
    assert [answer.status_code for answer in answers] == [local, shared]


def test_a_page_in_a_frame_of_hugging_face_asks_as_itself(hosted: Visitor) -> None:
    own = {"Host": "ada-loras.hf.space", "Origin": "https://ada-loras.hf.space", "Sec-Fetch-Site": "same-origin"}
    framed = replace(hosted, headers={**own, "Sec-Fetch-Mode": "cors"})
    answer = framed.post("gradio_api/call/search", json={"data": ["ink"]})
    assert (answer.status_code, [name for name in answer.headers if name.startswith("access-control")]) == (200, [])


@pytest.mark.parametrize("mode", ["page", "hosted"])
def test_the_page_itself_and_programs_are_answered(mode: str, request: pytest.FixtureRequest) -> None:
    page = request.getfixturevalue(mode)
    own = {"Origin": page.url.rstrip("/"), "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    # What other programs bring that use a browser's way to ask.
    node = {"Sec-Fetch-Mode": "cors"}
    for headers in (own, {}, node, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}):
        asking = replace(page, headers=headers)
        assert asking.get("config").status_code == 200
        assert asking.post("gradio_api/call/search", json={"data": ["ink"]}).status_code == 200


def test_an_old_browser_asks_by_its_origin_and_others_say_that_a_page_asks_behind_a_proxy(hosted: Visitor) -> None:
    """Also behind a proxy that is asked by https, and keeps the name."""
    own = replace(hosted, headers={"Host": "ada-loras.hf.space", "Origin": "https://ada-loras.hf.space"})
    assert own.get("config").status_code == 200
    behind = {"Host": "127.0.0.1:7860", "Origin": "https://loras.example", "Sec-Fetch-Site": "same-origin"}
    assert replace(hosted, headers=behind).get("config").status_code == 200
