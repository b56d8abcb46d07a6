from __future__ import annotations

import pytest

from connectors.facts.claims import best
from connectors.facts.kind import kind_claims


@pytest.mark.parametrize(
    ("tags", "title", "kind"),
    [
        (["anime", "character"], "", "character"),
        (["style", "gouache"], "", "style"),
        (["clothing"], "", "concept"),
        (["Tool"], "", "tool"),
        (["controlnet", "style"], "", "control"),
        ([], "Ghibli Style LoRA", "style"),
        ([], "Detail Tweaker", "tool"),
        ([], "flux_canny_lines", "control"),
        ([], "4-step lora", "tool"),
        (["style", "character"], "Ellie Character Sheet", "character"),
        (["style", "concept"], "Thing", "style"),
        (["anime", "girl"], "Lillie", None),
        ([], "Hyper realistic lightning storm", None),
        ([], "Classic Painting Z Image Turbo LoRA", None),
        ([], "", None),
    ],
)
def test_words_tell_what_a_lora_is_for(tags: list[str], title: str, kind: str | None) -> None:
    assert best(kind_claims(tags, "tags", title, "name"), "kind") == kind


def test_a_claim_names_the_word() -> None:
    assert [claim.where for claim in kind_claims(["style"], "tags", "", "name")] == ["tags: style"]
