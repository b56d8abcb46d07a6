from dataclasses import replace
from pathlib import Path

import pytest

from connectors.claims.resolve import record_of
from connectors.record import Example, Lora, Record, Version
from connectors.ref import Ref
from hub_ui.app import services
from hub_ui.app.compatibility import requirements, suggest_prompt
from hub_ui.settings import from_environment

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
def test_the_first_prompt_is_an_example_s_or_in_words_of_the_base(records: list[Record | None], prompt: str) -> None:
    assert suggest_prompt(records) == prompt


def test_a_base_that_a_lora_was_not_made_for_is_said_before_it_is_downloaded(home: Path) -> None:
    fill = replace(record("flux1"), base_model="flux.1-fill")
    flex = replace(record("flux1"), base_model="flex.1")
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as built:
        told, refused = requirements(built, fill), requirements(built, flex)
    assert told.text.startswith("Tried on FLUX.1 dev: up to 33.7 GB, downloaded once")
    assert " “Boats” was made for FLUX.1 Fill, and runs on FLUX.1 dev. " in told.text
    assert (refused.closed, refused.unfit) == (True, True)
    assert refused.text.startswith("This LoRA does not run on FLUX.1 dev. Flex.1 has 8 of the 19 double blocks")
