import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from connectors.errors import BadAnswer
from connectors.http.adapter import Destinations
from connectors.record import Example, Nsfw
from connectors.ref import Ref
from hub_ui.library.library import Library
from hub_ui.library.upkeep.export import (
    Exporter,
    Sidecar,
    Subject,
    a1111,
    as_json,
    as_png,
    comfyui,
    example_of,
    fetch,
    find_unchanged,
)
from tests.connectors.serving import Answer, Hub, redirect
from tests.hub_ui.library.building import entry
from tests.hub_ui.stand_ins import lora

OWN = Destinations(own=frozenset({"127.0.0.1"}))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "sd1" / "Ink v1.5-2001.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"123")
    return path


def subject(path: Path, lora_of: Any = None, image: bytes | None = None, **fields: Any) -> Subject:
    values = {"base_model": "sd-1.5", "architecture": "sd1", "trigger_words": ("sks style", "ink"), "weight": 0.8}
    made = entry(file="sd1/Ink v1.5-2001.safetensors", **{**values, **fields})
    example = Example(url="http://hub.invalid/1.webp", nsfw="soft") if image else None
    return Subject(entry=made, path=path, lora=lora_of, example=example, image=image)


def document(sidecars: list[Sidecar]) -> Any:
    return json.loads(sidecars[0].data)


def test_a1111_reads_words_weight_and_version(weights: Path) -> None:
    [sidecar] = a1111(subject(weights, lora(), license="mit"))
    assert sidecar.file == "sd1/Ink v1.5-2001.json"
    assert document([sidecar]) == {
        "description": "Ink lines, by ada, for SD 1.5",
        "sd version": "SD1",
        "activation text": "sks style, ink",
        "preferred weight": 0.8,
        "negative text": "",
        "notes": f"civitai:1001@2001#3001\nhttps://hub.invalid/1001\nLicence: mit\nsha256: {'a' * 64}",
    }


@pytest.mark.parametrize(
    ("architecture", "named"), [("sdxl", "SDXL"), ("flux1", "Flux"), ("qwen-image", "Unknown"), (None, "Unknown")]
)
def test_a1111_knows_few_architectures_and_has_a_weight_of_its_own(
    weights: Path, architecture: str | None, named: str
) -> None:
    made = document(a1111(subject(weights, architecture=architecture, weight=None)))
    assert (made["sd version"], made["preferred weight"]) == (named, 0.0)


def test_a_hostile_title_is_no_html(weights: Path) -> None:
    made = document(a1111(subject(weights, title="<img src=x onerror=alert(1)>\n")))
    assert "<" not in made["description"] + made["notes"]


def test_the_lora_manager_reads_its_own_schema(weights: Path) -> None:
    sidecars = comfyui(subject(weights, lora(tags=("style",)), image=b"png"))
    made = document(sidecars)
    assert [sidecar.file for sidecar in sidecars] == [
        "sd1/Ink v1.5-2001.metadata.json", "sd1/Ink v1.5-2001.png",
    ]  # fmt: skip
    assert made["file_path"] == weights.as_posix()
    assert made["preview_url"] == weights.with_name("Ink v1.5-2001.png").as_posix()
    assert (made["file_name"], made["model_name"], made["base_model"]) == ("Ink v1.5-2001", "Ink lines", "SD 1.5")
    assert (made["sha256"], made["size"], made["modified"]) == ("a" * 64, 3, weights.stat().st_mtime)
    assert (made["preview_nsfw_level"], made["tags"], made["usage_tips"]) == (2, ["style"], '{"strength": 0.8}')


def test_the_lora_manager_gets_civitais_numbers(weights: Path) -> None:
    made = document(comfyui(subject(weights, lora())))
    assert (made["from_civitai"], made["civitai"]) == (
        True,
        {
            "id": 2001,
            "modelId": 1001,
            "name": "v1",
            "baseModel": "SD 1.5",
            "trainedWords": ["sks style", "ink"],
            "model": {"name": "Ink lines", "type": "LORA"},
            "creator": {"username": "ada"},
        },
    )


def test_of_other_hubs_it_gets_the_words_alone(weights: Path) -> None:
    made = document(comfyui(subject(weights, ref=Ref.parse("huggingface:ada/ink@" + "1" * 40), weight=None)))
    assert (made["from_civitai"], made["civitai"]) == (False, {"trainedWords": ["sks style", "ink"]})
    assert made["usage_tips"] == "{}"


