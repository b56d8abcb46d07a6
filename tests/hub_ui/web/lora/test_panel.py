from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from connectors.errors import HubDown, KeyRequired
from connectors.record import Example, Lora, Nsfw, Version
from connectors.ref import HubName, Ref
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import LoraFacts
from hub_ui.app.lookup import Lookup
from hub_ui.app.services import Services
from hub_ui.catalog.catalog import facts_keys
from hub_ui.web.layout.render import Renderer
from hub_ui.web.lora.panel import Panel
from hub_ui.web.view import View
from tests.hub_ui import stand_ins
from tests.hub_ui.catalog.builders import claim, lora
from tests.hub_ui.stand_ins import Hub, services_on
from tests.hub_ui.web.conftest import read

REF = Ref.parse("civitai:1")
FLUX = Facts(
    adapter=LoraFacts(what="lora", claims=(claim("architecture", "flux1", source="header"),)),
    size=38_000_000,
    bytes_read=61_000,
)


@pytest.fixture
def hub() -> Hub:
    return Hub(name="civitai", loras=[lora(1, base="SDXL 1.0")])


@pytest.fixture
def built(hub: Hub, home: Path) -> Iterator[Services]:
    with services_on(home, hub) as made:
        yield made


def show(built: Services, ref: str = str(REF)) -> list[str]:
    """The panel at the click, and each time that it is painted again."""
    shown = Panel(services=built, render=Renderer())
    view = View(open=ref)
    return [shown.render("lora/changed", **values) for values in (shown.values(view), *shown.steps(view))]


def test_what_the_hub_says_is_there_before_the_file_is_read(built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lookup, "inspect", lambda lookup, ref: FLUX)
    asking, reading, read = show(built)
    assert "Asking the hub…" in asking
    assert "Reading the file&#39;s header…" in reading
    assert "the file is FLUX.1" not in reading
    assert "CivitAI says SDXL 1.0, the file is FLUX.1." in read
    assert "61 kB of 38 MB, nothing downloaded" in read


@pytest.mark.usefixtures("new_answers")
def test_what_comes_from_the_catalog_because_the_hub_fails_says_when_it_was_seen(built: Services, hub: Hub) -> None:
    built.lookup.get(REF)
    hub.error = HubDown("CivitAI can't be reached.", hub="civitai")
    assert "CivitAI can&#39;t be reached. This was last seen just now." in show(built)[-1]


def test_a_file_read_before_needs_no_second_step_and_nothing_new_paints_nothing(built: Services) -> None:
    built.catalog.remember_facts(facts_keys(Ref.parse("civitai:1@10#100"), None)[0], FLUX.encode())
    assert ["the file is FLUX.1." in html for html in show(built)] == [False, True]
    shown, view = Panel(services=built, render=Renderer()), View(open=str(REF))
    [said] = shown.steps(view)
    assert [*shown.steps(view, said["fingerprint"])] == []
    assert shown.values(view)["fingerprint"] == said["fingerprint"]


def test_an_unreadable_file_costs_one_sentence(built: Services, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "locate", _no_key)
    last = show(built)[-1]
    assert "The file&#39;s header could not be read. CivitAI wants a key." in last
    assert "Try it" in last


def _no_key(ref: Ref) -> object:
    raise KeyRequired("CivitAI wants a key.", hub=ref.hub)


def test_of_what_is_gone_nothing_is_read_and_what_its_hub_does_not_know_is_told(built: Services, hub: Hub) -> None:
    hub.loras = [lora(1, access="archived")]
    assert "could not be read" not in show(built)[-1]
    assert [asked for asked in hub.asked if asked.startswith("get")] == ["get civitai:1"]
    last = show(built, "civitai:404")[-1]
    assert "CivitAI has no LoRA civitai:404" in last
    assert "Check the address, or search for its name." in last


@dataclass(kw_only=True)
class FullHub(Hub):
    commits: tuple[Version, ...] = ()
    shown: tuple[Example, ...] = ()

    def history(self, ref: Ref) -> tuple[Version, ...]:
        self._ask("history")
        return self.commits

    def images(self, ref: Ref) -> tuple[Example, ...]:
        self._ask("images")
        return self.shown


@pytest.fixture
def repo(monkeypatch: pytest.MonkeyPatch) -> FullHub:
    ref = Ref(hub="huggingface", id="ada/ink-lines")
    commits = tuple(
        Version(ref=ref.at(letter * 40), name=letter * 8, description=title, updated_at="2026-01-01T00:00:00Z")
        for letter, title in (("a", "Train longer"), ("c", "First upload"))
    )
    monkeypatch.setattr(Lookup, "inspect", lambda lookup, ref: FLUX)
    return FullHub(name="huggingface", loras=[stand_ins.lora("huggingface")], commits=commits)


@pytest.fixture
def with_repo(repo: FullHub, home: Path) -> Iterator[Services]:
    with services_on(home, repo) as made:
        yield made


def panels(built: Services) -> list[str]:
    return show(built, "huggingface:ada/ink-lines")


