from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import UsageError
from connectors.record import Claim, Example
from connectors.ref import Ref, local_ref
from hub_ui import services
from hub_ui.library import lockfile
from hub_ui.pages.browse import detail
from hub_ui.pages.library import lock_import, page
from hub_ui.pages.library.page import Change, Shown
from hub_ui.pages.library.update_status import CheckResults
from hub_ui.web.view import StackedLora, View
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.render import Renderer
from tests.hub_ui.library.building import INK, entry, sha256, weights
from tests.hub_ui.web.conftest import with_settings
from tests.hub_ui.stand_ins import Hub, lora, version

BYTES = weights()
OTHER = Ref.parse("civitai:7@8#9")
LIBRARY = View(page="library")


@pytest.fixture
def hub() -> Hub:
    return Hub(name="civitai", loras=[lora()])


@pytest.fixture
def built(home: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """One file in the library; the queue does not run."""
    hubs: tuple[Connector, ...] = (hub,)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        own = entry(size=len(BYTES), sha256=sha256(BYTES), base_model="sd1")
        path = made.library.path(own)
        path.parent.mkdir(parents=True)
        path.write_bytes(BYTES)
        made.library.adopt([own])
        yield made


def act(built: Services, name: str, before: Shown | None = None, **fields: Any) -> Change:
    clicked = {"act": name, "ref": str(INK), **fields}
    return page.handle_click(built, before or Shown(view=LIBRARY), clicked, False)


def show(built: Services, change: Change | None = None) -> str:
    shown = change.shown if change is not None else Shown(view=LIBRARY)
    return "".join(page.paint(built, Renderer(), shown))


def check(built: Services, name: str) -> tuple[list[str], str]:
    """What is said on the way, and the page at the end."""
    *steps, ended = page.CHECKS[name](built, Renderer(), CheckResults())
    return [step.progress for step in steps], show(built, Change(shown=Shown(view=LIBRARY, results=ended.found)))


def test_counts_and_bytes_lead_the_page(built: Services) -> None:
    built.library.adopt([entry(ref=OTHER, file="sd1/bo/Twin.safetensors", size=len(BYTES), sha256=sha256(BYTES))])
    assert "2 LoRAs · 1 file · 134 B · 1 missing" in show(built)


def test_a_missing_file_can_be_downloaded_again(built: Services) -> None:
    built.library.path(built.library.entry(INK)).unlink()
    assert "The file is gone from the folder." in show(built)
    asked = act(built, "fetch")
    assert asked.requested
    assert "It is being downloaded." in show(built, asked)
    assert [task.ref for task in built.queue.tasks()] == [INK]


def test_what_its_hub_took_down_is_marked(built: Services, hub: Hub) -> None:
    built.lookup.get(INK)
    hub.loras.clear()
    built.lookup.get(INK)
    assert "1 no longer on its hub" in show(built)
    assert "No longer on CivitAI. Keep the file." in show(built)


def test_verifying_tells_how_far_it_is_and_what_it_found(built: Services) -> None:
    (started, step), html = check(built, "verify")
    assert "Verifying…" in started
    assert "Verified 1 of 1: Ink lines" in step
    assert "Verified: 1 file right, nothing missing or changed." in html
    assert "✓ the bytes are right" in html


def test_changed_and_foreign_files_are_found(built: Services) -> None:
    path = built.library.path(built.library.entry(INK))
    path.write_bytes(BYTES + b"!")
    (path.parent / "stranger.safetensors").write_bytes(b"?")
    _, html = check(built, "verify")
    assert "Verified: 0 files right, 1 changed; 1 file that no entry names." in html
    assert "it is not what the lock file pins" in html
    assert "sd1/ada/stranger.safetensors" in html


def test_a_newer_version_can_be_pulled(built: Services, hub: Hub) -> None:
    newer = version(INK.lora.at("2002"), "v2")
    hub.loras = [lora(versions=(newer, *lora().versions))]
    *_, ended = page.CHECKS["outdated"](built, Renderer(), CheckResults())
    before = Shown(view=LIBRARY, results=ended.found)
    assert "v2 is out." in show(built, Change(shown=before))
    asked = act(built, "update", before, ref="civitai:1001@2002#3001")
    assert "v2 is being downloaded." in show(built, asked)
    assert [str(task.ref) for task in built.queue.tasks()] == ["civitai:1001@2002#3001"]
    assert str(INK) in show(built, act(built, "search", before, value="is:outdated"))


@pytest.fixture
def mine(built: Services) -> Ref:
    """A file in the library that no hub is known to have."""
    data = weights(fill=b"\x02")
    own = entry(ref=local_ref("My Robot", sha256(data)), file="mine/My Robot.safetensors", source="", size=len(data))
    own = replace(own, sha256=sha256(data), title="My Robot")
    path = built.library.path(own)
    path.parent.mkdir()
    path.write_bytes(data)
    built.library.adopt([own])
    return own.ref


def test_a_file_of_ones_own_is_listed_and_tried_like_any_other(built: Services, mine: Ref) -> None:
    assert "My Robot" in show(built)
    change = act(built, "try", ref=str(mine))
    assert [stacked.ref for stacked in change.shown.view.stack] == [str(mine)]
    assert built.lookup.record(mine).title == "My Robot"


def test_a_file_of_ones_own_opens_in_the_panel(built: Services, mine: Ref) -> None:
    *_, (html, _) = detail.show(built, Renderer(), View(open=str(mine)))
    assert "This computer" in html
    assert "My Robot" in html


def test_of_a_file_of_ones_own_no_hub_is_asked(built: Services, mine: Ref, hub: Hub) -> None:
    _, html = check(built, "outdated")
    assert "No hub is known to have this file" in html
    assert hub.asked == ["get civitai:1001"]


def test_a_file_of_ones_own_that_is_gone_can_be_downloaded_from_nowhere(built: Services, mine: Ref) -> None:
    built.library.path(built.library.entry(mine)).unlink()
    html = show(built)
    assert "The file is gone from the folder, and no hub is known to have it." in html
    assert "Download again" not in html


def test_removing_asks_first(built: Services) -> None:
    asking = act(built, "remove")
    assert "Remove the file" in show(built, asking)
    assert len(built.library.entries()) == 1
    assert "Remove the file" not in show(built, act(built, "keep", asking.shown))
    removed = act(built, "remove-now", replace(asking.shown, selected=(str(INK),)))
    assert (built.library.entries(), removed.shown.selected, removed.shown.opened.ref) == ((), (), "")


def test_the_entry_at_the_side_shows_where_its_file_is(built: Services) -> None:
    path = str(built.library.path(built.library.entry(INK)))
    assert path not in show(built)
    opened = act(built, "edit")
    assert f"<code>{path}</code>" in show(built, opened)
    assert path not in show(built, act(built, "edit-close", opened.shown))


def test_a_file_manager_opens_only_for_who_sits_here(built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(page, "reveal", lambda path, environ: opened.append(path))
    for local in (False, True):
        page.handle_click(built, Shown(view=LIBRARY), {"act": "reveal", "ref": str(INK)}, local)
    assert opened == [built.library.path(built.library.entry(INK))]


def test_the_lock_is_there_to_be_copied(built: Services) -> None:
    assert 'data-copy="# Written by hub-ui' in show(built)


def test_trying_goes_to_the_try_page(built: Services) -> None:
    assert act(built, "try").shown.view == View(page="try", stack=(StackedLora(ref=str(INK)),))


def test_a_click_that_is_no_button_is_refused(built: Services) -> None:
    for name in ("format-disk", "menu", "bulk"):
        with pytest.raises(UsageError):
            act(built, name)


def test_visitors_of_a_shared_page_change_nothing(built: Services) -> None:
    built = with_settings(built, hosted=True)
    for name in ("verify", "outdated", "import", "remove-now", "reveal", "fetch", "update", "try", "note", "bulk"):
        with pytest.raises(UsageError, match="can't be changed by its visitors"):
            act(built, name)


def theirs(**fields: Any) -> str:
    return lockfile.dumps([entry(ref=OTHER, title="Other", file="sd1/bo/Other.safetensors", **fields), entry()])


def test_a_lock_file_is_looked_through_before_anything_is_done(built: Services) -> None:
    wanted = lock_import.read_lock(built, theirs(size=2_000_000))
    html = lock_import.plan_html(Renderer(), wanted)
    assert "1 new, 2.0 MB; 1 here with other bytes; yours is kept." in html
    assert "Download 1 file" in html
    assert len(built.library.entries()) == 1


def test_taking_a_lock_over_pins_its_entries_and_queues_them(built: Services) -> None:
    wanted = lock_import.new_entries(lock_import.read_lock(built, theirs()))
    assert lock_import.import_entries(built, wanted) == 1
    assert [found.ref for found in built.library.entries()] == [INK, OTHER]
    assert [(task.ref, task.title) for task in built.queue.tasks()] == [(OTHER, "Other")]


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "There is no lock file yet."), ("[[lora]]", "version"), ("x" * 5_000_001, "too long for a lock file")],
)
def test_what_is_no_lock_file_is_refused_with_the_reason(built: Services, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lock_import.read_lock(built, text)


def thousands(built: Services, count: int = 3000) -> None:
    one = entry()
    built.library.adopt(
        [
            replace(
                one, ref=Ref.parse(f"civitai:{n}@{n}#{n}"), title=f"Style {n:04}", file=f"sdxl/ada/{n}.safetensors",
                base_model="sdxl-1.0" if n % 2 else "pony", size=n, sha256=f"{n:064x}",
                trigger_words=(f"word{n}",),
            )
            for n in range(1, count + 1)
        ]
    )  # fmt: skip


def look(built: Services, *clicks: dict[str, str]) -> str:
    shown = Shown(view=LIBRARY)
    for clicked in clicks:
        shown = act(built, clicked.pop("act"), shown, **clicked).shown
    return show(built, Change(shown=shown))


def titles(html: str) -> list[str]:
    return re.findall(r'data-act="open" data-ref="[^"]+" dir="auto">(.+?)</a>', html)


def test_of_thousands_of_entries_one_page_is_sent(built: Services) -> None:
    thousands(built)
    html = look(built, {"act": "page", "value": "1"})
    assert len(titles(html)) == 50
    assert "51 to 100 of 3,001" in html
    assert len(html) < 150_000


def test_an_entry_is_found_by_its_name_its_trigger_word_and_its_file(built: Services) -> None:
    thousands(built, 20)
    for text in ("style 0007", "WORD7", '"ada 7"', "trigger:word7"):
        assert titles(look(built, {"act": "search", "value": text})) == ["Style 0007"]
    assert "Nothing in the library fits." in look(built, {"act": "search", "value": "zzz"})


def test_entries_are_narrowed_by_base_and_put_in_an_order(built: Services) -> None:
    thousands(built, 20)
    html = look(built, {"act": "toggle", "facet": "bases", "value": "pony"}, {"act": "sort", "value": "size"})
    assert (len(titles(html)), titles(html)[:2]) == (10, ["Style 0020", "Style 0018"])


def test_a_search_that_nobody_understands_says_so_and_the_rest_of_it_counts(built: Services) -> None:
    thousands(built, 20)
    html = look(built, {"act": "search", "value": "base:pony is:favorit"})
    assert "Did you mean “is:favorite”?" in html
    assert len(titles(html)) == 10


def test_a_part_of_the_search_is_taken_away(built: Services) -> None:
    thousands(built, 20)
    asked = act(built, "search", value="base:pony -word2")
    assert 'data-text="base:pony"' in show(built, asked)
    assert act(built, "chip", asked.shown, text="base:pony").shown.view.library.text == "base:pony"


def test_the_address_has_the_search_and_the_page(built: Services) -> None:
    thousands(built, 120)
    shown = act(built, "page", act(built, "search", value="style base:sdxl").shown, value="1").shown
    address = shown.view.to_address()
    assert address == "view=library&lq=style+base%3Asdxl&lpage=2"
    assert View.from_address(address) == shown.view


def test_an_entry_has_its_picture_its_kind_and_leads_to_its_lora(built: Services, hub: Hub) -> None:
    pictured = version(INK.at("2001"), "v1")
    image = Example(url="https://images.civitai.com/ink.jpeg", nsfw="safe")
    kind = Claim(field="kind", value="style", source="hub", where="tags")
    hub.loras = [lora(versions=(replace(pictured, examples=(image,)),), claims=(*lora().claims, kind))]
    built.lookup.get(INK)
    html = look(built, {"act": "search", "value": "kind:style"})
    assert '<img src="hub-picture?' in html
    assert act(built, "open").shown.view == replace(LIBRARY, page="browse", open=str(INK))


def test_a_control_that_is_none_is_refused(built: Services) -> None:
    for clicked in ({"act": "sort", "value": "x"}, {"act": "toggle", "facet": "size", "value": "1"}):
        with pytest.raises(UsageError):
            look(built, clicked)


def test_rows_are_chosen_one_by_one_by_the_page_and_all_that_is_found(built: Services) -> None:
    thousands(built, 120)
    one = act(built, "select", ref="civitai:7@7#7")
    assert (one.shown.selected, one.paints) == (("civitai:7@7#7",), "selection")
    page_ = act(built, "select-page", one.shown).shown
    assert len(page_.selected) == 50
    found = act(built, "select-found", act(built, "search", page_, value="base:pony").shown).shown
    assert len({*found.selected}) == 50 + 60 - 24
    assert "Choose none" in show(built, Change(shown=found))
    assert act(built, "select-none", found).shown.selected == ()


def test_an_action_is_done_with_all_that_are_chosen(built: Services) -> None:
    thousands(built, 3)
    chosen = Shown(view=LIBRARY, selected=("civitai:1@1#1", "civitai:2@2#2", "civitai:99@9#9"))
    done = act(built, "bulk", chosen, action="favorite")
    assert "2 LoRAs changed." in show(built, done)
    assert [str(ref) for ref, one in built.annotations.all().items() if one.favorite] == ["civitai:1", "civitai:2"]
    with pytest.raises(UsageError, match="Nothing is chosen"):
        act(built, "bulk", action="favorite")


def test_without_a_picture_of_its_hub_a_row_has_the_one_beside_its_file(built: Services) -> None:
    assert "local-picture" not in show(built)
    path = built.library.path(built.library.entry(INK))
    path.with_suffix(".preview.png").write_bytes(b"")
    assert '<img src="local-picture?path=' in show(built)


def test_a_tick_paints_the_toolbar_alone_and_an_opened_entry_its_panel(built: Services) -> None:
    for name, painted in (("select", 3), ("select-page", 3), ("select-none", 3), ("edit", 5), ("edit-close", 5)):
        change = act(built, name)
        parts = page.paint(built, Renderer(), change.shown, change.paints)
        assert [number for number, part in enumerate(parts) if isinstance(part, str)] == [painted]


def test_the_page_that_is_ticked_is_the_one_that_is_shown(built: Services) -> None:
    beyond = replace(LIBRARY, library=replace(LIBRARY.library, number=9))
    assert act(built, "select-page", Shown(view=beyond)).shown.selected == (str(INK),)