def image_bytes(kind: str = "WEBP", side: int = 1024, mode: str = "RGB") -> bytes:
    target = io.BytesIO()
    Image.new(mode, (side, side // 2), "teal").save(target, kind, comment=b"a secret")
    return target.getvalue()


@pytest.mark.parametrize("kind", ["WEBP", "JPEG", "PNG", "GIF"])
def test_an_image_becomes_a_small_png(kind: str) -> None:
    made = as_png(image_bytes(kind))
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size, image.info) == ("PNG", (768, 384), {})


@pytest.mark.parametrize("data", [b"", b"<html>", image_bytes()[:60], image_bytes("BMP")])
def test_what_is_no_image_raises_our_error(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        as_png(data)


def test_an_image_comes_from_where_the_hub_has_it_and_not_from_this_network(hub: Hub, delivery: Hub) -> None:
    hub.answers["/1"] = redirect(delivery.url + "/1.webp")
    delivery.answers["/1.webp"] = Answer(body=image_bytes(side=64))
    with Image.open(io.BytesIO(fetch(Example(url=hub.url + "/1"), OWN))) as image:
        assert image.size == (64, 32)
    with pytest.raises(BadAnswer, match="isn't a hub's"):
        fetch(Example(url=hub.url + "/1"), Destinations())
    assert len(hub.asked) == 1


@pytest.mark.parametrize(
    ("videos", "levels", "chosen"),
    [(0, ["soft", "safe"], 1), (0, ["mature", "soft"], 1), (0, ["explicit"], None), (0, [], None), (1, ["safe"], None)],
)
def test_the_tamest_image_is_chosen_and_no_video(videos: int, levels: list[Nsfw], chosen: int | None) -> None:
    """So many of the first are videos."""
    examples = tuple(Example(url=str(n), nsfw=level, video=n < videos) for n, level in enumerate(levels))
    made = lora()
    found = example_of(replace(made, versions=(replace(made.versions[0], examples=examples),)), entry())
    assert (found and int(found.url)) == chosen


JSON = Sidecar(entry=entry(file="sd1/ink.safetensors"), suffix=".json", data=b"{}")
NEWER = Sidecar(entry=JSON.entry, suffix=".json", data=b"{1}")
PICTURE = Sidecar(entry=entry(file="sd1/ink.safetensors"), suffix=".png", data=b"\x89PNG")


def write(library: Library, *sidecars: Sidecar, force: bool = False, out: Path | None = None) -> list[str]:
    exporter = Exporter(library.folder, out or library.folder, force=force)
    return [done.state for done in exporter.write(sidecars)]


@pytest.fixture
def beside(library: Library) -> Path:
    (library.folder / "sd1").mkdir(parents=True)
    return library.folder / "sd1" / "ink.json"


def test_what_was_written_before_is_written_anew(library: Library, beside: Path) -> None:
    write(library, JSON)
    assert [*write(library, JSON), *write(library, NEWER)] == ["same", "written"]


def test_what_was_written_is_known_after_its_library_was_moved(library: Library, beside: Path, tmp_path: Path) -> None:
    write(library, JSON)
    moved = library.folder.rename(tmp_path / "moved")
    assert find_unchanged(moved, [JSON.entry]) == (moved / JSON.file,)


@pytest.mark.parametrize("file", ["sd1/ink.json", ".hub-ui/exported.json"])
def test_what_changed_since_stays_as_all_does_without_the_listing(library: Library, beside: Path, file: str) -> None:
    write(library, JSON)
    (library.folder / file).write_bytes(b"[")
    assert write(library, NEWER) == ["kept"]


@pytest.mark.parametrize("name", ["ink.preview.png", "ink.jpg", "ink.webp"])
def test_an_image_someone_chose_is_not_joined_by_another(library: Library, beside: Path, name: str) -> None:
    beside.with_name(name).write_bytes(b"mine")
    assert write(library, PICTURE) == ["kept"]
    assert not beside.with_name("ink.png").exists()


def test_another_folder_gets_the_same_tree(library: Library, tmp_path: Path) -> None:
    assert write(library, JSON, PICTURE, out=tmp_path / "out") == ["written", "written"]
    assert (tmp_path / "out" / "sd1" / "ink.png").exists()
    assert list(library.folder.rglob("*.json")) == [library.folder / ".hub-ui" / "exported.json"]


def test_a_library_that_may_only_be_read_is_exported_elsewhere(library: Library, tmp_path: Path) -> None:
    library.folder.mkdir(exist_ok=True)
    (library.folder / ".hub-ui").write_text("a file where the folder should be")
    assert write(library, JSON, out=tmp_path / "out") == ["written"]


def test_json_is_written_for_people_too() -> None:
    assert as_json({"a": "é\ud800"}) == '{\n  "a": "é?"\n}\n'.encode()


SHARED = Sidecar(
    entry=JSON.entry,
    suffix=".metadata.json",
    data=as_json({"sha256": "a" * 64, "notes": "ours", "tags": ["ink"], "civitai": {"id": 2, "name": "v1"}, "size": 3}),
    facts=frozenset({"sha256", "size"}),
)


def test_what_another_program_wrote_anew_is_filled_in_and_stays_its_own(library: Library, beside: Path) -> None:
    write(library, SHARED)
    theirs = {"sha256": "a" * 64, "notes": "mine", "tags": [], "favorite": False, "civitai": {"id": 7}, "size": 0}
    path = beside.with_name("ink.metadata.json")
    path.write_bytes(as_json(theirs))
    assert write(library, SHARED) == ["merged"]
    assert json.loads(path.read_text()) == {
        "sha256": "a" * 64, "notes": "mine", "tags": ["ink"], "favorite": False, "civitai": {"id": 7, "name": "v1"},
        "size": 3,
    }  # fmt: skip
    assert write(library, SHARED) == ["same"]
    assert find_unchanged(library.folder, [SHARED.entry]) == ()


@pytest.mark.parametrize("data", [as_json({"sha256": "b" * 64}), b"{}", b"[1"])
def test_what_is_about_another_file_or_no_json_object_stays(data: bytes, library: Library, beside: Path) -> None:
    path = beside.with_name("ink.metadata.json")
    path.write_bytes(data)
    assert (write(library, SHARED), path.read_bytes()) == (["kept"], data)
