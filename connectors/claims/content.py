"""What a LoRA is for, its kind, and how much it shows, its NSFW level; and the tags about its content.

The kind is read from the words that hubs and authors use, levels from those of CivitAI (three forms) and Hugging Face,
of which unknown ones count as the strongest, since hubs add levels.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from connectors.claims import read_tables, read_wording
from connectors.http.json_fields import Table, tables, whole
from connectors.record import Claim, Kind, Nsfw, Source, highest

_FILE = read_tables("kinds.toml")
_CATEGORIES = msgspec.convert(_FILE["category"], dict[Kind, tuple[str, ...]])
_NICKNAMES = msgspec.convert(_FILE["nickname"], dict[Kind, tuple[str, ...]])
_KIND = read_wording("kind").patterns
_TITLES = read_wording("kind_titles").patterns
_TITLED: tuple[Kind, ...] = ("control", "tool", "character", "style", "concept")
_STYLE_WORD = re.compile(r"(?!.*\b(?:hair|life|dress|clothing|fashion)[- ]?style).*\bstyle", re.IGNORECASE)
# Endings of tags of several words: "video game character", "art style".
_ENDINGS: Mapping[Kind, re.Pattern[str]] = {"character": re.compile(r".+[ -]character"), "style": _STYLE_WORD}
# Image boards put a character's work in brackets: "lillie \(pokemon\)". Brackets may also hold a kind of thing.
_OF_A_WORK = re.compile(r"[\w .'-]{2,60} \\?\((?P<work>[\w .:'!&-]{3,60}?)\\?\)", re.IGNORECASE)
_IDENTIFIER = re.compile(r"sks|ohwx|tok|.*[\d_].*|[^aeiou]{3,}", re.IGNORECASE)
# What only a living being does: "ANNA_LORA wearing a mask", "MATSNL65 speaking on stage".
_ALIVE = r"(?:wear|speak|smil|laugh|sitt|danc|sing|wav|walk|talk|cry)ing\b"


def kind_claims(tags: Iterable[str], tags_where: str, title: str, title_where: str) -> tuple[Claim, ...]:
    """Tags first. Where they name several kinds, the title decides; where nothing does, there is no claim."""
    folded = [tag.casefold() for tag in tags]
    of_tags = _tag_claims(folded, _CATEGORIES, {}, tags_where) or _tag_claims(folded, _NICKNAMES, _ENDINGS, tags_where)
    matches = [(kind, _TITLES[kind].search(title.replace("_", " "))) for kind in _TITLED]
    of_title = tuple(_claim(kind, "tag", f"{title_where}: {match[0]}") for kind, match in matches if match)
    return (*of_title, *of_tags) if len({claim.value for claim in of_tags}) > 1 else (*of_tags, *of_title)


def _tag_claims(
    tags: Sequence[str], words: Mapping[Kind, tuple[str, ...]], endings: Mapping[Kind, re.Pattern[str]], where: str
) -> tuple[Claim, ...]:
    """One claim for each kind that a tag names."""
    found = {}
    for kind in words:
        ending = endings.get(kind)
        found[kind] = next((tag for tag in tags if tag in words[kind] or (ending and ending.fullmatch(tag))), None)
    return tuple(_claim(kind, "tag", f"{where}: {tag}") for kind, tag in found.items() if tag is not None)


def _claim(kind: Kind, source: Source, where: str) -> Claim:
    return Claim(field="kind", value=kind, source=source, where=where)


def word_claims(words: Sequence[str]) -> tuple[Claim, ...]:
    """A LoRA with the trigger words "airy watercolor style" is a style, with "sks person" a character."""
    first = words[0] if words else ""
    kind: Kind | None = "style" if _STYLE_WORD.fullmatch(first) else "character" if _is_somebody(first) else None
    return (_claim(kind, "tag", f"trigger words: {first}"),) if kind else ()


def _is_somebody(word: str) -> bool:
    if work := _OF_A_WORK.fullmatch(word):
        return not _KIND["no_work"].fullmatch(work["work"].casefold())
    match = _KIND["somebody"].fullmatch(word)
    return match is not None and (match["id"].isupper() or _IDENTIFIER.fullmatch(match["id"]) is not None)


def prompt_claims(prompts: Sequence[str], words: Sequence[str], where: str) -> tuple[Claim, ...]:
    """A hint from the use of trigger words in example prompts: "in the style of TOK", "a portrait of TOK"."""
    for word in words:
        name = rf"(?<!\w){re.escape(word)}(?!\w)"
        uses: Mapping[Kind, str] = {
            "style": rf"\bin (?:the )?style of (?:an? |the )?{name}|{name} style\b",
            "character": rf"\bportrait of (?:an? |the )?{name}(?! \w+ style)|{name} {_ALIVE}",
        }
        for kind, pattern in uses.items():
            compiled = re.compile(pattern, re.IGNORECASE)
            if match := next((found for prompt in prompts if (found := compiled.search(prompt))), None):
                return (_claim(kind, "example", f"{where}: {match[0]}"),)
    return ()


# Hugging Face's tasks: text-to-image, image-text-to-video.
_TASK = re.compile(r"(?:[a-z0-9]+-)+to-[a-z0-9]+|[a-z]+-generation")
# A language code, as a card's front matter states it.
_LANGUAGE = re.compile(r"[a-z]{2}")
_MACHINE = read_wording("kind").words["machine"]


def content_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags about the content, in the author's words and order; each tag once."""
    found: dict[str, None] = {}
    for tag in map(str.strip, tags):
        folded = tag.casefold()
        patterns = (_KIND["named_value"].match(folded), _TASK.fullmatch(folded), _LANGUAGE.fullmatch(folded))
        if tag and folded not in _MACHINE and not any(patterns):
            found[tag] = None
    return tuple(found)


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
    """An image carries one bit (since 2024), or the older word in `nsfw`, or a bare flag. The strongest counts."""
    return highest([*_levels_of(nsfw_level), *_levels_of(nsfw)])


