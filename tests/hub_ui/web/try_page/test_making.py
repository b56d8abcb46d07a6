"""What the button makes, and what the page shows meanwhile, afterwards and beside images that are there."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gradio.context import LocalContext
from PIL import Image
from starlette.testclient import TestClient

from connectors.errors import HubDown
from hub_ui.app.jobs import Jobs, JobSubject
from hub_ui.app.services import Services
from hub_ui.generate.request import Step
from hub_ui.web.images import GeneratedImages
from hub_ui.web.layout.pages import Pages
from hub_ui.web.try_page.form import read_address
from hub_ui.web.try_page.generate import Generator, TryOrder
from hub_ui.web.try_page.result import Result, Tile
from hub_ui.web.try_page.routes import TryRoutes
from tests.hub_ui.catalog.builders import lora
from tests.hub_ui.generate.making import job, report
from tests.hub_ui.library.download.queueing import Pulls, eventually
from tests.hub_ui.web.conftest import PART, open_client, parts, read
from tests.hub_ui.web.try_page.test_generate import NEED

PAIR = JobSubject(name="pair", refs=("civitai:2",))
PAGE = "/try?lora=civitai:2"
TILES = tuple(Tile(src=f"images/x/{n}.png", label=n, weight=w) for n, w in (("without", 0.0), ("with Ink", 1.0)))
RESULT = Result(kind="pair", tiles=TILES, width=128, height=128, report=report(), refs=("civitai:2",))
SWEEP = Result(kind="strip", tiles=(*TILES, Tile(src="images/x/3.png", label="", weight=1.5)), width=128, height=128,
               report=report(), refs=("civitai:2",), name="Ink")  # fmt: skip


@pytest.fixture
def page(queued: Services, pulls: Pulls, tmp_path: Path) -> Iterator[TestClient]:
    """Its downloads wait."""
    pulls.held.set()
    with open_client(queued, tmp_path) as opened:
        yield opened


def jobs(client: TestClient) -> Jobs:
    found: Jobs = client.app.state.jobs  # type: ignore[attr-defined]
    return found


def finished(client: TestClient, result: Any = RESULT, subject: JobSubject = PAIR) -> str:
    """The id of a job that has ended so."""

    def work(*_: object) -> Any:
        if isinstance(result, BaseException):
            raise result
        return result

    id_ = jobs(client).start(subject, work)
    eventually(lambda: jobs(client).find(id_).outcome)  # type: ignore[union-attr]
    return id_


def shown(client: TestClient, id_: str, more: str = "") -> Any:
    return read(client.get(f"{PAGE}&job={id_}{more}").text)


def form(client: TestClient, **fields: str) -> dict[str, str]:
    """The fields of the page's form, some of them changed."""
    client.get("/try/ask" + PAGE[4:])
    found = read(client.get(PAGE).text).select("#try :is(input:not([type=radio]), textarea, option[selected])")
    named = ((field if field.name != "option" else field.parent, field) for field in found)
    values = {str(by["name"]): str(f.get("value", f.text)) for by, f in named if by is not None and by.get("name")}
    return {**values, **fields}


