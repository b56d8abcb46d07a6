from __future__ import annotations

from typing import Any

from connectors.claims.resolve import flatten
from connectors.record import Example, Nsfw
from hub_ui.web.layout.render import Renderer
from hub_ui.web.lora import gallery
from hub_ui.web.lora.gallery import GalleryItem
from tests.hub_ui.catalog.builders import lora, version

HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}"


def items(*examples: Example, ceiling: Nsfw = "explicit") -> tuple[GalleryItem, ...]:
    return gallery.gallery(flatten(lora(1, versions=(version("civitai:1@10", examples=examples),))), ceiling)


def item(prompt: str = "a boat", **params: Any) -> GalleryItem:
    return items(Example(url="https://a.example/1.png", prompt=prompt, params=params))[0]


def page(*shown: GalleryItem) -> str:
    module: Any = Renderer()._environment.get_template("lora/gallery.html").module
    return str(module.gallery(shown, "civitai:1@10", "open=civitai%3A1", "Ink"))


def test_every_setting_is_shown_those_with_a_word_first() -> None:
    others: dict[str, Any] = {"Hires upscale": 2, "cfgScale": 3.5, "Size": "896x976", "Model": "flux"}
    shown = item(seed=417, steps="25", **others)
    assert [(each.name, each.value) for each in shown.settings] == [
        ("Seed", "417"), ("Steps", "25"), ("Guidance", "3.5"), ("Size", "896x976"), ("Model", "flux"),
        ("Hires upscale", "2"),
    ]  # fmt: skip
    assert [each.term for each in shown.settings] == ["seed", "steps", "guidance", "", "base-model", ""]


def test_width_and_height_are_one_size() -> None:
    assert [(each.name, each.value) for each in item(width=1024, height=768).settings] == [("Size", "1024 × 768")]


def test_lists_and_digests_are_no_settings() -> None:
    shown = item(hashes={"model": "ab"}, civitaiResources=[{"type": "lora"}], **{"Lora hashes": "ink: ab"})
    assert shown.settings == ()


def test_each_lora_is_named_with_its_weight_and_copied_as_a_tag() -> None:
    assert item("a boat <lora:ink:0.8>").loras == (("ink", "0.8", "<lora:ink:0.8>"),)


def test_a_prompt_keeps_its_lines_and_loses_what_can_not_be_seen() -> None:
    assert item("a boat\nat\u202e sea\x00").prompt == "a boat\nat sea"


def test_what_is_above_the_level_is_left_out_and_positions_stay() -> None:
    levels: tuple[Nsfw, ...] = ("explicit", "safe")
    examples = [Example(url=f"https://a.example/{level}.png", nsfw=level) for level in levels]
    assert [each.index for each in items(*examples, ceiling="soft")] == [1]
    assert [each.is_mature for each in items(*examples)] == [True, False]


def test_all_images_are_there_up_to_sixty() -> None:
    assert len(items(*(Example(url=f"https://a.example/{n}.png", nsfw="safe") for n in range(80)))) == 60


def test_a_video_never_starts_by_itself() -> None:
    shown = page(*items(Example(url="https://a.example/1.mp4", nsfw="safe", video=True)))
    assert 'data-video="hub-video?url=https%3A%2F%2Fa.example%2F1.mp4' in shown
    assert ("<video" in shown, "<img" in shown) == (False, False)


def test_a_video_of_a_hub_with_stills_shows_one() -> None:
    url = "https://image.civitai.com/acc/11111111-2222-3333-4444-555555555555/original=true/1.mp4"
    shown = page(*items(Example(url=url, nsfw="safe", video=True)))
    assert "anim%3Dfalse" in shown.split('<img src="')[1].split('"')[0]


def test_hostile_text_stays_text() -> None:
    shown = page(item(HOSTILE))
    assert "<img src=x" not in shown
    assert 'alt="&lt;img src=x onerror=alert(1)&gt;' in shown
