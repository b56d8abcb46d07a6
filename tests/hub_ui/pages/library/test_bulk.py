from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import HubDown, UsageError
from connectors.record import Claim, WeightFile
from connectors.ref import Ref
from hub_ui import services
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from hub_ui.pages.library import bulk, listing, selection
from hub_ui.pages.library.bulk import Panel, Step
from hub_ui.pages.library.page import Shown
from hub_ui.pages.library.update_status import CheckResults
from hub_ui.web.view import LibraryView, View
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.render import Renderer
from tests.hub_ui.library.building import INK, entry, sha256, weights
from tests.hub_ui.web.conftest import with_settings
from tests.hub_ui.stand_ins import Hub, lora, version

MIST = Ref.parse("civitai:7@8#9")
HIGH, LOW = Ref.parse("civitai:50@60#70"), Ref.parse("civitai:50@60#71")


@pytest.fixture
def hub() -> Hub:
    return Hub(name="civitai", loras=[lora()])


@pytest.fixture
def built(home: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Two LoRAs in the library; the queue does not run."""
    hubs: tuple[Connector, ...] = (hub,)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        put(made, entry(title="Ink", file="sd1/ink.safetensors"), 1)
        put(made, entry(ref=MIST, title="Mist", file="sd1/mist.safetensors"), 2)
        yield made


def put(built: Services, one: Entry, fill: int) -> None:
    data = weights(fill=bytes([fill]))
    path = built.library.folder / one.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    built.library.adopt([replace(one, size=len(data), sha256=sha256(data))])


def act(built: Services, name: str, *refs: Ref, panel: Panel | None = None, **data: str) -> Step:
    """The last step of a click with these LoRAs chosen."""
    shown = Shown(view=View(page="library"), selected=tuple(map(str, refs)))
    return list(bulk.apply(built, Renderer(), shown, panel or Panel(), {"act": "bulk", "action": name, **data}))[-1]


def click(built: Services, name: str, panel: Panel | None = None, **data: str) -> Step:
    return list(bulk.apply(built, Renderer(), Shown(view=View()), panel or Panel(), {"act": name, **data}))[-1]


def said(step: Step) -> str:
    assert step.panel is not None
    return step.panel.said


def test_what_is_removed_at_once_comes_back_at_once(built: Services) -> None:
    before = built.library.lock_text()
    step = act(built, "remove", INK, MIST)
    assert (said(step), built.library.entries()) == ("2 LoRAs removed.", ())
    assert step.shown is not None
    assert step.shown.selected == ()
    assert step.panel is not None
    assert "Undo" in bulk.html(Renderer(), step.panel)
    assert said(click(built, "undo", value=step.panel.undo)) == "Undone."
    assert built.library.lock_text() == before


def test_tags_weights_and_their_undo_reach_all(built: Services) -> None:
    tagged = act(built, "tag", INK, MIST, value="night")
    act(built, "set-weight", INK, value="0,6")
    assert built.annotations.get(MIST).tags == ("night",)
    assert [one.weight for one in built.library.entries()] == [0.6, None]
    act(built, "untag", MIST, value="NIGHT")
    assert built.annotations.get(MIST).is_empty
    assert tagged.panel is not None
    click(built, "undo", value=tagged.panel.undo)
    assert (built.annotations.get(INK).tags, built.annotations.get(INK).weight) == ((), 0.6)


@pytest.mark.parametrize(("name", "value"), [("tag", ""), ("untag", " "), ("set-weight", "much"), ("set-weight", "9")])
def test_what_is_no_tag_or_weight_changes_nothing(built: Services, name: str, value: str) -> None:
    with pytest.raises(UsageError):
        act(built, name, INK, value=value)
    assert built.annotations.all() == {}


def test_nothing_happens_without_a_choice(built: Services) -> None:
    with pytest.raises(UsageError, match="Nothing is chosen"):
        act(built, "remove")


def test_a_visitor_of_a_shared_page_is_refused(built: Services) -> None:
    shared = with_settings(built, hosted=True)
    for name in bulk.ACTIONS:
        with pytest.raises(UsageError, match="can't be changed by its visitors"):
            click(shared, name)


def test_a_move_is_shown_before_it_is_made_and_undone(built: Services) -> None:
    plan = act(built, "move", INK, MIST).panel
    again = click(built, "move-names", plan, value="{id}/{title}").panel
    assert again is not None
    assert [one.place for one in again.plan] == ["1001/Ink.safetensors", "7/Mist.safetensors"]
    assert (built.library.folder / "sd1/ink.safetensors").exists()
    moved = click(built, "move-now", again)
    assert (said(moved), (built.library.folder / "7/Mist.safetensors").exists()) == ("2 files moved.", True)
    assert moved.panel is not None
    click(built, "undo", value=moved.panel.undo)
    assert (built.library.folder / "sd1/ink.safetensors").exists()


def test_a_template_that_is_none_is_told_in_the_panel(built: Services) -> None:
    plan = act(built, "move", INK).panel
    assert "is no template for file names" in said(click(built, "move-names", plan, value="../{id}"))


def test_the_chosen_ones_are_verified_alone(built: Services) -> None:
    (built.library.folder / "sd1/mist.safetensors").write_bytes(b"other")
    step = act(built, "verify-chosen", INK, MIST)
    assert step.panel is not None
    assert (said(step), step.panel.failures) == ("1 file is right.", (("Mist", "changed"),))
    assert step.shown is not None
    assert {ref: one.state for ref, one in step.shown.results.checked.items()} == {INK: "right", MIST: "changed"}


def test_one_that_fails_does_not_keep_the_others_from_being_updated(built: Services, hub: Hub) -> None:
    newer = version(Ref.parse("civitai:1001@2009"), "v9")
    file = replace(newer.files[0], ref=newer.ref.at("2009", "3009"))
    old = version(Ref.parse("civitai:1001@2001"))
    hub.loras = [lora(versions=(replace(newer, files=(file,)), old))]
    step = act(built, "update-chosen", INK, MIST)
    assert step.panel is not None
    assert said(step) == "1 newer version is being downloaded."
    assert [task.ref for task in built.queue.tasks()] == [file.ref]
    hub.error = HubDown("CivitAI can't be reached.", hub="civitai")
    assert act(built, "update-chosen", INK).panel == Panel(
        said="0 newer versions are being downloaded.", failures=(("Ink", "CivitAI can't be reached."),)
    )


def test_the_chosen_ones_are_tried_as_a_stack_of_at_most_eight(built: Services) -> None:
    for number in range(10):
        ref = Ref.parse(f"civitai:{number + 20}@1#1")
        put(built, entry(ref=ref, title=str(number), file=f"{number}.safetensors"), number + 10)
    step = act(built, "try-together", *(one.ref for one in built.library.entries()))
    assert step.view is not None
    assert (step.view.page, len(step.view.stack)) == ("try", 8)


def test_an_export_has_the_bytes_of_the_lock_file(built: Services) -> None:
    panel = act(built, "export", MIST, INK).panel
    assert panel is not None
    assert (panel.save, panel.text) == ("loras.lock", lockfile.dumps(built.library.entries()))


def test_a_collection_is_made_shown_alone_exported_and_deleted(built: Services) -> None:
    assert said(act(built, "collect", MIST, value="Night")) == "“Night” has 1 LoRA now."
    opened = click(built, "collection-open", value="night").shown
    assert opened is not None
    found = listing.find(built, LibraryView(), opened.results)
    assert [row.entry.ref for row in found.found.rows] == [MIST]
    exported = click(built, "collection-export", value="Night").panel
    assert exported is not None
    assert (exported.save, exported.text) == ("Night.lock", lockfile.dumps([built.library.entry(MIST)]))
    assert click(built, "collection-delete", value="Night").panel == Panel(kind="collections")


def test_a_damaged_collection_is_named_beside_the_others(built: Services) -> None:
    act(built, "collect", MIST, value="Night")
    (built.settings.home / "collections" / "mine.lock").write_text("version = \n")
    panel = click(built, "collections").panel
    assert panel is not None
    assert ([one.name for one in panel.collections], [name for name, _why in panel.failures]) == (
        ["Night"],
        ["mine.lock"],
    )


def test_the_file_to_keep_is_chosen_and_the_other_comes_back(built: Services) -> None:
    copy = built.library.folder / "copy.safetensors"
    copy.write_bytes(weights(fill=b"\x01"))
    panel = click(built, "duplicates").panel
    assert panel is not None
    removed = click(built, "remove-duplicates", panel, number="0", keep="copy.safetensors")
    assert ([one.ref for one in built.library.entries()], copy.exists()) == ([MIST], True)
    assert removed.panel is not None
    click(built, "undo", value=removed.panel.undo)
    assert built.library.holds(INK)
    stranger = click(built, "remove-duplicates", panel, number="0", keep="sd1/ink.safetensors").panel
    assert (copy.exists(), stranger is not None) == (False, True)
    assert stranger is not None
    click(built, "undo", value=stranger.undo)
    assert copy.exists()


@pytest.mark.parametrize(("number", "keep"), [("9", "a"), ("-1", "a"), ("x", "a"), ("0", ""), ("0", "../a")])
def test_without_one_to_keep_nothing_is_removed(built: Services, number: str, keep: str) -> None:
    (built.library.folder / "copy.safetensors").write_bytes(weights(fill=b"\x01"))
    panel = click(built, "duplicates").panel
    with pytest.raises(UsageError):
        click(built, "remove-duplicates", panel, number=number, keep=keep)


def test_rules_are_made_and_lifted(built: Services) -> None:
    ruled = click(built, "ignore", value="civitai:1001").panel
    assert ruled is not None
    assert "civitai:1001" in bulk.html(Renderer(), ruled)
    assert click(built, "lift", value="civitai:1001").panel == Panel(kind="rules")
    act(built, "ignore-chosen", INK, MIST)
    assert [str(rule) for rule in built.update_rules.all()] == ["civitai:1001", "civitai:7"]


def test_each_tool_of_the_toolbar_does_something() -> None:
    assert {tool.name for tool in selection.TOOLS} == set(bulk.CHOSEN)


def test_the_trash_is_emptied(built: Services) -> None:
    act(built, "remove", INK)
    assert said(click(built, "empty-trash")) == "The trash is empty: 134 B freed."
    listed = click(built, "changes").panel
    assert listed is not None
    assert "Nothing to undo." in bulk.html(Renderer(), listed)


def wan(built: Services) -> None:
    """The catalog knows a LoRA in two files."""
    made = version(Ref.parse("civitai:50@60"))
    files = tuple(
        WeightFile(ref=ref, name=f"bus_{noise}_noise.safetensors", size=64, format="safetensors")
        for ref, noise in ((HIGH, "high"), (LOW, "low"))
    )
    claims = (Claim(field="architecture", value="wan", source="hub", where="baseModel"),)
    built.catalog.add([lora(ref=HIGH.lora, title="Bus", versions=(replace(made, files=files),), claims=claims)])


def test_two_halves_are_one_row_and_are_removed_together(built: Services) -> None:
    wan(built)
    for number, ref in enumerate((LOW, HIGH), 30):
        put(built, entry(ref=ref, title="Bus", file=f"{number}.safetensors", architecture="wan"), number)
    found = listing.find(built, LibraryView(), CheckResults())
    assert [row.entry.title for row in found.found.rows] == ["Bus", "Ink", "Mist"]
    page = listing.list_page(built, Renderer(), found, LibraryView(), CheckResults())
    assert [note.text for note in page.items[0].notes] == ["Two files, for much noise and for little."]
    assert page.items[0].size == 268
    assert said(act(built, "remove", LOW)) == "2 LoRAs removed."


def test_a_missing_half_is_told_with_a_button(built: Services) -> None:
    wan(built)
    put(built, entry(ref=LOW, title="Bus", file="low.safetensors", architecture="wan"), 30)
    found = listing.find(built, LibraryView(), CheckResults())
    [note] = listing.list_page(built, Renderer(), found, LibraryView(), CheckResults()).items[0].notes
    assert (note.act, note.ref, note.button) == ("fetch", str(HIGH), "Download it")
