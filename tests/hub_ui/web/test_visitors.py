"""Visitors of a shared page by raw HTTP: their cookie, their sign-in, and that nothing of one reaches another."""

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import urljoin

import gradio.oauth
import pytest
import requests
from bs4 import BeautifulSoup
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_ui.access.visitor import Visitor as Person
from hub_ui.access.visitor import Visitors, current_visitor, use_visitor
from hub_ui.base.logs import logging_to
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.web import app
from hub_ui.web.layout.render import Renderer
from hub_ui.web.middleware import Refusals
from hub_ui.web.visitors import AddressCheck, VisitorCookie, read_address
from tests.faulty_hubs import apps_behind
from tests.hub_ui.app.hosting.private_data import ADA, PRIVATE, SECRET, write_private_data
from tests.hub_ui.library.shared_hubs import CONTRACT
from tests.hub_ui.stand_ins import services_of
from tests.hub_ui.web.conftest import read
from tests.hub_ui.web.raw import Visitor, served
from tests.huggingface_oauth import SignIn


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    home = tmp_path_factory.mktemp("visitors")
    with served(home, hosted=True, data=write_private_data(home)) as visitor:
        yield visitor


def arrive(page: Visitor, headers: dict[str, str] | None = None) -> tuple[Visitor, str]:
    """Someone new, and the cookie as it was set."""
    answer = requests.get(page.url, headers=headers, timeout=60)
    cookie = next(line for line in answer.headers["set-cookie"].split(", ") if line.startswith("hub-ui-visitor="))
    return replace(page, headers={"Cookie": cookie.partition(";")[0]}), cookie


def test_the_cookie_of_a_visitor_is_random_and_out_of_reach_of_scripts(page: Visitor) -> None:
    (first, cookie), (second, _) = arrive(page), arrive(page)
    assert cookie.partition("; ")[2] == "Path=/; HttpOnly; SameSite=Lax"
    assert first.headers["Cookie"] != second.headers["Cookie"]
    assert len(first.headers["Cookie"].partition("=")[2]) == 43


@pytest.mark.parametrize("proto", ["https", "https,http"])
def test_behind_https_the_cookie_goes_along_where_a_space_is_shown(page: Visitor, proto: str) -> None:
    _, cookie = arrive(page, {"X-Forwarded-Proto": proto})
    assert cookie.partition("; ")[2] == "Path=/; HttpOnly; SameSite=None; Secure; Partitioned"


def test_who_has_a_cookie_keeps_it_and_nothing_but_a_page_sets_one_for_a_program_neither(page: Visitor) -> None:
    visitor, _ = arrive(page)
    pages = ["", "settings", "glossary", "library"]
    paths = [*pages, "config", "health", "ask"]
    assert [path for path in paths if "hub-ui-visitor" in str(visitor.get(path).headers)] == []
    assert [path for path in paths if "hub-ui-visitor" in str(page.get(path).headers)] == pages
    answers = [page.post("lora/keep", data={"ref": "civitai:1001"}, allow_redirects=False), page.begin("search")]
    assert ["set-cookie" in answer.headers for answer in answers] == [False, False]


def test_a_form_of_a_page_that_was_left_for_hours_is_still_somebodys(page: Visitor) -> None:
    browser = replace(page, headers={"Origin": page.url.rstrip("/"), "Cookie": "hub-ui-visitor=of-an-hour-ago"})
    answer = browser.post("lora/keep", data={"ref": "civitai:1001"}, allow_redirects=False)
    again = replace(page, headers={"Cookie": answer.headers["set-cookie"].partition(";")[0]})
    assert "Red Style" in again.get("visit/loras.lock").text


