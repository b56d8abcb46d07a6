"""Licence claims: Hugging Face's identifiers, Replicate's addresses, and CivitAI's permission boxes.

connectors/licenses.toml has the permissions of each licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs

import msgspec

from connectors.claims import read_tables
from connectors.claims.base_models import spelling_key
from connectors.http.json_fields import Table, flag, text, texts
from connectors.record import Claim, Source

Use = Literal["sell_images", "run_as_service", "sell", "merge", "no_credit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """A clause that allows or forbids `use`. If `use` is None, it adds a condition or a remark."""

    text: str
    use: Use | None = None
    is_allowed: bool = False
    is_condition: bool = False
    end: str = ","


_FILE = read_tables("licenses.toml")
CLAUSES = msgspec.convert(_FILE["clauses"], dict[str, Clause])


@dataclass(frozen=True, kw_only=True, slots=True)
class Permissions:
    """The clauses of one licence in its order. `str` returns the text that claims and lock files hold."""

    clauses: tuple[Clause, ...]

    @classmethod
    def parse(cls, text: str) -> Permissions:
        """Read the output of `str`. Other words permit and forbid nothing."""
        clauses = [clause for clause in CLAUSES.values() if clause.text in text]
        return cls(clauses=tuple(sorted(clauses, key=lambda clause: text.index(clause.text))))

    def __str__(self) -> str:
        return " ".join(clause.text + clause.end for clause in self.clauses)[:-1]

    def allows(self, use: Use) -> bool | None:
        """Return whether the use is allowed, or None if the licence doesn't say."""
        is_allowed = next((clause.is_allowed for clause in self.clauses if clause.use == use), None)
        if is_allowed is None and use == "run_as_service":
            # Known licences mention only selling in general. If selling both is allowed, so is a service; if neither is
            # allowed, it is not. Otherwise it is unknown.
            sell, sell_images = self.allows("sell"), self.allows("sell_images")
            return sell if sell == sell_images else None
        return is_allowed

    @property
    def conditions(self) -> frozenset[str]:
        return frozenset(clause.text for clause in self.clauses if clause.is_condition)


def _license_key(name: str) -> str:
    return spelling_key(name[:200].replace("+", "p"))


# The keys are Hugging Face's identifiers and authors' `license_name`.
_NAMES = {
    name: Permissions(clauses=tuple(CLAUSES[key] for key in row["clauses"]))
    for row in _FILE["license"]
    for name in row["names"]
}
_LICENSES = {_license_key(name): permissions for name, permissions in _NAMES.items()}
LICENSE_NAMES: tuple[str, ...] = tuple(_NAMES)
# Replicate returns the address of a licence, and authors link to licences.
_ADDRESSES = [(re.compile(row["pattern"], re.IGNORECASE), row["license"]) for row in _FILE["address"]]


def permissions_of(license_id: str) -> Permissions | None:
    """Return the permissions of the licence with this identifier, name or address. Return None if it is unknown."""
    if license_id.startswith(("https://", "http://")):
        named = next((name for pattern, name in _ADDRESSES if pattern.search(license_id)), None)
        return permissions_of(named) if named else None
    return _LICENSES.get(_license_key(license_id))


def permissions_from(hub: str, license: object, terms: object) -> Permissions | None:
    """Return the permissions from a LoRA's `license` and `license_terms` claims, or None if they are unknown.

    On CivitAI the licence is a text of permissions; on other hubs it is a name, and known names have permissions here.
    """
    if isinstance(terms, str):
        return Permissions.parse(terms)
    if not isinstance(license, str):
        return None
    return permissions_of(license) or (Permissions.parse(license) if hub == "civitai" else None)


# The allowCommercialUse values, weakest first: each of the older single values included the weaker values.
_COMMERCIAL = ("Image", "RentCivit", "Rent", "Sell")
_BOXES = ("allowCommercialUse", "allowNoCredit", "allowDerivatives", "allowDifferentLicense")
# The clauses for a use that is allowed and for a use that is not.
_USES = {"Image": ("images", "no-images"), "Rent": ("service", "no-service"), "Sell": ("sale", "no-sale")}


