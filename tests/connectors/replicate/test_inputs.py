import json
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import DoesNotFit, HubUiError, UsageError
from connectors.record import Access
from connectors.ref import Ref
from connectors.replicate.inputs import Filled, InputRequest, Inputs, fill, inputs_of, runnable_of, runner, slot
from hub_ui.demo.hubs.replicate_store import loads, official, problems
from tests.connectors.cases import named, read_cases

READ = read_cases(__file__)

SLOT = "https://huggingface.co/ada/ink/resolve/x/ink.safetensors"


def _version(**properties: Any) -> dict[str, Any]:
    schemas = {
        "Input": {"properties": properties},
        "aspect_ratio": {"enum": ["1:1", "16:9", "2:3"]},
        "model": {"enum": ["dev", "schnell"]},
        "output_format": {"enum": ["webp", "png"]},
    }
    return {"openapi_schema": {"components": {"schemas": schemas}}}


def _inputs(**properties: Any) -> Inputs:
    return inputs_of(_version(prompt={"type": "string"}, **properties))


def _filled(inputs: Inputs, **fields: Any) -> Filled:
    asked: dict[str, Any] = {"prompt": "a pier", "own": True, "scales": (), **fields}
    return fill(inputs, InputRequest(**asked))


def test_an_input_has_its_kind_bounds_and_choices() -> None:
    steps = {"type": "integer", "minimum": 1, "maximum": 50, "default": 28}
    model = {"allOf": [{"$ref": "#/components/schemas/model"}], "default": "x"}
    known = _inputs(num_inference_steps=steps, model=model)
    found = known["num_inference_steps"]
    assert (found.kind, found.least, found.most, found.default) == ("integer", 1, 50, 28)
    assert (known["model"].choices, known["model"].default) == (("dev", "schnell"), "x")


@pytest.mark.parametrize("version", [{}, {"openapi_schema": None}, {"openapi_schema": {"components": []}}])
def test_a_version_without_a_schema_has_no_inputs(version: dict[str, Any]) -> None:
    assert inputs_of(version) == {}


@pytest.mark.parametrize(
    ("inputs", "asked", "values", "notes"), named(READ["a request becomes inputs, and what is left out is said"])
)
def test_a_request_becomes_inputs_and_what_is_left_out_is_said(
    inputs: dict[str, Any], asked: dict[str, Any], values: dict[str, Any], notes: list[str]
) -> None:
    filled = _filled(_inputs(**inputs), **asked)
    assert (filled.values, filled.notes) == ({"prompt": "a pier", **values}, notes)


WEIGHT = {"type": "number"}


