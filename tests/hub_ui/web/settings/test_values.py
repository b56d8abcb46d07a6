"""Addresses, folders and what is in use; how the page looks; and the images that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from hub_ui import services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.services import Services
from hub_ui.settings import saved_settings
from tests.hub_ui.web.conftest import PART, open_client, read, with_settings


@pytest.fixture
def fixed(built: Services, tmp_path: Path) -> Iterator[TestClient]:
    """Where the environment decides Hugging Face's address and the home folder."""
    with open_client(with_settings(built, fixed=frozenset({"huggingface", "home"})), tmp_path) as page:
        yield page


VALUES = {"hub": ["civitai", "huggingface"], "address": ["https://civitai.red", "https://evil.example"], "home": "/x"}


def test_settings_are_kept_for_the_next_start(fixed: TestClient, built: Services) -> None:
    values = {**VALUES, "proxy": "http://ada:secret@10.0.0.1:1", "library": "/data"}
    answer = fixed.post("/settings/values", data=values, headers=PART)
    assert "Saved. It counts from the next start of hub-ui." in answer.text
    saved = saved_settings.read(built.settings.home)
    assert (dict(saved.endpoints), saved.library, saved.home) == ({"civitai": "https://civitai.red"}, "/data", "")


def test_a_proxy_is_shown_without_its_password_and_sent_back_like_that(fixed: TestClient, built: Services) -> None:
    fixed.post("/settings/values", data={"proxy": "http://ada:secret@10.0.0.1:1"})
    field = read(fixed.get("/settings").text).select_one("input[name=proxy]")
    assert field is not None
    assert field["value"] == "http://10.0.0.1:1"
    fixed.post("/settings/values", data={"proxy": "http://10.0.0.1:1"})
    assert saved_settings.read(built.settings.home).proxy == "http://ada:secret@10.0.0.1:1"
    fixed.post("/settings/values", data={"proxy": ""})
    assert saved_settings.read(built.settings.home).proxy == ""


def test_an_address_that_is_none_is_refused_beside_the_form(fixed: TestClient) -> None:
    answer = fixed.post("/settings/values", data={"hub": ["civitai"], "address": ["civitai.red"]}, headers=PART)
    problem = read(answer.text).select_one("#settings .problem")
    assert problem is not None
    assert problem.text == "CivitAI needs a web address, such as https://civitai.com."


def test_what_the_environment_decides_can_not_be_typed(fixed: TestClient) -> None:
    page = read(fixed.get("/settings").text)
    assert [field["id"] for field in page.select("#settings input[disabled]")] == ["field-huggingface", "field-home"]


def test_the_demo_says_which_folders_are_in_use_and_that_it_keeps_its_key_in_a_file(tmp_path: Path) -> None:
    with (
        running_hubs(SAMPLES) as hubs,
        services.build(demo_settings(tmp_path / "run", tmp_path / "loras", hubs)) as demo,
        open_client(demo, tmp_path) as client,
    ):
        page = read(client.get("/settings").text)
    places = {row.dt.text: row.dd.text for row in page.select(".facts > div") if row.dt and row.dd}
    shown = {field["id"]: field["value"] for field in page.select("#settings input[id]")}
    assert (places["Home"], places["Library"]) == (str(tmp_path / "run"), str(tmp_path / "loras"))
    assert (shown["field-home"], shown["field-library"]) == (places["Home"], places["Library"])
    assert "in a file that only you can read" in page.select("#replicate")[0].text


def test_theme_language_and_level_are_the_browsers(client: TestClient) -> None:
    look = {"theme": "dark", "language": "ja", "nsfw": "mature"}
    answer = client.post("/settings/look", data=look)
    assert (answer.status_code, answer.headers["location"]) == (303, "../settings")
    page = read(client.get("/settings").text)
    assert page.html is not None
    assert (page.html["data-theme"], page.html["lang"]) == ("dark", "ja")
    chosen = [option["value"] for option in page.select("#look option[selected]")]
    assert chosen == ["dark", "ja", "mature"]


def test_a_choice_is_out_of_reach_of_scripts_and_of_other_sites(client: TestClient) -> None:
    cookies = client.post("/settings/look", data={"theme": "light"}, headers=PART).headers.get_list("set-cookie")
    assert cookies[0] == "hub-ui-theme=light; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"
    assert cookies[1].endswith("Max-Age=0")


def test_the_page_comes_anew_in_its_theme(client: TestClient) -> None:
    answer = client.post("/settings/look", data={"theme": "light", "back": "q=ink&nsfw=mature"}, headers=PART)
    assert answer.headers["HX-Redirect"] == "settings?q=ink"


@pytest.mark.parametrize("look", [{"theme": "<b>"}, {"language": "xx"}, {"nsfw": "all"}])
def test_what_is_no_choice_is_the_usual(client: TestClient, look: dict[str, str]) -> None:
    client.post("/settings/look", data=look)
    page = read(client.get("/settings").text)
    assert [option["value"] for option in page.select("#look option[selected]")] == ["", "", "soft"]


def test_the_images_of_the_hubs_are_cleared(client: TestClient, built: Services) -> None:
    answer = client.post("/settings/images", headers=PART)
    assert "The images are cleared." in answer.text
    assert client.post("/settings/images").headers["location"] == "../settings#images"


def test_the_other_pages_are_those_of_what_was_looked_for(client: TestClient) -> None:
    page = read(client.get("/settings?q=ink").text)
    assert [link["href"] for link in page.select("#places > a")][:2] == ["./?q=ink", "./?view=try&q=ink"]


def test_strangers_see_and_change_nothing_of_the_owners(built: Services, tmp_path: Path) -> None:
    with open_client(with_settings(built, hosted=True), tmp_path) as client:
        page = client.get("/settings").text
        refused = [
            client.post("/settings/values", data={"library": "/data"}, headers=PART),
            client.post("/settings/images"),
        ]
    assert (str(built.settings.home) in page, "Addresses and folders" in page) == (False, False)
    assert ["The settings of a shared page are its owner" in answer.text for answer in refused] == [True, True]
