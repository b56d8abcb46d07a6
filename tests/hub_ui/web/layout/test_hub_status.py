"""The hubs' pill: what it says of hubs that answer, that need a key, and that are down, and how to ask again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.errors import HubDown, KeyRequired, RateLimited
from connectors.federation import Answer
from connectors.query import Page
from hub_ui.web.layout import pages as header
from hub_ui.web.layout.pages import HubStatus
from hub_ui.web.layout.render import Renderer
from tests.hub_ui.web.conftest import read

GOOD = header.answer_status(Answer(hub="huggingface", seconds=0.42, page=Page(hub="huggingface", loras=())))
KEYLESS = header.error_status("replicate", KeyRequired("Add a key.", hub="replicate"))
DOWN = header.error_status(
    "civitai",
    HubDown("CivitAI can't be reached.", hub="civitai", retry_after=14.2),
    datetime.now(UTC) - timedelta(hours=2),
)
RENDER = Renderer()


def rows(*statuses: HubStatus) -> list[str]:
    page = read(RENDER("layout/hubs", statuses=statuses, address="q=ink"))
    return [" ".join(row.text.split()) for row in page.select("li")]


def test_a_hub_that_is_down_limited_or_in_need_of_a_key_says_so_with_the_reason_on_hover() -> None:
    page = read(RENDER("layout/hubs", statuses=[header.error_status("civitai", HubDown("No."))], address=""))
    assert [(span.text, span["title"]) for span in page.select("li span")] == [("no answer", "No.")]
    assert rows(header.error_status("civitai", RateLimited("Slow.", retry_after=30))) == [
        "CivitAI asks again in 30 s Ask again Slow."
    ]
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
    assert rows(replace(GOOD, hits=9412), KEYLESS) == ["Hugging Face 9,412 · 0.4 s", "Replicate add a key"]
    assert rows(HubStatus(hub="civitai")) == ["CivitAI not asked yet"]
    [row] = rows(DOWN)
    assert row.startswith("CivitAI stopped answering 2 hours ago, asked again in 15 s Ask again")
    assert row.endswith("CivitAI can't be reached.")
    page = read(RENDER("layout/hubs", statuses=(DOWN,), address="q=ink"))
    [form] = page.select("form[method=post][action='hubs/again']")
    assert {field["name"]: field["value"] for field in form.select("input")} == {"hub": "civitai", "back": "q=ink"}
