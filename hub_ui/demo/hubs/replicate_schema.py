"""Whether an input fits a version's schema, and the refusal of one that doesn't, as Replicate's validator words it."""

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from hub_ui.demo.hubs.answers import json_answer
from hub_ui.demo.hubs.folder import Json

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
}  # fmt: skip
Problem = tuple[str, str, str]


def schemas_of(version: Mapping[str, Any] | None) -> Json:
    schema: Json = (version or {}).get("openapi_schema") or {}
    found: Json = (schema.get("components") or {}).get("schemas") or {}
    return found


def default_of(version: Mapping[str, Any] | None, name: str) -> Any:
    properties = schemas_of(version).get("Input", {}).get("properties", {})
    return properties.get(name, {}).get("default")


def problems(version: Mapping[str, Any] | None, inputs: Json, schema: str = "Input") -> list[Problem]:
    """What is wrong with each field: its kind, where, and a sentence. Inputs that the model doesn't know are let by."""
    schemas = schemas_of(version)
    wanted = schemas.get(schema) or {}
    missing = [name for name in wanted.get("required") or [] if name not in inputs]
    known = wanted.get("properties") or {}
    found = [("required", "input", f"{name} is required") for name in missing]
    for name, value in inputs.items():
        if name in known:
            found += [(kind, f"input.{name}", text) for kind, text in _wrong(known[name], value, schemas)]
    return found


def _wrong(field: Json, value: Any, schemas: Json) -> Iterator[tuple[str, str]]:
    for part in field.get("allOf") or []:
        field = {**schemas.get(str(part.get("$ref")).rpartition("/")[2], {}), **field}
    kind = str(field.get("type"))
    if kind in _TYPES and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield "invalid_type", f"Invalid type. Expected: {kind}, given: {type(value).__name__}"
        return
    if field.get("enum") and value not in field["enum"]:
        listed = ", ".join(f'"{choice}"' for choice in field["enum"])
        yield "enum", f"Must be one of the following: {listed}"
    if field.get("minimum") is not None and value < field["minimum"]:
        yield "number_gte", f"Must be greater than or equal to {field['minimum']}"
    if field.get("maximum") is not None and value > field["maximum"]:
        yield "number_lte", f"Must be less than or equal to {field['maximum']}"


def refusal_of(found: list[Problem]) -> Response:
    body = {
        "title": "Input validation failed",
        "detail": "".join(f"- {where}: {text}\n" for _, where, text in found),
        "status": 422,
        "invalid_fields": [{"type": kind, "field": where, "description": text} for kind, where, text in found],
    }
    return json_answer(body, 422, {"Content-Type": "application/problem+json"})
