"""The glossary and the About page, and the addresses that pages had before."""

import re
from contextlib import suppress

import pytest
from starlette.testclient import TestClient

from connectors.errors import HubDown
from connectors.guard import CircuitBreaker
from hub_ui.services import Services
from hub_ui.web.layout.glossary import TERMS
from hub_ui.web.layout.pages import STATIC
from hub_ui.web.view import OWN_ADDRESSES
from tests.hub_ui.web.conftest import read


def test_each_word_of_the_glossary_has_an_anchor_and_a_link_and_it_leads_back_to_what_was_looked_for(
    site: TestClient,
) -> None:
    page = read(site.get("/glossary").text)
    assert [section["id"] for section in page.select("main section")] == list(TERMS)
    assert [link["href"] for link in page.select("main nav a")] == [f"#{name}" for name in TERMS]
    assert "How much a LoRA can hold" in page.select("#rank")[0].text
    page = read(site.get("/glossary?q=ink").text)
    [back] = [link for link in page.select("main a") if "Back" in link.text]
    assert back["href"] == "./?q=ink"


def test_about_says_the_versions_and_licences_and_that_of_htmx_is_its_files(site: TestClient) -> None:
    page = read(site.get("/about").text)
    assert "htmx 4.0.1 is under the 0BSD licence." in page.text
    assert [site.get(f"/{link['href']}").status_code for link in page.select("main a")] == [200, 200]
    assert "4.0.1" in (STATIC / "htmx.min.js").read_text()
    assert "Zero-Clause BSD" in (STATIC / "htmx.LICENSE").read_text()


@pytest.mark.parametrize("name", ["settings", "glossary", "about", "train", "image"])
def test_a_page_says_in_the_menu_that_it_is_the_present_one(site: TestClient, name: str) -> None:
    page = read(site.get(f"/{name}").text)
    assert [link["href"] for link in page.select(".on-desktop [aria-current=page]")] == [name]


@pytest.mark.parametrize("name", OWN_ADDRESSES)
def test_the_address_that_a_page_had_leads_to_its_own_and_what_was_looked_for_goes_along(
    site: TestClient, name: str
) -> None:
    answer = site.get(f"/?view={name}&q=ink")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{name}?q=ink")


@pytest.fixture
def breaker(built: Services) -> CircuitBreaker:
    """CivitAI's, after as many failures as it takes."""
    breaker = built.lookup.guards["civitai"].breaker
    while breaker.state == "closed":
        with suppress(HubDown), breaker.request() as request:
            request.is_sent = True
            raise HubDown("down")
    return breaker


@pytest.mark.parametrize("name", ["settings", "?view=library"])
def test_every_page_says_which_hub_does_not_answer_and_when_it_is_asked_again(
    client: TestClient, breaker: CircuitBreaker, name: str
) -> None:
    page = read(client.get(f"/{name}").text)
    assert page.select("#hubs .problem")[0].text == "CivitAI: no answer"
    assert "It is asked again in" in page.select("#hubs .problem")[0]["title"]
    assert re.search(r"no answer, asked again in \d+ s", page.select("#hubs-list .down")[0].text)


def test_a_hub_is_asked_again_at_once_and_the_page_comes_back(client: TestClient, breaker: CircuitBreaker) -> None:
    answer = client.post("/hubs/again", data={"hub": "civitai", "back": "q=ink&open=civitai:1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../?q=ink&open=civitai%3A1")
    assert breaker.state == "half-open"
    assert client.post("/hubs/again", data={"hub": "civitai", "back": "view=settings"}).headers["location"] == (
        "../settings"
    )


def test_a_hub_that_does_not_exist_is_not_asked(site: TestClient) -> None:
    assert site.post("/hubs/again", data={"hub": "nobody"}).status_code == 422


def test_what_a_script_imports_has_the_address_that_the_page_loads_it_by(site: TestClient) -> None:
    page = read(site.get("/").text)
    loaded = {link["src"] for link in page.select("script[type=module]")}
    keyboard = next(address for address in loaded if address.endswith("/keyboard.js"))
    imported = re.findall(r'from "\./([^"]+)"', site.get(f"/{keyboard}").text)
    assert {keyboard.replace("keyboard.js", name) for name in imported} <= loaded
    assert imported == ["panel.js"]
