"""The prompt that a form begins with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.claims.resolve import record_of
from connectors.record import Example, Lora, Record, Version
from connectors.ref import Ref
from hub_ui.pages.try_page.compatibility import suggest_prompt

REF = Ref.parse("civitai:1@2")


def record(architecture: str | None, *prompts: str) -> Record:
    lora = Lora(ref=Ref.parse("civitai:1"), title="Boats", url="", versions=(Version(ref=REF, name="v1"),))
    images = tuple(Example(url="", prompt=prompt) for prompt in prompts)
    return replace(record_of(lora, REF), architecture=architecture, images=images)


@pytest.mark.parametrize(
    ("records", "prompt"),
    [
        ([record("sdxl", "", "a boat <lora:boats:1> at sea")], "a boat at sea"),
        ([record("sdxl")], "a lighthouse on a cliff at dusk"),
        ([None, record("tiny-shapes")], "a yellow house on meadow background"),
        ([None], "a lighthouse on a cliff at dusk"),
        ([], ""),
    ],
)
def test_the_first_prompt_is_an_example_s_or_in_the_words_of_the_base(
    records: list[Record | None], prompt: str
) -> None:
    assert suggest_prompt(records) == prompt
