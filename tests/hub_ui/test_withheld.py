"""What CivitAI marks as showing a minor, above soft, through every door: and what its scan found danger in."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.connector import HasHistory
from connectors.errors import Dangerous, Withheld
from connectors.ref import Ref
from hub_ui.access.visitor import Visitor, use_visitor
from hub_ui.app import documents, services
from hub_ui.settings import from_environment
from hub_ui.web.layout.render import Renderer
from hub_ui.web.lora.panel import Panel
from hub_ui.web.view import View
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.library.shared_hubs import (
    CIVITAI,
    HUGGINGFACE,
    REPLICATE,
    Line,
    answering,
    copied,
    edited,
    with_two_homes,
)
from tests.hub_ui.stand_ins import services_of

TITLE, REASON = "Red Style", "showing a minor"
REFS = ["civitai:1001", CIVITAI, "civitai:1001@2001", "https://civitai.com/models/1001"]
ALL = ("search", "red", "--nsfw", "explicit")


def marked(data: Path, *, level: int = 8, **marks: Any) -> Path:
    """The contract's data with one model of this level and these marks."""
    model = data / "civitai_model_1001.json"
    for name, value in {"nsfwLevel": level, **marks}.items():
        edited(model, name, value=value)
    [image, _] = json.loads(model.read_text())["modelVersions"][0]["images"]
    edited(
        model, "modelVersions", 0, "images", value=[image, {**image, "nsfwLevel": level, "url": f"{image['url']}?2"}]
    )
    return data


@pytest.fixture
def withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEndpoints]:
    with answering(marked(copied(tmp_path / "hubs"), minor=True), monkeypatch) as hubs:
        yield hubs


@pytest.mark.parametrize("ref", REFS)
@pytest.mark.parametrize("command", ["show", "pull"])
def test_no_ref_or_address_opens_or_downloads_it(withheld: HubEndpoints, line: Line, command: str, ref: str) -> None:
    code, out = line.words(command, ref)
    assert (code, TITLE in out) == (4, False)


def test_it_is_in_no_list_online_or_offline(withheld: HubEndpoints, line: Line) -> None:
    for words in (ALL, (*ALL, "--offline")):
        assert "civitai:1001@" not in str(line(*words)[1])


def with_cards_of_minors(data: Path) -> Path:
    """The contract's data with two cards that join a minor's word or age with sexual content."""
    (data / "hf_readme_maker__red.md").write_text("---\ntags: [lora, nsfw]\ninstance_prompt: schoolgirl\n---\nRed.\n")
    edited(data / "replicate_model_maker__tuned_2026.json", "description", value="nsfw, 12yo")
    return data


@pytest.mark.parametrize("ref", ["huggingface:maker/red", REPLICATE])
@pytest.mark.parametrize("command", ["show", "pull"])
def test_a_card_of_a_minor_opens_and_downloads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line, command: str, ref: str
) -> None:
    with answering(with_cards_of_minors(copied(tmp_path / "hubs")), monkeypatch):
        code, answer = line(command, ref)
        listed = str(line(*ALL)[1])
    assert (code, REASON in str(answer), f"{ref}@" in listed) == (4, True, False)


def test_a_pinned_file_of_a_lock_file_is_refused_by_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        answering(with_cards_of_minors(copied(tmp_path / "hubs")), monkeypatch),
        services.build(from_environment(os.environ)) as built,
    ):
        hub = built.lookup.connector("huggingface")
        assert isinstance(hub, HasHistory)
        commit = hub.history(Ref.parse("huggingface:maker/red"))[0].ref.version
        with pytest.raises(Withheld, match=REASON):
            hub.download(Ref.parse(f"huggingface:maker/red@{commit}#lora.safetensors"))


def seen_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line, *words: str) -> None:
    """The same model as it was listed, opened or pulled before its hub marked it."""
    with answering(marked(copied(tmp_path / "before")), monkeypatch), pytest.MonkeyPatch.context() as patch:
        # A crawl asks for what was listed in an earlier second.
        patch.setattr("hub_ui.catalog.writing.timestamp", lambda _at=None: "2026-01-01T00:00:00+00:00")
        assert line(*words)[0] == 0


def test_what_was_seen_before_leaves_the_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    seen_before(tmp_path, monkeypatch, line, *ALL)
    assert TITLE in str(line(*ALL, "--offline")[1])
    with answering(marked(copied(tmp_path / "now"), minor=True), monkeypatch):
        line.words("show", CIVITAI)
    assert TITLE not in str(line(*ALL, "--offline")[1])
    assert TITLE not in str(line("similar", "civitai:1002", "--nsfw", "explicit")[1])