def commercial_uses(value: object) -> tuple[str, ...] | None:
    """Return the uses in CivitAI's `allowCommercialUse`, or None if it has another type.

    The value is a list `["Image","Rent"]`, in some places the text "{Image,Rent}", or, until late 2023, one word that
    included the weaker uses. An unknown word becomes "": it permits nothing, and further uses stay unknown.
    """
    if isinstance(value, str) and re.search("[{,]", value):
        value = value.strip(" {}").split(",")
    elif isinstance(value, str):
        older, use = ("Image", "Rent", "Sell"), _commercial_use(value)
        if use in older:
            return older[: older.index(use) + 1]
        value = [value]
    if not isinstance(value, list):
        return None
    return tuple(dict.fromkeys(use for word in value if (use := _commercial_use(word)) is not None))


def _commercial_use(word: object) -> str | None:
    """Return one of `_COMMERCIAL`, "" for an unknown word, or None for no use at all."""
    folded = (text(word, 100) or "").strip(" \"'").casefold()
    return None if folded in ("", "none") else {use.casefold(): use for use in _COMMERCIAL}.get(folded, "")


def civitai_claims(model: Table) -> tuple[Claim, ...]:
    """Return one claim with the author's permissions as one line."""
    permissions = str(_civitai_permissions(model))
    where = ", ".join(name for name in _BOXES if model.get(name) is not None)
    return (Claim(field="license", value=permissions, source="hub", where=where),) if permissions else ()


def _civitai_permissions(model: Table) -> Permissions:
    keys: list[str] = []
    uses = commercial_uses(model.get("allowCommercialUse"))
    if uses is not None:
        for use, (allowed, forbidden) in _USES.items():
            if use in uses or "" not in uses:
                keys.append(allowed if use in uses else forbidden)
        if "" in uses:
            keys.append("further-terms")
        if "RentCivit" in uses and "Rent" not in uses:
            keys.append("civitai-service")
    if (no_credit := flag(model.get("allowNoCredit"))) is not None:
        keys.append("no-credit" if no_credit else "credit")
    if (derivatives := flag(model.get("allowDerivatives"))) is not None:
        keys.append("merges" if derivatives else "no-merges")
    if derivatives and (different := flag(model.get("allowDifferentLicense"))) is not None:
        keys.append("other-terms" if different else "same-terms")
    return Permissions(clauses=tuple(CLAUSES[key] for key in keys))


def huggingface_claims(front: Table, tags: Iterable[str]) -> tuple[Claim, ...]:
    """Return the claims of a card's front matter and the hub's tags.

    `license: other` refers to `license_name` or the link. The hub's tag `license:x` replaces a missing field.
    """
    keys = ("license_name", "license") if texts(front.get("license_name")) else ("license", "license_link")
    statements: list[tuple[str, Source, str]] = [
        *((value, "card", f"card front matter: {key}") for key in keys for value in texts(front.get(key))),
        *((tag.removeprefix("license:"), "tag", f"tags: {tag}") for tag in tags if tag.startswith("license:")),
    ]
    claims = [
        Claim(field="license", value=value, source=source, where=where)
        for value, source, where in statements
        if value not in ("", "other", "unknown")
    ]
    return (*_link_claims(front), *claims, *_terms_claims(claims))


def _link_claims(front: Table) -> Iterator[Claim]:
    """Yield the permissions in a licence link.

    Cards copied from CivitAI have its permission boxes as the link's query.
    """
    for link in texts(front.get("license_link"))[:1]:
        query = {key: values[0] for key, values in parse_qs(link[:2000].partition("?")[2]).items()}
        boxes = {key: {"True": True, "False": False}.get(value.capitalize(), value) for key, value in query.items()}
        if permissions := str(_civitai_permissions(boxes)):
            where = "card front matter: license_link"
            yield Claim(field="license_terms", value=permissions, source="card", where=where)


def replicate_claims(license_url: object) -> tuple[Claim, ...]:
    address = text(license_url, 400)
    if address is None:
        return ()
    claim = Claim(field="license", value=address, source="hub", where="license_url")
    return (claim, *_terms_claims([claim]))


def _terms_claims(licenses: Iterable[Claim]) -> Iterator[Claim]:
    """Yield the permissions of known licences, with the source that names the licence."""
    for claim in licenses:
        if permissions := permissions_of(str(claim.value)):
            where = f"what {claim.value} permits"
            yield Claim(field="license_terms", value=str(permissions), source=claim.source, where=where)
