"""A sheet of LoRAs is judged: the blind pairs, the ranking, and the file that proves it."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.testclient import TestClient

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.app.services import Services
from hub_ui.generate.compare import comparison
from hub_ui.generate.result import GeneratedImage, GenerationResult, Measure, Measures
from hub_ui.images import png_metadata
from tests.hub_ui.catalog.builders import lora
from tests.hub_ui.generate import making
from tests.hub_ui.library.building import entry
from tests.hub_ui.web.conftest import PART, read
from tests.hub_ui.web.library.conftest import put

REFS = ("civitai:1@10#100", "civitai:2@20#200", "civitai:3@30#300")
COLOURS = ("red", "lime", "blue")
# The first of them wins each time.
VOTES = "0-0-1-1_1-2-0-2_0-1-2-1"


def result() -> GenerationResult:
    pairs = zip(REFS, COLOURS, strict=True)
    adapters = (making.adapter(ref=Ref.parse(ref), title=f"<b>{colour}</b>") for ref, colour in pairs)
    asked = making.job(*adapters, prompt="a fox")
    images = (GeneratedImage(image=Image.new("RGB", (64, 64), colour), seconds=0) for colour in COLOURS * 2)
    return making.made(asked, comparison.lora_columns(asked, ["a fox", "a town"]), images=tuple(images))


def give(client: TestClient, path: Path) -> str:
    """The name of a file that is given to the page."""
    given = client.post("/upload", files={"file": (path.name, path.read_bytes())})
    return given.headers["location"].partition("name=")[2]


def give_sheet(client: TestClient, folder: Path) -> str:
    """The address of a sheet."""
    png_metadata.save_comparison(result(), folder / "sheet.png")
    return f"/judge?sheet={give(client, folder / 'sheet.png')}"


@pytest.fixture
def sheet(site: TestClient, tmp_path: Path) -> str:
    return give_sheet(site, tmp_path)


def colour(client: TestClient, address: str) -> str:
    image = Image.open(io.BytesIO(client.get(address).content))
    found: Any = image.getpixel((9, 9))
    return COLOURS[max(range(3), key=lambda channel: found[channel])]


def test_a_pair_is_shown_without_names_and_each_choice_leads_to_the_next(site: TestClient, sheet: str) -> None:
    page = read(site.get(f"{sheet}&blind=1").text)
    left, right = (colour(site, "/" + image["src"]) for image in page.select(".choices img"))
    assert (left != right, any(name in page.main.text for name in COLOURS)) == (True, False)
    # Nor does an address say which it is.
    assert [image["src"].rpartition("&")[2] for image in page.select(".choices img")] == ["side=0", "side=1"]
    keys = {link["data-key"]: link["href"] for link in page.select("[data-key]")}
    assert [keys[key][-9:] for key in ("1", "2", "0")] == ["1&blind=1", "2&blind=1", "0&blind=1"]
    assert "Choice 2." in site.get("/" + keys["2"]).text
    # In place it is the pair alone.
    assert site.get(f"{sheet}&blind=1", headers=PART).text.lstrip().startswith('<section class="blind"')


def test_the_sheet_has_each_image_under_its_name(site: TestClient, sheet: str) -> None:
    page = read(site.get(sheet).text)
    assert [head.text for head in page.select("thead th")] == [f"<b>{colour}</b> 0.8" for colour in COLOURS]
    assert [head.text for head in page.select("tbody th")] == ["a fox", "a town"]
    assert [colour(site, "/" + image["src"]) for image in page.select("tbody img")] == [*COLOURS] * 2
    assert page.select(".ranking") == []


def test_the_ranking_has_the_winner_first_and_says_how_sure_it_is(site: TestClient, sheet: str) -> None:
    page = read(site.get(f"{sheet}&votes={VOTES}").text)
    assert "Ranking · 3 blind choices" in page.text
    names = [row.text for row in page.select(".ranking [dir]")]
    assert names == ["<b>red</b> 0.8", "<b>lime</b> 0.8", "<b>blue</b> 0.8"]
    first = page.select_one(".ranking li")
    assert first.select_one(".wins")["title"].startswith("Between ")
    assert "<b>red</b> 0.8 is the best with a chance of" in page.text


def test_the_proof_is_one_file_from_which_anybody_goes_on(site: TestClient, sheet: str, tmp_path: Path) -> None:
    folder = tmp_path.parent
    before = sorted(folder.rglob("*.png"))
    answer = site.get(f"{sheet.replace('judge', 'judge/proof')}&votes={VOTES}")
    assert "hub-ui-proof.png" in answer.headers["content-disposition"]
    assert sorted(folder.rglob("*.png")) == before
    (tmp_path / "proof.png").write_bytes(answer.content)
    dropped = read(site.get(f"/image?name={give(site, tmp_path / 'proof.png')}").text)
    link = next(one["href"] for one in dropped.select(".actions a") if one.text == "See the ranking")
    page = read(site.get("/" + link).text)
    assert ("Ranking · 3 blind choices" in page.text, page.select("[role=alert].problem")) == (True, [])


def test_a_file_whose_images_were_changed_proves_nothing(site: TestClient, tmp_path: Path) -> None:
    made = result()
    other = replace(made, images=(*made.images[:5], replace(made.images[5], image=Image.new("RGB", (64, 64), "red"))))
    png_metadata.save_comparison(made, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        text = image.info[png_metadata.KEY]
    png_metadata.save_comparison(other, tmp_path / "b.png")
    changed = _with_text(tmp_path / "b.png", text)
    assert "proves nothing" in site.get(f"/judge?sheet={give(site, changed)}").text


def _with_text(path: Path, text: str) -> Path:
    info = PngInfo()
    info.add_itxt(png_metadata.KEY, text)
    with Image.open(path) as image:
        image.save(path.with_name("changed.png"), pnginfo=info)
    return path.with_name("changed.png")


def test_the_others_leave_the_library_and_come_back(built: Services, client: TestClient, tmp_path: Path) -> None:
    for fill, ref in enumerate(REFS[:2], 1):
        put(built, entry(ref=Ref.parse(ref), file=f"sd1/{fill}.safetensors", title=ref), fill)
    form = read(client.get(f"{give_sheet(client, tmp_path)}&votes={VOTES}").text).select_one(".ranking form")
    fields = {field["name"]: field["value"] for field in form.select("input")}
    assert (form.text.strip(), fields["ref"]) == ("Keep, remove the others", REFS[1])
    said = read(client.post("/" + form["action"], data=fields).text).select_one("form.said")
    assert [str(one.ref) for one in built.library.entries()] == [REFS[0]]
    client.post("/library", data={field["name"]: field["value"] for field in said.select("input")})
    assert len(built.library.entries()) == 2


def share(client: TestClient, address: str) -> Any:
    location = client.get(address).headers.get("location", address).removeprefix("..")
    form = read(client.get(location).text).select_one("form[action='judge/share']")
    fields = {field["name"]: field["value"] for field in form.select("input")} if form else {}
    return client.post("/judge/share", data={"sheet": location.partition("sheet=")[2], **fields, "votes": VOTES})


def test_a_kept_sheet_is_judged_and_shared_where_all_of_it_is_safe(built: Services, client: TestClient) -> None:
    built.catalog.add(lora(n, nsfw="safe") for n in (1, 2, 3))
    location = share(client, f"/judge/kept?id={built.history.add(result()).id}").headers["location"]
    page = read(client.get("/" + location.removeprefix("../")).text)
    assert "Ranking · 3 blind choices" in page.text
    image = page.select_one("meta[property='og:image']")["content"]
    assert client.get(image).headers["content-type"] == "image/png"
    kept = built.history.add(result())
    location = client.get(f"/judge/kept?id={kept.id}").headers["location"]
    assert "Which of these 3?" in client.get("/" + location.removeprefix("../")).text


def test_an_upload_and_what_nobody_rated_safe_are_no_link(built: Services, client: TestClient, tmp_path: Path) -> None:
    for address in (give_sheet(client, tmp_path), f"/judge/kept?id={built.history.add(result()).id}"):
        answer = share(client, address)
        assert (answer.status_code, "Save the proof instead." in answer.text) == (422, True)


@pytest.mark.parametrize("name", ["nobody", "images/a/b.png", "images/../../etc/passwd.png"])
def test_a_sheet_that_is_gone_is_told(site: TestClient, name: str) -> None:
    answer = site.get(f"/judge?sheet={name}")
    assert (answer.status_code, "no longer here" in answer.text) == (404, True)


def test_what_is_no_sheet_and_choices_it_can_not_have_are_told(site: TestClient, sheet: str, tmp_path: Path) -> None:
    png_metadata.save(making.made(), 0, tmp_path / "one.png")
    answer = site.get(f"/judge?sheet={give(site, tmp_path / 'one.png')}")
    assert (answer.status_code, "no sheet of a comparison" in answer.text) == (422, True)
    answer = site.get(f"{sheet}&votes=9-9-9-9")
    assert (answer.status_code, "Begin again." in answer.text) == (422, True)
    assert site.get(f"{sheet.replace('judge', 'judge/image')}&cell=9").status_code == 422


def shown_measures(client: TestClient, tmp_path: Path, measures: Measures) -> list[list[str]]:
    made = replace(result(), report=making.report(measures=measures))
    png_metadata.save_comparison(made, tmp_path / "measured.png")
    page = read(client.get(f"/judge?sheet={give(client, tmp_path / 'measured.png')}").text)
    cells = [[cell.text for cell in row.select("td")] for row in page.select(".measures tbody tr")]
    return [*cells, [" ".join(hint.text.split()) for hint in page.select(".measures + .hint")]]


def test_measures_stand_below_the_sheet_with_their_spread(site: TestClient, tmp_path: Path) -> None:
    one, other = Measure(mean=0.123, low=0.08, high=0.15), Measure(mean=0.312, low=0.312, high=0.312)
    three = (one, other, one)
    found = shown_measures(
        site, tmp_path, Measures(against="base", change=three, model="CLIP", seen_change=three, prompt=three)
    )
    assert found[:2] == [["12 8 to 15", "12 8 to 15", "12.3 8.0 to 15.0"], ["31", "31", "31.2"]]
    assert "colours from the image without a LoRA" in found[3][0]
    assert "CLIP’s view, not taste" in found[3][0]


def test_without_clip_the_sheet_says_how_to_get_it_and_no_others_measures(site: TestClient, tmp_path: Path) -> None:
    one = Measure(mean=0.5, low=0.5, high=0.5)
    found = shown_measures(site, tmp_path, Measures(against="others", change=(one,) * 3))
    assert found[:3] == [["50"]] * 3
    assert "from the images of the other LoRAs" in found[3][0]
    assert "hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K --revision 1a25a44" in found[3][0]
    wrong = Measures(against="others", change=(Measure(mean=0.5, low=0.5, high=0.5),))
    png_metadata.save_comparison(replace(result(), report=making.report(measures=wrong)), tmp_path / "wrong.png")
    with pytest.raises(UsageError, match="measures of other columns"):
        png_metadata.read(tmp_path / "wrong.png")
