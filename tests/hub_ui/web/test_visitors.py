"""Visitors of a shared page by raw HTTP: their cookie, their keys, and that nothing of one reaches another."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_ui.hosting.visitor import Visitor as Person
from hub_ui.hosting.visitor import Visitors, current_visitor, use_visitor
from hub_ui.web.visitors import AddressCheck, VisitorCookie
from tests.hub_ui.hosting.private_data import ADA, BEN, GATED, PAID, PRIVATE, SECRET, VERSION, write_private_data
from tests.hub_ui.web.raw import Visitor, served

OWN = {"X-Hub-UI": "settings"}
SECRETS = (SECRET, *ADA.values())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    home = tmp_path_factory.mktemp("visitors")
    with served(home, hosted=True, data=write_private_data(home)) as visitor:
        yield visitor


def arrive(page: Visitor, headers: dict[str, str] | None = None) -> tuple[Visitor, str]:
    """Someone new, and the cookie as it was set."""
    answer = requests.get(page.url, headers=headers, timeout=60)
    cookie = next(line for line in answer.headers["set-cookie"].split(", ") if line.startswith("hub-ui-visitor="))
    return replace(page.another(), headers={"Cookie": cookie.partition(";")[0]}), cookie


def send(visitor: Visitor, path: str = "keys", **values: Any) -> dict[str, str]:
    headers = {**visitor.headers, **OWN}
    answer = requests.post(f"{visitor.url}settings/{path}", json=values, headers=headers, timeout=60)
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def with_keys(page: Visitor, keys: dict[str, str]) -> Visitor:
    visitor, _ = arrive(page)
    for hub in ("civitai", "replicate"):
        assert "for this visit" in send(visitor, do="save", hub=hub, key=keys[hub])["said"]
    return visitor


def settings_page(visitor: Visitor) -> str:
    visitor.look_at("?view=settings")
    return str(visitor.ask(visitor.event("settings.act > settings").number, [None], {"act": "shown"}).data)


def hear_all(visitor: Visitor, ref: str) -> str:
    """All that the page and the endpoints tell this visitor about a LoRA."""
    texts = [visitor.get("").text, visitor.get("config").text]
    visitor.look_at(f"?open={ref}".replace("#", "%23"))
    endpoints: dict[str, list[Any]] = {
        "search": ["secret", None, None, None, "relevance", "soft", 20, False],
        "show": [ref],
        "inspect": [ref],
        "try": [[ref], "a boat", *[None] * 8, False],
    }
    for event in visitor.events():
        if event.name in endpoints:
            texts.append(str(visitor.ask(event.number, endpoints[event.name])))
        elif event.name.endswith((".change", ".act")) and not event.what.endswith("> nothing"):
            act = {"act": "open", "ref": ref} if event.name.endswith(".act") else None
            texts.append(str(visitor.ask(event.number, [None] * len(event.inputs), act)))
    return "\n".join(texts)


def test_the_cookie_of_a_visitor_is_random_and_out_of_reach_of_scripts(page: Visitor) -> None:
    (first, cookie), (second, _) = arrive(page), arrive(page)
    assert cookie.partition("; ")[2] == "Path=/; HttpOnly; SameSite=Lax"
    assert first.headers["Cookie"] != second.headers["Cookie"]
    assert len(first.headers["Cookie"].partition("=")[2]) == 43


@pytest.mark.parametrize("proto", ["https", "https,http"])
def test_behind_https_the_cookie_goes_along_where_a_space_is_shown(page: Visitor, proto: str) -> None:
    _, cookie = arrive(page, {"X-Forwarded-Proto": proto})
    assert cookie.partition("; ")[2] == "Path=/; HttpOnly; SameSite=None; Secure; Partitioned"


def test_who_has_a_cookie_keeps_it_and_nothing_but_the_page_sets_one(page: Visitor) -> None:
    visitor, _ = arrive(page)
    assert [path for path in ("", "config", "glossary") if "hub-ui-visitor" in str(visitor.get(path).headers)] == []
    assert "hub-ui-visitor" not in str(page.get("config").headers)


def test_a_key_counts_for_its_visitor_until_it_is_removed(page: Visitor) -> None:
    ada, (ben, _) = with_keys(page, ADA), arrive(page)
    assert "for this visit" in settings_page(ada).partition("Replicate")[2]
    assert settings_page(ben).count('data-form="key"') == 2
    assert send(ada, do="check", hub="replicate")["said"].startswith("The key works for this visit.")
    assert send(ada, do="remove", hub="replicate")["said"].startswith("Your key of Replicate is removed")
    assert send(ada, do="check", hub="replicate") == {"detail": "This is empty. Paste the key."}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"do": "save", "hub": "civitai", "key": "wrong"}, "CivitAI does not accept this key."),
        ({"do": "save", "hub": "civitai", "key": "a b"}, "This holds characters that no key has."),
        ({"do": "save", "hub": "huggingface", "key": "hf_member"}, "There is no such hub."),
        ({"do": "check", "hub": "civitai"}, "This is empty."),
    ],
)
def test_what_is_no_key_is_not_kept(page: Visitor, values: dict[str, Any], said: str) -> None:
    visitor, _ = arrive(page)
    assert send(visitor, **values)["detail"].startswith(said)
    assert 'data-key="check"' not in settings_page(visitor)


def test_the_owners_settings_stay_closed(page: Visitor) -> None:
    visitor, _ = arrive(page)
    assert send(visitor, "values", library="/etc") == {"detail": "The settings of a shared page are its owner's."}


def test_another_sites_page_changes_no_key(page: Visitor) -> None:
    visitor = with_keys(page, ADA)
    values = {"do": "remove", "hub": "civitai"}
    answers = [
        requests.post(f"{page.url}settings/keys", json=values, headers={**visitor.headers, **headers}, timeout=60)
        for headers in ({}, {**OWN, "Sec-Fetch-Site": "cross-site"})
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert send(visitor, do="check", hub="civitai")["said"].startswith("The key works")


@pytest.mark.parametrize(
    "ref", [str(PRIVATE["replicate"]), str(PRIVATE["replicate"].at(VERSION)), f"https://replicate.com/ada/{SECRET}"]
)
def test_what_one_visitors_key_opens_reaches_no_other_by_any_route(
    page: Visitor, ref: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ada, ben, (anyone, _) = with_keys(page, ADA), with_keys(page, BEN), arrive(page)
    show = ada.event("show > 1st").number
    assert json.loads(json.dumps(ada.ask(show, [ref]).data))[0]["title"] == SECRET
    assert SECRET in hear_all(ada, ref)
    for other in (ben, anyone):
        assert other.ask(show, [ref]).status == 200
        # What they asked for comes back to them, as the name of what is not there.
        heard = hear_all(other, ref).replace(ref, "").replace(ref.partition(":")[2], "")
        assert [
            secret for secret in (f'"title": "{SECRET}"', "A red fine-tune", *ADA.values()) if secret in heard
        ] == []
    assert [key for key in (*ADA.values(), *BEN.values()) if key in caplog.text] == []


def test_nothing_private_and_no_key_is_on_the_disk(page: Visitor) -> None:
    ada = with_keys(page, ADA)
    for ref in (*PRIVATE.values(), GATED, PAID):
        hear_all(ada, str(ref))
    home: Path = page.services.settings.home
    files = [path for path in home.rglob("*") if path.is_file() and home / "data" not in path.parents]
    assert [path for path in files if any(secret.encode() in path.read_bytes() for secret in SECRETS)] == []


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
        app = AddressCheck(held, most=2)
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
