"""What the three hubs send, in the shapes of August 2026, one field at a time."""

from datetime import UTC, datetime
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


def civitai_model(**fields: Any) -> dict[str, Any]:
    return {
        "id": 4128,
        "name": "Saltmarsh Gouache",
        "description": "<p>Wet paper.</p>",
        "type": "LORA",
        "nsfw": False,
        "nsfwLevel": 1,
        "tags": ["style", "gouache"],
        "creator": {"username": "saltmarsh", "image": None},
        "stats": {"downloadCount": 120, "thumbsUpCount": 12},
        "modelVersions": [civitai_version()],
        **fields,
    }


def civitai_version(**fields: Any) -> dict[str, Any]:
    return {
        "id": 41280,
        "name": "v1",
        "baseModel": "Flux.1 D",
        "publishedAt": "2026-08-01T10:00:00.123Z",
        "trainedWords": ["sltmrsh gouache"],
        "files": [civitai_file()],
        "images": [civitai_image()],
        **fields,
    }


def civitai_file(**fields: Any) -> dict[str, Any]:
    return {
        "id": 9001,
        "name": "saltmarsh.safetensors",
        "type": "Model",
        "sizeKB": 18.5,
        "metadata": {"format": "SafeTensor"},
        "hashes": {"SHA256": SHA},
        "primary": True,
        **fields,
    }


def civitai_image(**fields: Any) -> dict[str, Any]:
    return {"url": "https://image.civitai.com/x/original=true/1.jpeg", "nsfwLevel": 1, "type": "image", **fields}


def civitai_alone(**fields: Any) -> dict[str, Any]:
    """The answer of /model-versions/:id."""
    about = {"name": "Saltmarsh Gouache", "type": "LORA", "nsfw": False}
    return {**civitai_version(), "modelId": 4128, "model": about, "usageControl": "Download", **fields}


def huggingface_item(**fields: Any) -> dict[str, Any]:
    return {
        "id": "sundayprint/risograph-weekend",
        "sha": COMMIT,
        "author": "sundayprint",
        "downloads": 900,
        "likes": 40,
        "gated": False,
        "lastModified": "2026-08-01T10:00:00.000Z",
        "tags": ["lora", "style"],
        "cardData": {"base_model": "black-forest-labs/FLUX.1-dev", "instance_prompt": "RSGRPH", "license": "mit"},
        "siblings": [{"rfilename": "README.md"}, {"rfilename": "risograph.safetensors"}],
        **fields,
    }


FLUX_INPUTS = ("prompt", "model", "replicate_weights", "lora_scale", "extra_lora", "extra_lora_scale")
SDXL_INPUTS = ("prompt", "refine", "replicate_weights", "lora_scale")


def replicate_model(*, inputs: tuple[str, ...] = FLUX_INPUTS, **fields: Any) -> dict[str, Any]:
    return {
        "url": "https://replicate.com/pearlgrey/fog-harbour",
        "owner": "pearlgrey",
        "name": "fog-harbour",
        "description": None,
        "run_count": 77,
        "cover_image_url": None,
        "default_example": {"input": {"prompt": "a pier in the style of TOK"}, "output": None},
        "latest_version": replicate_version(inputs=inputs),
        **fields,
    }


def replicate_version(*, inputs: tuple[str, ...] = FLUX_INPUTS, **fields: Any) -> dict[str, Any]:
    schemas: dict[str, Any] = {"Input": {"properties": {name: {"type": "string"} for name in inputs}}}
    return {
        "id": HASH,
        "created_at": "2026-08-01T10:00:00.123456789Z",
        "openapi_schema": {"components": {"schemas": schemas}},
        **fields,
    }


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
