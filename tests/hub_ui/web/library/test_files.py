from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from starlette.testclient import TestClient

from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.services import Services
from hub_ui.settings import LOCAL
from tests.hub_ui.library.building import INK, entry, sha256
from tests.hub_ui.web.conftest import PART, parts, read

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


def test_a_file_is_shown_kept_and_tried(client: TestClient, built: Services) -> None:
    address = add(client, "My Robot.safetensors", lora_file())
    page = read(client.get(address[1:]).text)
    assert "No hub is known to have it." in page.select_one(".entry").text
    assert page.select("#waiting a")
    assert "view=try&lora=local" in page.select_one(".entry a.filled")["href"]
    ref = page.select_one(".entry [name=ref]")["value"]
    client.post("/library-keep", data={"do": "keep", "ref": str(ref)})
    assert [one.title for one in built.library.entries()][-1] == "My Robot"
    assert not built.own_files.entries()


def test_a_file_that_is_dropped_leads_to_its_page_one_that_is_discarded_is_gone_and_without_any_nothing_happens(
    client: TestClient, built: Services
) -> None:
    assert add(client, "x.safetensors", lora_file(), **PART).startswith("./?view=library&open=local")
    page = read(client.get(add(client, "x.safetensors", lora_file())[1:]).text)
    ref = str(page.select_one(".entry [name=ref]")["value"])
    client.post("/library-keep", data={"do": "discard", "ref": ref})
    assert not built.own_files.entries()
    assert "Choose a file first." in client.post("/library-file", headers=PART).text


def test_a_file_of_the_library_opens_its_entry(client: TestClient, built: Services) -> None:
    data, ink = lora_file(), built.library.entry(INK)
    built.library.path(ink).write_bytes(data)
    built.library.change([replace(ink, size=len(data), sha256=sha256(data))])
    page = read(client.get(add(client, "x.safetensors", data)[1:]).text)
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
