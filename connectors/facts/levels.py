"""How mature something is, in the three ways CivitAI has said it and the one Hugging Face has."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.record import NSFW_LEVELS, Nsfw, highest

_BITS: tuple[tuple[int, Nsfw], ...] = ((1, "safe"), (2, "soft"), (4, "mature"), (8, "explicit"), (16, "explicit"))
_BLOCKED = 32
_WORDS: dict[str, Nsfw] = {
    "none": "safe", "false": "safe", "soft": "soft", "mature": "mature", "x": "explicit", "blocked": "explicit",
    "true": "mature",
}  # fmt: skip


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


def huggingface_level(tags: Iterable[str]) -> Nsfw:
    return "mature" if any(tag.casefold() in ("not-for-all-audiences", "nsfw") for tag in tags) else "safe"