def _levels_of(value: object) -> tuple[Nsfw, ...]:
    """The levels of one value; none for an absent value, or for 0, which means not rated yet."""
    if value is None or value == "":
        return ()
    if isinstance(value, bool):
        return ("mature" if value else "safe",)
    if isinstance(value, str) and not value.isdigit():
        return (_WORDS.get(value.strip().casefold(), "explicit"),)
    bits = whole(value)
    return ("explicit",) if bits is None else levels(bits)


def levels(bits: int) -> tuple[Nsfw, ...]:
    """Blocked (32), and whatever bit a hub may add, count as the strongest."""
    found = tuple(level for bit, level in _BITS if bits & bit)
    return (*found, "explicit") if bits & ~_KNOWN_BITS else found


def lora_level(model: Table, images: Iterable[Nsfw | None]) -> tuple[Nsfw | None, tuple[Claim, ...]]:
    """The strongest level that a LoRA's author, CivitAI or one of its images gives it, and a claim with the fields that
    do: the images where no other field has one.

    CivitAI's `nsfwLevel` is the OR over images. `nsfw: false` is no statement: many such models have explicit images.
    """
    author = [level for level in _levels_of(model.get("nsfw")) if level != "safe"]
    fields = {"nsfwLevel": model.get("nsfwLevel")}
    for i, version in enumerate(tables(model.get("modelVersions"))):
        fields[f"modelVersions[{i}].nsfwLevel"] = version.get("nsfwLevel")
    hub = {name: found for name, value in fields.items() if (found := _levels_of(value))}
    # The hub's own level covers the images that it has not listed, or not rated one by one.
    own = [level for levels in hub.values() for level in levels]
    level = highest([*own, *author, *(level for level in images if level is not None or not own)])
    where = ", ".join([*(["nsfw"] if author else []), *hub][:3]) or "modelVersions[].images"
    return level, (Claim(field="nsfw", value=level, source="hub", where=where),) if level else ()


def mature_claims(level_tags: Iterable[str], texts: Iterable[tuple[str, str]], card: str = "") -> tuple[Claim, ...]:
    """Return the level that tags, `texts` or a card state. `texts` are (text, where it stands) pairs.

    Of a card only the words count that rate its own content, such as "uncensored".
    """
    of_tags = (f"tags: {tag}" for tag in level_tags if tag.casefold() in _MATURE_TAGS or _mature_word(tag))
    of_texts = (f"{where}: {found}" for text, where in texts if (found := _mature_word(text)))
    of_card = (f"card: {found}" for found in (_mature_word(card, _CARD_WORD),) if found)
    where = next(chain(of_tags, of_texts, of_card), None)
    return (Claim(field="nsfw", value="mature", source="tag", where=where),) if where else ()


def _mature_word(text: str, words: re.Pattern[str] = _MATURE_WORD) -> str | None:
    """Return the first of these words that the author does not rule out."""
    said = NEGATIVE_PROMPT.sub(" ", text[:20_000])
    for found in words.finditer(said):
        before = _DENIED.search(said, max(0, found.start() - _DENIAL), found.start())
        if before is None and _FREE.match(said, found.end()) is None:
            return found[0]
    return None


def level_of(claims: Iterable[Claim]) -> Nsfw | None:
    """The level that the claims of `mature_claims` prove; None (unknown) for no claims."""
    return "mature" if any(claim.value == "mature" for claim in claims) else None
