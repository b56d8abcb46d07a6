"""How mature something is, in the three ways CivitAI has said it and the one Hugging Face has.

A value that is not known is read as the strongest level: hubs add levels at the strong end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from connectors.http.json_fields import Table, tables, whole
from connectors.record import Claim, Nsfw, highest

_BITS: tuple[tuple[int, Nsfw], ...] = ((1, "safe"), (2, "soft"), (4, "mature"), (8, "explicit"), (16, "explicit"))
_KNOWN_BITS = sum(bit for bit, _ in _BITS)
_WORDS: dict[str, Nsfw] = {
    "none": "safe", "false": "safe", "pg": "safe", "soft": "soft", "pg13": "soft", "mature": "mature", "r": "mature",
    "true": "mature", "x": "explicit", "xxx": "explicit", "blocked": "explicit",
}  # fmt: skip
_MATURE_TAGS = frozenset(
    (
        "not-for-all-audiences", "nsfw", "porn", "pornography", "hentai", "erotic", "erotica", "nude", "nudity", "xxx",
        "uncensored", "lewd", "adult content", "r18",
    )
)  # fmt: skip
_MATURE_WORD = re.compile(
    r"(?<![a-z])(?:nsfw|porn\w*|hentai|xxx|nudes?|nudity|naked|erotic\w*|lewd|uncensored|r-?18)(?![a-z])",
    re.IGNORECASE,
)


def image_level(nsfw_level: object, nsfw: object) -> Nsfw | None:
    """An image carries one bit (since 2024), or the older word in `nsfw`, or a bare flag. The strongest counts."""
    return highest(level for value in (nsfw_level, nsfw) for level in _said(value))


def _said(value: object) -> Iterator[Nsfw]:
    """The levels of one value; none for an absent one, and for 0, which is what has not been rated yet."""
    if value is None or value == "":
        return
    if isinstance(value, bool):
        yield "mature" if value else "safe"
    elif isinstance(value, str) and not value.isdigit():
        yield _WORDS.get(value.strip().casefold(), "explicit")
    elif (bits := whole(value)) is None:
        yield "explicit"
    else:
        yield from levels(bits)


def levels(bits: int) -> tuple[Nsfw, ...]:
    """Blocked (32), and whatever bit a hub may add, count as the strongest."""
    found = tuple(level for bit, level in _BITS if bits & bit)
    return (*found, "explicit") if bits & ~_KNOWN_BITS else found


def lora_level(model: Table, images: Iterable[Nsfw | None]) -> Nsfw | None:
    """The strongest level that its author, CivitAI or one of its pictures gives a LoRA.

    `nsfwLevel`, of a model and of each version, is the OR over pictures. `nsfw: true` is the author's word; `false` is
    no statement, for many such models carry explicit pictures.
    """
    rated = [level for _, value in _ratings(model) for level in _said(value)]
    pictures = tuple(images)
    # The hub's own level covers the pictures that it has not listed, or not rated one by one.
    known = [level for level in pictures if level is not None] if rated else pictures
    return highest([*rated, *_author(model.get("nsfw")), *known])


def _ratings(model: Table) -> Iterator[tuple[str, Any]]:
    yield "nsfwLevel", model.get("nsfwLevel")
    for place, version in enumerate(tables(model.get("modelVersions"))):
        yield f"modelVersions[{place}].nsfwLevel", version.get("nsfwLevel")


def _author(nsfw: object) -> tuple[Nsfw, ...]:
    return tuple(level for level in _said(nsfw) if level != "safe")


def worded_claims(level_tags: Iterable[str], texts: Iterable[tuple[str, str]]) -> tuple[Claim, ...]:
    """Hugging Face's own tag, the tags that authors use beside it, and a text that says it.

    `texts` are names, descriptions and examples' prompts, each with where it stands.
    """
    tagged = (f"tags: {tag}" for tag in level_tags if tag.casefold() in _MATURE_TAGS)
    worded = (f"{where}: {found[0]}" for text, where in texts if (found := _MATURE_WORD.search(text[:20_000])))
    where = next(chain(tagged, worded), None)
    return (Claim(field="nsfw", value="mature", source="tag", where=where),) if where else ()


def claimed(claims: Iterable[Claim]) -> Nsfw | None:
    """The level that such claims come to; None, unknown, where there is none."""
    return "mature" if any(claim.value == "mature" for claim in claims) else None


def civitai_claims(level: Nsfw | None, model: Table) -> tuple[Claim, ...]:
    """Where CivitAI says the level of a LoRA; its pictures say it where nothing else does."""
    if level is None:
        return ()
    said = [name for name in ("nsfw",) if _author(model.get(name))]
    said += [name for name, value in _ratings(model) if any(_said(value))]
    return (Claim(field="nsfw", value=level, source="hub", where=", ".join(said[:3]) or "modelVersions[].images"),)
