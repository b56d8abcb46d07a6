from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from connectors.errors import BadAnswer, HubUiError, NotFound
from connectors.record import Example, Nsfw
from connectors.ref import Ref
from hub_ui.library.export.sidecars import Subject, a1111, as_png, comfyui, example_of, fetch
from hub_ui.library.export.write import Sidecar
from tests.hub_ui.library.building import entry
from tests.hub_ui.library.serving import Answer, Host, redirect
from tests.hub_ui.stand_ins import lora


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
def test_a1111_knows_few_architectures(weights: Path, architecture: str | None, named: str) -> None:
    assert document(a1111(subject(weights, architecture=architecture)))["sd version"] == named


def test_without_a_weight_a1111_uses_its_own(weights: Path) -> None:
    assert document(a1111(subject(weights, weight=None)))["preferred weight"] == 0.0


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
def test_a_image_becomes_a_small_png(kind: str) -> None:
    made = as_png(image_bytes(kind))
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size, image.info) == ("PNG", (768, 384), {})


@pytest.mark.parametrize("data", [b"", b"<html>", image_bytes()[:60], image_bytes("BMP")])
def test_what_is_no_image_raises_our_error(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        as_png(data)


def test_a_image_comes_from_where_the_hub_has_it(hub: Host, delivery: Host) -> None:
    hub.answers["/1"] = redirect(delivery.url + "/1.webp")
    delivery.answers["/1.webp"] = Answer(body=image_bytes(side=64))
    with Image.open(io.BytesIO(fetch(Example(url=hub.url + "/1"), {"127.0.0.1"}))) as image:
        assert image.size == (64, 32)


@pytest.mark.parametrize(
    ("url", "error"), [("/none", NotFound), ("http://hub.invalid/1", HubUiError), ("http://[", HubUiError)]
)
def test_a_image_that_cannot_be_had_is_one_of_our_errors(hub: Host, url: str, error: type[HubUiError]) -> None:
    with pytest.raises(error):
        fetch(Example(url=url if "://" in url else hub.url + url), {"127.0.0.1"})


def test_a_image_of_this_network_is_not_fetched(hub: Host) -> None:
    hub.answers["/1"] = Answer(body=image_bytes(side=64))
    with pytest.raises(BadAnswer, match="own network"):
        fetch(Example(url=hub.url + "/1"), ())
    assert hub.seen == []


@pytest.mark.parametrize(
    ("levels", "chosen"),
    [(["soft", "safe"], 1), (["mature", "soft"], 1), (["explicit"], None), ([], None)],
)
def test_the_tamest_image_is_chosen_and_no_mature_one(levels: list[Nsfw], chosen: int | None) -> None:
    examples = tuple(Example(url=str(place), nsfw=level) for place, level in enumerate(levels))
    made = lora()
    found = example_of(replace(made, versions=(replace(made.versions[0], examples=examples),)), entry())
    assert (found and int(found.url)) == chosen


def test_a_video_is_no_image() -> None:
    made = lora()
    version = replace(made.versions[0], examples=(Example(url="1.mp4", video=True),))
    assert example_of(replace(made, versions=(version,)), entry()) is None
