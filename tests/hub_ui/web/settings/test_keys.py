"""The Settings page: keys, a visitor's too, addresses, folders, how the page looks, and kept images."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.settings import saved_settings
from hub_ui.settings.saved_settings import Keys
from tests.hub_ui.app.hosting.private_data import ADA, write_private_data
from tests.hub_ui.library.shared_hubs import CONTRACT
from tests.hub_ui.stand_ins import services_of
from tests.hub_ui.web.conftest import PART, open_client, read, with_settings

KEY = "civ_buyer"


@pytest.fixture(scope="module")
def on_hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("keys")
    keys = Keys({"replicate": "r8_env"}, home / "keys.json", has_keyring=False)
    with running_hubs(CONTRACT) as hubs, services_of(hubs, home, tokens=keys) as built:
        yield built


@pytest.fixture(scope="module")
def opened(on_hubs: Services) -> Iterator[TestClient]:
    with open_client(on_hubs, on_hubs.settings.home) as client:
        yield client


@pytest.fixture
def page(opened: TestClient, on_hubs: Services) -> TestClient:
    (on_hubs.settings.home / "keys.json").unlink(missing_ok=True)
    return opened


def send(page: TestClient, do: str, key: str = "", hub: str = "civitai", *, part: bool = True) -> Any:
    return page.post("/settings/key", data={"hub": hub, "do": do, "key": key}, headers=PART if part else {})


def said(answer: Any, hub: str = "civitai") -> str:
    return str(read(answer.text).select_one(f"#said-{hub}").text)


def test_a_key_is_checked_and_kept_and_counts_at_once_and_is_removed(page: TestClient, on_hubs: Services) -> None:
    assert said(send(page, "save", f"{KEY}\n")) == "The key works and is kept. Its account at CivitAI: local."
    assert on_hubs.settings.tokens["civitai"] == KEY
    assert json.loads((on_hubs.settings.home / "keys.json").read_text()) == {"civitai": KEY}
    assert said(send(page, "check")) == "The key works. Its account at CivitAI: local."
    assert said(send(page, "remove")) == "The key of CivitAI is removed."
    assert "civitai" not in on_hubs.settings.tokens


def test_no_answer_and_no_page_has_a_key_and_a_hub_that_does_not_exist_is_refused(page: TestClient) -> None:
    answers = [send(page, "save", KEY), send(page, "check"), send(page, "save", f"{KEY} {KEY}")]
    send(page, "save", KEY)
    answers += [page.get(path) for path in ("/settings", "/", "/config", "/gradio_api/info")]
    assert [KEY in answer.text + str(answer.headers) for answer in answers] == [False] * 7
    answer = send(page, "save", KEY, "nobody")
    assert (answer.status_code, "There is no such hub. Load the page again." in answer.text) == (422, True)


def test_a_key_that_its_hub_does_not_know_is_not_kept(page: TestClient, on_hubs: Services) -> None:
    refused = "CivitAI does not accept this key. Copy it again, or make another."
    assert said(send(page, "save", "civ_wrong")) == refused
    assert "civitai" not in on_hubs.settings.tokens


def test_without_javascript_a_key_is_kept_and_the_page_comes_anew(page: TestClient) -> None:
    answer = send(page, "save", KEY, part=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "../settings#civitai")
    row = read(page.get("/settings").text).select_one("#civitai")
    assert [button.text for button in row.select("button")] == ["Check", "Remove"]


def test_without_javascript_a_problem_is_said_on_a_page_whose_links_still_lead_somewhere(page: TestClient) -> None:
    answer = send(page, "save", "civ_wrong", part=False)
    base = read(answer.text).base
    assert (answer.status_code, said(answer).startswith("CivitAI does not accept this key.")) == (422, True)
    assert base["href"] == "../"
    assert "base-uri 'self'" in answer.headers["content-security-policy"]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("visitors")
    with (
        running_hubs(write_private_data(home)) as hubs,
        services_of(hubs, home, hosted=True) as built,
        open_client(built, home) as client,
    ):
        yield client


@pytest.fixture
def ada(hosted: TestClient) -> TestClient:
    """Somebody new."""
    hosted.cookies.clear()
    hosted.get("/")
    return hosted


def send_as_visitor(page: TestClient, do: str, hub: str = "replicate", key: str = "") -> str:
    answer = page.post("/settings/key", data={"hub": hub, "do": do, "key": key}, headers=PART)
    found = read(answer.text).select_one(f"#said-{hub}")
    return str(found.text if found else read(answer.text).text).strip()


def states(page: TestClient) -> list[str]:
    return [row.select("span")[0].text for row in read(page.get("/settings").text).select("#keys .row")]


def test_a_key_counts_for_its_visitor_until_it_is_removed(ada: TestClient) -> None:
    assert send_as_visitor(ada, "save", key=ADA["replicate"]).startswith("The key works for this visit.")
    assert states(ada) == ["none", "for this visit"]
    assert send_as_visitor(ada, "check").startswith("The key works for this visit.")
    assert send_as_visitor(ada, "remove").startswith("Your key of Replicate is removed")
    assert send_as_visitor(ada, "check") == "This is empty. Paste the key."


@pytest.mark.parametrize(
    ("do", "hub", "key", "said"),
    [
        ("save", "civitai", "wrong", "CivitAI does not accept this key."),
        ("save", "civitai", "a b", "This holds characters that no key has."),
        ("save", "huggingface", "hf_member", "There is no such hub."),
        ("check", "civitai", "", "This is empty."),
    ],
)
def test_what_is_no_key_is_not_kept(ada: TestClient, do: str, hub: str, key: str, said: str) -> None:
    assert send_as_visitor(ada, do, hub, key).startswith(said)
    assert states(ada) == ["none", "none"]


def test_no_page_has_a_visitors_key_and_another_visitor_has_none_of_it(ada: TestClient) -> None:
    send_as_visitor(ada, "save", key=ADA["replicate"])
    assert ADA["replicate"] not in ada.get("/settings").text
    assert ADA["replicate"] not in ada.post("/settings/key", data={"hub": "replicate", "do": "check"}).text
    ada.cookies.clear()
    ada.get("/")
    assert states(ada) == ["none", "none"]


@pytest.fixture(scope="module")
def fixed(of_site: Services) -> Iterator[TestClient]:
    """Where the environment decides Hugging Face's address and the home folder."""
    home = of_site.settings.home
    with open_client(with_settings(of_site, fixed=frozenset({"huggingface", "home"})), home) as page:
        yield page


