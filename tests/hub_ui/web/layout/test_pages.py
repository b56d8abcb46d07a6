"""What stands around every page: the hubs' pill, the small pages, and what is said where something is refused."""

import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jinja2 import UndefinedError
from starlette.testclient import TestClient

from connectors.errors import HubDown, KeyRequired, RateLimited
from connectors.federation import Answer
from connectors.guard import CircuitBreaker
from connectors.query import Page
from hub_ui.app.services import Services
from hub_ui.base.i18n import use_language
from hub_ui.locales import get_language
from hub_ui.web.layout.pages import STATIC, HubStatus, answer_status, error_status
from hub_ui.web.layout.render import TERMS, Renderer
from hub_ui.web.view import PATHS
from tests.hub_ui.web.conftest import PART, read

GOOD = answer_status(Answer(hub="huggingface", seconds=0.42, page=Page(loras=())))
KEYLESS = error_status("replicate", KeyRequired("Add a key.", hub="replicate"))
DOWN = error_status(
    "civitai",
    HubDown("CivitAI can't be reached.", hub="civitai", retry_after=14.2),
    datetime.now(UTC) - timedelta(hours=2),
)
RENDER = Renderer()


def rows(*statuses: HubStatus) -> list[str]:
    page = read(RENDER("layout/hubs", statuses=statuses, address="q=ink"))
    return [" ".join(row.text.split()) for row in page.select("li")]


def test_a_hub_that_is_down_limited_or_in_need_of_a_key_says_so_with_the_reason_on_hover() -> None:
    page = read(RENDER("layout/hubs", statuses=[error_status("civitai", HubDown("No."))], address=""))
    assert [(span.text, span["title"]) for span in page.select("li span")] == [("no answer", "No.")]
    limited = error_status("civitai", RateLimited("Slow.", retry_after=30))
    assert rows(limited) == ["CivitAI asks again in 30 s Ask again Slow."]
    page = read(RENDER("layout/hubs", statuses=[KEYLESS], address=""))
    assert (page.a.text, page.a["href"]) == ("add a key", "settings#replicate")
    assert page.select_one("li span")["title"] == "Add a key."


def test_the_pill_is_a_dot_a_hub_and_only_one_that_is_down_writes_its_name_into_the_header() -> None:
    page = read(RENDER("layout/hubs", statuses=(GOOD, KEYLESS), address=""))
    assert [dot["class"] for dot in page.select("#hubs .dot")] == [["dot", "good"], ["dot", "key"]]
    assert page.select(".word")[0].text == "2 hubs"
    page = read(RENDER("layout/hubs", statuses=(GOOD, DOWN), address=""))
    assert page.select("#hubs .problem")[0].text == "CivitAI: no answer"


def test_the_list_says_hits_times_and_needs_and_of_one_that_is_down_since_when_and_why() -> None:
    assert rows(replace(GOOD, hits=9412), KEYLESS) == ["Hugging Face 9,412 LoRAs · 0.4 s", "Replicate add a key"]
    assert rows(HubStatus(hub="civitai")) == ["CivitAI not asked yet"]
    [row] = rows(DOWN)
    assert row.startswith("CivitAI stopped answering 2 hours ago, asked again in 15 s Ask again")
    assert row.endswith("CivitAI can't be reached.")
    page = read(RENDER("layout/hubs", statuses=(DOWN,), address="q=ink"))
    [form] = page.select("form[method=post][action='hubs/again']")
    assert {field["name"]: field["value"] for field in form.select("input")} == {"hub": "civitai", "back": "q=ink"}


def test_each_word_of_the_glossary_has_an_anchor_and_the_page_a_link_back(site: TestClient) -> None:
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


@pytest.mark.parametrize("name", sorted(PATHS.values()))
def test_view_in_the_query_redirects_to_the_path(site: TestClient, name: str) -> None:
    """Of a Space's address, the query string alone reaches the app."""
    answer = site.get(f"/?view={name}&lora=civitai%3A1*0.5&job=x%26y")
    place = "./" if name == "browse" else name
    assert (answer.status_code, answer.headers["location"]) == (303, f"{place}?lora=civitai%3A1%2A0.5&job=x%26y")


def test_unknown_view_in_the_query_redirects_to_browse(site: TestClient) -> None:
    assert site.get("/?view=//evil.example&q=ink").headers["location"] == "./?q=ink"
    assert site.get("/?view=library").headers["location"] == "library"


