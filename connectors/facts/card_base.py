"""The base model of a Hugging Face repo: what its card's `base_model` says, and for a card without one, its words.

Tags, code and sentences are read only where the card is silent, and believed only where they name one base model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from connectors.facts.base_models import base_claims, identify
from connectors.facts.base_names import named_base
from connectors.record import Claim, Source
from connectors.wire import Table, texts

_MAX_NAMES = 20
# Said of everything that draws, whatever its base.
_GENERIC = ("stable-diffusion", "stable diffusion", "stable-diffusion-diffusers")
# Base models whose name alone is no other word: "lens" and "chroma" are tags of photographers.
_UNMISTAKABLE = (
    "sdxl",
    "flux",
    "illustrious",
    "noobai",
    "ponyxl",
    "pdxl",
    "kolors",
    "hidream",
    "auraflow",
    "animagine",
)
_LOADED = re.compile(r"from_pretrained\(\s*[\"'](?P<name>[\w.-]{1,96}/[\w.-]{1,96})[\"']")
# "**Base model**: Flux.1 D", "| Base model | `krea/Krea-2-Turbo` |", "- Base model: [FLUX.1-dev](https://...)".
_LINE = re.compile(
    r"^[ \t>*#|•_-]{0,12}base[ -]?models?[ \t*_`]{0,6}[:：|][ \t*_`|]{0,8}\[?(?P<name>[\w][^\n|\]*`,;]{1,80})",
    re.IGNORECASE | re.MULTILINE,
)
# Diffusers' training scripts: "These are LoRA adaption weights for OWNER/NAME."
_WEIGHTS_FOR = re.compile(r"\bweights for (?P<name>[\w.-]{1,96}/[\w.-]{0,95}\w)", re.IGNORECASE)
_NAME = (
    r"stable[- ]diffusion[- ](?:xl|v?[12]\.\d|3(?:\.5)?(?:[- ](?:large|medium))?)|sd[ -]?(?:xl|v?1\.[45]|2\.[01]|3\.5)"
    r"|flux[. ]?[12][-. ]?\[?(?:dev|schnell|kontext|krea|klein)\]?(?:[- ][49]b)?(?:[- ]dev)?|z-image(?:-turbo|-base)?"
    r"|qwen-image(?:-edit)?(?:-\d{4})?|wan ?2\.[12]|hunyuan ?video|illustrious(?:[- ]xl)?|noobai(?:[- ]xl)?"
    r"|pony(?: diffusion(?: v6)?(?: xl)?| ?xl| v6)|krea ?2|ltx-video|ltx-2(?:\.3)?|animagine[- ]xl"
)
_SENTENCE = re.compile(
    r"\b(?:trained (?:on|for|with|using)|fine-?tun\w+ (?:on|of|from)|based on|base(?: model)?|for)\b[\s:|*_`\[]{1,6}"
    rf"(?:the )?(?P<name>{_NAME})(?![\w])",
    re.IGNORECASE,
)
# The introduction: further down, cards compare themselves with others.
_INTRODUCTION = 3_000


def card_claims(front: Table, hub: object, tags: Iterable[str], body: str, repo: str = "") -> tuple[Claim, ...]:
    """`hub` is the hub's own `baseModels`, computed from the card like the `base_model:` tags."""
    stated = (*_written(front), *_computed(hub, tags))
    return stated or _silent(tags, body) or tuple(_in_passing(repo))


def _written(front: Table) -> Iterator[Claim]:
    """The card's `base_model`: a repo, a list of them, or a plain name. Of several, the first that is known leads."""
    written = [name[:200] for name in texts(front.get("base_model"))][:_MAX_NAMES]
    for name in sorted(written, key=lambda name: (identify(name) is None, named_base(_own_name(name)) is None)):
        yield from _meant(name, "card", "card front matter: base_model")


def _computed(hub: object, tags: Iterable[str]) -> Iterator[Claim]:
    for tag in tags:
        name = tag.removeprefix("base_model:")
        relation, _, repo = name.partition(":")
        if tag.startswith("base_model:") and "/" in (repo or name):
            yield from _meant(repo or relation, "tag", f"tags: {tag}")
    models = hub.get("models") if isinstance(hub, dict) else None
    for model in (models if isinstance(models, list) else [])[:_MAX_NAMES]:
        if isinstance(model, dict) and (names := texts(model.get("id"))):
            yield from _meant(names[0][:200], "tag", "baseModels")


def _meant(name: str, source: Source, where: str) -> Iterator[Claim]:
    """A listed base, or the one that an unlisted repo is made from by its own name: "x/waiIllustriousSDXL_v170"."""
    named = None if identify(name) else named_base(_own_name(name))
    if named is None:
        yield from base_claims(name, source, where)
        return
    yield Claim(field="raw_base_model", value=name, source=source, where=where)
    found = base_claims(named[0], source, f"{where}: {named[1]}")
    yield from (claim for claim in found if claim.field != "raw_base_model")


def _own_name(repo: str) -> str:
    return repo.rpartition("/")[2]


def _silent(tags: Iterable[str], body: str) -> tuple[Claim, ...]:
    ways: tuple[tuple[list[str], Source, str], ...] = (
        ([tag for tag in tags if _is_base(tag)], "tag", "tags: "),
        ([match["name"].strip() for match in _LINE.finditer(body)], "card", "card: base model "),
        ([match["name"] for match in _WEIGHTS_FOR.finditer(body)], "card", "card: weights for "),
        ([match["name"] for match in _LOADED.finditer(body)], "card", "card: from_pretrained "),
        ([match["name"] for match in _SENTENCE.finditer(body[:_INTRODUCTION])], "card", "card: "),
    )
    for names, source, where in ways:
        known = {found.id: name for name in names if (found := identify(name))}
        if len(known) == 1:
            name = next(iter(known.values()))
            return base_claims(name, source, f"{where}{name}")
    return ()


def _in_passing(repo: str) -> Iterator[Claim]:
    """Out of a repo's own name; what was written there is no base model's name, so nothing is raw.

    The repo of a base model itself has none.
    """
    if identify(repo) is None and (named := named_base(_own_name(repo))):
        claims = base_claims(named[0], "tag", f"repo name: {named[1]}")
        yield from (claim for claim in claims if claim.field != "raw_base_model")


def _is_base(tag: str) -> bool:
    lowered = tag.casefold()
    telling = any(char.isdigit() or char in "- " for char in lowered) or lowered in _UNMISTAKABLE
    return telling and ":" not in tag and lowered not in _GENERIC and identify(tag) is not None
