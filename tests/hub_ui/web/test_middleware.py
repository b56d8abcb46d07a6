"""Names and other web pages, on every route of the page, and what browsers are told that it may do."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers

from hub_ui.app.services import Services
from hub_ui.settings import from_environment
from hub_ui.web.middleware import HostCheck, visible_path
from hub_ui.web.requests import Refused
from tests.hub_ui.web.conftest import open_client, read, with_settings
from tests.hub_ui.web.raw import Visitor


def refusal(hosts: HostCheck, **headers: str) -> str:
    try:
        hosts.check(Headers(headers))
    except Refused as refused:
        return refused.message
    return ""


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "192.168.1.20", "LOCALHOST", "box.lan", "localhost."],
)
def test_addresses_and_own_names_are_answered(host: str) -> None:
    assert refusal(HostCheck(Starlette(), names=frozenset({"box.lan"})), host=host) == ""


@pytest.mark.parametrize("host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::1", "a b"])
def test_other_names_are_not(host: str) -> None:
    assert "does not answer to the name" in refusal(HostCheck(Starlette()), host=host)


def test_the_name_of_the_computer_is_its_own_and_a_default_port_may_be_left_out() -> None:
    own = HostCheck(Starlette(), own=frozenset({"tower"}))
    assert refusal(own, host="tower:7860", origin="http://tower:7860") == ""
    assert refusal(HostCheck(Starlette(), names=frozenset()), host="127.0.0.1", origin="http://127.0.0.1:80") == ""


@pytest.mark.parametrize("origin", ["http://127.0.0.1:7860", "https://page.example"])
def test_an_origin_is_the_page_itself_or_a_name_that_was_allowed(origin: str) -> None:
    named = HostCheck(Starlette(), names=frozenset({"page.example"}))
    assert refusal(named, host="127.0.0.1:7860", origin=origin) == ""


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:9999", "http://127.0.0.1", "file://127.0.0.1:7860", "null", "", "http://[::1"]
)
def test_another_origin_is_refused_by_name(origin: str) -> None:
    assert f"Another web page ({origin})" in refusal(HostCheck(Starlette()), host="127.0.0.1:7860", origin=origin)


def test_the_names_that_are_allowed_come_from_the_environment_and_are_answered(built: Services, tmp_path: Path) -> None:
    own = {"Host": "box.example", "Origin": "https://box.example"}
    with open_client(with_settings(built, allowed_hosts=frozenset({"box.example"})), tmp_path) as client:
        assert client.get("/", headers=own).status_code == 200
    environ = {"HUB_UI_HOME": str(tmp_path), "HUB_UI_ALLOWED_HOSTS": "Box.lan, page.example"}
    assert from_environment(environ).allowed_hosts == {"box.lan", "page.example"}


@pytest.mark.parametrize(
    ("headers", "code", "word"),
    [
        ({"Accept-Language": "ja,en;q=0.5"}, "ja", "検索"),
        ({"Accept-Language": "ja", "Cookie": "hub-ui-language=zh-CN"}, "zh-CN", "搜索"),
        ({"Accept-Language": "fr"}, "en", "Search"),
        ({}, "en", "Search"),
    ],
)
def test_the_page_has_the_requests_language(local: Visitor, headers: dict[str, str], code: str, word: str) -> None:
    answer = replace(local, headers=headers).get("")
    assert f'lang="{code}"' in answer.text
    assert word in answer.text


NAVIGATION, HTMX = {"Accept": "text/html,*/*;q=0.8"}, {"HX-Request": "true", "Accept": "text/html"}


@pytest.mark.parametrize(("path", "status"), [("nowhere", 404), ("try/full", 405), ("lora/nowhere", 404)])
def test_a_person_reads_a_refusal_on_a_small_page_and_a_program_json(local: Visitor, path: str, status: int) -> None:
    answer = replace(local, headers={**NAVIGATION, "Cookie": "hub-ui-theme=dark"}).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    page = read(answer.text)
    assert (page.base["href"], page.html["data-theme"]) == ("/", "dark")
    assert page.select_one("[role=alert]").text == "There is no such page."
    assert [link["href"] for link in page.select("#places > a")] == ["./", "try", "library"]
    assert local.get(path).json() == {"detail": "There is no such page."}


def test_what_was_sent_is_no_markup_on_that_page(local: Visitor) -> None:
    answer = replace(local, headers={**NAVIGATION, "Host": "<i>.example"}).get("nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert ("<i>" in answer.text, "<script" in answer.text) == (False, False)


def test_htmx_shows_a_refusal_as_a_toast(local: Visitor) -> None:
    answer = replace(local, headers=HTMX).get("nowhere")
    assert (answer.status_code, answer.headers["hx-retarget"]) == (404, "#toast")
    assert answer.text == '<p class="problem">There is no such page.</p>'


def test_each_answer_names_its_request_and_no_request_names_itself(local: Visitor) -> None:
    first, second = (local.get("config", params={"x": number}) for number in range(2))
    assert len({first.headers["X-Request-ID"], second.headers["X-Request-ID"]}) == 2


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/gradio_api/queue/join", "/gradio_api/queue/join"),
        ("/gradio_api/file=/tmp/me/picture.png", "/gradio_api/file"),
        ("/gradio_api/call/generate/8f0a9c", "/gradio_api/call/generate"),
        ("/hub-images/aB3xyz", "/hub-images"),
        ("/assets/index-9x.js", "/assets"),
    ],
)
def test_a_path_is_shown_as_far_as_it_is_the_programs_own(path: str, shown: str) -> None:
    assert visible_path(path) == shown


ROUTES = (
    "", "library", "config", "settings", "glossary", "gradio_api/info", "gradio_api/file=/etc/passwd",
    "images/none/none.png", "hub-picture", "nothing-here", "web/hub_ui.css", "suggestions?before=i", "health",
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_says_what_it_may_do(local: Visitor, route: str) -> None:
    headers = local.get(route).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "camera=(), " in headers["permissions-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["content-security-policy"]


def test_a_page_has_nothing_that_its_policy_would_stop_and_a_refusal_says_it_too(local: Visitor) -> None:
    page = local.get("?open=civitai:1001").text
    assert "script-src 'self'; style-src 'self'" in local.get("").headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\son\w+=|\sstyle=|javascript:", page) == []
    answer = local.post("gradio_api/run/search", json={})
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (404, "nosniff")


def test_a_page_is_in_no_frame_and_nobody_keeps_one_that_is_somebodys_own(local: Visitor, hosted: Visitor) -> None:
    assert local.get("").headers["content-security-policy"].endswith("frame-ancestors 'self'")
    assert hosted.get("").headers["content-security-policy"].endswith("frame-ancestors 'self' https://huggingface.co")
    assert hosted.get("").headers["cache-control"] == "no-cache"
    assert "immutable" in hosted.get("web/hub_ui.css").headers["cache-control"]
