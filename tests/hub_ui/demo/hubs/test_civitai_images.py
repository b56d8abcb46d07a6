from typing import Any

import pytest
import requests

from hub_ui.demo.hubs.server import HubEndpoints


def images(hubs: HubEndpoints, **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = requests.get(f"{hubs.civitai}/api/v1/images", params=params, timeout=5).json()[
        "items"
    ]
    return items


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [4030, 4020, 4001]),
        ({"nsfw": "Mature"}, [4030, 4020, 4001, 4002]),
        ({"nsfw": "X"}, [4030, 4020, 4010, 4001, 4002]),
        ({"nsfw": "true", "browsingLevel": 4}, [4002]),
        ({"modelVersionId": 2020}, [4020]),
        ({"imageId": 4001}, [4001]),
        ({"baseModels": "SDXL 1.0,Pony", "requiringMeta": "true"}, [4001]),
        ({"postId": 2020}, [4020]),
        ({"userId": 999}, []),
        ({"tags": "5"}, []),
        ({"period": "Day"}, []),
        ({"sort": "Oldest", "nsfw": "X"}, [4001, 4002, 4010, 4020]),
    ],
)
def test_levels_and_filters_choose_the_pictures(
    hubs: HubEndpoints, params: dict[str, Any], expected: list[int]
) -> None:
    found = [image["id"] for image in images(hubs, **params)]
    assert found == [each for each in expected if each != 4030]


def test_the_level_is_a_word_here(hubs: HubEndpoints) -> None:
    (image,) = images(hubs, browsingLevel=8)
    assert (image["nsfwLevel"], image["browsingLevel"], image["nsfw"]) == ("X", 8, True)


def test_generation_data_is_null_wrapped_or_flat(hubs: HubEndpoints) -> None:
    assert images(hubs, imageId=4001)[0]["meta"] is None
    assert images(hubs, imageId=4001, withMeta="true")[0]["meta"]["meta"]["seed"] == 42
    assert images(hubs, imageId=4001, withMeta="true", flatMeta="true")[0]["meta"]["seed"] == 42
    assert images(hubs, modelVersionId=2001, withMeta="true")[0]["meta"]["seed"] == 42


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"sort": "Best"}, 400),
        ({"period": "Decade"}, 400),
        ({"type": "gif"}, 400),
        ({"modelId": "all"}, 400),
        ({"tags": "red"}, 400),
        ({"page": 6, "limit": 200}, 429),
        ({"page": 6, "limit": 200, "cursor": 0}, 200),
    ],
)
def test_what_means_nothing_is_refused(hubs: HubEndpoints, params: dict[str, Any], status: int) -> None:
    assert requests.get(f"{hubs.civitai}/api/v1/images", params=params, timeout=5).status_code == status


def test_pages_that_are_numbered_stay_so(hubs: HubEndpoints) -> None:
    metadata = requests.get(f"{hubs.civitai}/api/v1/images?limit=1&page=1", timeout=5).json()["metadata"]
    assert (metadata["currentPage"], metadata["pageSize"]) == (1, 1)
    assert metadata["nextPage"].endswith("/api/v1/images?limit=1&page=2")


def test_pages_end_without_a_cursor(hubs: HubEndpoints) -> None:
    first = requests.get(f"{hubs.civitai}/api/v1/images?limit=1", timeout=5).json()
    last = requests.get(first["metadata"]["nextPage"], timeout=5).json()
    assert (first["metadata"]["nextCursor"], last["metadata"]) == ("1", {})
