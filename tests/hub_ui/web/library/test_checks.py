import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from bs4 import BeautifulSoup
from safetensors.numpy import save
from starlette.testclient import TestClient

from connectors.errors import HubDown, UsageError
from connectors.record import Claim
from connectors.ref import Ref
from hub_ui.app.checks import CheckKind, CheckProgress, LibraryChecks
from hub_ui.app.jobs import Jobs
from hub_ui.app.services import Services
from hub_ui.library import lockfile
from hub_ui.library.annotations import Annotation
from hub_ui.library.download import sync
from hub_ui.library.download.sync import FileCheck
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.settings import LOCAL
from hub_ui.web import uploads
from hub_ui.web.library import routes, rows
from tests.hub_ui.library.building import INK, entry, sha256, weights
from tests.hub_ui.stand_ins import Hub, lora, version
from tests.hub_ui.web.conftest import PART, parts, read
from tests.hub_ui.web.library.conftest import MIST


def check(client: TestClient, do: str = "check", *refs: Ref, **fields: str) -> Any:
    """The page once a check has ended."""
    data = {"do": do, "ref": [str(ref) for ref in refs], "back": "view=library", **fields}
    answer = client.post("/library", data=data, headers=PART)
    assert answer.status_code == 200, answer.text
    return parts(client.get("/library/check?view=library").text)[-1]


def chips(page: BeautifulSoup) -> list[str]:
    return [chip.text for chip in page.select(".shelf .newsof .chip")]


def newer(hub: Hub) -> Ref:
    ref = INK.lora.at("2009", "3009")
    hub.loras = [lora(versions=(version(INK.lora.at("2009"), "v9", ref=ref), *lora().versions))]
    return ref


def test_a_check_tells_what_it_found_which_stays_when_the_page_is_loaded_again(client: TestClient) -> None:
    page = check(client, kind="verify")
    assert "Verified: 2 files right, nothing missing or changed." in page.select_one(".said").text
    assert chips(page) == ["✓ verified", "✓ verified"]
    check(client, kind="verify")
    page = read(client.get("/library").text)
    assert chips(page) == ["✓ verified", "✓ verified"]
    assert not page.select("[hx-get^='library/check']")


