"""Keys on the Settings page: checked, kept and removed, and in no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from hub_ui import services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.services import Services
from hub_ui.settings.keys import Keys, KeyStore
from tests.hub_ui.library.shared_hubs import CONTRACT
from tests.hub_ui.web.conftest import PART, open_client, read

KEY = "civ_buyer"


@pytest.fixture(scope="module")
def on_hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("keys")
    keys = Keys({"replicate": "r8_env"}, KeyStore(home / "keys.json", has_keyring=False))
    with (
        running_hubs(CONTRACT) as hubs,
        services.build(replace(demo_settings(home, home / "loras", hubs), tokens=keys)) as built,
    ):
        yield built


@pytest.fixture
def page(on_hubs: Services, tmp_path: Path) -> Iterator[TestClient]:
    (on_hubs.settings.home / "keys.json").unlink(missing_ok=True)
    with ExitStack() as closing:
        yield closing.enter_context(open_client(on_hubs, tmp_path))


def send(page: TestClient, do: str, key: str = "", hub: str = "civitai", *, part: bool = True) -> Any:
    return page.post("/settings/key", data={"hub": hub, "do": do, "key": key}, headers=PART if part else {})


def said(answer: Any, hub: str = "civitai") -> str:
    return str(read(answer.text).select_one(f"#said-{hub}").text)


def test_a_key_is_checked_and_kept_and_counts_at_once(page: TestClient, on_hubs: Services) -> None:
    assert said(send(page, "save", f"{KEY}\n")) == "The key works and is kept. Its account at CivitAI: local."
    assert on_hubs.settings.tokens["civitai"] == KEY
    assert json.loads((on_hubs.settings.home / "keys.json").read_text()) == {"civitai": KEY}


def test_a_key_is_checked_again_and_removed(page: TestClient, on_hubs: Services) -> None:
    send(page, "save", KEY)
    assert said(send(page, "check")) == "The key works. Its account at CivitAI: local."
    assert said(send(page, "remove")) == "The key of CivitAI is removed."
    assert "civitai" not in on_hubs.settings.tokens


def test_no_answer_and_no_page_has_a_key(page: TestClient) -> None:
    answers = [send(page, "save", KEY), send(page, "check"), send(page, "save", f"{KEY} {KEY}"), page.get("/settings")]
    assert [KEY in answer.text + str(answer.headers) for answer in answers] == [False] * 4


def test_a_key_that_its_hub_does_not_know_is_not_kept(page: TestClient, on_hubs: Services) -> None:
    assert said(send(page, "save", "civ_wrong")) == (
        "CivitAI does not accept this key. Copy it again, or make another."
    )
    assert "civitai" not in on_hubs.settings.tokens


def test_without_javascript_a_key_is_kept_and_the_page_comes_anew(page: TestClient) -> None:
    answer = send(page, "save", KEY, part=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "../settings#civitai")
    row = read(page.get("/settings").text).select_one("#civitai")
    assert row is not None
    assert [button.text for button in row.select("button")] == ["Check", "Remove"]


def test_without_javascript_a_problem_is_said_on_a_page_whose_links_still_lead_somewhere(page: TestClient) -> None:
    answer = send(page, "save", "civ_wrong", part=False)
    base = read(answer.text).base
    assert (answer.status_code, said(answer).startswith("CivitAI does not accept this key.")) == (422, True)
    assert base is not None
    assert base["href"] == "../"
    assert "base-uri 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("key", "hub", "problem"),
    [
        ("", "civitai", "This is empty. Paste the key."),
        ("a b", "civitai", "This holds characters that no key has. Copy the key again."),
        (KEY, "replicate", "REPLICATE_API_TOKEN is set, and comes first."),
    ],
)
def test_what_can_not_be_kept_is_refused_beside_its_hub(page: TestClient, key: str, hub: str, problem: str) -> None:
    assert said(send(page, "save", key, hub), hub).startswith(problem)


def test_a_hub_that_does_not_exist_is_refused(page: TestClient) -> None:
    answer = send(page, "save", KEY, "nobody")
    assert (answer.status_code, "There is no such hub. Load the page again." in answer.text) == (422, True)


def test_a_key_that_is_too_long_is_refused_without_a_word_of_it(page: TestClient) -> None:
    answer = send(page, "save", "k" * 3000)
    assert (answer.status_code, "kkk" in answer.text) == (422, False)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}])
def test_other_sites_change_no_key(page: TestClient, on_hubs: Services, headers: dict[str, str]) -> None:
    answer = page.post("/settings/key", data={"hub": "civitai", "do": "save", "key": KEY}, headers=headers)
    assert (answer.status_code, "civitai" in on_hubs.settings.tokens) == (403, False)
