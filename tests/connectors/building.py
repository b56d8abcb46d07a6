"""What the three hubs send, in the shapes of August 2026, one field at a time."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from huggingface_hub import ModelInfo

from connectors.civitai import parse
from connectors.claims.resolve import flatten
from connectors.huggingface import parse as huggingface_parse
from connectors.record import Lora, Record, WeightFile
from connectors.replicate import parse as replicate_parse

NOW = datetime(2026, 8, 20, 12, 0, tzinfo=UTC)
COMMIT = "1ecd" * 10
HASH = "dd66" * 16
SHA = "AB" * 32


# By what each is, with the fields that most tests leave as they are.
_ANSWERS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def _answer(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(_ANSWERS[name]) | fields


def civitai_model(**fields: Any) -> dict[str, Any]:
    return _answer("civitai model", {"modelVersions": [civitai_version()], **fields})


def civitai_version(**fields: Any) -> dict[str, Any]:
    return _answer("civitai version", {"files": [civitai_file()], "images": [civitai_image()], **fields})


def civitai_file(**fields: Any) -> dict[str, Any]:
    return _answer("civitai file", fields)


def civitai_image(**fields: Any) -> dict[str, Any]:
    return _answer("civitai image", fields)


def civitai_alone(**fields: Any) -> dict[str, Any]:
    """The answer of /model-versions/:id."""
    return {**civitai_version(), **_answer("civitai version alone", fields)}


def huggingface_item(**fields: Any) -> dict[str, Any]:
    return _answer("huggingface item", fields)


FLUX_INPUTS = ("prompt", "model", "replicate_weights", "lora_scale", "extra_lora", "extra_lora_scale")


def replicate_model(*, inputs: tuple[str, ...] = FLUX_INPUTS, **fields: Any) -> dict[str, Any]:
    return _answer("replicate model", {"latest_version": replicate_version(inputs=inputs), **fields})


def replicate_version(*, inputs: tuple[str, ...] = FLUX_INPUTS, **fields: Any) -> dict[str, Any]:
    schemas: dict[str, Any] = {"Input": {"properties": {name: {"type": "string"} for name in inputs}}}
    return _answer("replicate version", {"openapi_schema": {"components": {"schemas": schemas}}, **fields})


def of_civitai(**fields: Any) -> Lora:
    found = parse.lora(civitai_model(**fields), "https://civitai.com", NOW)
    assert found is not None
    return found


def of_version(**fields: Any) -> Record:
    return flatten(of_civitai(modelVersions=[civitai_version(**fields)]))


def of_huggingface(card: str | None = None, **fields: Any) -> Lora:
    info = ModelInfo(**huggingface_item(**fields))  # type: ignore[no-untyped-call]
    return huggingface_parse.lora(info, "https://huggingface.co", card)


def of_replicate(*, inputs: tuple[str, ...] = FLUX_INPUTS, **fields: Any) -> Lora:
    found = replicate_parse.lora(replicate_model(inputs=inputs, **fields))
    assert found is not None
    return found


def file_of(record: Record) -> WeightFile:
    assert record.file is not None
    return record.file
