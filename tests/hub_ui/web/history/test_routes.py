"""The history: what was made, opened again, compared, removed and brought back."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from connectors.ref import Ref
from hub_ui.app.services import Services
from hub_ui.generate.compare import comparison
from hub_ui.generate.result import GenerationResult
from hub_ui.images.history import group_entries
from hub_ui.images.provenance import Provenance, from_json, to_json
from hub_ui.web.history import describe, view_of
from hub_ui.web.view import View
from tests.hub_ui.generate.making import adapter, job, made, report
from tests.hub_ui.web.conftest import PART, read

GONE = "20261124-223801-042-1a2b3c"


def opened(text: str) -> list[str]:
    return [link["href"] for link in read(text).select("a.past")]


def test_what_was_made_again_with_the_same_settings_stands_there_once(built: Services, client: TestClient) -> None:
    asked = job()
    for wanted in (asked, asked, job(seed=8)):
        built.history.add(made(wanted, comparison.before_after(wanted), report=report(seed=wanted.seed)))
    assert len(opened(client.get("/history", headers=PART).text)) == 2


def test_a_row_says_what_was_compared_and_shows_it_small(built: Services, client: TestClient) -> None:
    asked = job()
    built.history.add(made(asked, comparison.weight_sweep(asked, (0.0, 1.0))))
    part = read(client.get("/history", headers=PART).text)
    assert part.select("a.past > span > span")[0].text == "Weights: 0 … 1"
    small = client.get("/" + str(part.select("a.past img")[0]["src"]))
    assert small.headers["content-type"] == "image/webp"


def test_older_ones_are_on_the_next_page(built: Services, client: TestClient) -> None:
    for seed in range(14):
        built.history.add(made(job(seed=seed), report=report(seed=seed)))
    first = read(client.get("/history", headers=PART).text)
    assert (len(first.select("a.past")), first.find("a", string="Older")["href"]) == (12, "history?page=2")
    second = read(client.get("/history?page=2", headers=PART).text)
    assert (len(second.select("a.past")), second.find("a", string="Older")) == (2, None)
    assert client.get("/history?page=3", headers=PART).text == client.get("/history?page=2", headers=PART).text


def test_a_result_has_its_images_and_leads_to_the_form_it_was_made_by(built: Services, client: TestClient) -> None:
    kept = built.history.add(made(job(), comparison.before_after(job())))
    page = read(client.get(f"/history?open={kept.id}").text)
    images = [str(image["src"]) for image in page.select("#opened img")]
    # The page does not shift when they come.
    assert [image["height"] for image in page.select("#opened img")] == ["16", "16"]
    assert client.get("/" + images[1]).content == kept.paths[1].read_bytes()
    again = page.find("a", string="Make it again")
    path, _, query = str(again["href"]).partition("?")
    assert (path, View.from_address(query).settings.seed, len(images)) == ("try", 7, 2)
    page = read(client.get(f"/history?open={kept.id}", headers={"Accept-Language": "ja"}).text)
    assert [label.contents[0].strip() for label in page.select("figcaption")] == ["LoRA なし", "Ink 0.8 あり"]


def test_two_results_are_compared_by_their_last_images_and_settings(built: Services, client: TestClient) -> None:
    first = built.history.add(made(job(adapter(weight=0.6)), report=report(seed=8)))
    second = built.history.add(made())
    page = read(client.get(f"/history?open={first.id}&open={second.id}").text)
    rows = [[cell.text for cell in row.select("th, td")] for row in page.select(".differences tr")]
    assert rows == [["Weight of Ink", "0.6", "0.8"], ["Seed", "8", "7"]]
    assert len(page.select("input[name=open][checked]")) == 2
    pair = built.history.add(made(job(), comparison.before_after(job())))
    sweep = built.history.add(made(job(), comparison.weight_sweep(job(), (0.0, 0.3))))
    page = read(client.get(f"/history?open={pair.id}&open={sweep.id}").text)
    assert [cell.text for cell in page.select(".differences td")] == ["0.8", "0.3"]


def test_what_is_removed_comes_back_without_javascript_too(built: Services, client: TestClient) -> None:
    kept = built.history.add(made())
    gone = read(client.post("/history/remove", data={"id": kept.id}, headers=PART).text)
    undo = gone.select("form.undo")[0]
    assert (undo["action"], undo.select("input[name=id]")[0]["value"]) == ("history/bring-back", kept.id)
    back = client.post("/history/bring-back", data={"id": kept.id}, headers=PART)
    assert opened(back.text) == [f"history?open={kept.id}"]
    kept = built.history.add(made())
    there = client.post("/history/remove", data={"id": kept.id}).headers["location"]
    assert there == f"../history?page=1&removed={kept.id}"
    assert read(client.get(there.removeprefix("..")).text).select("form.undo")
    assert client.post("/history/bring-back", data={"id": kept.id}).headers["location"] == "../history?page=1"


@pytest.mark.parametrize("address", [f"/history?open={GONE}", f"/history/image?id={GONE}&cell=0", "/history?open=../x"])
def test_what_is_gone_is_told(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, "no longer kept" in answer.text) == (404, True)


def test_the_page_says_its_name_once_and_no_image_follows_the_last(built: Services, client: TestClient) -> None:
    empty = read(client.get("/history").text)
    assert (empty.select("#history"), "What you make stays here" in empty.main.text) == ([], True)
    kept = built.history.add(made())
    assert client.get(f"/history/image?id={kept.id}&cell=5").status_code == 404
    page = read(client.get("/history").text)
    assert (page.h1.get("class"), page.select_one("#history")["class"]) == (None, ["untitled"])


def provenance(result: GenerationResult) -> Provenance:
    return from_json(json.loads(json.dumps(to_json(result, 0))))


def test_a_sweep_of_two_names_the_varied_one_and_the_weight_of_the_other() -> None:
    asked = job(adapter(), adapter(ref=Ref.parse("civitai:9@90#900"), title="Paper", weight=0.5))
    image = provenance(made(asked, comparison.weight_sweep(asked, (0.0, 1.2), varied=1)))
    assert describe(image) == "Weights: Paper 0 … 1.2, with Ink 0.8"


def test_results_of_one_request_are_one_group_with_their_kinds(built: Services) -> None:
    asked = job()
    built.history.add(made(asked, comparison.before_after(asked)))
    built.history.add(made(job(seed=8), report=report(seed=8)))
    built.history.add(made(asked, comparison.weight_sweep(asked, (0.0, 1.0))))
    groups = group_entries(built.history.entries())
    assert [[describe(entry.provenance) for entry in group] for group in groups] == [
        ["Weights: 0 … 1", "Without / with · 0.8"], ["0.8"],
    ]  # fmt: skip


def test_the_weights_of_a_loras_parts_and_of_a_strip_come_back() -> None:
    parts = adapter(weight=0.8, text_encoder_scale=0.5, block_weights=(1.0, 0.5))
    asked = job(parts, adapter(title="Paper", weight=0.5), image=Path("cat.png"), strength=0.4)
    settings = view_of(provenance(made(asked))).settings
    assert (settings.clip_weights, settings.blocks, settings.strength) == ((0.4, 0.5), ("1,0.5", "ALL"), 0.4)
    asked = job(adapter(), adapter(title="Paper", weight=0.5))
    back = view_of(provenance(made(asked, comparison.weight_sweep(asked, (0.0, 0.7), varied=1))))
    assert (back.settings.sheet, back.settings.weights, back.settings.varied) == ("strip", (0.0, 0.7), 1)