VALUES = {"hub": ["civitai", "huggingface"], "address": ["https://civitai.red", "https://evil.example"], "home": "/x"}


def test_settings_are_kept_for_the_next_start(fixed: TestClient, of_site: Services) -> None:
    values = {**VALUES, "proxy": "http://ada:secret@10.0.0.1:1", "library": "/data"}
    answer = fixed.post("/settings/values", data=values, headers=PART)
    assert "Saved. It counts from the next start of hub-ui." in answer.text
    saved = saved_settings.read(of_site.settings.home)
    assert (dict(saved.endpoints), saved.library, saved.home) == ({"civitai": "https://civitai.red"}, "/data", "")


def test_a_proxy_is_shown_without_its_password_and_sent_back_like_that(fixed: TestClient, of_site: Services) -> None:
    fixed.post("/settings/values", data={"proxy": "http://ada:secret@10.0.0.1:1"})
    field = read(fixed.get("/settings").text).select_one("input[name=proxy]")
    assert field["value"] == "http://10.0.0.1:1"
    fixed.post("/settings/values", data={"proxy": "http://10.0.0.1:1"})
    assert saved_settings.read(of_site.settings.home).proxy == "http://ada:secret@10.0.0.1:1"
    fixed.post("/settings/values", data={"proxy": ""})
    assert saved_settings.read(of_site.settings.home).proxy == ""


def test_what_is_no_address_is_refused_and_what_the_environment_decides_not_typed(fixed: TestClient) -> None:
    answer = fixed.post("/settings/values", data={"hub": ["civitai"], "address": ["civitai.red"]}, headers=PART)
    problem = read(answer.text).select_one("#settings .problem")
    assert problem.text == "CivitAI needs a web address, such as https://civitai.com."
    page = read(fixed.get("/settings").text)
    assert [field["id"] for field in page.select("#settings input[disabled]")] == ["field-huggingface", "field-home"]


def test_the_demo_says_which_folders_are_in_use_and_that_it_keeps_its_key_in_a_file(tmp_path: Path) -> None:
    with (
        running_hubs(CONTRACT) as hubs,
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
    assert (page.html["data-theme"], page.html["lang"]) == ("dark", "ja")
    chosen = [option["value"] for option in page.select("#look option[selected]")]
    assert chosen == ["dark", "ja", "mature"]


def test_a_choice_is_out_of_reach_of_scripts_and_other_sites_and_the_page_comes_anew_in_it(client: TestClient) -> None:
    answer = client.post("/settings/look", data={"theme": "light", "back": "q=ink&nsfw=mature"}, headers=PART)
    assert answer.headers["HX-Redirect"] == "settings?q=ink"
    cookies = answer.headers.get_list("set-cookie")
    assert cookies[0] == "hub-ui-theme=light; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"
    assert cookies[1].endswith("Max-Age=0")


@pytest.mark.parametrize("look", [{"theme": "<b>"}, {"language": "xx"}, {"nsfw": "all"}])
def test_what_is_no_choice_is_the_usual(client: TestClient, look: dict[str, str]) -> None:
    client.post("/settings/look", data=look)
    page = read(client.get("/settings").text)
    assert [option["value"] for option in page.select("#look option[selected]")] == ["", "", "soft"]


def test_the_images_of_the_hubs_are_cleared_and_the_other_pages_are_of_what_was_looked_for(site: TestClient) -> None:
    answer = site.post("/settings/images", headers=PART)
    assert "The images are cleared." in answer.text
    assert site.post("/settings/images").headers["location"] == "../settings#images"
    page = read(site.get("/settings?q=ink").text)
    assert [link["href"] for link in page.select("#places > a")][:2] == ["./?q=ink", "try?q=ink"]
