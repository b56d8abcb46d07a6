"""Hugging Face model cards: the front matter, and the tags the Hub computes from it."""

import re
from collections.abc import Iterable
from typing import Any

import yaml

from hub_ui.demo.hubs.folder import Json

# Only at the start: cards use `---` for rules further down as well. A card of the diffusers scripts begins with a
# blank line.
_FRONT_MATTER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_LORA_TAGS = {"lora", "template:sd-lora", "template:diffusion-lora"}


def front_matter(card: str) -> Json:
    match = _FRONT_MATTER.match(card)
    if not match:
        return {}
    try:
        data = yaml.safe_load(match.group(1))
    except yaml.YAMLError:
        return {}
    return data if isinstance(data, dict) else {}


def hub_tags(data: Json, files: Iterable[str]) -> list[str]:
    """The tags of a model, in the Hub's order.

    Source: hub-docs, docs/hub/model-cards.md: `base_model` becomes `base_model:X` and, with the relation written or
    inferred, `base_model:adapter:X`.
    """
    tags = [*_texts(data.get("library_name")), *_formats(files), *_texts(data.get("pipeline_tag"))]
    tags += _texts(data.get("tags"))
    bases = _texts(data.get("base_model"))
    tags += [f"dataset:{name}" for name in _texts(data.get("datasets"))] + _texts(data.get("language"))
    tags += [f"base_model:{base}" for base in bases]
    tags += [f"base_model:{relation(data)}:{base}" for base in bases]
    tags += [f"license:{name}" for name in _texts(data.get("license"))]
    return list(dict.fromkeys([*tags, "region:us"]))


def relation(data: Json) -> str:
    written = data.get("base_model_relation")
    is_adapter = data.get("library_name") == "peft" or not _LORA_TAGS.isdisjoint(_texts(data.get("tags")))
    return str(written) if written else ("adapter" if is_adapter else "finetune")


def base_models(data: Json) -> Json | None:
    """The `baseModels` field of `expand=baseModels`."""
    bases = _texts(data.get("base_model"))
    return {"relation": relation(data), "models": [{"id": base} for base in bases]} if bases else None


def _formats(files: Iterable[str]) -> list[str]:
    return ["safetensors"] if any(name.endswith(".safetensors") for name in files) else []


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(each) for each in values if each is not None]
