from __future__ import annotations

from typing import Any

import pytest

from connectors.claims.base_models import base_claims
from connectors.claims.resolve import flatten
from connectors.record import Record
from hub_ui.web.lora.fact_rows import describe_changes
from tests.hub_ui.catalog.builders import claim, file, lora, version


def record(base: str = "SDXL 1.0", size: int = 50_000_000, **claims: Any) -> Record:
    said = tuple(claim(field, value) for field, value in claims.items())
    one = version("civitai:1@10", files=(file(size=size),), claims=(*base_claims(base, "hub", "baseModel"), *said))
    return flatten(lora(1, versions=(one,)))


@pytest.mark.parametrize(
    ("older", "newer", "changes"),
    [
        ({}, {}, ()),
        ({"rank": 16}, {"rank": 32}, ("rank 16 → 32",)),
        ({"rank": 16}, {}, ()),
        ({}, {"rank": 32}, ()),
        ({"base": "SDXL 1.0"}, {"base": "Illustrious"}, ("base SDXL 1.0 → Illustrious",)),
        ({"algorithm": "lora"}, {"algorithm": "locon"}, ("algorithm LoRA → LoCon",)),
        ({"weight": 0.8}, {"weight": 1.0}, ("weight 0.8 → 1",)),
        ({"size": 50_000_000}, {"size": 151_000_000}, ("size 50 MB → 151 MB",)),
        ({"size": 50_000_000}, {"size": 50_400_000}, ()),
        ({"trigger_words": ("ink",)}, {"trigger_words": ("Ink", "inkline")}, ("new trigger word “inkline”",)),
        ({"trigger_words": ("a", "b", "c")}, {"trigger_words": ("a",)}, ("without the trigger words “b”, “c”",)),
        ({"trigger_words": ("ink",)}, {}, ("no trigger word any more",)),
        (
            {},
            {"trigger_words": ("a", "b", "c", "d", "e")},
            ("new trigger words “a”, “b”, “c” and 2 more",),
        ),
        (
            {"rank": 16, "trigger_words": ("a",)},
            {"base": "Illustrious", "rank": 32, "trigger_words": ("b",)},
            (
                "base SDXL 1.0 → Illustrious",
                "rank 16 → 32",
                "new trigger word “b”",
                "without the trigger word “a”",
            ),
        ),
    ],
)
def test_what_a_version_changes_is_told_in_words(
    older: dict[str, Any], newer: dict[str, Any], changes: tuple[str, ...]
) -> None:
    assert describe_changes(record(**older), record(**newer)) == changes


def test_a_word_that_is_a_book_is_cut() -> None:
    [change] = describe_changes(record(), record(trigger_words=("w" * 500,)))
    assert change == f"new trigger word “{'w' * 40}”"
