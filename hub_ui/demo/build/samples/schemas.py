"""OpenAPI schemas of Replicate's fine-tunes, whose base model shows only in their inputs."""

from collections.abc import Mapping
from typing import Any

from hub_ui.demo.build.samples.sample import Json


def openapi_schema(signature: str) -> Json:
    """`signature` is flux, sdxl, tiny-shapes or upscaler."""
    inputs, choices = _SIGNATURES[signature]
    schemas = {
        "Input": {
            "type": "object",
            "title": "Input",
            "required": ["image"] if signature == "upscaler" else ["prompt"],
            "properties": {name: _property(name, order, value) for order, (name, value) in enumerate(inputs.items())},
        },
        "Output": {"type": "array", "items": {"type": "string", "format": "uri"}, "title": "Output"},
        **{name: _choice(name, values) for name, values in choices.items()},
    }
    return {"openapi": "3.0.2", "info": {"title": "Cog", "version": "0.1.0"}, "components": {"schemas": schemas}}


def _property(name: str, order: int, value: Mapping[str, Any]) -> Json:
    if "choice" in value:
        reference = {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}
        return {**reference, **{k: v for k, v in value.items() if k != "choice"}, "x-order": order}
    return {"title": name.replace("_", " ").title(), **value, "x-order": order}


def _choice(name: str, values: tuple[str, ...]) -> Json:
    return {"enum": list(values), "type": "string", "title": name, "description": "An enumeration."}


def _number(default: float, least: float, most: float, about: str) -> Json:
    return {"type": "number", "default": default, "minimum": least, "maximum": most, "description": about}


def _whole(default: int | None, least: int, most: int, about: str) -> Json:
    start = {} if default is None else {"default": default}
    return {"type": "integer", **start, "minimum": least, "maximum": most, "description": about}


def _text(about: str, **more: Any) -> Json:
    return {"type": "string", "description": about, **more}


_PROMPT = _text("What the picture shows. The word it was trained with belongs in here.")
_SEED: Json = {"type": "integer", "description": "Leave it out for a different picture each time."}
_WEIGHTS = _text("Other weights in place of the trained ones.")
_PICTURE = _text("A picture to start from.", format="uri")

_FLUX: dict[str, Json] = {
    "prompt": _PROMPT,
    "image": _PICTURE,
    "mask": _text("Where the picture may change.", format="uri"),
    "aspect_ratio": {"choice": True, "default": "1:1", "description": "The shape of the picture."},
    "model": {"choice": True, "default": "dev", "description": "dev for quality, schnell for speed."},
    "num_outputs": _whole(1, 1, 4, "How many pictures."),
    "num_inference_steps": _whole(28, 1, 50, "How many steps."),
    "guidance_scale": _number(3, 0, 10, "How closely the prompt is followed."),
    "seed": _SEED,
    "output_format": {"choice": True, "default": "webp", "description": "The kind of file."},
    "go_fast": {"type": "boolean", "default": False, "description": "Quicker, with less precise numbers."},
    "lora_scale": _number(1, -1, 3, "How strongly the trained LoRA acts."),
    "replicate_weights": _WEIGHTS,
    "extra_lora": _text("One more LoRA to load."),
    "extra_lora_scale": _number(1, -1, 3, "How strongly the extra LoRA acts."),
}
_SDXL: dict[str, Json] = {
    "prompt": _PROMPT,
    "negative_prompt": _text("What the picture must not show.", default=""),
    "image": _PICTURE,
    "width": _whole(1024, 256, 2048, "Width in pixels."),
    "height": _whole(1024, 256, 2048, "Height in pixels."),
    "refine": {"choice": True, "default": "no_refiner", "description": "Which refiner."},
    "scheduler": {"choice": True, "default": "K_EULER", "description": "Which sampler."},
    "num_inference_steps": _whole(50, 1, 500, "How many steps."),
    "guidance_scale": _number(7.5, 1, 50, "How closely the prompt is followed."),
    "seed": _SEED,
    "lora_scale": _number(0.6, 0, 1, "How strongly the trained LoRA acts."),
    "replicate_weights": _WEIGHTS,
}
_TINY: dict[str, Json] = {
    "prompt": _PROMPT,
    "model": {"choice": True, "default": "tiny-shapes", "description": "The base model."},
    "num_inference_steps": _whole(20, 1, 50, "How many steps."),
    "guidance_scale": _number(4, 0, 10, "How closely the prompt is followed."),
    "seed": _SEED,
    "lora_scale": _number(1, -1, 3, "How strongly the trained LoRA acts."),
    "replicate_weights": _WEIGHTS,
}
_UPSCALER: dict[str, Json] = {
    "image": _text("The picture to enlarge.", format="uri"),
    "scale": _whole(2, 1, 4, "How many times as large."),
}
_SIGNATURES: dict[str, tuple[dict[str, Json], dict[str, tuple[str, ...]]]] = {
    "flux": (
        _FLUX,
        {
            "model": ("dev", "schnell"),
            "aspect_ratio": ("1:1", "16:9", "3:2", "2:3", "4:5", "9:16"),
            "output_format": ("webp", "jpg", "png"),
        },
    ),
    "sdxl": (
        _SDXL,
        {
            "refine": ("no_refiner", "expert_ensemble_refiner", "base_image_refiner"),
            "scheduler": ("DDIM", "DPMSolverMultistep", "K_EULER", "K_EULER_ANCESTRAL"),
        },
    ),
    "tiny-shapes": (_TINY, {"model": ("tiny-shapes",)}),
    "upscaler": (_UPSCALER, {}),
}