def test_a_check_that_ends_early_is_told(client: TestClient, built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    find, start = rows.find, LibraryChecks.start

    def start_before_the_page(checks: LibraryChecks, kind: CheckKind) -> None:
        start(checks, kind)
        monkeypatch.setattr(rows, "find", lambda *given: [*checks.follow()] and find(*given))

    monkeypatch.setattr(LibraryChecks, "start", start_before_the_page)
    page = read(client.post("/library", data={"do": "check", "kind": "verify"}, headers=PART).text)
    assert page.select(".said, [hx-get^='library/check']")


def test_changed_and_foreign_files_are_found(client: TestClient, built: Services) -> None:
    path = built.library.path(built.library.entry(INK))
    path.write_bytes(weights() + b"!")
    (path.parent / "stranger.safetensors").write_bytes(b"?")
    page = check(client, kind="verify")
    assert "1 file right, 1 changed; 1 file that no entry names." in page.select_one(".said").text
    assert "sd1/stranger.safetensors" in page.text
    assert "file changed" in chips(page)


def test_a_newer_version_is_told_found_and_loaded_from_its_entry(client: TestClient, hub: Hub, built: Services) -> None:
    newer(hub)
    page = check(client, kind="updates")
    assert chips(page) == ["v9 available", "gone from CivitAI"]
    rows = read(client.get("/library?lq=is:outdated").text).select(".shelf .hit")
    assert [row.text for row in rows] == ["Ink"]
    ref = newer(hub)
    check(client, kind="updates")
    data = {"do": "download", "ref": str(INK), "value": str(ref), "back": "view=library"}
    part = read(client.post("/library/entry", data=data, headers=PART).text)
    assert "v9 is being downloaded." in part.text
    assert [task.ref for task in built.queue.tasks()] == [ref]


def test_a_newer_version_is_ignored_from_its_entry(client: TestClient, built: Services, hub: Hub) -> None:
    newer(hub)
    check(client, kind="updates")
    page = read(client.get("/library?open=civitai:1001@2001%233001").text)
    form = page.select_one(".entry form:has([value=ignore])")
    data = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    part = read(client.post("/library", data=data, headers=PART).text)
    assert chips(part) == ["gone from CivitAI"]
    assert [str(rule) for rule in built.update_rules.all()] == ["civitai:1001@2009"]


def test_the_chosen_ones_are_verified_alone(client: TestClient, built: Services) -> None:
    (built.library.folder / "sd1/mist.safetensors").write_bytes(b"other")
    page = check(client, "verify", INK, MIST)
    assert "1 file is right." in page.select_one(".said").text
    assert [row.text for row in page.select(".failures li")] == ["Mist changed"]


@pytest.mark.usefixtures("new_answers")
def test_one_that_fails_keeps_no_other_from_being_updated(client: TestClient, built: Services, hub: Hub) -> None:
    ref = newer(hub)
    page = check(client, "update", INK, MIST)
    assert "1 newer version is being downloaded." in page.select_one(".said").text
    assert [task.ref for task in built.queue.tasks()] == [ref]
    hub.error = HubDown("CivitAI can't be reached.", hub="civitai")
    page = check(client, "update", INK)
    assert [row.text for row in page.select(".failures li")] == ["Ink CivitAI can't be reached."]


def test_the_file_to_keep_is_chosen_and_the_other_comes_back(client: TestClient, built: Services) -> None:
    copy = built.library.folder / "copy.safetensors"
    copy.write_bytes(weights(fill=b"\x01"))
    client.post("/library", data={"do": "check", "kind": "duplicates"})
    page = parts(client.get("/library/check?view=library&ltool=duplicates").text)[-1]
    group = page.select_one("#tool [name=group]")["value"]
    data = {"do": "remove-duplicates", "group": str(group), "keep": "copy.safetensors", "back": "view=library"}
    undo = read(client.post("/library", data=data, headers=PART).text).select_one(".said [name=id]")
    assert ([one.ref for one in built.library.entries()], copy.exists()) == ([MIST], True)
    client.post("/library", data={"do": "undo", "id": str(undo["value"])})
    assert built.library.holds(INK)


@pytest.mark.parametrize(("group", "keep"), [("nothing", "a"), ("sd1/ink.safetensors", ""), ("", "../a")])
def test_without_one_to_keep_nothing_is_removed(client: TestClient, built: Services, group: str, keep: str) -> None:
    (built.library.folder / "copy.safetensors").write_bytes(weights(fill=b"\x01"))
    check(client, kind="duplicates")
    answer = client.post("/library", data={"do": "remove-duplicates", "group": group, "keep": keep}, headers=PART)
    assert (answer.status_code, len(built.library.entries())) == (422, 2)


def test_one_check_runs_at_a_time_and_is_stopped(built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    checks, check_one, go_on = LibraryChecks(built.downloads, built.update_rules, Jobs()), sync.check, threading.Event()
    monkeypatch.setattr(sync, "check", lambda *given: go_on.wait(30) and check_one(*given))
    checks.start("verify")
    with pytest.raises(UsageError, match="already running"):
        checks.start("updates")
    checks.stop()
    go_on.set()
    assert [*checks.follow()]
    assert checks.progress is None


def test_the_check_of_all_files_stops_when_asked(built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    checks, check_one = LibraryChecks(built.downloads, built.update_rules, Jobs()), sync.check

    def check_last(library: Library, entry: Entry) -> FileCheck:
        checks.stop()
        return check_one(library, entry)

    monkeypatch.setattr(sync, "_WORKERS", 1)
    monkeypatch.setattr(sync, "check", check_last)
    checks.start("verify")
    assert [*checks.follow()]
    assert list(checks.results.checked) == [INK]


@pytest.mark.parametrize("kind", get_args(CheckKind))
def test_each_check_says_what_it_does_and_how_far_it_is(built: Services, kind: CheckKind) -> None:
    begin, step = (CheckProgress(kind=kind, done=done, total=7).line for done in (0, 3))
    assert (begin[-1], "3 of 7" in step) == ("…", True)
    checks = LibraryChecks(built.downloads, built.update_rules, Jobs())
    checks.start(kind)
    assert [*checks.follow()]
    assert checks.results.at > 0


def change(client: TestClient, do: str, value: str = "") -> Any:
    """What the panel says after a change of the first entry, and the row with it."""
    data = {"do": do, "ref": str(INK), "value": value, "back": "view=library"}
    return read(client.post("/library/entry", data=data, headers=PART).text)


def own(built: Services) -> Annotation:
    return built.annotations.get(INK)


def test_an_entry_opens_also_by_its_loras_address_and_says_if_it_is_gone(client: TestClient, built: Services) -> None:
    address = f"/library?open={str(INK).replace('#', '%23')}"
    for headers in ({}, {**PART, "HX-Target": "aside#panel"}):
        page = read(client.get(address, headers=headers).text)
        assert page.select_one(".entry h2").text == "Ink"
        assert str(built.library.path(built.library.entry(INK))) in page.text
    page = read(client.get("/library?open=civitai:1001").text)
    assert (page.select_one(".entry h2").text, page.select_one(".entry code").text) == ("Ink", str(INK))
    page = read(client.get("/library?open=civitai:404").text)
    assert "is not in the library any more" in page.select_one("#panel").text


def test_a_note_is_saved_in_the_row_and_without_a_script_leads_back(client: TestClient, built: Services) -> None:
    part = change(client, "note", "For covers.\nNot for faces.")
    assert own(built).note.split() == ["For", "covers.", "Not", "for", "faces."]
    assert part.select_one("hx-partial .snippet").text == "For covers. Not for faces."
    answer = client.post(
        "/library/entry", data={"do": "note", "ref": str(INK), "value": "Dark", "back": "view=library"}
    )
    assert answer.headers["location"] == "../library?open=civitai%3A1001%402001%233001"
    assert own(built).note == "Dark"


def test_a_note_too_long_stays_and_a_base_shows_who_differs(client: TestClient, built: Services, hub: Hub) -> None:
    part = change(client, "note", "x" * 4001)
    assert "A note has at most 4,000 characters" in part.select_one("[role=alert]").text
    assert part.select_one("#entry-note").text.strip() == "x" * 4001
    assert own(built).note == ""
    claim = Claim(field="architecture", value="sdxl", source="hub", where="baseModel")
    hub.loras = [lora(claims=(*lora().claims, claim))]
    built.lookup.fetch(INK)
    assert "CivitAI says SDXL" in change(client, "base_model", "flux1-dev").text


def test_own_trigger_words_start_from_those_of_the_hub_and_go_back_to_them(client: TestClient, built: Services) -> None:
    built.lookup.fetch(INK)
    change(client, "add-word", "own")
    words = built.library.entry(INK).trigger_words
    assert words[-1] == "own"
    assert "As the hub says" in change(client, "remove-word", words[0]).text
    change(client, "reset", "trigger_words")
    assert own(built).trigger_words is None


def test_try_begins_with_an_own_weight_and_the_favourite_is_switched(client: TestClient, built: Services) -> None:
    part = change(client, "set-weight", "0.6")
    assert built.generation.default_weight(INK) == 0.6
    assert part.select_one(".actions a.filled")["href"].endswith("%2A0.6")
    assert change(client, "favorite").select("button[aria-pressed=true]")
    assert own(built).favorite
    assert change(client, "unfavorite").select("button[aria-pressed=false]")


@pytest.mark.parametrize("text", ["much", "9"])
def test_what_is_no_weight_is_said_at_the_entry(client: TestClient, text: str) -> None:
    assert "from -1 to 2" in change(client, "set-weight", text).select_one("[role=alert]").text


def test_what_is_no_button_or_check_changes_nothing(client: TestClient, built: Services) -> None:
    for do, value in (("explode", ""), ("reset", "note")):
        assert "That is no button of this page." in change(client, do, value).text
    bad = client.post("/library/entry", data={"do": "note", "ref": "nonsense", "value": "x"})
    assert bad.status_code == 422
    assert client.post("/library", data={"do": "check", "kind": "everything"}, headers=PART).status_code == 422


def test_a_missing_file_is_downloaded_again(client: TestClient, built: Services) -> None:
    built.library.path(built.library.entry(INK)).unlink()
    page = read(client.get(f"/library?open={str(INK).replace('#', '%23')}").text)
    assert "The file is gone from the folder." in page.text
    part = change(client, "download", str(INK))
    assert "It is being downloaded." in part.text
    assert [task.ref for task in built.queue.tasks()] == [INK]


def test_removing_asks_first_and_is_undone(client: TestClient, built: Services) -> None:
    page = read(client.get(f"/library?open={str(INK).replace('#', '%23')}").text)
    form = page.select_one("details .danger").find_parent("form")
    data = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    part = read(client.post("/library", data=data, headers=PART).text)
    assert [one.ref for one in built.library.entries()] == [MIST]
    assert part.select("hx-partial[hx-target='#panel']")
    undo = {str(field["name"]): str(field["value"]) for field in part.select("form.said input")}
    client.post("/library", data=undo, headers=PART)
    assert built.library.holds(INK)


def test_a_folder_opens_for_who_sits_here(client: TestClient, built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(routes, "reveal", lambda path, environ: shown.append(path))
    change(client, "reveal")
    assert shown == [built.library.path(built.library.entry(INK))]
    data = {"do": "reveal", "ref": str(INK)}
    answer = client.post("/library/entry", data=data, headers={**PART, "X-Forwarded-For": "1.2.3.4"})
    assert ("on the computer that hub-ui runs on" in answer.text, len(shown)) == (True, 1)


OTHER = Ref.parse("civitai:7@8#10")


def lora_file(fill: float = 1.0) -> bytes:
    name = "lora_unet_down_blocks_1_attentions_0_proj_in"
    return save(
        {
            f"{name}.lora_down.weight": np.full((4, 320, 1, 1), fill, np.float16),
            f"{name}.lora_up.weight": np.full((320, 4, 1, 1), fill, np.float16),
            f"{name}.alpha": np.full((), 4, np.float16),
        }
    )


def add(client: TestClient, name: str, data: bytes, **headers: str) -> str:
    answer = client.post("/library-file", files={"file": (name, data)}, headers=headers)
    assert answer.status_code in (204, 303)
    return answer.headers.get("location") or answer.headers["HX-Redirect"]


def test_a_file_may_be_larger_than_a_form_and_no_upload_leaves_one_behind(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = save({"lora_unet_x.lora_up.weight": np.zeros((8192, 1100), np.float16)})
    assert len(data) > LOCAL.limits.body_bytes
    add(client, "Large.safetensors", data)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    add(client, "x.safetensors", lora_file())
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_file_for_which_the_disk_has_no_room_is_refused_before_it_comes(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_SPARE_BYTES", 2**60)
    answer = client.post("/library-file", files={"file": ("x.safetensors", lora_file())}, headers=PART)
    assert (answer.status_code, "There is no room for another file here" in answer.text) == (507, True)


def test_a_file_is_shown_kept_and_tried(client: TestClient, built: Services) -> None:
    address = add(client, "My Robot.safetensors", lora_file())
    page = read(client.get(f"/{address}").text)
    assert "No hub is known to have it." in page.select_one(".entry").text
    assert page.select("#waiting a")
    assert "try?lora=local" in page.select_one(".entry a.filled")["href"]
    ref = page.select_one(".entry [name=ref]")["value"]
    client.post("/library-keep", data={"do": "keep", "ref": str(ref)})
    assert [one.title for one in built.library.entries()][-1] == "My Robot"
    assert not built.own_files.entries()


def test_a_dropped_file_has_a_page_until_it_is_discarded(client: TestClient, built: Services) -> None:
    assert add(client, "x.safetensors", lora_file(), **PART).startswith("library?open=local")
    page = read(client.get("/" + add(client, "x.safetensors", lora_file())).text)
    ref = str(page.select_one(".entry [name=ref]")["value"])
    client.post("/library-keep", data={"do": "discard", "ref": ref})
    assert not built.own_files.entries()
    assert "Choose a file first." in client.post("/library-file", headers=PART).text


def test_a_file_of_the_library_opens_its_entry(client: TestClient, built: Services) -> None:
    data, ink = lora_file(), built.library.entry(INK)
    built.library.path(ink).write_bytes(data)
    built.library.change([replace(ink, size=len(data), sha256=sha256(data))])
    page = read(client.get("/" + add(client, "x.safetensors", data)).text)
    assert page.select_one(".entry h2").text == "Ink"
    assert not page.select("#waiting")


@pytest.mark.parametrize("data", [b"\x80\x04pickle", b"", b"not a file of weights"])
def test_what_is_no_lora_is_refused_in_a_sentence(client: TestClient, built: Services, data: bytes) -> None:
    answer = client.post("/library-file", files={"file": ("x.safetensors", data)}, headers=PART)
    assert answer.headers["HX-Retarget"] == "#toast"
    assert len(read(answer.text).text) > 20
    assert not built.own_files.entries()


def test_files_that_lie_in_the_folder_are_entered(client: TestClient, built: Services) -> None:
    (built.library.folder / "Robot.safetensors").write_bytes(lora_file())
    (built.library.folder / "broken.safetensors").write_bytes(b"?")
    client.post("/library", data={"do": "check", "kind": "folder"})
    page = parts(client.get("/library/check?view=library").text)[-1]
    assert "1 file was added from the folder." in page.select_one(".said").text
    assert [row.text.split()[0] for row in page.select(".failures li")] == ["broken.safetensors"]
    assert [link.text for link in page.select(".shelf .hit")] == ["Ink", "Mist", "Robot"]


def test_a_lock_file_is_looked_through_first_also_without_a_script(client: TestClient, built: Services) -> None:
    text = lockfile.dumps([replace(built.library.entry(INK), ref=OTHER)])
    page = read(client.post("/library-import", data={"do": "look"}, files={"file": ("loras.lock", text)}).text)
    assert "will be downloaded" in page.select_one("#tool").text
    text = lockfile.dumps([built.library.entry(INK), entry(ref=OTHER, title="New <b>", size=1000)])
    page = read(client.post("/library-import", data={"text": text, "do": "look"}, headers=PART).text)
    assert "1 new, 1 kB; 1 here already." in page.select_one("#tool").text
    assert built.queue.tasks() == ()
    page = read(client.post("/library-import", data={"text": text, "do": "take"}, headers=PART).text)
    assert "1 LoRA is being downloaded." in page.select_one(".said").text
    assert [task.ref for task in built.queue.tasks()] == [OTHER]


@pytest.mark.parametrize(
    ("text", "said"), [("", "There is no lock file yet."), ("version = ", "The lock file"), ("x" * 10, "lock file")]
)
def test_what_is_no_lock_file_is_refused_with_the_reason(client: TestClient, text: str, said: str) -> None:
    answer = client.post("/library-import", data={"text": text, "do": "look"}, headers=PART)
    assert (answer.status_code, said in answer.text) == (422, True)