@pytest.mark.parametrize(
    ("own", "properties", "words"),
    [(True, {"lora_scale": WEIGHT}, "takes one LoRA at a time, not 2"), (False, {}, "takes no LoRA at a time, not 2")],
)
def test_more_loras_than_the_model_has_places_are_refused(own: bool, properties: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        _filled(_inputs(**properties), own=own, scales=(1.0, 1.0), slots=(SLOT, SLOT)[own:])


EVERYTHING = {
    "negative": "fog", "seed": 2**32, "steps": 900, "guidance": 99.0, "width": 4000, "height": 130,
    "sampler": "DPM++ 2M Karras", "schnell": True, "control": "https://x/y.png",
}  # fmt: skip


@pytest.mark.parametrize("name", list(official()))
def test_what_is_filled_in_fits_the_official_models(name: str) -> None:
    version = official()[name]["latest_version"]
    own = "replicate_weights" in inputs_of(version)
    filled = _filled(inputs_of(version), own=own, scales=(9.0,), slots=() if own else (SLOT,), **EVERYTHING)
    assert problems(version, dict(filled.values)) == []


def test_what_is_filled_in_fits_every_recorded_model(recordings: Path) -> None:
    checked = 0
    for path in recordings.glob("replicate_model_*.json"):
        version = json.loads(path.read_text(encoding="utf-8")).get("latest_version") or {}
        inputs = inputs_of(version)
        if "prompt" not in inputs or not ({"lora_scale", "lora_scales"} & set(inputs)):
            continue
        own = "replicate_weights" in inputs
        for wish in ({}, EVERYTHING):
            filled = _filled(inputs, own=own, scales=(9.0,) if own else (), **wish)
            found = [text for _, text in problems(version, dict(filled.values)) if not text.endswith("is required")]
            assert found == [], path.name
            json.dumps(filled.values)
        checked += 1
    assert checked > 15


VERSION = {"openapi_schema": {"components": {"schemas": {"Input": {"properties": {"prompt": {"type": "string"}}}}}}}


def model(**fields: Any) -> dict[str, Any]:
    example = {
        "metrics": {"predict_time": 8.5}, "input": {"num_inference_steps": 25}, "output": ["https://a.example/1.png"],
    }  # fmt: skip
    return {"latest_version": {"id": "f" * 64}, "is_official": False, "default_example": example, **fields}


def test_a_model_is_read_once_for_all_that_a_run_needs() -> None:
    read = runnable_of(model(), VERSION)
    assert ("prompt" in read.inputs, read.newest, read.official) == (True, "f" * 64, False)
    assert (read.seconds, read.steps, read.example) == (8.5, 25.0, ("https://a.example/1.png",))


def test_twice_the_steps_take_twice_the_time() -> None:
    assert runnable_of(model(), VERSION).seconds_for(50) == 17.0
    assert runnable_of(model(), VERSION).seconds_for(None) == 8.5


@pytest.mark.parametrize(
    "example", [None, {}, "x", {"metrics": None, "input": [], "output": 3}, {"metrics": {"predict_time": -1}}]
)
def test_without_a_sound_example_nobody_knows_how_long_it_takes(example: Any) -> None:
    assert runnable_of(model(default_example=example), VERSION).seconds_for(20) is None


@pytest.mark.parametrize(("ref", "address"), READ["a lora is named so that the same file is loaded"])
def test_a_lora_is_named_so_that_the_same_file_is_loaded(ref: str, address: str) -> None:
    assert slot(Ref.parse(ref)) == address
    assert loads(address)


def test_civitai_is_never_named_by_its_page_or_mature_domain() -> None:
    """The runners take the model's id in a page's address for a version's."""
    for pasted in (
        "https://civitai.red/models/1001?modelVersionId=2001",
        "https://civitai.com/models/1001?modelVersionId=2001",
    ):
        assert slot(Ref.parse(pasted)).startswith("https://civitai.com/api/download/models/2001?")


@pytest.mark.parametrize(
    "ref", ["civitai:1001", "huggingface:ada/ink@main#a.safetensors", "replicate:maker/x", f"hf:ada/ink@{'1ecd' * 10}"]
)
def test_what_names_no_file_is_refused(ref: str) -> None:
    with pytest.raises(UsageError, match="names no"):
        slot(Ref.parse(ref))


@pytest.mark.parametrize(("access", "error"), READ["what only a key opens is refused rather than the key sent"])
def test_what_only_a_key_opens_is_refused_rather_than_the_key_sent(access: Access, error: str) -> None:
    with pytest.raises(HubUiError, match=r"Replicate (would need your key|can't fetch it)") as caught:
        slot(Ref.parse("civitai:1001@2001"), access)
    assert caught.value.name == error


@pytest.mark.parametrize(("base", "name"), READ["flux loras have a runner"])
def test_flux_loras_have_a_runner(base: str | None, name: str) -> None:
    assert runner("flux1", base) == name


@pytest.mark.parametrize(("architecture", "base", "words"), READ["others have none"])
def test_others_have_none(architecture: str | None, base: str | None, words: str) -> None:
    with pytest.raises(DoesNotFit, match=words):
        runner(architecture, base)
