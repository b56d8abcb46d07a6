from typing import Any

import pytest

from connectors.claims import license
from connectors.claims.license import permissions_of
from connectors.claims.resolve import best
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("value", "uses"), READ["commercial use has had three shapes"])
def test_commercial_use_has_had_three_shapes(value: object, uses: list[str] | None) -> None:
    found = license.commercial_uses(value)
    assert (found if found is None else [*found]) == uses


@pytest.mark.parametrize(("model", "words"), READ["permission boxes become words"])
def test_permission_boxes_become_words(model: dict[str, Any], words: str | None) -> None:
    assert best(license.civitai_claims(model), "license") == words


def test_a_claim_about_permissions_names_the_boxes_that_were_ticked() -> None:
    claims = license.civitai_claims({"allowCommercialUse": ["Image"], "allowNoCredit": None, "allowDerivatives": True})
    assert [claim.where for claim in claims] == ["allowCommercialUse, allowDerivatives"]


@pytest.mark.parametrize(("front", "tags", "words"), READ["other means the name beside it"])
def test_other_means_the_name_beside_it(front: dict[str, Any], tags: list[str], words: str | None) -> None:
    assert best(license.huggingface_claims(front, tags), "license") == words


def test_a_known_licence_has_a_text() -> None:
    claims = license.huggingface_claims({"license": "cc-by-nc-4.0"}, ())
    told = [(claim.source, claim.value, claim.where) for claim in claims if claim.field == "license_terms"]
    words = "images may not be sold, not for sale, merges allowed, credit the author"
    assert told == [("card", words, "what cc-by-nc-4.0 permits")]


@pytest.mark.parametrize(("query", "words"), READ["a moved card carries civitais permissions in its link"])
def test_a_moved_card_carries_civitais_permissions_in_its_link(query: str, words: str | None) -> None:
    link = f"https://multimodal.art/civitai-licenses?{query}"
    claims = license.huggingface_claims({"license_name": "bespoke-lora-trained-license", "license_link": link}, ())
    assert best(claims, "license_terms") == words
    assert best(claims, "license") == "bespoke-lora-trained-license"


@pytest.mark.parametrize("link", ["", "http://[", 7, None, ["x"], {"a": 1}, "?" + "a=1&" * 9000])
def test_a_link_that_is_none_says_nothing(link: object) -> None:
    assert best(license.huggingface_claims({"license_link": link}, ()), "license_terms") is None


@pytest.mark.parametrize(("name", "permits"), READ["a known licence in words"])
def test_a_known_licence_in_words(name: str, permits: str) -> None:
    assert str(permissions_of(name)) == permits


@pytest.mark.parametrize(("one", "other"), READ["a licence has several spellings"])
def test_a_licence_has_several_spellings(one: str, other: str) -> None:
    assert permissions_of(one) == permissions_of(other) is not None


@pytest.mark.parametrize(("address", "name"), READ["an address names its licence"])
def test_an_address_names_its_licence(address: str, name: str) -> None:
    assert permissions_of(address) == permissions_of(name) is not None


@pytest.mark.parametrize("name", READ["a licence that is not known has no summary"])
def test_a_licence_that_is_not_known_has_no_summary(name: str) -> None:
    assert permissions_of(name) is None
