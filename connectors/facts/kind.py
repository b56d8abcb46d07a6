"""What a LoRA is for: character, style, concept, control or tool, from the words that hubs and authors use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from connectors.record import Claim, Kind, Source

# CivitAI's own categories and the words that Hugging Face authors use in their place.
_TAGS: Mapping[Kind, tuple[str, ...]] = {
    "control": ("controlnet", "control-lora", "control lora", "canny", "openpose", "depth-map", "ic-lora"),
    "tool": (
        "tool", "slider", "sliders", "lcm", "lcm-lora", "turbo", "lightning", "hyper", "hyper-sd", "distillation",
        "acceleration", "few-step", "speed", "detailer", "detail tweaker", "enhancer", "utility",
    ),
    "character": ("character", "characters", "celebrity", "person", "original character"),
    "style": (
        "style", "styles", "art style", "artstyle", "art-style", "artist", "aesthetic", "pixel-art", "pixel art",
        "watercolor", "illustration-style", "style-lora",
    ),
    "concept": (
        "concept", "clothing", "clothes", "outfit", "objects", "object", "poses", "pose", "background", "backgrounds",
        "vehicle", "buildings", "animal", "action", "assets", "fashion", "product", "expressions", "scenery",
    ),
}  # fmt: skip
_TITLE: Mapping[Kind, re.Pattern[str]] = {
    "control": re.compile(r"\b(?:control[- ]?(?:net|lora)|canny|openpose|depth control|pose control)\b", re.IGNORECASE),
    "tool": re.compile(
        r"\b(?:sliders?|detail(?:er| tweaker| enhancer)|lcm|hyper[- ]?sd|lightning[- ](?:lora|\d)|distill(?:ed|ation)?"
        r"|speed[- ]?up|fix|accelerat\w+|\d[- ]?steps?)\b",
        re.IGNORECASE,
    ),
    "character": re.compile(r"\b(?:characters?|person|celebrity|cosplay)\b", re.IGNORECASE),
    "style": re.compile(
        r"\b(?:styles?|aesthetics|artstyle|in the style of|pixel[- ]?art|watercolou?r)\b", re.IGNORECASE
    ),
    "concept": re.compile(r"\b(?:concepts?|outfits?|clothing|poses?|uniforms?|backgrounds?)\b", re.IGNORECASE),
}


def kind_claims(tags: Iterable[str], tags_where: str, title: str, title_where: str) -> tuple[Claim, ...]:
    """Tags first. Where they name several kinds, the title decides; where nothing does, there is no claim."""
    tagged = tuple(_tagged(tags, tags_where))
    titled = tuple(_titled(title, title_where, "tag"))
    return (*titled, *tagged) if len({claim.value for claim in tagged}) > 1 else (*tagged, *titled)


def _tagged(tags: Iterable[str], where: str) -> Iterator[Claim]:
    """In the order of the table, which is from the narrow word to the wide one."""
    written = [tag.casefold() for tag in tags]
    for kind, words in _TAGS.items():
        for tag in written:
            if tag in words:
                yield Claim(field="kind", value=kind, source="tag", where=f"{where}: {tag}")
                break


def _titled(title: str, where: str, source: Source) -> Iterator[Claim]:
    for kind, pattern in _TITLE.items():
        if match := pattern.search(title.replace("_", " ")):
            yield Claim(field="kind", value=kind, source=source, where=f"{where}: {match[0]}")