def test_a_pulled_one_is_neither_tried_nor_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    seen_before(tmp_path, monkeypatch, line, "pull", CIVITAI)
    with answering(marked(copied(tmp_path / "now"), minor=True), monkeypatch):
        line.words("show", CIVITAI)
        code, _ = line.words("try", CIVITAI, "--prompt", "a fox", "--out", str(tmp_path / "fox.png"), "--plan")
        with services.build(from_environment(os.environ)) as built, pytest.raises(Withheld, match=REASON):
            built.generation.inputs([Ref.parse(CIVITAI)])
        with services.build(from_environment(os.environ)) as built, pytest.raises(Withheld, match=REASON):
            built.lookup.inspect(Ref.parse(CIVITAI))
    assert code == 4


def test_a_missing_file_comes_from_no_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    with answering(with_two_homes(marked(copied(tmp_path / "before"))), monkeypatch):
        path = Path(line("pull", CIVITAI)[1]["path"])
        assert line("show", HUGGINGFACE)[0] == 0
    path.unlink()
    with answering(with_two_homes(marked(copied(tmp_path / "now"), minor=True)), monkeypatch):
        code, synced = line("sync")
        with services.build(from_environment(os.environ)) as built:
            built.queue.start()
            done = built.queue.wait(built.downloads.enqueue(Ref.parse(CIVITAI)).id, timeout=60)
    assert (code, done.state, path.exists()) == (4, "failed", False)
    assert (REASON in str(synced), REASON in str(done)) == (True, True)


def panel(built: services.Services, ref: str) -> list[str]:
    shown = Panel(services=built, render=Renderer())
    return [shown.render("lora/changed", **values) for values in shown.steps(View(open=ref))]


def test_the_panel_says_why_and_shows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    seen_before(tmp_path, monkeypatch, line, "search", "red", "--nsfw", "explicit")
    with (
        answering(marked(copied(tmp_path / "now"), minor=True), monkeypatch),
        services.build(from_environment(os.environ)) as built,
    ):
        last = panel(built, CIVITAI)[-1]
        again = panel(built, CIVITAI)
    assert (REASON in last, TITLE in last, "<img" in last) == (True, False, False)
    assert not any(TITLE in html for html in again)


def test_a_visitor_of_a_hosted_page_gets_no_link_and_no_file(tmp_path: Path) -> None:
    with (
        running_hubs(marked(copied(tmp_path / "hubs"), minor=True)) as hubs,
        services_of(hubs, tmp_path / "home", hosted=True) as built,
        use_visitor(Visitor(id="ada")),
    ):
        assert built.visitor_downloads is not None
        for ask in (built.downloads.pull, built.visitor_downloads.add, built.visitor_downloads.locate):
            with pytest.raises(Withheld, match=REASON):
                ask(Ref.parse(CIVITAI))


@pytest.fixture
def dangerous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEndpoints]:
    data = copied(tmp_path / "hubs")
    edited(data / "civitai_model_1001.json", "modelVersions", 0, "files", 0, "virusScanResult", value="Danger")
    with answering(data, monkeypatch) as hubs:
        yield hubs


@pytest.mark.parametrize("ref", ["civitai:1001", CIVITAI])
def test_a_file_with_danger_is_pulled_by_force_alone(dangerous: HubEndpoints, line: Line, ref: str) -> None:
    code, refused = line("pull", ref)
    assert (code, refused["error"]) == (7, "Dangerous")
    assert refused["message"].endswith(f"If you trust it all the same: hub-ui pull {CIVITAI} --force")
    code, entry = line("pull", ref, "--force")
    assert (code, entry["ref"]) == (0, CIVITAI)


def test_show_says_danger_and_the_page_refuses_it_and_names_the_option(dangerous: HubEndpoints, line: Line) -> None:
    _, out = line.words("show", CIVITAI)
    assert "CivitAI's scan found danger in this file." in out
    assert "scan = Danger  (hub: modelVersions[0].files[0].virusScanResult)" in out
    with services.build(from_environment(os.environ)) as built:
        last = panel(built, CIVITAI)[-1]
        built.queue.start()
        task = built.downloads.enqueue(Ref.parse(CIVITAI))
        done = built.queue.wait(task.id, timeout=60)
        document = documents.show(built, Ref.parse(CIVITAI)).to_json()
    assert f"hub-ui pull {CIVITAI} --force" in last
    assert (done.state, f"hub-ui pull {CIVITAI} --force" in str(done)) == ("failed", True)
    assert {"field": "scan", "value": "Danger"}.items() <= next(
        claim for claim in document["claims"] if claim["field"] == "scan"
    ).items()


def test_a_visitor_gets_no_file_with_danger_either(tmp_path: Path, dangerous: HubEndpoints) -> None:
    with services_of(dangerous, tmp_path / "home", hosted=True) as built, use_visitor(Visitor(id="ada")):
        assert built.visitor_downloads is not None
        for ask in (built.downloads.pull, built.visitor_downloads.add):
            with pytest.raises(Dangerous):
                ask(Ref.parse(CIVITAI))
