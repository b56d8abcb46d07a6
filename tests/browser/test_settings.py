"""The Settings page by real clicks: a key that is typed is then in the keyring and in one request, nowhere else."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import keyring
import pytest
from playwright.sync_api import Locator, Page, expect

from hub_ui import app, services
from hub_ui.commands.demo import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.keys import Keys, KeyStore
from tests.browser.axe import violations
from tests.browser.journey import stop
from tests.browser.layout import forget_shifts, too_wide
from tests.browser.places import come_to_rest
from tests.hub_ui.test_keys import FileKeyring

KEY = "civ_Tq8zL0typed1once"
EARLY = "civitai:731905"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[FileKeyring]:
    before, backend = keyring.get_keyring(), FileKeyring(tmp_path / "system.json")
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def url(tmp_path: Path, system: FileKeyring) -> Iterator[str]:
    """A page of one's own on the sample hubs, with a keyring."""
    copytree(SAMPLES, tmp_path / "data")
    grants = json.dumps({"grants": {KEY: ["731905"]}})
    (tmp_path / "data" / "access.json").write_text(grants)
    with running_hubs(tmp_path / "data") as hubs:
        keys = Keys({}, KeyStore(tmp_path / "home" / "keys.json"))
        chosen = demo_settings(tmp_path / "home", tmp_path / "loras", hubs)
        chosen = replace(chosen, demo=False, tokens=keys, fixed=frozenset({"home"}))
        with services.build(chosen) as built, app.serving(built) as address:
            yield address


def again(page: Page, url: str) -> Page:
    """Another tab: leaving a page in the middle of an answer is an error in its console."""
    opened = page.context.new_page()
    opened.goto(url)
    return opened


def settings(page: Page, url: str) -> None:
    """The Settings page of this address, which the server may paint a moment after the page is there."""
    page.goto(f"{url}?view=settings&nsfw=mature")
    expect(level(page)).to_have_value("mature")


def level(page: Page) -> Locator:
    """The filters of Browse have one too."""
    return page.locator("#settings").get_by_label("Mature images")


def keep(page: Page) -> None:
    page.get_by_label("Key of CivitAI").fill(KEY)
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator("#settings [data-said]")).to_contain_text("The key works and is kept. Its account at CivitAI")


def test_a_key_is_typed_once_and_used_at_once(url: str, journey: Page) -> None:
    journey.goto(f"{url}?open={EARLY}")
    expect(journey.locator("#detail .obstacle")).to_contain_text("Add your key under Settings.")
    journey.get_by_role("link", name="Settings").click()
    expect(journey.locator("#settings .shelf")).to_be_visible()
    # One page has taken the place of another, as asked.
    forget_shifts(journey)
    keep(journey)
    stop(journey)
    expect(journey.locator("[data-hub=civitai] .state")).to_have_text("in this computer’s keyring")
    journey = again(journey, f"{url}?open={EARLY}")
    expect(journey.locator("#detail .caution")).to_contain_text("It opens for you")
    expect(journey.locator("#detail .obstacle")).to_have_count(0)
    journey = again(journey, f"{url}?view=settings")
    journey.locator("[data-hub=civitai]").get_by_role("button", name="Remove").click()
    expect(journey.locator("[data-hub=civitai] .state")).to_have_text("none")


def test_a_typed_key_is_in_one_request_and_in_the_keyring_and_nowhere_else(
    url: str, page: Page, system: FileKeyring, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url} {request.post_data or ''}"))
    page.on("response", lambda response: told.append(response.url))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: told.append(str(data))))
    settings(page, url)
    with page.expect_response(re.compile("settings/keys")) as answered:
        keep(page)
    answer = answered.value.text()
    page.get_by_role("link", name="Browse").click()
    expect(page.locator("#grid .card .hit").first).to_be_visible()
    with_key = [request for request in sent if KEY in request]
    assert [request.partition(" {")[0] for request in with_key] == [f"POST {url}settings/keys"]
    assert KEY not in answer + page.content() + "".join(told) + page.url
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    fields = page.evaluate("[...document.querySelectorAll('input, textarea')].map((each) => each.value).join()")
    assert (KEY in stored, KEY in fields, KEY in caplog.text) == (False, False, False)
    # A file that is being written has another name until it is whole.
    come_to_rest(page)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    # The second is how the sample hub knows whom to let in.
    assert sorted(path.name for path in files) == ["access.json", "system.json"]


def test_a_theme_is_remembered_by_the_browser(url: str, page: Page) -> None:
    settings(page, url)
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator("body.dark")).to_be_visible()
    page = again(page, url)
    expect(page.locator("body.dark")).to_be_visible()
    page = again(page, f"{url}?view=settings")
    expect(page.get_by_label("Theme")).to_have_value("dark")


@pytest.mark.journeys
def test_the_level_of_mature_images_is_that_of_the_filters(url: str, page: Page) -> None:
    settings(page, url)
    level(page).select_option("explicit")
    expect(page).to_have_url(re.compile("nsfw=explicit"))
    page = again(page, url)
    expect(page).to_have_url(re.compile("nsfw=explicit"))


@pytest.mark.journeys
def test_an_address_that_is_none_is_refused_beside_the_form(url: str, page: Page) -> None:
    settings(page, url)
    page.get_by_label("Address of CivitAI").fill("civitai.red")
    page.locator("form.fields").get_by_role("button", name="Save").click()
    expect(page.locator("#settings [data-said]")).to_have_text(
        "CivitAI needs a web address, such as https://civitai.com."
    )


def test_it_is_read_by_everyone_and_nothing_is_too_wide(url: str, page: Page) -> None:
    for theme in ("light", "dark"):
        shown = again(page, f"{url}?view=settings&__theme={theme}")
        expect(shown.locator("#settings h2")).to_be_visible()
        for width in (1440, 390):
            shown.set_viewport_size({"width": width, "height": 900})
            come_to_rest(shown)
            assert violations(shown) == []
            assert too_wide(shown) == []