def test_all_commits_of_an_open_repo_are_its_versions(with_repo: Services, repo: FullHub) -> None:
    *before, last = panels(with_repo)
    assert "First upload" not in "".join(before)
    assert f'open=huggingface%3Aada/ink-lines%40{"c" * 40}"' in last
    assert "Train longer" in last
    assert repo.asked.count("history") == 1
    # What is painted for another reason has them still.
    assert "First upload" in panels(with_repo)[0]


def test_without_commits_all_else_is_there(with_repo: Services, repo: FullHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repo, "history", _no_key)
    *_, last = panels(with_repo)
    assert ("Ink lines" in last, "First upload" in last) == (True, False)


@pytest.fixture
def hub_with_images(built: Services) -> FullHub:
    params = {"steps": 28, "cfgScale": 5, "sampler": "Euler a", "Lora weights": "ink: 0.7"}
    made = FullHub(
        name="civitai",
        loras=[lora(1, base="SDXL 1.0")],
        shown=(Example(url="https://hub.invalid/a", params=params),) * 6,
    )
    built.lookup.connectors = (made,)
    return made


def test_what_people_use_comes_after_the_file_and_is_asked_once(built: Services, hub_with_images: FullHub) -> None:
    *before, last = show(built)
    assert "What people use" not in "".join(before)
    page = read(last)
    assert "What people use 6 images on the hub" in page.text
    (link,) = [link for link in page.select("a") if link.text == "Use these settings"]
    assert {"steps=28", "cfg=5", "sampler=Euler+a"} <= set(link["href"].partition("?")[2].split("&"))
    assert "What people use" in show(built)[0]
    assert hub_with_images.asked.count("images") == 1


@pytest.mark.parametrize(("nsfw", "title"), [("safe", "Detail <b>"), ("explicit", "civitai:@90")])
def test_what_people_add_to_it_leads_there(built: Services, hub_with_images: FullHub, nsfw: Nsfw, title: str) -> None:
    named = Example(url="https://hub.invalid/a", prompt="<lora:ink:0.7> <lora:add detail:0.5>")
    params = {"Civitai resources": '[{"type": "lora", "weight": 1, "modelVersionId": 90}]'}
    numbered = Example(url="https://hub.invalid/b", params=params)
    hub_with_images.shown = (named, numbered) * 3
    built.catalog.add([lora(9, title="Detail <b>", nsfw=nsfw)])
    page = read(show(built)[-1])
    links = {link.text: parse_qs(link["href"].partition("?")[2])["q"] for link in page.select(".facts a[href*='q=']")}
    assert links["add detail (50 %)"] == ["<lora:add detail:1>"]
    assert links[f"{title} (50 %)"] == ["civitai:@90"]


def test_the_weight_of_people_has_the_authors_beside_it(built: Services, hub_with_images: FullHub) -> None:
    (own,) = lora(1).versions
    hub_with_images.loras = [lora(1, versions=(replace(own, claims=(claim("weight", 0.9),)),))]
    assert "0.7 · its author says 0.9" in read(show(built)[-1]).text


def test_a_failing_hub_costs_a_line(built: Services, hub_with_images: FullHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_with_images, "images", _no_key)
    page = read(show(built)[-1])
    assert "What people use CivitAI wants a key." in page.text
    assert "Use these settings" not in page.text


def test_what_trying_takes_is_told_before_the_click(built: Services) -> None:
    last = show(built)[-1]
    assert (
        '<p class="state hint">Tried on SDXL 1.0: up to 6.9 GB, downloaded once. With less than 10 GB of graphics '
        "memory it is slow.</p>" in last
    )


def test_a_lora_for_nobody_knows_what_says_where_a_base_is_chosen(built: Services, hub: Hub) -> None:
    hub.loras = [lora(1)]
    assert "Nothing says which base model it was made for. Add it on the Compare page" in show(built)[-1]


def homed(hub: HubName, sha256: str, title: str = "Ink lines") -> Lora:
    found = stand_ins.lora(hub, title=title)
    [version] = found.versions
    files = (replace(version.files[0], sha256=sha256),)
    return replace(found, versions=(replace(version, files=files),))


def test_the_same_file_elsewhere_and_the_same_title_with_another_are_told_apart(built: Services) -> None:
    built.catalog.add([homed("civitai", "a" * 64), homed("huggingface", "a" * 64), homed("replicate", "b" * 64)])
    found = Panel(services=built, render=Renderer()).values(View(open="civitai:1001"))
    assert [record.hub for record in found["homes"]] == ["huggingface"]
    assert [record.hub for record in found["also_on"]] == ["replicate"]


def test_of_many_mirrors_the_first_are_named(built: Services) -> None:
    mirror = homed("huggingface", "a" * 64)
    built.catalog.add([homed("civitai", "a" * 64)])
    built.catalog.add(replace(mirror, ref=Ref.parse(f"hf:ada/mirror-{number}")) for number in range(25))
    assert len(built.catalog.homes(Ref.parse("civitai:1001"))) == 25
    assert len(Panel(services=built, render=Renderer()).values(View(open="civitai:1001"))["homes"]) == 20
