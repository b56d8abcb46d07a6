from datetime import UTC, datetime

import pytest
from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.civitai_query import afterwards, is_paid, moment, parse_query, relevance
from hub_ui.demo.hubs.civitai_store import Model

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


def test_a_date_with_a_z_is_utc() -> None:
    assert moment("2026-08-10T00:00:00.000Z") == NOW


def test_a_word_in_the_name_counts_more_than_one_in_a_tag_and_all_words_count() -> None:
    named, tagged = Model(id=1, data={"name": "Red"}), Model(id=2, data={"name": "Blue", "tags": ["red"]})
    assert relevance(named, ["red"]) > relevance(tagged, ["red"]) > 0
    assert relevance(named, ["red", "blue"]) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("allowNoCredit=true", True),
        ("allowDerivatives=true", False),
        ("allowDerivatives=false&allowDifferentLicense=false", True),
        ("allowCommercialUse=Image&allowCommercialUse=Sell", True),
        ("allowCommercialUse=Rent", False),
        ("fromPlatform=true", False),
        ("checkpointType=Merge", True),
    ],
)
def test_a_list_asks_what_a_licence_permits(text: str, expected: bool) -> None:
    licence = {"allowNoCredit": True, "allowDerivatives": False, "allowCommercialUse": ["Image"]}
    model = Model(id=1, data={**licence, "modelVersions": [{"id": 2, "uploadType": "Created"}]})
    assert afterwards(model, parse_query(QueryParams(text), {"ModelType": []}), NOW) is expected
