"""NSFW levels of CivitAI (three forms) and Hugging Face. Unknown ones count as strongest, where hubs add levels."""

import re
from collections.abc import Iterable
from itertools import chain

from connectors.claims import read_wording
from connectors.http.json_fields import Table, tables, whole
from connectors.record import Claim, Nsfw, highest

_WORDING = read_wording("nsfw")

_BITS: tuple[tuple[int, Nsfw], ...] = ((1, "safe"), (2, "soft"), (4, "mature"), (8, "explicit"), (16, "explicit"))
_KNOWN_BITS = sum(bit for bit, _ in _BITS)
_WORDS: dict[str, Nsfw] = {
    "none": "safe", "false": "safe", "pg": "safe", "soft": "soft", "pg13": "soft", "mature": "mature", "r": "mature",
    "true": "mature", "x": "explicit", "xxx": "explicit", "blocked": "explicit",
}  # fmt: skip
_MATURE_TAGS = frozenset(("not-for-all-audiences", "adult content"))
_MATURE_WORD = _WORDING.patterns["mature_word"]
_DENIED = _WORDING.patterns["denied"]
_DENIAL = 80
_FREE = re.compile(r"[\s-]?free\b", re.IGNORECASE)
_NEGATIVE_PROMPT = re.compile(r"negative[\s_-]?prompts?\W[^\n]*", re.IGNORECASE)


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


def lora_level(model: Table, images: Iterable[Nsfw | None]) -> Nsfw | None:
    """The strongest level that a LoRA's author, CivitAI or one of its images gives it.

    CivitAI's `nsfwLevel` is the OR over images. `nsfw: false` is no statement: many such models have explicit images.
    """
    author, hub = _ratings(model)
    # The hub's own level covers the images that it has not listed, or not rated one by one.
    own = [level for levels in hub.values() for level in levels]
    return highest([*own, *author, *(level for level in images if level is not None or not own)])


def _ratings(model: Table) -> tuple[tuple[Nsfw, ...], dict[str, tuple[Nsfw, ...]]]:
    """The author's levels, and CivitAI's by the field that says them."""
    author = tuple(level for level in _levels_of(model.get("nsfw")) if level != "safe")
    fields = {"nsfwLevel": model.get("nsfwLevel")}
    for i, version in enumerate(tables(model.get("modelVersions"))):
        fields[f"modelVersions[{i}].nsfwLevel"] = version.get("nsfwLevel")
    return author, {name: found for name, value in fields.items() if (found := _levels_of(value))}


def text_claims(level_tags: Iterable[str], texts: Iterable[tuple[str, str]]) -> tuple[Claim, ...]:
    """The level that Hugging Face's tag, authors' tags, or `texts` state: (text, where it stands) pairs."""
    of_tags = (f"tags: {tag}" for tag in level_tags if tag.casefold() in _MATURE_TAGS or _mature_word(tag))
    of_texts = (f"{where}: {found}" for text, where in texts if (found := _mature_word(text)))
    where = next(chain(of_tags, of_texts), None)
    return (Claim(field="nsfw", value="mature", source="tag", where=where),) if where else ()


def _mature_word(text: str) -> str | None:
    """The first that the author does not rule out."""
    said = _NEGATIVE_PROMPT.sub(" ", text[:20_000])
    for found in _MATURE_WORD.finditer(said):
        before = _DENIED.search(said, max(0, found.start() - _DENIAL), found.start())
        if before is None and _FREE.match(said, found.end()) is None:
            return found[0]
    return None


def level_of(claims: Iterable[Claim]) -> Nsfw | None:
    """The level that the claims of `text_claims` prove; None (unknown) for no claims."""
    return "mature" if any(claim.value == "mature" for claim in claims) else None


def civitai_claims(level: Nsfw | None, model: Table) -> tuple[Claim, ...]:
    """A claim that names the fields behind a LoRA's level; its images where no other field has one."""
    if level is None:
        return ()
    author, hub = _ratings(model)
    where = ", ".join([*(("nsfw",) if author else ()), *hub][:3]) or "modelVersions[].images"
    return (Claim(field="nsfw", value=level, source="hub", where=where),)
