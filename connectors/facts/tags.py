"""Tags that people search by, told from those that a hub or a library puts on a repo for machines."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Hugging Face's: "region:us", "base_model:adapter:black-forest-labs/FLUX.1-dev". Not an author's "re:zero".
_NAMED_VALUE = re.compile(
    r"(?:arxiv|base_model|dataset|deploy|diffusers|doi|eval-results|language|library|license|metrics|modality|region"
    r"|size_categories|task|template):\S"
)
# Hugging Face's tasks: text-to-image, image-text-to-video.
_TASK = re.compile(r"(?:[a-z0-9]+-)+to-[a-z0-9]+|[a-z]+-generation")
# A language code, as a card's front matter states it.
_LANGUAGE = re.compile(r"[a-z]{2}")
# Libraries, formats and services, and what every LoRA is. Model names are said by the base model.
_MACHINE = frozenset(
    {
        "adapter", "ai-toolkit", "autotrain", "autotrain_compatible", "comfyui", "custom_code", "diffusers",
        "diffusers-training", "endpoints_compatible", "fal", "flux", "flux-diffusers", "flux.1", "fluxgym",
        "gguf", "has_space", "kohya", "lora", "loras", "lycoris", "merge", "not-for-all-audiences", "onnx",
        "peft", "pytorch", "replicate", "safetensors", "sd3", "simpletuner", "stable-diffusion",
        "stable-diffusion-diffusers", "stable-diffusion-xl", "stable-diffusion-xl-diffusers", "standard",
        "tensorboard", "transformers", "trl", "wan",
    }
)  # fmt: skip


def content_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """What the LoRA shows, in its author's words and order; each tag once."""
    words = (tag.strip() for tag in tags)
    return tuple(dict.fromkeys(tag for tag in words if tag and not _for_machines(tag.casefold())))


def _for_machines(tag: str) -> bool:
    patterns = (_NAMED_VALUE.match(tag), _TASK.fullmatch(tag), _LANGUAGE.fullmatch(tag))
    return tag in _MACHINE or any(patterns)
