import json
from typing import Any

import pytest

from hub_ui.demo.hubs.replicate_schema import problems, read_inputs, refusal_of

SCHEMAS = {
    "Input": {
        "required": ["prompt"],
        "properties": {
            "prompt": {"type": "string"},
            "steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 28},
            "scale": {"type": "number"},
            "fast": {"type": "boolean"},
            "ratio": {"allOf": [{"$ref": "#/components/schemas/ratio"}]},
            "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]*$"},
            "image": {"type": "string", "format": "uri"},
            "loras": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
            "seed": {"type": "integer", "nullable": True},
        },
    },
    "ratio": {"type": "string", "enum": ["1:1", "2:3"]},
}
VERSION = {"openapi_schema": {"components": {"schemas": SCHEMAS}}}


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({}, None),
        ({"steps": 50, "scale": 1, "fast": True, "ratio": "2:3", "unknown": 1}, None),
        ({"steps": 51}, "Must be less than or equal to 50"),
        ({"steps": 0}, "Must be greater than or equal to 1"),
        ({"steps": 2.5}, "Invalid type. Expected: integer, given: number"),
        ({"steps": "many"}, "Invalid type. Expected: integer, given: string"),
        ({"steps": None}, "Invalid type. Expected: integer, given: null"),
        ({"steps": 2.0, "seed": None}, None),
        ({"scale": "1"}, "Invalid type. Expected: number, given: string"),
        ({"scale": True}, "Invalid type. Expected: number, given: boolean"),
        ({"fast": 1}, "Invalid type. Expected: boolean, given: integer"),
        ({"ratio": "3:2"}, 'ratio must be one of the following: "1:1", "2:3"'),
        ({"ratio": ["2:3"]}, "Invalid type. Expected: string, given: array"),
        ({"name": "a"}, "String length must be greater than or equal to 2"),
        ({"name": "abcde"}, "String length must be less than or equal to 4"),
        ({"name": "AB"}, "Does not match pattern '^[a-z]*$'"),
        ({"image": "a picture"}, "Does not match format 'uri'"),
        ({"image": "data:image/png;base64,"}, None),
        ({"loras": ["a", 2]}, "Invalid type. Expected: string, given: integer"),
        ({"loras": ["a", "b", "c"]}, "Array must have at most 2 items"),
    ],
)
def test_an_input_is_held_against_its_schema(inputs: dict[str, Any], text: str | None) -> None:
    found = problems(VERSION, {"prompt": "x", **inputs})
    assert [words for _, _, words in found] == ([text] if text else [])


def test_what_is_required_is_missed() -> None:
    assert problems(VERSION, {}) == [("required", "input", "prompt is required")]


def test_a_version_without_a_schema_takes_anything() -> None:
    assert problems({"openapi_schema": None}, {"a": 1}) == problems(None, {}) == []


def test_the_inputs_together_must_be_an_object() -> None:
    assert problems(VERSION, ["x"]) == [("invalid_type", "input", "Invalid type. Expected: object, given: array")]


def test_a_model_reads_what_its_schema_knows() -> None:
    told = read_inputs(VERSION, {"prompt": "x", "num_outputs": "many", "scale": "1"}, otherwise={})
    assert told == {"prompt": "x", "steps": 28}


def test_another_schema_stands_in_for_one_that_was_not_recorded() -> None:
    assert read_inputs({"openapi_schema": None}, {"fast": True, "steps": "x"}, otherwise=VERSION) == {"fast": True}


def test_a_refusal_lists_each_field() -> None:
    answer = refusal_of([("number_lte", "input.steps", "Too many"), ("required", "input", "prompt is required")])
    body = json.loads(bytes(answer.body))
    assert (answer.status_code, body["title"]) == (422, "Input validation failed")
    assert body["detail"] == "- input.steps: Too many\n- input: prompt is required\n"
    assert body["invalid_fields"][0] == {"type": "number_lte", "field": "input.steps", "description": "Too many"}
