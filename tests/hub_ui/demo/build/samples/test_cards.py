from typing import Any

import yaml

from hub_ui.demo.build.samples.cards import card, front_matter, picture_paths
from hub_ui.demo.build.samples.sample import Sample
from tests.hub_ui.demo.build.samples.builders import release, sample


def told(**said: Any) -> Sample:
    return sample("huggingface", **{"base": "some/base", "licence": "apache-2.0", **said})


def test_the_uploader_writes_a_gallery_and_a_trigger() -> None:
    text = card(told(), release())
    assert "<Gallery />" in text
    assert "You should use `dn` to trigger the image generation." in text
    assert "[Download](/somebody/dunes/tree/main)" in text


def test_the_front_matter_is_the_yaml_at_the_start() -> None:
    _, front, _ = card(told(), release()).split("---\n", 2)
    assert yaml.safe_load(front) == front_matter(told(), release())


def test_a_widget_shows_every_picture() -> None:
    expected = [{"text": "dunes at dusk", "output": {"url": "images/dunes-dusk-1.webp"}}]
    assert front_matter(told(), release())["widget"] == expected


def test_diffusers_numbers_its_pictures() -> None:
    written = told(card="diffusers")
    assert list(picture_paths(written, release())) == ["image_0.webp"]
    assert front_matter(written, release())["library_name"] == "diffusers"


def test_several_bases_are_a_list() -> None:
    assert front_matter(told(base=("a/b", "c/d")), release())["base_model"] == ["a/b", "c/d"]


def test_says_nothing_where_nothing_is_known() -> None:
    bare = told(card="bare", base="", licence="", tags=())
    assert front_matter(bare, release(words=())) == {"tags": ["lora"]}


def test_quirks_replace_what_the_tool_would_write() -> None:
    quirky = told(quirks={"cardData": {"instance_prompt": None, "license_name": "own"}})
    data = front_matter(quirky, release())
    assert data["instance_prompt"] is None
    assert data["license_name"] == "own"


def test_a_shelf_lists_its_files() -> None:
    assert "| `lora.safetensors` | `lora` |" in card(told(card="shelf"), release())
