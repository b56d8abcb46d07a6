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
    "character": (
        "characters", "person", "real person", "vtuber", "character-lora", "person-lora", "actress", "actor", "singer",
        "youtuber", "streamer", "cosplayer",
    ),
    "style": (
        "styles", "art style", "artstyle", "art-style", "artist", "artist style", "aesthetic", "pixel-art", "pixel art",
        "watercolor", "illustration-style", "style-lora",
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
# "video game character", "art style": what a tag of several words ends with.
_ENDINGS: Mapping[Kind, re.Pattern[str]] = {
    "character": re.compile(r".+[ -]character"),
    "style": re.compile(r"(?!.*\b(?:hair|life|dress|clothing|fashion)[ -]style).+[ -]style"),
}
_STYLE_WORD = re.compile(r"(?!.*\b(?:hair|life|dress|clothing|fashion)[- ]?style).*\bstyle", re.IGNORECASE)
# Picture boards name a character with its work behind it: "lillie \(pokemon\)". The same brackets tell kinds of things.
_OF_A_WORK = re.compile(r"[\w .'-]{2,60} \\?\((?P<work>[\w .:'!&-]{3,60}?)\\?\)", re.IGNORECASE)
_NO_WORK = re.compile(
    r"style|medium|artist|object|clothing|cosplay|fruit|flower|food|animal|weapon|meme|costume|dress|outfit|uniform"
    r"|swimsuit|armou?r|suit|hat|shirt|skirt|hair|pose|color|colour|\d+s?"
)
# DreamBooth's way to name somebody: an identifier that is no word, and what it is. "ohwx man", "a photo of sks person".
_SOMEBODY = re.compile(
    r"(?:(?:an? )?(?:photo|picture|portrait|image|selfie) of )?(?:an? |the )?"
    r"(?P<id>[\w-]{2,40}) (?:man|woman|person|girl|boy|guy)",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"sks|ohwx|tok|.*[\d_].*|[^aeiou]{3,}", re.IGNORECASE)
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
        ending = _ENDINGS.get(kind) if table is _NICKNAMES else None
        for tag in written:
            if tag in words or (ending and ending.fullmatch(tag)):
                yield Claim(field="kind", value=kind, source="tag", where=f"{where}: {tag}")
                break


def _titled(title: str, where: str, source: Source) -> Iterator[Claim]:
    for kind, pattern in _TITLE.items():
        if match := pattern.search(title.replace("_", " ")):
            yield Claim(field="kind", value=kind, source=source, where=f"{where}: {match[0]}")


def word_claims(words: Sequence[str]) -> tuple[Claim, ...]:
    """A LoRA that is called up by "airy watercolor style" is a style, by "sks person" a character."""
    first = words[0] if words else ""
    called: Kind | None = "style" if _STYLE_WORD.fullmatch(first) else "character" if _is_somebody(first) else None
    return (Claim(field="kind", value=called, source="tag", where=f"trigger words: {first}"),) if called else ()


def _is_somebody(word: str) -> bool:
    if work := _OF_A_WORK.fullmatch(word):
        return not _NO_WORK.fullmatch(work["work"].casefold())
    named = _SOMEBODY.fullmatch(word)
    return named is not None and (named["id"].isupper() or _IDENTIFIER.fullmatch(named["id"]) is not None)


def poi_claims(poi: object) -> tuple[Claim, ...]:
    """CivitAI's "person of interest": it shows somebody who lives."""
    return (Claim(field="kind", value="character", source="tag", where="poi"),) if poi is True else ()


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
