from __future__ import annotations

import pytest

from connectors.facts.license_terms import terms


@pytest.mark.parametrize(
    ("name", "permits"),
    [
        ("apache-2.0", "images may be sold, it may be sold, merges allowed, credit the author"),
        ("mit", "images may be sold, it may be sold, merges allowed, credit the author"),
        ("cc0-1.0", "images may be sold, it may be sold, merges allowed, credit not needed"),
        ("cc-by-nc-4.0", "images may not be sold, not for sale, merges allowed, credit the author"),
        ("cc-by-nd-4.0", "images may be sold, it may be sold, no merges, credit the author"),
    ],
)
def test_a_known_licence_in_words(name: str, permits: str) -> None:
    assert terms(name) == permits


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("openrail++", "creativeml-openrail-m"),
        ("CreativeML Open RAIL++-M", "openrail"),
        ("FLUX.1 [dev] Non-Commercial License", "flux-1-dev-non-commercial-license"),
        ("Apache 2.0", "apache-2.0"),
        ("fair-ai-public-license-1.0-sd", "faipl-1.0-sd"),
    ],
)
def test_a_licence_has_several_spellings(one: str, other: str) -> None:
    assert terms(one) == terms(other) is not None


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (
            "https://huggingface.co/black-forest-labs/FLUX.1-dev/blob/main/LICENSE.md",
            "flux-1-dev-non-commercial-license",
        ),
        ("https://github.com/black-forest-labs/flux/blob/main/model_licenses/LICENSE-FLUX1-schnell", "apache-2.0"),
        ("https://github.com/x/generative-models/blob/main/model_licenses/LICENSE-SDXL1.0", "openrail++"),
        ("https://huggingface.co/datasets/choosealicense/licenses/blob/main/markdown/apache-2.0.md", "apache-2.0"),
    ],
)
def test_an_address_names_its_licence(address: str, name: str) -> None:
    assert terms(address) == terms(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "other",
        "unknown",
        "my-own-licence",
        "https://example.org/LICENSE",
        "+" * 500,
        "https://example.org/apache-2.0-noncommercial",
    ],
)
def test_a_licence_that_is_not_known_has_no_summary(name: str) -> None:
    assert terms(name) is None