def test_try_it_starts_at_once_and_leads_to_what_it_makes_and_two_clicks_make_it_once(page: TestClient) -> None:
    answer = page.post("/try", data={"lora": "civitai:2"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("try?lora=civitai%3A2&prompt=a+cat&seed=417&job=")
    followed = read(page.get("/" + answer.headers["location"].removeprefix("./")).text)
    assert followed.select_one("#run").text == "Stop"
    assert followed.select_one("#stage [hx-get^='jobs/']") is not None
    places = {page.post("/try", data=form(page)).headers["location"] for _ in range(2)}
    assert len(places) == 1


def test_the_button_answers_with_the_stage_and_the_address_that_leads_back(page: TestClient) -> None:
    answer = page.post("/try", data=form(page), headers=PART)
    assert "&job=" in answer.headers["HX-Push-Url"]
    targets = [part["hx-target"] for part in read(answer.text).select("hx-partial")]
    assert targets == ["#make", "#stage", "#places", "#kept"]


def test_what_is_made_keeps_its_heading_after_an_act(page: TestClient) -> None:
    part = read(page.post("/try/form", data=form(page, act="dice"), headers=PART).text)
    headings = part.select("hx-partial[hx-target='#making'] :is(h2, h3)")
    assert [heading.name for heading in headings] == ["h2", "h3", "h3", "h3"]


def test_without_javascript_the_page_looks_again_until_it_is_made(page: TestClient) -> None:
    location = page.post("/try", data=form(page)).headers["location"]
    text = page.get("/" + location.removeprefix("./")).text
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in text
    assert "http-equiv" not in shown(page, finished(page)).decode()


def test_a_gpu_has_the_quota_of_who_clicked(page: TestClient, pulls: Pulls, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    pulls.held.clear()

    def make(*_: object) -> Result:
        found.append(LocalContext.request.get().headers["x-ip-token"])  # type: ignore[union-attr]
        return RESULT

    monkeypatch.setattr(Generator, "make", make)
    page.post("/try", data={"lora": "civitai:2"}, headers={"X-IP-Token": "of ada"})
    eventually(lambda: found == ["of ada"])


def test_a_lora_that_was_never_seen_is_asked_for_once_the_page_is_there(page: TestClient) -> None:
    before = read(page.get(PAGE).text)
    assert before.select_one("#prompt").text == ""
    ask = before.select_one("#making [hx-get^='try/ask?']")
    after = read(page.get(f"/{ask['hx-get']}", headers=PART).text)
    assert after.select_one("#prompt").text == "a cat"
    assert after.select_one("#making [hx-get]") is None


def test_facts_of_a_lora_leave_the_stage_as_it_is(page: TestClient) -> None:
    ask = read(page.get(PAGE).text).select_one("#making [hx-get^='try/ask?']")
    answer = read(page.get(f"/{ask['hx-get']}", headers=PART).text)
    assert [part["hx-target"] for part in answer.select("hx-partial")] == ["#making"]


def test_click_before_the_facts_fills_in_the_form(page: TestClient) -> None:
    answer = read(page.post("/try", data={"lora": "civitai:2"}, headers=PART).text)
    assert answer.select_one("#prompt").text == "a cat"
    assert answer.select_one("#run").text == "Stop"


def test_change_before_the_facts_requests_them_again(page: TestClient) -> None:
    answer = read(page.post("/try/form", data={"lora": "civitai:2", "steps": "4"}, headers=PART).text)
    assert "&steps=4" in answer.select_one("[hx-get^='try/ask?']")["hx-get"]


def test_who_does_not_wait_for_the_hub_gets_what_it_suggests_all_the_same(page: TestClient) -> None:
    fields = read(page.get(PAGE).text).select("#try input[name]")
    made = page.post("/try", data={str(field["name"]): str(field.get("value", "")) for field in fields})
    assert "&prompt=a+cat&seed=417" in made.headers["location"]


def test_there_is_nothing_to_make_without_a_lora(site: TestClient) -> None:
    page = read(site.get("/try").text)
    assert page.select_one("#run").has_attr("disabled")
    assert (page.select_one("#stage .filled")["value"], page.select_one("#stage .filled")["form"]) == ("browse", "try")
    assert site.post("/try", data={}).status_code == 422


def test_a_wrong_field_and_a_lora_that_no_base_here_carries_are_told(page: TestClient) -> None:
    answer = page.post("/try", data=form(page, steps="9000"), headers=PART)
    field = read(answer.text).select_one("[name=steps]")
    assert (field["value"], field["aria-invalid"]) == ("9000", "true")
    assert "Choose between 1 and 500 steps." in answer.text
    assert jobs(page).running() == 0
    answer = page.post("/try", data={"lora": "civitai:1"})
    assert answer.status_code == 422
    assert "the demo brings only its tiny base" in read(answer.text).select_one("#shown").text


def test_a_result_is_in_the_page_as_it_is_served_at_most_three_times_its_size(site: TestClient) -> None:
    made = shown(site, finished(site))
    assert [image["alt"] for image in made.select("#pair img[src^=images]")] == ["without", "with Ink"]
    proof = "2 of 3 tensors applied; 1 of text encoder 2 · from the cache · seed 7 · SD 1.5 on CPU"
    assert proof in " ".join(made.select_one(".proof").text.split())
    assert made.select_one("[data-slide]") is not None
    assert "width='384' height='384'" in made.select_one(".spacer")["src"]


def test_images_of_other_loras_and_those_that_are_gone_are_not_shown(site: TestClient) -> None:
    id_ = finished(site, subject=JobSubject(name="pair", refs=("civitai:9",)))
    assert shown(site, id_).select_one("#pair") is None
    assert "These images are no longer here." in shown(site, "guessed").text
    answer = site.get("/jobs/guessed", headers=PART)
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (404, "#toast")
    assert "This is no longer here. Start it again." in answer.text


def test_the_chosen_image_of_a_row_is_on_the_stage_and_brings_its_weight_into_the_form(site: TestClient) -> None:
    id_ = finished(site, SWEEP, JobSubject(name="strip", refs=("civitai:2",)))
    made = shown(site, id_, "&sheet=strip&shown=2")
    assert [tile["value"] for tile in made.select(".tile[aria-current]")] == ["tile 2"]
    assert [tile.text.strip() for tile in made.select(".strip .tile")] == ["0", "1", "1.5 ⚠"]
    assert made.select_one("#pair .under")["src"] == "images/x/3.png"
    id_ = finished(site, SWEEP, JobSubject(name="strip", refs=("civitai:2",)))
    fields = form(site, sheet="strip", job=id_, act="tile 2")
    answer = site.post("/try/form", data=fields)
    assert answer.headers["location"].startswith("../try?lora=civitai%3A2%2A1.5&")
    assert answer.headers["location"].endswith("&shown=2")


@pytest.mark.parametrize("with_weights", [True, False])
def test_further_weights_are_made_under_a_pair_that_has_its_request(site: TestClient, with_weights: bool) -> None:
    id_ = finished(site)
    answer = site.post("/try/weights", data=form(site, job=id_ if with_weights else "guessed"))
    said = "no other weights" if with_weights else "no longer here"
    assert (answer.status_code, said in answer.text) == (422, True)


def test_drafts_are_marked_and_a_click_renders_the_same_in_full(page: TestClient) -> None:
    order = TryOrder(view=read_address("view=try&lora=civitai:2&prompt=a+fox").view)
    id_ = jobs(page).start(PAIR, lambda *_: replace(RESULT, report=report(draft=())), inputs=order)
    eventually(lambda: jobs(page).find(id_).outcome)  # type: ignore[union-attr]
    stage = shown(page, id_).select_one("#stage")
    assert (stage.select_one(".chip.warn").text, stage.select_one("#in-full")["hx-post"]) == ("drafts", "try/full")
    # What stands in the form by now is not what these were made with.
    answer = page.post("/try/full", data=form(page, job=id_, prompt="a cat"))
    assert answer.status_code == 303
    newest: Any = jobs(page).all("generation")[0]
    settings = newest.inputs.view.settings
    assert (newest.id == id_, settings.prompt, settings.arguments()["draft"]) == (False, "a fox", False)
    gone = page.post("/try/full", data=form(page, job="guessed"))
    assert (gone.status_code, "no longer here" in gone.text) == (422, True)


class Held:
    """Work with one step, until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, report: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> Result:
        report(Step(stage="Generating 2 images", done=1, total=4, preview=Image.new("RGB", (2, 2)), seconds_left=90))
        while not self.go.wait(0.01) and not is_cancelled():
            pass
        return RESULT


def test_a_reload_takes_it_up_where_it_is(site: TestClient) -> None:
    work = Held()
    id_ = jobs(site).start(PAIR, work)
    eventually(lambda: jobs(site).find(id_).number == 1)  # type: ignore[union-attr]
    now = shown(site, id_)
    assert now.select_one("#preview")["src"].startswith("data:image/png;base64,")
    assert now.select_one("#shown progress")["value"] == "25.0"
    assert "about 1 min 30 s left" in now.select_one("#make").text
    work.go.set()


def test_its_stream_shows_each_step_and_at_last_the_images(site: TestClient) -> None:
    work = Held()
    id_ = jobs(site).start(PAIR, work)
    threading.Timer(0.3, work.go.set).start()
    messages = parts(site.get(f"/jobs/{id_}{PAGE[4:]}").text)
    assert messages[0].select_one("#preview") is not None
    last = [part["hx-target"] for part in messages[-1].select("hx-partial")]
    assert last == ["#shown", "#make", "#history"]
    assert messages[-1].select_one("#run").text == "Make the pair"


def test_a_failure_is_said_on_the_stage_and_stays_after_a_reload_without_inner_words(site: TestClient) -> None:
    id_ = finished(site, HubDown("CivitAI is down."))
    for text in (site.get(f"/jobs/{id_}{PAGE[4:]}").text, shown(site, id_).decode()):
        assert "CivitAI is down." in text
        assert "Make the pair" in text
    text = shown(site, finished(site, ZeroDivisionError("secret"))).text
    assert ("Something went wrong here." in text, "secret" in text) == (True, False)


def test_gigabytes_are_asked_for_and_the_answer_says_what_it_is_about(site: TestClient) -> None:
    asked = shown(site, finished(site, NEED), "&on=tiny-shapes")
    assert "2.0 GB from a/b" in " ".join(asked.select_one("[role=alertdialog]").text.split())
    assert asked.select_one("#agree")["value"] == "tiny-shapes civitai:2"
    left = site.post("/try/form", data=form(site, job="x", act="leave")).headers["location"]
    assert "job=" not in left


def test_stopping_says_what_is_left(page: TestClient, queued: Services) -> None:
    location = page.post("/try", data={"lora": "civitai:2"}).headers["location"]
    id_ = location.rpartition("job=")[2]
    answer = page.post(f"/jobs/{id_}/stop{PAGE[4:]}", headers=PART)
    assert "Stopped. What has come of the download is kept." in answer.text
    assert "job=" not in answer.headers["HX-Replace-Url"]
    assert queued.queue.tasks()[0].state == "paused"
    # Without JavaScript it leads back to the page.
    id_ = jobs(page).start(PAIR, Held())
    assert page.post(f"/jobs/{id_}/stop{PAGE[4:]}").headers["location"] == "../../try?lora=civitai%3A2"


def shown_values(client: TestClient, *weights: float, address: str = "", **fields: Any) -> Any:
    """The stage with such a result."""
    tiles = tuple(Tile(src=f"images/a/{w}.png", label=f"Ink {w:g}", weight=w) for w in weights)
    values: dict[str, Any] = {
        "kind": "pair", "tiles": tiles, "width": 64, "height": 32, "report": report(), "name": "Ink",
        "title": "Ink, with Paper 0.5", "refs": ("civitai:2",),
    }  # fmt: skip
    result = Result(**{**values, **fields})
    return shown(client, finished(client, result, JobSubject(name=result.kind, refs=result.refs)), address)


def test_a_row_under_a_pair_has_room_for_more_and_offers_the_weight_that_is_shown(site: TestClient) -> None:
    stage = shown_values(site, 0, 1, offered=(0, 0.5, 1), request=job())
    assert [tile.text for tile in stage.select(".strip .tile")] == ["0", "0.5", "1"]
    assert (len(stage.select(".strip button")), len(stage.select("#others"))) == (2, 1)
    assert stage.select_one(".strip")["aria-label"] == "Weights of Ink, with Paper 0.5"
    stage = shown_values(site, 0, 1, 0.5, offered=(0, 0.5, 1), address="&shown=2")
    assert (stage.select("#others"), stage.select_one("#use").text) == ([], "Use weight 0.5")
    # What is saved is the image on the right.
    assert [(a["href"], a["download"]) for a in stage.select("a[download]")] == [("images/a/0.5.png", "0.5.png")]


def test_a_grid_names_the_lora_above_each_column_and_a_sheet_of_loras_has_one_for_each(site: TestClient) -> None:
    stage = shown_values(
        site, 0, 1, 0, 1, kind="grid", rows=("a cat", "<b>"), columns=("0", "1"), address="&sheet=grid"
    )
    assert [head.text for head in stage.select(".sheet th")] == ["Ink 0", "Ink 1", "a cat", "<b>"]
    assert len(stage.select(".sheet td a img")) == 4
    columns, rows = ("Ink 1", "<i> 0.8"), ("a cat", "<b>")
    stage = shown_values(site, 0, 1, 0, 1, kind="loras", rows=rows, columns=columns, address="&sheet=loras")
    assert [head.text for head in stage.select(".sheet th")] == ["Ink 1", "<i> 0.8", "a cat", "<b>"]
    assert stage.select_one(".sheet")["aria-label"] == "Which of these?"


def test_an_image_above_the_usual_weights_has_a_mark_and_a_shared_link_has_no_job(site: TestClient) -> None:
    share = shown_values(site, 0, 1, view=read_address("seed=5").view).select_one("[data-share]")
    assert share["data-share"] == "try?seed=5"
    for most, marks in ((1.0, ["Above 1, artifacts are likely."]), (1.2, [])):
        stage = shown_values(site, 0, 1, 1.2, kind="strip", most=most, address="&sheet=strip")
        assert [mark["title"] for mark in stage.select(".tile .high")] == marks


@pytest.mark.parametrize(("address", "tab"), [("", "With and without"), ("&sheet=grid", "Prompts")])
def test_a_tab_for_each_comparison(site: TestClient, address: str, tab: str) -> None:
    page = read(site.get(f"/try?lora=civitai:2{address}").text)
    labels = ["With and without", "Weights", "LoRAs", "Which of these?", "Prompts", "Trigger words"]
    assert [each.text for each in page.select(".tab")] == labels
    assert [each.text for each in page.select(".tab[aria-pressed=true]")] == [tab]
    assert [each.text for each in page.select(".tab[disabled]")] == ["LoRAs", "Which of these?"]


def test_rows_are_asked_for_where_there_are_some_and_weights_where_they_vary(site: TestClient) -> None:
    sheets = ("pair", "strip", "grid", "loras")
    pages = {sheet: site.get(f"/try?lora=civitai:2&sheet={sheet}").text for sheet in sheets}
    assert [sheet for sheet, text in pages.items() if "<textarea" in text and 'id="rows"' in text] == ["grid", "loras"]
    assert [sheet for sheet, text in pages.items() if 'name="seeds"' in text] == ["loras"]
    assert [sheet for sheet, text in pages.items() if 'id="try-weights"' in text] == ["strip", "grid"]


@pytest.mark.parametrize(("nsfw", "title"), [("safe", "Compare Ink 7"), ("mature", "Compare"), (None, "Compare")])
def test_a_shared_title_names_what_all_may_see(built: Services, client: TestClient, nsfw: Any, title: str) -> None:
    built.catalog.add([lora(7, base="Tiny Shapes", nsfw=nsfw)])
    page = read(client.get("/try?lora=civitai:7").text)
    assert page.select_one("meta[property='og:title']")["content"] == title


def test_markup_in_what_is_typed_stays_text(site: TestClient) -> None:
    page = read(site.get("/try?lora=civitai:2&prompt=%3C/textarea%3E%3Cscript%3E&steps=%3Cb%3E").text)
    assert page.select_one("#prompt").text == "</textarea><script>"
    assert page.select("#main script") == []


def test_a_dropped_image_is_made_again_beside_itself(built: Services, tmp_path: Path) -> None:
    Image.new("RGB", (64, 32)).save(tmp_path / "old.png")
    jobs = Jobs()
    generator = Generator(services=built, jobs=jobs, images=GeneratedImages(folder=tmp_path))
    pages = Pages(services=built)
    compare = TryRoutes(pages=pages, generator=generator, uploaded=lambda name: tmp_path / name, history=str)
    original = compare.order(read_address("lora=civitai:2&original=old.png")).original
    assert original is not None
    assert (original.tile.src, original.width, original.height) == ("uploaded?name=old.png", 64, 32)
