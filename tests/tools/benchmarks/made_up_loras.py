"""LoRAs that nobody made, as many as wanted, the same for the same number: about as much as a hub's listing says."""

import random
from collections.abc import Iterator
from functools import cache, partial

from connectors.claims.base_models import base_claims
from connectors.record import Claim, Example, Kind, Lora, Nsfw, Version, WeightFile
from connectors.ref import Ref

BASES = ("Pony", "Illustrious", "SDXL 1.0", "SD 1.5", "Flux.1 D", "Wan Video 14B t2v", "Somebody's own")
KINDS: tuple[Kind, ...] = ("character", "style", "concept", "tool")
LEVELS: tuple[Nsfw | None, ...] = ("safe", "soft", None, None, "mature", "explicit")
LICENSES = (
    "images may be sold, not for sale",
    "images may be sold, it may be sold, merges allowed",
    "images may not be sold, no paid generation services, not for sale",
)
# As in titles, few words are in many and many in few: the n-th is drawn about 1/n as often as the first.
WORDS = ("anime", "style", "pixel", "art", "ink", *(f"word{number}" for number in range(3_000)))
_CREATORS = 200_000
_TAGS = 20_000


def made_up_loras(count: int, start: int = 0) -> Iterator[Lora]:
    return map(made_up_lora, range(start, start + count))


def made_up_lora(number: int) -> Lora:
    draw = random.Random(number)
    text = partial(_text, draw)
    version = Ref(hub="civitai", id=str(number), version=str(number))
    file = WeightFile(
        ref=version.at(version.version, "1"),
        name=f"{text(2)}.safetensors",
        size=int(2 ** (22 + 8 * draw.random())),
        sha256=f"{number:064x}",
    )
    pictures = tuple(Example(url=f"https://images.invalid/{number}/{each}", prompt=text(8)) for each in range(6))
    claims = [_claim("kind", draw.choice(KINDS)), _claim("trigger_words", (text(2),))]
    claims += [_claim("rank", draw.choice((4, 8, 16, 32, 64, 128)))] if draw.random() < 0.6 else []
    claims += [_claim("license", draw.choice(LICENSES))] if draw.random() < 0.7 else []
    base = _base_claims(draw.choice(BASES))
    return Lora(
        ref=version.lora,
        title=text(4),
        url=f"https://hub.invalid/models/{number}",
        creator=f"creator{int(_CREATORS * draw.random() ** 3)}",
        description=f"<p>{text(60)}</p>",
        nsfw=draw.choice(LEVELS),
        downloads=int(10 ** (6 * draw.random())),
        likes=int(10 ** (4 * draw.random())),
        updated_at=f"20{draw.randint(23, 26)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}T00:00:00Z",
        tags=tuple(f"tag{int(_TAGS ** draw.random())}" for _ in range(4)),
        access="open" if draw.random() < 0.9 else "login",
        versions=(Version(ref=version, name="v1", files=(file,), examples=pictures, claims=base),),
        claims=tuple(claims),
    )


def _claim(field: str, value: str | int | tuple[str, ...]) -> Claim:
    return Claim(field=field, value=value, source="hub", where="model")


@cache
def _base_claims(base: str) -> tuple[Claim, ...]:
    return base_claims(base, "hub", "baseModel")


def _text(draw: random.Random, words: int) -> str:
    return " ".join([WORDS[int(len(WORDS) ** draw.random()) - 1] for _ in range(words)])
