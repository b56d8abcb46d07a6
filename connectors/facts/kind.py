"""What a LoRA is for: character, style, concept, control or tool, from the words that hubs and authors use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from connectors.record import Claim, Kind, Source

_Words = Mapping[Kind, tuple[str, ...]]

# CivitAI's own categories, of which an author picks one. Each table goes from the narrow word to the wide one.
_CATEGORIES: _Words = {
    "control": ("controlnet", "control-lora", "control lora", "control_lora"),
    "tool": ("tool",),
    "character": ("character", "celebrity"),
    "style": ("style",),
    "concept": (
        "concept", "clothing", "objects", "poses", "background", "vehicle", "buildings", "animal", "action", "assets",
    ),
}  # fmt: skip
# The words that people tag with beside the categories, or in their place.
_NICKNAMES: _Words = {
    "control": ("canny", "openpose", "depth-map", "ic-lora", "controllora"),
    "tool": (
        "slider", "sliders", "lcm", "lcm-lora", "turbo", "lightning", "hyper", "hyper-sd", "distillation",
        "acceleration", "few-step", "speed", "detailer", "detail tweaker", "enhancer", "utility",
    ),
    "character": ("characters", "person", "original character", "vtuber", "character-lora", "person-lora"),
    "style": (
        "styles", "art style", "artstyle", "art-style", "artist", "artist style", "aesthetic", "pixel-art", "pixel art",
        "watercolor", "illustration-style", "style-lora", "anime style", "photography style",
    ),
    "concept": (
        "clothes", "outfit", "object", "pose", "backgrounds", "vehicles", "car", "cars", "building", "animals",
        "fashion", "product", "expression", "expressions", "scenery", "armor", "costume", "dress", "uniform", "weapon",
        "weapons", "game asset", "hairstyle", "architecture",
    ),
}  # fmt: skip
_TITLE: Mapping[Kind, re.Pattern[str]] = {
    "control": re.compile(
        r"\b(?:control[- ]?(?:net|lora)s?|canny|openpose|(?:depth|pose) control|depth(?: \w+)? lora|ic[- ]lora"
        r"|in[- ]context[- ]lora)\b",
        re.IGNORECASE,
    ),
    # A name like "sdxl-lcm" is a base that a LoRA was trained for, and none to speed anything up.
    "tool": re.compile(
        r"\b(?:sliders?|detail(?:er| tweaker| enhancer)|lcm[- ]lora|lora[- ]lcm|hyper[- ]?sd|lightning[- ](?:lora|\d)"
        r"|(?:sdxl|image|edit)[- ]lightning|distill(?:ed|ation)?|noise[- ]?offset|speed[- ]?up|fix"
        r"|accelerat\w+|\d[- ]?steps?)\b",
        re.IGNORECASE,
    ),
    "character": re.compile(r"\b(?:characters?|person|celebrity|cosplay)\b|角色|人物", re.IGNORECASE),
    "style": re.compile(
        r"(?<!hair )\b(?:styles?|aesthetics|artstyle|in the style of|pixel[- ]?art|watercolou?r)\b|画风|画風|风格",
        re.IGNORECASE,
    ),
    "concept": re.compile(
        r"\b(?:concepts?|outfits?|clothing|clothes|poses?|uniforms?|backgrounds?|dress(?:es)?|costumes?|armou?r|shorts"
        r"|skirts?|lingerie|swimsuits?|bikinis?|cars|vehicles?|weapons?|hairstyles?)\b|服装|姿势",
        re.IGNORECASE,
    ),
}
_STYLE_WORD = re.compile(r"(?!.*\b(?:hair|life|dress|clothing|fashion)[- ]?style).*\bstyle", re.IGNORECASE)
# What only a living being does, behind its word: "ANNA_LORA wearing a mask", "MATSNL65 speaking on stage".
_ALIVE = r"(?:wear|speak|smil|laugh|sitt|danc|sing|wav|walk|talk|cry)ing\b"


def kind_claims(tags: Iterable[str], tags_where: str, title: str, title_where: str) -> tuple[Claim, ...]:
    """Tags first. Where they name several kinds, the title decides; where nothing does, there is no claim."""
    written = [tag.casefold() for tag in tags]
    tagged = tuple(_tagged(written, _CATEGORIES, tags_where)) or tuple(_tagged(written, _NICKNAMES, tags_where))
    titled = tuple(_titled(title, title_where, "tag"))
    return (*titled, *tagged) if len({claim.value for claim in tagged}) > 1 else (*tagged, *titled)


def _tagged(written: Sequence[str], table: _Words, where: str) -> Iterator[Claim]:
    for kind, words in table.items():
        for tag in written:
            if tag in words:
                yield Claim(field="kind", value=kind, source="tag", where=f"{where}: {tag}")
                break


def _titled(title: str, where: str, source: Source) -> Iterator[Claim]:
    for kind, pattern in _TITLE.items():
        if match := pattern.search(title.replace("_", " ")):
            yield Claim(field="kind", value=kind, source=source, where=f"{where}: {match[0]}")


def word_claims(words: Sequence[str]) -> tuple[Claim, ...]:
    """A LoRA that is called up by "airy watercolor style" is a style."""
    if not words or not _STYLE_WORD.fullmatch(words[0]):
        return ()
    return (Claim(field="kind", value="style", source="tag", where=f"trigger words: {words[0]}"),)


def prompt_claims(prompts: Sequence[str], words: Sequence[str], where: str) -> tuple[Claim, ...]:
    """A hint out of what example prompts do with the trigger words: "in the style of TOK", "a portrait of TOK"."""
    for word in words:
        for kind, pattern in _used_as(word).items():
            if match := next((found for prompt in prompts if (found := pattern.search(prompt))), None):
                return (Claim(field="kind", value=kind, source="example", where=f"{where}: {match[0]}"),)
    return ()


def _used_as(word: str) -> Mapping[Kind, re.Pattern[str]]:
    name = rf"(?<!\w){re.escape(word)}(?!\w)"
    return {
        "style": re.compile(rf"\bin (?:the )?style of (?:an? |the )?{name}|{name} style\b", re.IGNORECASE),
        "character": re.compile(rf"\bportrait of (?:an? |the )?{name}(?! \w+ style)|{name} {_ALIVE}", re.IGNORECASE),
    }
