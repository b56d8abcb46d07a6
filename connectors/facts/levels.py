"""How mature something is, in the three ways CivitAI has said it and the one Hugging Face has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from connectors.record import NSFW_LEVELS, Claim, Nsfw, highest

_BITS: tuple[tuple[int, Nsfw], ...] = ((1, "safe"), (2, "soft"), (4, "mature"), (8, "explicit"), (16, "explicit"))
_BLOCKED = 32
_WORDS: dict[str, Nsfw] = {
    "none": "safe", "false": "safe", "soft": "soft", "mature": "mature", "x": "explicit", "blocked": "explicit",
    "true": "mature",
}  # fmt: skip
_MATURE_TAGS = frozenset(
    ("not-for-all-audiences", "nsfw", "porn", "pornography", "hentai", "erotic", "erotica", "nude", "nudity", "xxx")
)
_MATURE_NAME = re.compile(r"(?<![a-z])(?:nsfw|porn|hentai|xxx)(?![a-z])", re.IGNORECASE)


def image_level(nsfw_level: object, nsfw: object) -> Nsfw:
    """An image carries one bit (since 2024), or the older word in `nsfw`, or a bare flag. The strongest counts."""
    said: list[Nsfw] = []
    for value in (nsfw_level, nsfw):
        if isinstance(value, bool):
            said.append("mature" if value else "safe")
        elif isinstance(value, int):
            said.extend(levels(value))
        elif isinstance(value, str):
            said.append(_WORDS.get(value.casefold(), "safe"))
    return highest(said)


def levels(bits: int) -> tuple[Nsfw, ...]:
    found = tuple(level for bit, level in _BITS if bits & bit)
    return ("explicit",) if bits & _BLOCKED and not found else found


def lora_level(nsfw: object, nsfw_level: object, images: Iterable[Nsfw]) -> Nsfw:
    """The level at which a LoRA can be shown at all: its gentlest image's, and at least mature if its author says so.

    CivitAI's `nsfwLevel` of a model is the OR over its images, so most harmless LoRAs carry one strong image in it.
    Their images keep their own levels, and those above what a person asked for are not shown.
    """
    bits = levels(nsfw_level) if isinstance(nsfw_level, int) and not isinstance(nsfw_level, bool) else ()
    gentlest: Nsfw = min(bits or tuple(images), key=NSFW_LEVELS.index, default="safe")
    return highest(["mature", gentlest]) if nsfw is True else gentlest


def worded_claims(level_tags: Iterable[str], name: str, name_where: str) -> tuple[Claim, ...]:
    """Hugging Face's own tag, the tags that authors use beside it, and a name that says it."""
    tag = next((tag for tag in level_tags if tag.casefold() in _MATURE_TAGS), None)
    named = _MATURE_NAME.search(name)
    if tag is None and named is None:
        return ()
    where = f"tags: {tag}" if tag else f"{name_where}: {named[0] if named else ''}"
    return (Claim(field="nsfw", value="mature", source="tag", where=where),)


def claimed(claims: Iterable[Claim]) -> Nsfw:
    """The level that such claims come to: safe, unless one says otherwise."""
    return "mature" if any(claim.value == "mature" for claim in claims) else "safe"


def civitai_claims(level: Nsfw, nsfw: object, nsfw_level: object) -> tuple[Claim, ...]:
    """Where CivitAI says the level of a LoRA; its pictures say it where the model itself doesn't."""
    said = [name for name, value in (("nsfw", nsfw), ("nsfwLevel", nsfw_level)) if value not in (None, False, 0)]
    where = ", ".join(said) if said else "modelVersions[].images"
    return (Claim(field="nsfw", value=level, source="hub", where=where),)
