"""Claims about the content of a LoRA: its kind, its NSFW level, and its tags.

The kind is read from the words of hubs and authors, levels from the values of CivitAI (three forms) and the tags of
Hugging Face. Unknown values count as the strongest level, since hubs add levels.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from connectors.claims import read_tables, read_wording
from connectors.claims.spellings import readings
from connectors.http.json_fields import Table, tables, whole
from connectors.record import Claim, Kind, Nsfw, Source, highest

_FILE = read_tables("kinds.toml")
_CATEGORIES = msgspec.convert(_FILE["category"], dict[Kind, tuple[str, ...]])
_NICKNAMES = msgspec.convert(_FILE["nickname"], dict[Kind, tuple[str, ...]])
_KIND = read_wording("kind").patterns
_TITLES = read_wording("kind_titles").patterns
_TITLED: tuple[Kind, ...] = ("control", "tool", "character", "style", "concept")
_STYLE_WORD = re.compile(r"(?!.*\b(?:hair|life|dress|clothing|fashion)[- ]?style).*\bstyle", re.IGNORECASE)
# Endings of multi-word tags: "video game character", "art style".
_ENDINGS: Mapping[Kind, re.Pattern[str]] = {"character": re.compile(r".+[ -]character"), "style": _STYLE_WORD}
# Image boards put a character's work in brackets: "lillie \(pokemon\)". Brackets may also hold a kind of thing.
_OF_A_WORK = re.compile(r"[\w .'-]{2,60} \\?\((?P<work>[\w .:'!&-]{3,60}?)\\?\)", re.IGNORECASE)
_IDENTIFIER = re.compile(r"sks|ohwx|tok|.*[\d_].*|[^aeiou]{3,}", re.IGNORECASE)
# Actions of living beings only: "ANNA_LORA wearing a mask", "MATSNL65 speaking on stage".
_ALIVE = r"(?:wear|speak|smil|laugh|sitt|danc|sing|wav|walk|talk|cry)ing\b"


def kind_claims(tags: Iterable[str], tags_where: str, title: str, title_where: str) -> tuple[Claim, ...]:
    """Return claims of the kind from tags and the title, tags first unless they name several kinds.

    If neither names a kind, there is no claim.
    """
    folded = [tag.casefold() for tag in tags]
    tag_claims = _tag_claims(folded, _CATEGORIES, {}, tags_where) or _tag_claims(
        folded, _NICKNAMES, _ENDINGS, tags_where
    )
    matches = [(kind, _TITLES[kind].search(title.replace("_", " "))) for kind in _TITLED]
    title_claims = tuple(_claim(kind, "tag", f"{title_where}: {match[0]}") for kind, match in matches if match)
    return (
        (*title_claims, *tag_claims) if len({claim.value for claim in tag_claims}) > 1 else (*tag_claims, *title_claims)
    )


def _tag_claims(
    tags: Sequence[str], words: Mapping[Kind, tuple[str, ...]], endings: Mapping[Kind, re.Pattern[str]], where: str
) -> tuple[Claim, ...]:
    """Return one claim for each kind that a tag names."""
    tags_by_kind = {}
    for kind in words:
        ending = endings.get(kind)
        tags_by_kind[kind] = next(
            (tag for tag in tags if tag in words[kind] or (ending and ending.fullmatch(tag))), None
        )
    return tuple(_claim(kind, "tag", f"{where}: {tag}") for kind, tag in tags_by_kind.items() if tag is not None)


def _claim(kind: Kind, source: Source, where: str) -> Claim:
    return Claim(field="kind", value=kind, source=source, where=where)


def word_claims(words: Sequence[str]) -> tuple[Claim, ...]:
    """Return a claim of the kind from the first trigger word: "watercolor style" is a style, "sks man" a character."""
    first = words[0] if words else ""
    kind: Kind | None = "style" if _STYLE_WORD.fullmatch(first) else "character" if _is_character(first) else None
    return (_claim(kind, "tag", f"trigger words: {first}"),) if kind else ()


def _is_character(word: str) -> bool:
    if work := _OF_A_WORK.fullmatch(word):
        return not _KIND["no_work"].fullmatch(work["work"].casefold())
    match = _KIND["somebody"].fullmatch(word)
    return match is not None and (match["id"].isupper() or _IDENTIFIER.fullmatch(match["id"]) is not None)


def prompt_claims(prompts: Sequence[str], words: Sequence[str], where: str) -> tuple[Claim, ...]:
    """Return a claim of the kind from trigger words in example prompts: "in the style of TOK", "a portrait of TOK"."""
    for word in words:
        name = rf"(?<!\w){re.escape(word)}(?!\w)"
        uses: Mapping[Kind, str] = {
            "style": rf"\bin (?:the )?style of (?:an? |the )?{name}|{name} style\b",
            "character": rf"\bportrait of (?:an? |the )?{name}(?! \w+ style)|{name} {_ALIVE}",
        }
        for kind, pattern in uses.items():
            compiled = re.compile(pattern, re.IGNORECASE)
            if match := next((candidate for prompt in prompts if (candidate := compiled.search(prompt))), None):
                return (_claim(kind, "example", f"{where}: {match[0]}"),)
    return ()


# Hugging Face's tasks: text-to-image, image-text-to-video.
_TASK = re.compile(r"(?:[a-z0-9]+-)+to-[a-z0-9]+|[a-z]+-generation")
# A language code, as a card's front matter states it.
_LANGUAGE = re.compile(r"[a-z]{2}")
_MACHINE = read_wording("kind").words["machine"]


def content_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags about the content, in the author's words and order, each tag once."""
    content: dict[str, None] = {}
    for tag in map(str.strip, tags):
        folded = tag.casefold()
        patterns = (_KIND["named_value"].match(folded), _TASK.fullmatch(folded), _LANGUAGE.fullmatch(folded))
        if tag and folded not in _MACHINE and not any(patterns):
            content[tag] = None
    return tuple(content)