@pytest.mark.parametrize("path", ["", "library", "try", "settings", "downloads", "news", "glossary", "about", "image"])
def test_each_page_has_a_path_of_its_own(site: TestClient, path: str) -> None:
    page = read(site.get(f"/{path}?q=ink").text)
    assert page.select_one("#main")
    assert page.body["data-page"] == (path or "browse")
    places = [link["href"] for link in page.select("#places > a")]
    assert places == ["./?q=ink", "try?q=ink", "library?q=ink"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "librarie", 404), ("GET", "library/nothing", 404), ("GET", "try/full", 405), ("POST", "glossary", 405),
     ("DELETE", "library", 405), ("PUT", "", 405)],
)  # fmt: skip
def test_unknown_paths_and_methods_are_answered_with_a_page(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, f"/{path}", headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert read(answer.text).select_one("main [role=alert]").text == "There is no such page."


@pytest.fixture
def breaker(built: Services) -> CircuitBreaker:
    """CivitAI's, after as many failures as it takes."""
    breaker = built.lookup.guards["civitai"].breaker
    while breaker.state == "closed":
        with suppress(HubDown), breaker.request():
            raise HubDown("down")
    return breaker


@pytest.mark.parametrize("name", ["settings", "library"])
def test_each_page_says_what_hub_is_down_and_until_when(client: TestClient, breaker: CircuitBreaker, name: str) -> None:
    page = read(client.get(f"/{name}").text)
    assert page.select("#hubs .problem")[0].text == "CivitAI: no answer"
    assert "It is asked again in" in page.select("#hubs .problem")[0]["title"]
    assert re.search(r"no answer, asked again in \d+ s", page.select("#hubs-list .down")[0].text)


def test_a_hub_is_asked_again_at_once_and_the_page_comes_back(client: TestClient, breaker: CircuitBreaker) -> None:
    answer = client.post("/hubs/again", data={"hub": "civitai", "back": "q=ink&open=civitai:1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../?q=ink&open=civitai%3A1")
    assert breaker.state == "half-open"
    answer = client.post("/hubs/again", data={"hub": "civitai", "back": "view=settings"})
    assert answer.headers["location"] == "../settings"


def test_a_hub_that_does_not_exist_is_not_asked(site: TestClient) -> None:
    assert site.post("/hubs/again", data={"hub": "nobody"}).status_code == 422


def test_what_a_script_imports_has_the_address_that_the_page_loads_it_by(site: TestClient) -> None:
    page = read(site.get("/").text)
    loaded = {link["src"] for link in page.select("script[type=module]")}
    keyboard = next(address for address in loaded if address.endswith("/keyboard.js"))
    imported = re.findall(r'from "\./([^"]+)"', site.get(f"/{keyboard}").text)
    assert {keyboard.replace("keyboard.js", name) for name in imported} <= loaded
    assert imported == ["panel.js"]


def test_a_form_that_is_refused_leads_to_a_page_that_works_one_level_deeper_by_its_base(site: TestClient) -> None:
    answer = site.post("/lora/favorite", data={"ref": "nonsense"})
    page = read(answer.text)
    assert (answer.status_code, page.select_one("base")["href"]) == (422, "../")
    assert "base-uri 'self'" in answer.headers["Content-Security-Policy"]
    assert page.select_one("[role=alert].problem").text.startswith("“nonsense” names no LoRA")
    assert page.select_one("#main a")["href"] == "./"
    answer = site.get("/lora-image")
    assert (answer.status_code, read(answer.text).select("base")) == (422, [])
    assert "base-uri 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/lora/favorite", "/hubs/again", "/library"])
def test_a_part_that_is_refused_is_a_toast_wherever_it_was_asked_for(site: TestClient, path: str) -> None:
    answer = site.post(path, data={"ref": "nonsense", "hub": "nonsense", "do": "nonsense"}, headers=PART)
    names = ("HX-Retarget", "HX-Reswap", "HX-Push-Url")
    assert (answer.status_code, *map(answer.headers.get, names)) == (422, "#toast", "innerHTML", "false")
    assert read(answer.text).select("html, main") == []


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("/lora/favorite", {}, "The field “ref” is not right. It is missing. Load the page again."),
        ("/lora/favorite", {"ref": "x" * 501}, "The field “ref” is not right. It is too long."),
        ("/history/remove", {"id": "1", "page": "two"}, "The field “page” is not right. It has to be a whole number."),
        ("/history/remove", {"id": "1", "page": "0"}, "The field “page” is not right. It is too small."),
        ("/history/remove", {"id": "1", "page": "1001"}, "The field “page” is not right. It is too large."),
        ("/downloads/burn", {}, "The field “act” is not right. It is none of the choices."),
        ("/settings/values", {"hub": ["x" * 41]}, "The field “hub” is not right. It is too long."),
    ],
)
def test_a_value_that_no_form_has_is_named(site: TestClient, path: str, data: dict[str, Any], said: str) -> None:
    for headers in ({}, PART):
        answer = site.post(path, data=data, headers=headers)
        assert (answer.status_code, said in answer.text) == (422, True)


def test_values_in_a_translated_text_are_escaped_and_what_a_template_was_not_given_fails() -> None:
    render = Renderer()
    template = render._environment.from_string("{{ _('{n} of {m}').format(n=n, m='<b>') }} {{ ngettext(n, n, 1) }}")
    with use_language(get_language("ja")):
        assert template.render(n="<script>") == "&lt;script&gt; of &lt;b&gt; &lt;script&gt;"
    with pytest.raises(UndefinedError, match="'lora' is undefined"):
        Renderer()("lora/panel")
