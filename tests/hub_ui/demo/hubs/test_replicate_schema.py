import json
from typing import Any

import pytest

from hub_ui.demo.hubs.replicate_schema import default_of, problems, refusal_of

SCHEMAS = {
    "Input": {
        "required": ["prompt"],
        "properties": {
            "prompt": {"type": "string"},
            "steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 28},
            "scale": {"type": "number"},
            "fast": {"type": "boolean"},
            "ratio": {"allOf": [{"$ref": "#/components/schemas/ratio"}]},
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
        ({"steps": 2.5}, "Invalid type. Expected: integer, given: float"),
        ({"scale": "1"}, "Invalid type. Expected: number, given: str"),
        ({"scale": True}, "Invalid type. Expected: number, given: bool"),
        ({"fast": 1}, "Invalid type. Expected: boolean, given: int"),
        ({"ratio": "3:2"}, 'Must be one of the following: "1:1", "2:3"'),
    ],
)
def test_an_input_is_held_against_its_schema(inputs: dict[str, Any], text: str | None) -> None:
    found = problems(VERSION, {"prompt": "x", **inputs})
    assert [words for _, _, words in found] == ([text] if text else [])


def test_what_is_required_is_missed() -> None:
    assert problems(VERSION, {}) == [("required", "input", "prompt is required")]


def test_a_version_without_a_schema_takes_anything() -> None:
    assert problems({"openapi_schema": None}, {"a": 1}) == problems(None, {}) == []
    assert (default_of(VERSION, "steps"), default_of(None, "steps")) == (28, None)


def test_a_refusal_lists_each_field() -> None:
    answer = refusal_of([("number_lte", "input.steps", "Too many"), ("required", "input", "prompt is required")])
    body = json.loads(bytes(answer.body))
    assert (answer.status_code, body["title"]) == (422, "Input validation failed")
    assert body["detail"] == "- input.steps: Too many\n- input: prompt is required\n"
    assert body["invalid_fields"][0] == {"type": "number_lte", "field": "input.steps", "description": "Too many"}
