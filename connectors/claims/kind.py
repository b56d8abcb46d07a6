"""What a LoRA is for, its kind, from the words that hubs and authors use; and the tags about its content."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from connectors.claims import read_tables, read_wording
from connectors.record import Claim, Kind, Source

_FILE = read_tables("kinds.toml")
_CATEGORIES = msgspec.convert(_FILE["category"], dict[Kind, tuple[str, ...]])
_NICKNAMES = msgspec.convert(_FILE["nickname"], dict[Kind, tuple[str, ...]])
_WORDING = read_wording("kind")
_TITLES = read_wording("kind_titles").patterns
_TITLED: tuple[Kind, ...] = ("control", "tool", "character", "style", "concept")
# Endings of tags of several words: "video game character", "art style".
_ENDINGS: Mapping[Kind, re.Pattern[str]] = {
    "character": re.compile(r".+[ -]character"),
    "style": re.compile(r"(?!.*\b(?:hair|life|dress|clothing|fashion)[ -]style).+[ -]style"),
}
_STYLE_WORD = re.compile(r"(?!.*\b(?:hair|life|dress|clothing|fashion)[- ]?style).*\bstyle", re.IGNORECASE)
# Image boards put a character's work in brackets: "lillie \(pokemon\)". Brackets may also hold a kind of thing.
_OF_A_WORK = re.compile(r"[\w .'-]{2,60} \\?\((?P<work>[\w .:'!&-]{3,60}?)\\?\)", re.IGNORECASE)
_NO_WORK = _WORDING.patterns["no_work"]
_SOMEBODY = _WORDING.patterns["somebody"]
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
        return not _NO_WORK.fullmatch(work["work"].casefold())
    match = _SOMEBODY.fullmatch(word)
    return match is not None and (match["id"].isupper() or _IDENTIFIER.fullmatch(match["id"]) is not None)


def poi_claims(poi: object) -> tuple[Claim, ...]:
    """CivitAI's "person of interest": a real person."""
    return (_claim("character", "tag", "poi"),) if poi is True else ()


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


_NAMED_VALUE = _WORDING.patterns["named_value"]
# Hugging Face's tasks: text-to-image, image-text-to-video.
_TASK = re.compile(r"(?:[a-z0-9]+-)+to-[a-z0-9]+|[a-z]+-generation")
# A language code, as a card's front matter states it.
_LANGUAGE = re.compile(r"[a-z]{2}")
_MACHINE = _WORDING.words["machine"]


def content_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags about the content, in the author's words and order; each tag once."""
    found: dict[str, None] = {}
    for tag in map(str.strip, tags):
        folded = tag.casefold()
        patterns = (_NAMED_VALUE.match(folded), _TASK.fullmatch(folded), _LANGUAGE.fullmatch(folded))
        if tag and folded not in _MACHINE and not any(patterns):
            found[tag] = None
    return tuple(found)
