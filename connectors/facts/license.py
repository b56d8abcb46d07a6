"""Licences in words: Hugging Face's identifiers, and CivitAI's permission boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs

from connectors.facts.base_models import identify
from connectors.facts.license_terms import terms
from connectors.record import Claim
from connectors.wire import Table, flag, text, texts

# The allowCommercialUse values, weakest first: each of the older single values included the ones before it.
_COMMERCIAL = ("Image", "RentCivit", "Rent", "Sell")
_BOXES = ("allowCommercialUse", "allowNoCredit", "allowDerivatives", "allowDifferentLicense")
_WORDS = {
    "Image": ("images may be sold", "images may not be sold"),
    "Rent": ("paid generation services may run it", "no paid generation services"),
    "Sell": ("it may be sold", "not for sale"),
}


def commercial_uses(value: object) -> tuple[str, ...] | None:
    """`["Image","Rent"]`; until late 2023 one word that included the weaker ones; in places "{Image,Rent}".

    A word that is not known stays among them as "": it permits nothing, and what it may permit is not refused either.
    """
    if isinstance(value, str) and not value.strip().startswith("{"):
        older, word = ("Image", "Rent", "Sell"), _use(value)
        return older[: older.index(word) + 1] if word in older else _uses([value])
    if isinstance(value, str):
        return _uses(value.strip().strip("{}").split(","))
    return _uses(value) if isinstance(value, list) else None


def _uses(words: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(use for word in words if (use := _use(word)) is not None))


def _use(word: object) -> str | None:
    """None for a word that stands for no use at all."""
    written = (text(word, 100) or "").strip(" \"'").casefold()
    known = {use.casefold(): use for use in _COMMERCIAL}
    return None if written in ("", "none") else known.get(written, "")


def civitai_claims(model: Table, base: str | None) -> tuple[Claim, ...]:
    """The author's permissions in one line, and the licence of the base model, which binds the LoRA too."""
    said = ", ".join(_permissions(model))
    where = ", ".join(name for name in _BOXES if model.get(name) is not None)
    claims = [Claim(field="license", value=said, source="hub", where=where)] if said else []
    found = identify(base) if base else None
    if found is not None and found.license:
        where = f"licence of {found.label}"
        claims.append(Claim(field="base_license", value=found.license, source="hub", where=where))
    return tuple(claims)


def _permissions(model: Table) -> Iterable[str]:
    uses = commercial_uses(model.get("allowCommercialUse"))
    if uses is not None:
        for use, (allowed, refused) in _WORDS.items():
            if use in uses or "" not in uses:
                yield allowed if use in uses else refused
        if "" in uses:
            yield "further commercial terms on its page"
        if "RentCivit" in uses and "Rent" not in uses:
            yield "CivitAI's own generator may run it"
    if (no_credit := flag(model.get("allowNoCredit"))) is not None:
        yield "credit not needed" if no_credit else "credit the author"
    if (derivatives := flag(model.get("allowDerivatives"))) is not None:
        yield "merges allowed" if derivatives else "no merges"
    if (different := flag(model.get("allowDifferentLicense"))) is not None and derivatives:
        yield "merges may carry other terms" if different else "merges keep these terms"


def huggingface_claims(front: Table, tags: Iterable[str]) -> tuple[Claim, ...]:
    """`license: other` means "see license_name", or the link; the hub's `license:x` tag stands in for a silent card."""
    claims = []
    named = ("license_name", "license", *(() if texts(front.get("license_name")) else ("license_link",)))
    for key in named:
        for value in texts(front.get(key)):
            if key == "license_name" or value != "other":
                claims.append(Claim(field="license", value=value, source="card", where=f"card front matter: {key}"))
    for tag in tags:
        name, _, value = tag.partition(":")
        if name == "license" and value and value != "other":
            claims.append(Claim(field="license", value=value, source="tag", where=f"tags: {tag}"))
    return (*_linked_terms(front), *claims, *_terms_claims(claims))


def _linked_terms(front: Table) -> Iterator[Claim]:
    """Cards moved over from CivitAI carry its permissions in the licence's address: `?allowCommercialUse=Image&...`."""
    for link in texts(front.get("license_link"))[:1]:
        said = {key: values[0] for key, values in parse_qs(link[:2000].partition("?")[2]).items()}
        boxes = {key: {"True": True, "False": False}.get(value.capitalize(), value) for key, value in said.items()}
        uses = boxes.get("allowCommercialUse")
        if isinstance(uses, str):
            # One word, or several with commas between them.
            boxes["allowCommercialUse"] = f"{{{uses.strip('{}')}}}" if "," in uses else uses.strip("{}")
        if words := ", ".join(_permissions(boxes)):
            yield Claim(field="license_terms", value=words, source="card", where="card front matter: license_link")


def replicate_claims(license_url: object) -> tuple[Claim, ...]:
    found = text(license_url, 400)
    if found is None:
        return ()
    claim = Claim(field="license", value=found, source="hub", where="license_url")
    return (claim, *_terms_claims([claim]))


def _terms_claims(licenses: Iterable[Claim]) -> Iterator[Claim]:
    """What each licence permits, claimed by whoever named it."""
    for claim in licenses:
        if permitted := terms(str(claim.value)):
            where = f"what {claim.value} permits"
            yield Claim(field="license_terms", value=permitted, source=claim.source, where=where)
