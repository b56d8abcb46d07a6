"""What is on Replicate whatever else is: the trainer of FLUX LoRAs, and the official runners of LoRAs for FLUX.

They run by name and are in no list here, so that a data folder's lists hold what lies in it. A data folder's own
recording of one of them comes first.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hub_ui.demo.hubs.folder import Json

TRAINER = "ostris/flux-dev-lora-trainer"
RUNNER = "black-forest-labs/flux-dev-lora"
TRAINER_VERSION = "e440909d3512c31646ee2e0c7d6f6f4923224863a6a10c494606e79fb5844497"
_MADE = "2024-10-15T00:00:00.000000Z"
_RATIOS = ("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")
_FORMATS = ("webp", "jpg", "png")
_URI: Json = {"type": "string", "format": "uri"}
_TEXT: Json = {"type": "string"}
# What a runner makes an address of a LoRA into something to download from.
_LOADED = (
    re.compile(r"(https?://)?huggingface\.co/[^/]+/[^/]+(/[^/]+\.safetensors)?/?"),
    re.compile(r"(https?://)?civitai\.com/models/\d+(/[^/?]+)?/?"),
    re.compile(r"https?://civitai\.com/api/download/models/.*"),
    re.compile(r"https?://.*\.safetensors(\?.*)?"),
    re.compile(r"(https?://replicate\.com/)?[^/:]+/[^/]+(/(versions/)?[^/]+)?/?"),
    re.compile(r"https?://replicate\.delivery/.*\.tar"),
    re.compile(r"data:.*", re.DOTALL),
)


def official() -> dict[str, Json]:
    runner = {
        **_common("guidance", go_fast=True),
        "lora_weights": _TEXT,
        "lora_scale": _number(1, -1, 3),
        "extra_lora": _TEXT,
        "extra_lora_scale": _number(1, -1, 3),
    }
    tuned = {
        **_common("guidance_scale", go_fast=False),
        "model": _choice("model", "dev"),
        "width": {"type": "integer", "minimum": 256, "maximum": 1440},
        "height": {"type": "integer", "minimum": 256, "maximum": 1440},
        "lora_scale": _number(1, -1, 3),
        "replicate_weights": _TEXT,
        "extra_lora": _TEXT,
        "extra_lora_scale": _number(1, -1, 3),
    }
    schnell = {**runner, "num_inference_steps": {"type": "integer", "default": 4, "minimum": 1, "maximum": 4}}
    return {
        RUNNER: _model(RUNNER, "a" * 63 + "1", _schemas(runner)),
        "black-forest-labs/flux-schnell-lora": _model(
            "black-forest-labs/flux-schnell-lora", "a" * 63 + "2", _schemas(schnell)
        ),
        TRAINER: _model(TRAINER, TRAINER_VERSION, {**_schemas(tuned, "custom"), "TrainingInput": _TRAINING}),
    }


def loads(address: object) -> bool:
    """Whether a runner finds a LoRA in that text. It does not read the mature domain civitai.red."""
    return isinstance(address, str) and any(form.fullmatch(address) for form in _LOADED)


def fine_tune_version(version_id: str, made: str, trainer: Mapping[str, Any]) -> Json:
    """What a training makes takes the inputs of its trainer, and trains nothing."""
    schema = trainer.get("openapi_schema") or {}
    schemas = (schema.get("components") or {}).get("schemas") or {}
    kept = {name: value for name, value in schemas.items() if not name.startswith("Training")}
    return {
        "id": version_id,
        "created_at": made,
        "cog_version": trainer.get("cog_version"),
        "openapi_schema": {**schema, "components": {"schemas": kept}},
    }


def _common(guidance: str, *, go_fast: bool) -> Json:
    return {
        "prompt": _TEXT,
        "image": _URI,
        "aspect_ratio": _choice("aspect_ratio", "1:1"),
        "num_outputs": {"type": "integer", "default": 1, "minimum": 1, "maximum": 4},
        "num_inference_steps": {"type": "integer", "default": 28, "minimum": 1, "maximum": 50},
        guidance: _number(3, 0, 10),
        "seed": {"type": "integer"},
        "output_format": _choice("output_format", "webp"),
        "megapixels": _choice("megapixels", "1"),
        "go_fast": {"type": "boolean", "default": go_fast},
        "disable_safety_checker": {"type": "boolean", "default": False},
    }


def _choice(name: str, default: str) -> Json:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}], "default": default}


def _number(default: float, least: float, most: float) -> Json:
    return {"type": "number", "default": default, "minimum": least, "maximum": most}


def _schemas(inputs: Json, *more_ratios: str) -> Json:
    numbered = {name: {**value, "x-order": order} for order, (name, value) in enumerate(inputs.items())}
    return {
        "Input": {"type": "object", "title": "Input", "required": ["prompt"], "properties": numbered},
        "Output": {"type": "array", "items": _URI, "title": "Output"},
        "aspect_ratio": _enum("aspect_ratio", (*_RATIOS, *more_ratios)),
        "output_format": _enum("output_format", _FORMATS),
        "megapixels": _enum("megapixels", ("1", "0.25")),
        **({"model": _enum("model", ("dev", "schnell"))} if "model" in inputs else {}),
    }


def _enum(name: str, choices: Sequence[str]) -> Json:
    return {"enum": list(choices), "type": "string", "title": name}


def _model(name: str, version: str, schemas: Json) -> Json:
    owner, _, short = name.partition("/")
    example = {"input": {"prompt": "a lighthouse"}, "output": None, "metrics": {"predict_time": 2.8, "total_time": 2.9}}
    return {
        "url": f"https://replicate.com/{name}",
        "owner": owner,
        "name": short,
        "description": None,
        "visibility": "public",
        "is_official": name != TRAINER,
        "github_url": f"https://github.com/{name}",
        "paper_url": None,
        "license_url": None,
        "run_count": 1_000_000,
        "cover_image_url": None,
        "default_example": {**example, "id": version[:26], "status": "succeeded", "model": name, "version": version},
        "latest_version": {
            "id": version,
            "created_at": _MADE,
            "cog_version": "0.9.20",
            "openapi_schema": {"openapi": "3.0.2", "components": {"schemas": schemas}},
        },
    }


_TRAINING: Json = {
    "type": "object",
    "title": "TrainingInput",
    "required": ["input_images"],
    "properties": {
        "input_images": _URI,
        "trigger_word": {"type": "string", "default": "TOK"},
        "autocaption": {"type": "boolean", "default": True},
        "steps": {"type": "integer", "default": 1000, "minimum": 3, "maximum": 6000},
        "lora_rank": {"type": "integer", "default": 16, "minimum": 1, "maximum": 128},
        "learning_rate": {"type": "number", "default": 0.0004},
        "batch_size": {"type": "integer", "default": 1},
        "resolution": {"type": "string", "default": "512,768,1024"},
        "caption_dropout_rate": _number(0.05, 0, 1),
        "optimizer": {"type": "string", "default": "adamw8bit"},
    },
}
