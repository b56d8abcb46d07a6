"""Names and other web pages, on every route of the page: DNS rebinding and requests from other sites.

What is logged of a hosted page: each request with an id, and nothing that is a person's own.
"""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers

from hub_ui.logs import logging_to
from hub_ui.settings import from_environment
from hub_ui.web.middleware import HostCheck, visible_path
from hub_ui.web.requests import Refused
from tests.hub_ui.hosting.private_data import ADA, PRIVATE, SECRET, write_private_data
from tests.hub_ui.web.raw import Visitor, served
from tests.hub_ui.web.test_visitors import hear_all, with_keys


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


def test_the_names_that_are_allowed_come_from_the_environment_and_are_answered(tmp_path: Path, home: Path) -> None:
    with served(tmp_path, allowed_hosts=frozenset({"box.example"})) as visitor:
        named = replace(visitor, headers={"Host": "box.example", "Origin": "https://box.example"})
        assert (named.get("config").status_code, named.get("").status_code) == (200, 200)
    environ = {"HUB_UI_HOME": str(home), "HUB_UI_ALLOWED_HOSTS": "Box.lan, page.example"}
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
def test_the_page_comes_in_the_language_of_its_request(
    local: Visitor, headers: dict[str, str], code: str, word: str
) -> None:
    answer = replace(local, headers=headers).get("")
    assert f'lang="{code}"' in answer.text
    assert word in answer.text


NAVIGATION, HTMX = {"Accept": "text/html,*/*;q=0.8"}, {"HX-Request": "true", "Accept": "text/html"}


@pytest.mark.parametrize(("headers", "status"), [({}, 404), ({"Host": "<b>.example"}, 403)])
def test_a_person_reads_a_refusal_on_a_small_page(local: Visitor, headers: dict[str, str], status: int) -> None:
    answer = replace(local, headers={**NAVIGATION, **headers}).get("nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert ('role="alert"' in answer.text, "<b>" in answer.text, "<script" in answer.text) == (True, False, False)


@pytest.mark.parametrize(("path", "status"), [("try", 405), ("library", 405), ("lora/nowhere", 404)])
def test_an_address_below_ours_that_nothing_answers_is_a_page_too(local: Visitor, path: str, status: int) -> None:
    answer = replace(local, headers=NAVIGATION).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "There is no such page." in answer.text
    assert local.get(path).json() == {"detail": "There is no such page."}


def test_htmx_shows_a_refusal_as_a_toast_and_a_program_reads_it_as_json(local: Visitor) -> None:
    answer = replace(local, headers=HTMX).get("nowhere")
    assert (answer.status_code, answer.headers["hx-retarget"]) == (404, "#toast")
    assert answer.text == '<p class="problem">There is no such page.</p>'
    assert local.get("nowhere").json() == {"detail": "There is no such page."}


PROMPT = "a boat"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    home = tmp_path_factory.mktemp("logs")
    with served(home, hosted=True, data=write_private_data(home)) as visitor:
        yield visitor


def test_a_run_at_debug_logs_no_key_prompt_person_or_private_lora(page: Visitor) -> None:
    stream = io.StringIO()
    with logging_to(stream, "json", logging.DEBUG):
        ada = with_keys(page, ADA)
        assert SECRET in hear_all(ada, str(PRIVATE["replicate"]))
    cookie = ada.headers["Cookie"].partition("=")[2]
    forbidden = (*ADA.values(), SECRET, PROMPT, cookie)
    assert [word for word in forbidden if word in stream.getvalue()] == []
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    requests = {line["request"] for line in lines if line["logger"] == "hub_ui.web.middleware"}
    looked = [line for line in lines if line["logger"] == "hub_ui.lookup"]
    assert looked
    # The line of a search or an opened LoRA leads to the request that asked for it.
    assert {line["request"] for line in looked} <= requests


def test_each_answer_names_its_request_and_no_request_names_itself(page: Visitor) -> None:
    first, second = (page.get("config", params={"x": number}) for number in range(2))
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
