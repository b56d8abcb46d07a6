from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from hub_ui.demo.hubs.civitai_query import is_paid, relevance
from hub_ui.demo.hubs.civitai_store import Model
from tests.faulty_hubs import HubEndpoints

NOW = datetime(2026, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        (None, False),
        ({"permanent": True, "endsAt": None}, True),
        ({"permanent": False, "endsAt": "2026-08-11T00:00:00.000Z"}, True),
        ({"permanent": False, "endsAt": "2026-08-09T00:00:00.000Z"}, False),
        ({"permanent": False, "endsAt": None}, False),
    ],
)
def test_a_version_is_paid_for_ever_or_until_a_date(paid: object, expected: bool) -> None:
    assert is_paid({"paidAccess": paid}, NOW) is expected


def test_a_word_in_the_name_counts_more_than_one_in_a_tag_and_all_words_count() -> None:
    named, tagged = Model(id=1, data={"name": "Red"}), Model(id=2, data={"name": "Blue", "tags": ["red"]})
    assert relevance(named, ["red"]) > relevance(tagged, ["red"]) > 0
    assert relevance(named, ["red", "blue"]) == 0


def images(hubs: HubEndpoints, **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = requests.get(f"{hubs.civitai}/api/v1/images", params=params, timeout=30).json()[
        "items"
    ]
    return items


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [4030, 4020, 4001]),
        ({"nsfw": "Mature"}, [4030, 4020, 4001, 4002]),
        ({"nsfw": "X"}, [4030, 4020, 4010, 4001, 4002]),
        ({"modelVersionId": 2020}, [4020]),
    ],
)
def test_levels_and_filters_choose_the_pictures(
    hubs: HubEndpoints, params: dict[str, Any], expected: list[int]
) -> None:
    found = [image["id"] for image in images(hubs, **params)]
    assert found == [each for each in expected if each != 4030]


def test_the_level_is_a_word_here(hubs: HubEndpoints) -> None:
    image = next(each for each in images(hubs, nsfw="true") if each["browsingLevel"] == 8)
    assert (image["nsfwLevel"], image["browsingLevel"], image["nsfw"]) == ("X", 8, True)
