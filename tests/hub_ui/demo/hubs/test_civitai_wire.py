from typing import Any

import pytest

from hub_ui.demo.hubs.civitai_store import Model
from hub_ui.demo.hubs.civitai_wire import air, image_level, level_name


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({"nsfwLevel": 4}, 4),
        ({"nsfw": "None"}, 1),
        ({"nsfw": "Soft"}, 2),
        ({"nsfw": "X"}, 8),
        ({"nsfw": False}, 1),
        ({"nsfw": True}, 8),
        ({}, 1),
        ({"nsfw": "None", "nsfwLevel": 2}, 2),
    ],
)
def test_a_level_is_read_from_every_shape_of_the_years(image: dict[str, Any], expected: int) -> None:
    assert image_level(image) == expected


def test_a_level_has_the_name_of_its_lowest_bit() -> None:
    assert [level_name(level) for level in (1, 2, 4, 8, 16, 0)] == ["None", "Soft", "Mature", "X", "X", "None"]


@pytest.mark.parametrize(
    ("base", "kind", "expected"),
    [
        ("Pony", "LORA", "urn:air:sdxl:lora:civitai:1@2"),
        ("SD 1.5", "LoCon", "urn:air:sd1:lycoris:civitai:1@2"),
        ("Flux.1 D", "DoRA", "urn:air:flux1:dora:civitai:1@2"),
        ("Krea 2", "Wildcards", "urn:air:krea2:unknown:civitai:1@2"),
    ],
)
def test_an_air_names_the_root_ecosystem(base: str, kind: str, expected: str) -> None:
    assert air(Model(id=1, data={"type": kind}), {"id": 2, "baseModel": base}) == expected
