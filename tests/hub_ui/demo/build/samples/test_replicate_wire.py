from datetime import date
from typing import Any

import pytest

from hub_ui.demo.build.samples.replicate_wire import (
    collection_objects,
    model_object,
    training_object,
    version_id,
    version_objects,
)
from hub_ui.demo.build.samples.sample import Sample
from hub_ui.demo.build.samples.schemas import openapi_schema
from tests.hub_ui.demo.build.samples.builders import release, sample

TODAY = date(2026, 9, 1)


def told(**said: Any) -> Sample:
    return sample("replicate", **{"base": "flux", **said})


def inputs(signature: str) -> set[str]:
    return set(openapi_schema(signature)["components"]["schemas"]["Input"]["properties"])


def test_shows_an_example_with_its_prompt_and_picture() -> None:
    example = model_object(told(), TODAY)["default_example"]
    assert example["input"]["prompt"] == "dunes at dusk"
    assert example["input"]["lora_scale"] == 0.8
    assert example["output"] == ["{DELIVERY}/pictures/dunes-dusk-1.webp"]


def test_the_latest_version_is_the_newest() -> None:
    both = told(releases=(release(name="v2"), release(name="v1")))
    first, second = version_objects(both, TODAY)
    assert model_object(both, TODAY)["latest_version"]["id"] == first["id"]
    assert first["id"] != second["id"]
    assert first["model"] == "somebody/dunes"


def test_an_empty_model_has_neither_description_nor_version() -> None:
    data = model_object(told(about="", releases=()), TODAY)
    assert (data["description"], data["latest_version"], data["default_example"]) == (None, None, None)


def test_the_description_says_the_trigger_word() -> None:
    assert model_object(told(), TODAY)["description"] == 'Sand. Use "dn" to trigger it.'
    assert model_object(told(about="DN is the word."), TODAY)["description"] == "DN is the word."


def test_a_training_names_the_version_it_made() -> None:
    run = training_object(told(), TODAY)
    assert run["output"]["version"] == f"somebody/dunes:{version_id(told(), release())}"
    assert run["input"]["trigger_word"] == "dn"


@pytest.mark.parametrize(
    ("signature", "telling"),
    [
        ("flux", {"replicate_weights", "lora_scale", "extra_lora", "extra_lora_scale", "go_fast"}),
        ("sdxl", {"replicate_weights", "lora_scale", "refine", "scheduler"}),
        ("tiny-shapes", {"replicate_weights", "lora_scale", "model"}),
    ],
)
def test_a_fine_tune_is_known_by_its_inputs(signature: str, telling: set[str]) -> None:
    assert telling <= inputs(signature)


def test_an_upscaler_takes_no_lora() -> None:
    assert inputs("upscaler") == {"image", "scale"}


def test_the_base_is_a_choice_of_its_own() -> None:
    schemas = openapi_schema("tiny-shapes")["components"]["schemas"]
    assert schemas["model"]["enum"] == ["tiny-shapes"]
    assert schemas["Input"]["properties"]["model"]["allOf"] == [{"$ref": "#/components/schemas/model"}]


def test_fine_tunes_of_one_kind_are_a_collection() -> None:
    samples = [told(name="a/one"), told(name="a/two", base="sdxl"), told(name="a/three"), told(base="upscaler")]
    found = {each["slug"]: each["models"] for each in collection_objects(samples)}
    assert found == {"flux-fine-tunes": ["a/one", "a/three"], "sdxl-fine-tunes": ["a/two"]}