def test_no_key_name_or_prompt_is_in_a_log_at_debug_and_what_is_looked_up_leads_to_its_request(page: Visitor) -> None:
    stream, (ada, _), ref = io.StringIO(), arrive(page), str(PRIVATE["replicate"])
    id_ = ada.headers["Cookie"].partition("=")[2]
    page.services.visitors.find(id_).put_key("replicate", ADA["replicate"])
    with logging_to(stream, "json", logging.DEBUG):
        heard = ada.get("lora/read", params={"open": ref}).text
        ada.call("try", refs=[ref], prompt="a boat")
    assert SECRET in heard
    assert [word for word in (SECRET, *ADA.values(), id_, "a boat") if word in stream.getvalue()] == []
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    numbers = {line["request"] for line in lines if line["logger"] == "hub_ui.web.middleware"}
    looked = {line["request"] for line in lines if line["logger"] == "hub_ui.app.lookup"}
    assert (looked != set(), looked <= numbers) == (True, True)


def key_of_request(visitors: Visitors, path: str, session: dict[str, Any]) -> str | None:
    """Whose right a request with that session of Gradio's has."""
    keys: list[str | None] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        visitor = current_visitor()
        keys.append(visitor.keys.get("huggingface") if visitor else None)

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": path, "scheme": "https", "headers": [], "session": session}
    asyncio.run(VisitorCookie(look, visitors)(scope, nothing, nothing))
    return keys[0]


def test_a_session_that_was_signed_out_counts_no_more_whoever_has_a_copy() -> None:
    visitors, ends = Visitors(), time.time() + 3600
    session, later = ({"oauth_info": {"access_token": "hf_oauth_x", "expires_at": at}} for at in (ends, ends + 60))
    assert key_of_request(visitors, "/", session) == "hf_oauth_x"
    assert key_of_request(visitors, "/logout", session) is None
    assert key_of_request(visitors, "/config", session) is None
    assert key_of_request(visitors, "/", later) == "hf_oauth_x"


