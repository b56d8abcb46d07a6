"""Whether an input fits a version's schema, and the refusal of one that doesn't, as Replicate's validator words it."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from hub_ui.demo.hubs.answers import json_answer
from hub_ui.demo.hubs.folder import Json

# The wording is the one of gojsonschema, seen in Replicate's answers.
_BOUNDS: tuple[tuple[str, str, str, Callable[[Any, Any], bool]], ...] = (
    ("minimum", "number_gte", "Must be greater than or equal to {}", lambda value, least: value >= least),
    ("maximum", "number_lte", "Must be less than or equal to {}", lambda value, most: value <= most),
    ("minLength", "string_gte", "String length must be greater than or equal to {}", lambda text, n: len(text) >= n),
    ("maxLength", "string_lte", "String length must be less than or equal to {}", lambda text, n: len(text) <= n),
    ("pattern", "pattern", "Does not match pattern '{}'", lambda text, pattern: bool(re.search(pattern, text))),
    ("minItems", "array_min_items", "Array must have at least {} items", lambda items, n: len(items) >= n),
    ("maxItems", "array_max_items", "Array must have at most {} items", lambda items, n: len(items) <= n),
)
_BOUNDED: Mapping[str, type | tuple[type, ...]] = {
    "minimum": (int, float), "maximum": (int, float), "minLength": str, "maxLength": str, "pattern": str,
    "minItems": list, "maxItems": list,
}  # fmt: skip
Problem = tuple[str, str, str]


def schemas_of(version: Mapping[str, Any] | None) -> Json:
    schema: Json = (version or {}).get("openapi_schema") or {}
    found: Json = (schema.get("components") or {}).get("schemas") or {}
    return found


def problems(version: Mapping[str, Any] | None, inputs: object, schema: str = "Input") -> list[Problem]:
    """What is wrong with each field: its kind, where, and a sentence. Inputs that the model doesn't know are let by."""
    if not isinstance(inputs, dict):
        return [_wrong_type("input", "object", inputs)]
    schemas = schemas_of(version)
    wanted = schemas.get(schema) or {}
    missing = [name for name in wanted.get("required") or [] if name not in inputs]
    known = wanted.get("properties") or {}
    found = [("required", "input", f"{name} is required") for name in missing]
    for name, value in inputs.items():
        if name in known:
            found += _wrong(f"input.{name}", known[name], value, schemas)
    return found


def read_inputs(
    version: Mapping[str, Any] | None, inputs: Json, *, otherwise: Mapping[str, Any], schema: str = "Input"
) -> Json:
    """What a model reads: the inputs that its schema knows, and the defaults of the others.

    A recording may lack the schema; then the one of the version `otherwise` stands in for it.
    """
    schemas = schemas_of(version if schema in schemas_of(version) else otherwise)
    fields = schemas[schema].get("properties") or {}
    given = {**{name: field.get("default") for name, field in fields.items()}, **inputs}
    return {
        name: value
        for name, value in given.items()
        if name in fields and value is not None and not any(_wrong(name, fields[name], value, schemas))
    }


def _wrong(where: str, field: Json, value: Any, schemas: Json) -> Iterator[Problem]:
    for part in [field, *(field.get("allOf") or [])]:
        field = {**schemas.get(str(part.get("$ref")).rpartition("/")[2], {}), **field}
    kind = field.get("type")
    if value is None and field.get("nullable"):
        return
    if kind is not None and kind not in _kinds(value):
        yield _wrong_type(where, kind, value)
        return
    if field.get("enum") and value not in field["enum"]:
        listed = ", ".join(f'"{choice}"' for choice in field["enum"])
        yield "enum", where, f"{where.rpartition('.')[2]} must be one of the following: {listed}"
    for keyword, code, text, holds in _BOUNDS:
        if keyword in field and isinstance(value, _BOUNDED[keyword]) and not holds(value, field[keyword]):
            yield code, where, text.format(field[keyword])
    if field.get("format") == "uri" and isinstance(value, str) and not _is_uri(value):
        yield "format", where, "Does not match format 'uri'"
    for number, item in enumerate(value if isinstance(value, list) else []):
        yield from _wrong(f"{where}.{number}", field.get("items") or {}, item, schemas)


def _wrong_type(where: str, expected: str, value: object) -> Problem:
    return "invalid_type", where, f"Invalid type. Expected: {expected}, given: {_kinds(value)[0]}"


def _kinds(value: object) -> tuple[str, ...]:
    """The JSON types that a value has, the narrowest first: 2.0 is an integer, too."""
    if isinstance(value, bool) or value is None:
        return ("null",) if value is None else ("boolean",)
    if isinstance(value, int | float):
        return ("integer", "number") if float(value).is_integer() else ("number",)
    return ("string",) if isinstance(value, str) else ("array",) if isinstance(value, list) else ("object",)


def _is_uri(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme) and "\\" not in text
    except ValueError:
        return False


def refusal_of(found: list[Problem]) -> Response:
    body = {
        "title": "Input validation failed",
        "detail": "".join(f"- {where}: {text}\n" for _, where, text in found),
        "status": 422,
        "invalid_fields": [{"type": kind, "field": where, "description": text} for kind, where, text in found],
    }
    return json_answer(body, 422, {"Content-Type": "application/problem+json"})
