"""A shared page whose visitors sign in to Hugging Face, by Gradio's own sign-in and the local hub's consent page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import gradio.oauth
import pytest
from playwright.sync_api import Browser, Page, expect

from hub_ui import app, services
from hub_ui.commands.demo import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from tests.browser import places
from tests.browser.axe import violations
from tests.browser.conftest import Watch
from tests.browser.journey import SCREEN
from tests.browser.layout import too_wide

pytestmark = [pytest.mark.browser, pytest.mark.journeys]
REPO = "hatbox/top-hat-tiny"
LORA = f"huggingface:{REPO}"
APP = {"CLIENT_ID": "the-space", "CLIENT_SECRET": "its-secret", "SCOPES": "openid profile gated-repos"}


@contextmanager
def gated_space(folder: Path) -> Iterator[str]:
    """Where Ada was granted a gated LoRA. Gradio reads what a Space sets when it is imported, which was before."""
    data = copytree(SAMPLES, folder / "data")
    files = json.loads((data / "files.json").read_text(encoding="utf-8"))
    for spec in files["huggingface"][REPO].values():
        spec["access"] = "gated"
    (data / "files.json").write_text(json.dumps(files), encoding="utf-8")
    (data / "access.json").write_text(json.dumps({"grants": {"ada": [REPO]}}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, running_hubs(data) as hubs:
        # With the variables of a Space it would listen on all addresses too.
        patch.setattr(gradio.oauth, "get_space", lambda: "local/loras")
        patch.setattr(gradio.oauth, "OPENID_PROVIDER_URL", hubs.huggingface)
        for name, value in APP.items():
            patch.setattr(gradio.oauth, f"OAUTH_{name}", value)
        settings = replace(demo_settings(folder / "home", folder / "loras", hubs), hosted=True, sign_in=True)
        with services.build(settings) as built, app.serving(built) as url:
            yield url


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gated_space(tmp_path_factory.mktemp("sign-in")) as url:
        yield url


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """Another browser, whose person has not signed in."""
    watch, context = Watch(), browser.new_context(viewport=SCREEN)
    watch.over(context)
    yield context.new_page()
    context.close()
    assert watch.faults == []


def sign_in(page: Page, url: str, account: str) -> None:
    page.goto(f"{url}?view=settings")
    page.get_by_role("button", name="Sign in with Hugging Face").click()
    page.get_by_label("Account").fill(account)
    page.get_by_role("button", name="Authorize").click()
    expect(page.locator(".settings .key .state").first).to_have_text(f"signed in as {account}")


def test_who_has_signed_in_tries_a_gated_lora_and_nobody_else_does(page: Page, stranger: Page, space: str) -> None:
    page.goto(f"{space}?open={LORA}")
    expect(page.locator(".detail")).to_contain_text("Sign in to Hugging Face under Settings.")
    sign_in(page, space, "ada")
    page.goto(f"{space}?open={LORA}")
    page.get_by_role("button", name="Download & try").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=places.MAKING)
    # Its file is in the cache of the page now.
    stranger.goto(f"{space}?view=try&lora={LORA}&prompt=a+hat")
    stranger.locator("#make").click()
    expect(stranger.get_by_text("Sign in under Settings")).to_be_visible()
    expect(stranger.locator(".pair img.over")).to_have_count(0)


def test_who_signs_out_is_a_stranger_again(page: Page, space: str) -> None:
    sign_in(page, space, "ada")
    assert (violations(page), too_wide(page)) == ([], [])
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator(".settings .key .state").first).to_have_text("not signed in")
    page.goto(f"{space}?open={LORA}")
    expect(page.locator(".detail")).to_contain_text("Sign in to Hugging Face under Settings.")


def test_an_account_that_was_not_granted_it_is_told_so(page: Page, space: str) -> None:
    sign_in(page, space, "ben")
    page.goto(f"{space}?view=try&lora={LORA}&prompt=a+hat")
    page.locator("#make").click()
    expect(page.get_by_text("your account at Hugging Face has none yet")).to_be_visible()