class Held:
    """An app whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.go, self.begun = asyncio.Event(), 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        await self.go.wait()


async def status_of(app: ASGIApp, visitor: Person, sent: list[int]) -> None:
    async def send(message: Message) -> None:
        sent.extend([message["status"]] if "status" in message else [])

    async def nothing() -> Message:
        raise AssertionError

    with use_visitor(visitor):
        await app({"type": "http", "method": "GET", "path": "/", "headers": []}, nothing, send)


def test_one_address_has_so_many_requests_under_way_whoever_they_are() -> None:
    async def ask() -> tuple[int, list[int], int]:
        held, sent = Held(), list[int]()
        app = Refusals(AddressCheck(held, most=2), Renderer())
        names = [
            ("ada", "8.8.8.8"),
            ("ben", "8.8.8.8"),
            ("eve", "8.8.8.8"),
            ("dan", "9.9.9.9"),
            ("bob", ""),
            ("pat", ""),
        ]
        waiting = [asyncio.ensure_future(status_of(app, Person(id=name, address=place), sent)) for name, place in names]
        await asyncio.sleep(0)
        begun = held.begun
        held.go.set()
        await asyncio.gather(*waiting)
        await status_of(app, Person(id="eve", address="8.8.8.8"), sent)
        return begun, sent, held.begun

    assert asyncio.run(ask()) == (5, [429], 6)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("8.8.8.8:443", "8.8.8.8"),
        ("1.1.1.1, 8.8.8.8", "8.8.8.8"),
        ("1.1.1.1, 8.8.8.8, 10.16.3.80", "8.8.8.8"),
        ("2a00:1450:4001:82f::200e", "2a00:1450:4001:82f::/64"),
        ("[2a00:1450:4001:82f::1]:5000", "2a00:1450:4001:82f::/64"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("10.1.2.3", "10.1.2.3"),
        ("", ""),
        ("unknown, <script>", ""),
    ],
)
def test_a_trusted_proxy_tells_the_last_public_address(forwarded: str, address: str) -> None:
    assert read_address({"x-forwarded-for": forwarded}, "10.16.0.1", trusts_proxy=True) == address


@pytest.mark.parametrize(
    ("peer", "address"), [("8.8.8.8", "8.8.8.8"), ("127.0.0.1", ""), ("172.17.0.1", ""), ("testclient", "")]
)
def test_without_one_only_a_public_peer_has_an_address_whatever_the_header_says(peer: str, address: str) -> None:
    assert read_address({"x-forwarded-for": "1.1.1.1"}, peer, trusts_proxy=False) == address


REPO = "maker/red"
LORA = f"huggingface:{REPO}"
APP = {"CLIENT_ID": "the-space", "CLIENT_SECRET": "its-secret", "SCOPES": "openid profile gated-repos"}


@contextmanager
def gated_space(folder: Path) -> Iterator[Visitor]:
    """Where Ada was granted a gated LoRA. Gradio reads what a Space sets when it is imported, which was before."""
    data = copytree(CONTRACT, folder / "data")
    files = json.loads((data / "files.json").read_text(encoding="utf-8"))
    for spec in files["huggingface"][REPO].values():
        spec["access"] = "gated"
    (data / "files.json").write_text(json.dumps(files), encoding="utf-8")
    (data / "access.json").write_text(json.dumps({"grants": {"ada": [REPO]}}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, running_hubs(data, apps=apps_behind(SignIn().around)) as hubs:
        # With the variables of a Space it would listen on all addresses too.
        patch.setattr(gradio.oauth, "get_space", lambda: "local/loras")
        patch.setattr(gradio.oauth, "OPENID_PROVIDER_URL", hubs.huggingface)
        for name, value in APP.items():
            patch.setattr(gradio.oauth, f"OAUTH_{name}", value)
        with services_of(hubs, folder, hosted=True, sign_in=True) as built, app.serving(built) as url:
            yield Visitor(url=url, services=built)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with gated_space(tmp_path_factory.mktemp("sign-in")) as visitor:
        yield visitor


def test_where_people_sign_in_the_page_leads_there_and_the_cookie_is_for_https_and_no_script(space: Visitor) -> None:
    [link] = read(space.get("settings").text).select("#huggingface a")
    assert (link.text, link["href"]) == ("Sign in with Hugging Face", "login/huggingface?_target_url=%2Fsettings")
    cookie = space.get("login/huggingface", allow_redirects=False).headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "secure", "samesite=none"))


def go(visitor: Visitor, path: str) -> tuple[Visitor, requests.Response]:
    """The answer, and the visitor with the cookies that it sets, also those that want https."""
    answer = visitor.get(path, allow_redirects=False)
    cookies = dict(each.split("=", 1) for each in visitor.headers.get("Cookie", "").split("; ") if each)
    cookies |= answer.cookies.get_dict()
    return replace(visitor, headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}), answer


def sign_in(space: Visitor, account: str) -> Visitor:
    visitor, _ = go(space.with_cookie(), "health")
    visitor, asked = go(visitor, "login/huggingface")
    consent = requests.get(asked.headers["location"], timeout=60)
    form = BeautifulSoup(consent.text, "html.parser").select_one("form")
    assert form is not None
    fields = {str(each["name"]): str(each.get("value", "")) for each in form.select("input[name]")}
    fields |= {"account": account}
    address = urljoin(consent.url, str(form["action"]))
    back = requests.post(address, data=fields, allow_redirects=False, timeout=60).headers["location"]
    visitor, came = go(visitor, back.removeprefix(space.url))
    assert (came.status_code, came.headers["location"]) == (307, "/")
    return visitor


def said(visitor: Visitor) -> str:
    return visitor.call("inspect", source=LORA).said


def test_who_has_signed_in_and_was_granted_it_reads_a_gated_lora_and_nobody_else_does(space: Visitor) -> None:
    ada = sign_in(space, "ada")
    assert said(ada) == ""
    assert "Sign in under Settings." in said(space.with_cookie())
    assert "your account at Hugging Face has none yet" in said(sign_in(space, "ben"))


def test_who_signs_out_is_a_stranger_again_whoever_has_a_copy_of_the_cookies(space: Visitor) -> None:
    ada = sign_in(space, "ada")
    copy = replace(ada)
    ada, answer = go(ada, "logout")
    assert answer.status_code in (302, 307)
    for visitor in (ada, copy):
        assert "Sign in under Settings." in said(visitor)


def test_without_a_space_nobody_is_signed_in(hosted: Visitor) -> None:
    answers: list[Any] = [hosted.get(f"login/{path}", allow_redirects=False) for path in ("huggingface", "callback")]
    assert [answer.status_code for answer in answers] == [404, 404]