_MATURE = read_wording("nsfw").patterns
_BITS: tuple[tuple[int, Nsfw], ...] = ((1, "safe"), (2, "soft"), (4, "mature"), (8, "explicit"), (16, "explicit"))
_KNOWN_BITS = sum(bit for bit, _ in _BITS)
_WORDS: dict[str, Nsfw] = read_tables("wording.toml")["nsfw"]["levels"]
_MATURE_TAGS = frozenset(("not-for-all-audiences", "adult content"))
_MATURE_WORD = _MATURE["mature_word"]
_CARD_WORD = _MATURE["card_word"]
_DENIED = _MATURE["denied"]
_DENIAL = 80
_FREE = re.compile(r"[\s-]?free\b", re.IGNORECASE)
NEGATIVE_PROMPT = re.compile(r"negative[\s_-]?prompts?\W[^\n]*", re.IGNORECASE)


def image_level(nsfw_level: object, nsfw: object) -> Nsfw | None:
    """Return the strongest level of an image on CivitAI.

    Since 2024 an image has one bit in `nsfw_level`; older images have a word or a flag in `nsfw`.
    """
    return highest([*_levels_of(nsfw_level), *_levels_of(nsfw)])


def _levels_of(value: object) -> tuple[Nsfw, ...]:
    """Return the levels of one value. A missing value, or 0 for content that is not rated yet, has no levels."""
    if value is None or value == "":
        return ()
    if isinstance(value, bool):
        return ("mature" if value else "safe",)
    if isinstance(value, str) and not value.isdigit():
        return (_WORDS.get(value.strip().casefold(), "explicit"),)
    bits = whole(value)
    return ("explicit",) if bits is None else levels(bits)


def levels(bits: int) -> tuple[Nsfw, ...]:
    """Return the levels of CivitAI's bits. Blocked (32) and bits that the hub may add count as the strongest."""
    known_levels = tuple(level for bit, level in _BITS if bits & bit)
    return (*known_levels, "explicit") if bits & ~_KNOWN_BITS else known_levels


def lora_level(model: Table, images: Iterable[Nsfw | None]) -> tuple[Nsfw | None, tuple[Claim, ...]]:
    """Return the strongest level from a LoRA's author, CivitAI or one of its images, and a claim of it.

    The claim names the fields that have a level, or the images if no field has one. CivitAI's `nsfwLevel` is the OR
    over images. `nsfw: false` counts as missing, because many models with that value have explicit images.
    """
    author = [level for level in _levels_of(model.get("nsfw")) if level != "safe"]
    fields = {"nsfwLevel": model.get("nsfwLevel")}
    for i, version in enumerate(tables(model.get("modelVersions"))):
        fields[f"modelVersions[{i}].nsfwLevel"] = version.get("nsfwLevel")
    hub = {name: value_levels for name, value in fields.items() if (value_levels := _levels_of(value))}
    # The hub's level also covers images that it has not listed or not rated individually.
    hub_levels = [level for levels in hub.values() for level in levels]
    level = highest([*hub_levels, *author, *(level for level in images if level is not None or not hub_levels)])
    where = ", ".join([*(["nsfw"] if author else []), *hub][:3]) or "modelVersions[].images"
    return level, (Claim(field="nsfw", value=level, source="hub", where=where),) if level else ()


def mature_claims(level_tags: Iterable[str], texts: Iterable[tuple[str, str]], card: str = "") -> tuple[Claim, ...]:
    """Return a claim of the level "mature" if a tag, a text or the card says so.

    `texts` are pairs of a text and its place. In the card, only words that rate its own content count, such as
    "uncensored".
    """
    of_tags = (f"tags: {tag}" for tag in level_tags if tag.casefold() in _MATURE_TAGS or _mature_word(tag))
    of_texts = (f"{where}: {found}" for text, where in texts if (found := _mature_word(text)))
    of_card = (f"card: {found}" for found in (_mature_word(card, _CARD_WORD),) if found)
    where = next(chain(of_tags, of_texts, of_card), None)
    return (Claim(field="nsfw", value="mature", source="tag", where=where),) if where else ()


def _mature_word(text: str, words: re.Pattern[str] = _MATURE_WORD) -> str | None:
    """Return the first match of `words`, in any reading of the text, that the author does not negate."""
    for reading in readings(text):
        searched = NEGATIVE_PROMPT.sub(" ", reading)
        for match in words.finditer(searched):
            before = _DENIED.search(searched, max(0, match.start() - _DENIAL), match.start())
            if before is None and _FREE.match(searched, match.end()) is None:
                return match[0]
    return None


def level_of(claims: Iterable[Claim]) -> Nsfw | None:
    """Return the level that the claims of `mature_claims` show, or None (unknown) for no claims."""
    return "mature" if any(claim.value == "mature" for claim in claims) else None
