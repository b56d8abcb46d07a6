"""What is typed on the Settings page, by raw HTTP: who is listened to, what is kept, and that no answer has a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from hub_ui import saved_settings
from hub_ui.keys import Keys, KeyStore
from tests.hub_ui.web.raw import Visitor, served

KEY = "civ_buyer"
OWN = {"X-Hub-UI": "settings"}


@pytest.fixture(scope="module")
def own_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    home = tmp_path_factory.mktemp("settings")
    keys = Keys({"replicate": "r8_env"}, KeyStore(home / "keys.json", has_keyring=False))
    with served(home, tokens=keys, fixed=frozenset({"huggingface", "home"})) as visitor:
        yield visitor


@pytest.fixture
def page(own_page: Visitor) -> Visitor:
    (own_page.services.settings.home / "keys.json").unlink(missing_ok=True)
    (own_page.services.settings.home / "settings.toml").unlink(missing_ok=True)
    return own_page


def send(page: Visitor, path: str, values: Any, headers: dict[str, str] | None = None) -> requests.Response:
    return requests.post(
        f"{page.url}settings/{path}", json=values, headers=OWN if headers is None else headers, timeout=60
    )


def save(page: Visitor, key: str, hub: str = "civitai") -> requests.Response:
    return send(page, "keys", {"do": "save", "hub": hub, "key": key})


def test_a_key_is_checked_and_kept_and_counts_at_once(page: Visitor) -> None:
    answer = save(page, f"{KEY}\n")
    assert (answer.status_code, answer.json()["said"]) == (
        200,
        "The key works and is kept. Its account at CivitAI: local.",
    )
    assert page.services.settings.tokens["civitai"] == KEY
    civitai = next(connector for connector in page.services.connectors if connector.name == "civitai")
    assert civitai.connector.endpoint.token == KEY  # type: ignore[attr-defined]
    assert json.loads((page.services.settings.home / "keys.json").read_text()) == {"civitai": KEY}


def test_no_answer_and_no_page_has_a_key(page: Visitor) -> None:
    answers = [save(page, KEY), send(page, "keys", {"do": "check", "hub": "civitai"}), save(page, f"{KEY} {KEY}")]
    assert [KEY in answer.text + str(answer.headers) for answer in answers] == [False] * 3
    assert answers[0].headers["cache-control"] == "no-store"
    texts = page.get("config").text + str(
        page.ask(page.event("settings.act > settings").number, [None], {"act": "shown"})
    )
    assert KEY not in texts


def test_a_key_that_its_hub_does_not_know_is_not_kept(page: Visitor) -> None:
    answer = save(page, "civ_wrong")
    assert answer.json() == {"detail": "CivitAI does not accept this key. Copy it again, or make another."}
    assert "civitai" not in page.services.settings.tokens


def test_a_key_is_checked_again_and_removed(page: Visitor) -> None:
    save(page, KEY)
    assert send(page, "keys", {"do": "check", "hub": "civitai"}).json()["said"].startswith("The key works.")
    assert send(page, "keys", {"do": "remove", "hub": "civitai"}).json() == {"said": "The key of CivitAI is removed."}
    assert "civitai" not in page.services.settings.tokens
    assert "said" not in send(page, "keys", {"do": "check", "hub": "civitai"}).json()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"do": "save", "hub": "civitai", "key": ""}, "This is empty. Paste the key."),
        ({"do": "save", "hub": "civitai", "key": 7}, "This is empty. Paste the key."),
        ({"do": "save", "hub": "civitai", "key": "a b"}, "This holds characters that no key has. Copy the key again."),
        ({"do": "save", "hub": "replicate", "key": KEY}, "REPLICATE_API_TOKEN is set, and comes first."),
        ({"do": "save", "hub": "nobody", "key": KEY}, "There is no such hub. Load the page again."),
    ],
)
def test_what_can_not_be_kept_is_refused(page: Visitor, values: dict[str, Any], said: str) -> None:
    answer = send(page, "keys", values)
    assert answer.json()["detail"].startswith(said)
    assert list(page.services.settings.tokens) == ["replicate"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({**OWN, "Origin": "https://evil.example"}, 403),
        ({**OWN, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**OWN, "Sec-Fetch-Site": "same-site"}, 403),
        ({**OWN, "Host": "evil.example"}, 403),
    ],
)
def test_only_the_page_itself_is_listened_to(page: Visitor, headers: dict[str, str], status: int) -> None:
    values = {"do": "save", "hub": "civitai", "key": KEY}
    assert send(page, "keys", values, headers).status_code == status
    assert "civitai" not in page.services.settings.tokens


@pytest.mark.parametrize("body", ["", "{", "[]", '"civitai"', "[" * 100_000])
def test_what_is_no_request_is_refused(page: Visitor, body: str) -> None:
    assert requests.post(f"{page.url}settings/keys", data=body, headers=OWN, timeout=60).status_code == 400


def test_settings_are_kept_for_the_next_start(page: Visitor) -> None:
    values = {"endpoints": {"civitai": "https://civitai.red", "huggingface": "https://evil.example"}, "home": "/x"}
    answer = send(page, "values", {**values, "proxy": "http://ada:secret@10.0.0.1:1", "library": "/data"})
    assert answer.json() == {"said": "Saved. It counts from the next start of hub-ui."}
    saved = saved_settings.read(page.services.settings.home)
    assert (dict(saved.endpoints), saved.library, saved.home) == ({"civitai": "https://civitai.red"}, "/data", "")
    # The page shows the proxy without its password, and sends it back like that.
    send(page, "values", {**values, "proxy": "http://10.0.0.1:1"})
    assert saved_settings.read(page.services.settings.home).proxy == "http://ada:secret@10.0.0.1:1"
    send(page, "values", {**values, "proxy": ""})
    assert saved_settings.read(page.services.settings.home).proxy == ""


def test_visitors_of_a_shared_page_change_nothing_of_the_owners(hosted: Visitor) -> None:
    assert "shared page" in send(hosted, "values", {"library": "/data"}).json()["detail"]
    send(hosted, "keys", {"do": "save", "hub": "civitai", "key": KEY})
    assert "civitai" not in hosted.services.settings.tokens
    assert KEY not in (hosted.services.settings.home / "keys.json").read_text()


def test_visitors_see_neither_keys_nor_folders_on_theown_page(hosted: Visitor) -> None:
    html = next(part for part in hosted.config()["components"] if part["props"].get("elem_id") == "settings")
    shown = str(html["props"]["value"])
    assert [
        word for word in ('data-form="settings"', "data-key", str(hosted.services.settings.home)) if word in shown
    ] == []
    assert [word for word in ("data-theme", "data-language", 'data-input="nsfw"') if word not in shown] == []


def test_visitors_can_not_clear_what_is_kept(hosted: Visitor) -> None:
    answer = hosted.ask(hosted.event("settings.act > settings").number, [None], {"act": "clear-images"})
    assert answer.said == "The settings of a shared page are its owner's."
