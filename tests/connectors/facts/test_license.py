from __future__ import annotations

from typing import Any

import pytest

from connectors.facts import license
from connectors.facts.claims import best


@pytest.mark.parametrize(
    ("value", "uses"),
    [
        (["Image", "RentCivit"], ("Image", "RentCivit")),
        ([], ()),
        ("None", ()),
        ("Image", ("Image",)),
        ("Rent", ("Image", "Rent")),
        ("Sell", ("Image", "Rent", "Sell")),
        ("{Image,RentCivit}", ("Image", "RentCivit")),
        ("{}", ()),
        (["Nonsense", 7], ()),
        (None, None),
        (7, None),
    ],
)
def test_commercial_use_has_had_three_shapes(value: object, uses: tuple[str, ...] | None) -> None:
    assert license.commercial_uses(value) == uses


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            {
                "allowCommercialUse": ["Image", "Sell"],
                "allowNoCredit": True,
                "allowDerivatives": True,
                "allowDifferentLicense": False,
            },
            "images may be sold, no paid generation services, it may be sold, credit not needed, merges allowed, "
            "merges keep these terms",
        ),
        (
            {"allowCommercialUse": "None", "allowNoCredit": False, "allowDerivatives": False},
            "images may not be sold, no paid generation services, not for sale, credit the author, no merges",
        ),
        ({"allowNoCredit": True}, "credit not needed"),
        ({"allowNoCredit": "yes"}, None),
        ({}, None),
    ],
)
def test_permission_boxes_become_words(model: dict[str, Any], words: str | None) -> None:
    assert best(license.civitai_claims(model, None), "license") == words


def test_the_bases_licence_binds_too() -> None:
    assert best(license.civitai_claims({}, "Pony"), "base_license") == "CreativeML Open RAIL-M"


@pytest.mark.parametrize(
    ("front", "tags", "words"),
    [
        ({"license": "mit"}, [], "mit"),
        ({"license": "other", "license_name": "flux-1-dev"}, ["license:other"], "flux-1-dev"),
        ({"license": "other"}, [], None),
        ({}, ["license:apache-2.0"], "apache-2.0"),
        ({"license": ["mit", "cc0-1.0"]}, [], "mit"),
    ],
)
def test_other_means_the_name_beside_it(front: dict[str, Any], tags: list[str], words: str | None) -> None:
    assert best(license.huggingface_claims(front, tags), "license") == words
