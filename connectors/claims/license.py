"""Licences in words: Hugging Face's identifiers, and CivitAI's permission boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qs

from connectors.claims.base_models import identify
from connectors.http.json_fields import Table, flag, text, texts
from connectors.record import Claim

_OPEN = "images may be sold, it may be sold, merges allowed, credit the author"
_FREE = "images may be sold, it may be sold, merges allowed, credit not needed"
_COPYLEFT = "images may be sold, it may be sold, merges allowed, merges keep these terms, credit the author"
_RAIL = "images may be sold, it may be sold, merges allowed, merges keep these terms, harmful uses forbidden"
_NC = "images may not be sold, not for sale, merges allowed, credit the author"
_NC_COPYLEFT = "images may not be sold, not for sale, merges allowed, merges keep these terms, credit the author"
# The pictures are the user's own; using the weights to earn money needs a licence from Black Forest Labs.
_FLUX = (
    "images may be sold, no paid generation services, not for sale, merges allowed, merges keep these terms, "
    "credit the base's maker"
)
_STABILITY = (
    "images may be sold, free below 1 million US dollars of revenue a year, merges allowed, merges keep these terms, "
    "credit Stability AI"
)
_RESEARCH = "non-commercial and research use only: images may not be sold, not for sale, merges keep these terms"
_TENCENT = (
    "images may be sold, not licensed in the European Union, the United Kingdom and South Korea, merges allowed, "
    "merges keep these terms"
)

# By the letters and digits of Hugging Face's identifier or an author's `license_name`.
_TERMS: Mapping[str, str] = {
    name: terms
    for names, terms in (
        ("apache20 mit bsd bsd2clause bsd3clause isc ccby40 ccby30 ccby20 ccby25 ecl20 afl30 ncsa postgresql", _OPEN),
        ("cc010 cc0 unlicense wtfpl 0bsd publicdomain zlib pddl", _FREE),
        ("gpl gpl20 gpl30 agpl30 lgpl lgpl21 lgpl30 mpl20 epl20 eupl11 eupl12 osl30 ccbysa40 ccbysa30", _COPYLEFT),
        ("fairaipubliclicense10sd faipl10sd fairaipubliclicense10 faipl10", _COPYLEFT),
        ("openrail openrailm creativemlopenrailm openrailpp openrailppm", _RAIL),
        ("creativemlopenrailppm bigscienceopenrailm", _RAIL),
        ("ccbync40 ccbync30 ccbync20", _NC),
        ("ccbyncsa40 ccbyncsa30 ccbyncsa20", _NC_COPYLEFT),
        ("ccbynd40", "images may be sold, it may be sold, no merges, credit the author"),
        ("ccbyncnd40 ccbyncnd30", "images may not be sold, not for sale, no merges, credit the author"),
        ("flux1devnoncommerciallicense flux1devnoncommercial flux1dev fluxdevlicense flux1devlicense", _FLUX),
        ("flux1kontextdevnoncommerciallicense flux2devnoncommerciallicense fluxnoncommerciallicense", _FLUX),
        ("stabilityaicommunity stabilityaicommunitylicense stabilityaicommunitylicenseagreement", _STABILITY),
        ("sainccommunity sainc sdxl09research stabilityainccommunity", _RESEARCH),
        ("tencenthunyuancommunity tencenthunyuanvideolicenseagreement", _TENCENT),
        ("tencenthunyuancommunitylicenseagreement", _TENCENT),
    )
    for name in names.split()
}  # fmt: skip
# Replicate gives the address of a licence, and authors link to one.
_ADDRESSES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"FLUX[._-]?1[^/]*(?:dev|kontext)", re.IGNORECASE), "flux-1-dev-non-commercial-license"),
    (re.compile(r"FLUX[._-]?1[^/]*schnell(?![\w-])", re.IGNORECASE), "apache-2.0"),
    (
        re.compile(r"(?:LICENSE-SDXL1\.0|stable-diffusion-xl-base-1\.0|openrail(?:%2B|\+){2})(?![\w-])", re.IGNORECASE),
        "openrail++",
    ),
    (re.compile(r"(?:apache-2\.0|apache\.org/licenses/LICENSE-2\.0)(?![\w-])", re.IGNORECASE), "apache-2.0"),
    (
        re.compile(r"(?:creativeml-openrail-m|CompVis/stable-diffusion(?:-v1-\d)?)(?![\w-])", re.IGNORECASE),
        "creativeml-openrail-m",
    ),
    (re.compile(r"(?:opensource\.org/licenses?/MIT|licenses/mit)(?![\w-])", re.IGNORECASE), "mit"),
)


def terms(license_id: str) -> str | None:
    """What the licence of this identifier, name or address permits; None for one that isn't known."""
    if license_id.startswith(("https://", "http://")):
        named = next((name for pattern, name in _ADDRESSES if pattern.search(license_id)), None)
        return terms(named) if named else None
    spelled = license_id[:200].casefold().replace("+", "p")
    return _TERMS.get("".join(char for char in spelled if char.isalnum()))


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
