"""What a hub's response changes in the catalog: the merged LoRA, its document, and the search texts that found it.

Responses about one LoRA are merged, because a listing has fewer fields than a `get` and they arrive in any order. A
document is a LoRA as JSON text.
"""

import json
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from connectors.errors import HubUiError
from connectors.record import Access, Claim, Example, Lora, Nsfw, Version, WeightFile, highest, keep_permitted
from connectors.ref import Ref
from hub_ui.catalog.row import TEXTS, Row, phrase, row_and_spellings, terms

_T = TypeVar("_T")


def merge(old: Lora, new: Lora) -> Lora:
    """Merge a hub's new response about a LoRA into the stored one.

    A listing and a `get` have different fields and arrive in any order. A value in `new` replaces the old one, and a
    missing value keeps it. Versions and files are never dropped, because a lock file may name them; the hub's order
    comes first. Claims of a source replace its earlier claims about the same field.

    A response with less detail does not reset access to "open" nor lower the NSFW level, and keeps claims from other
    places of the card. But a removed LoRA is restored once its hub lists it. A withheld LoRA stays withheld until its
    hub has a value for "minor".
    """
    if old.is_withheld and not any(claim.field == "minor" for claim in new.claims):
        return old
    is_thinner = _detail(new) < _detail(old)
    return replace(
        new,
        **_missing(old, new, "title", "url", "creator", "description", "downloads", "likes", "updated_at", "tags"),
        description_format=(new if new.description else old).description_format,
        nsfw=_nsfw(old.nsfw, new.nsfw, is_thinner),
        access=_access(old.access, new.access, is_thinner),
        versions=_merge_by_key(old.versions, new.versions, lambda version: version.ref.version, _merge_versions),
        claims=_claims(old.claims, new.claims, is_thinner),
    )


def _merge_versions(old: Version, new: Version) -> Version:
    def merge_files(old: WeightFile, new: WeightFile) -> WeightFile:
        missing = _missing(old, new, "size", "sha256", "autov3")
        claims = _claims(old.claims, new.claims, is_thinner)
        return replace(new, **missing, primary=new.primary or old.primary, claims=claims)

    def merge_examples(old: Example, new: Example) -> Example:
        size: dict[str, Any] = {} if new.width else {"width": old.width, "height": old.height}
        return replace(new, **_missing(old, new, "prompt", "params"), **size, nsfw=_nsfw(old.nsfw, new.nsfw, True))

    is_thinner = _version_detail(new) < _version_detail(old)
    old_files, examples = old.files, new.examples
    # At most one file stays primary: the new response decides, if it marks one.
    if any(file.primary for file in new.files):
        old_files = tuple(replace(file, primary=False) for file in old_files)
    if is_thinner or not examples:
        examples = _merge_by_key(old.examples, examples, lambda example: example.url, merge_examples)
    return replace(
        new,
        **_missing(old, new, "name", "description", "updated_at"),
        access=_access(old.access, new.access, is_thinner),
        access_note=new.access_note or (old.access_note if is_thinner else None),
        files=_merge_by_key(old_files, new.files, lambda file: file.ref.file or file.name, merge_files),
        examples=examples,
        claims=_claims(old.claims, new.claims, is_thinner),
    )


def _missing(old: Any, new: Any, *names: str) -> dict[str, Any]:
    """Return the fields that only `old` has. The number 0 is a value."""
    return {name: getattr(old, name) for name in names if getattr(new, name) in (None, "", (), {})}


def _claims(old: tuple[Claim, ...], new: tuple[Claim, ...], is_thinner: bool) -> tuple[Claim, ...]:
    def topic(claim: Claim) -> tuple[str, ...]:
        # A listing has the card's metadata but not its text, so compare the place of a card's claims as well.
        place = (claim.where,) if is_thinner and claim.source == "card" else ()
        return (claim.field, claim.source, *place)

    new_topics = {topic(claim) for claim in new}
    merged = (*new, *(claim for claim in old if topic(claim) not in new_topics))
    # Keep the old order, which has no meaning: otherwise each listing and `get` in turn would rewrite the LoRA.
    is_same = len(merged) == len(old) and all(claim in old for claim in merged)
    return old if is_same else merged


def _nsfw(old: Nsfw | None, new: Nsfw | None, is_thinner: bool) -> Nsfw | None:
    """Return the new level. A listing omits explicit images, so it never lowers the level."""
    if old is None or new is None:
        return new or old
    return highest((new, old)) if is_thinner else new


def _access(old: Access, new: Access, is_thinner: bool) -> Access:
    return old if is_thinner and new == "open" and old != "removed" else new


def _merge_by_key(
    old: tuple[_T, ...], new: tuple[_T, ...], key: Callable[[_T], Hashable], merge_two: Callable[[_T, _T], _T]
) -> tuple[_T, ...]:
    by_key = {key(item): item for item in reversed(old)}
    new_keys = {key(item) for item in new}
    merged = (merge_two(by_key[key(item)], item) if key(item) in by_key else item for item in new)
    return (*merged, *(item for item in old if key(item) not in new_keys))


def _detail(lora: Lora) -> int:
    """Count the details of a LoRA, which tells a listing from a `get`."""
    return bool(lora.description) + len(lora.claims) + sum(1 + _version_detail(version) for version in lora.versions)


def _version_detail(version: Version) -> int:
    return len(version.claims) + len(version.examples) + sum(1 + len(file.claims) for file in version.files)


_LOG = logging.getLogger(__name__)
_MOST_FOUND = 50
# Separates the search texts. No word contains it, so no phrase matches across two texts.
_BETWEEN = " | "


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A LoRA as it is stored in the catalog.

    `found` holds the texts of hub searches that returned it (see Row). `seen` is the time when its hub last listed it.
    """

    id: int
    document: str
    found: str
    seen: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A LoRA to be written. `document` is its JSON text, `names` are spellings of its base models.

    `stored` is the present entry of the catalog. `known` is that entry decoded, or None if it can't be read.
    """

    lora: Lora
    document: str
    row: Row
    names: dict[str, str]
    stored: Stored | None = None
    known: Lora | None = None


def change(lora: Lora, stored: Stored | None, found_by: Sequence[str] = (), *, is_older: bool = False) -> Change | None:
    """Return the change that `lora` makes to the stored entry, or None if nothing is new.

    `found_by` has the phrases of a search text (see `pieces`). With `is_older`, the stored entry was listed later than
    `lora` and its values win.
    """
    lora = keep_permitted(lora)
    document = encode(lora)
    known: Lora | None = None
    if stored is not None and document == stored.document:
        known = lora
    elif stored is not None and (known := read(stored.document)) is not None:
        # Check again, because the merged LoRA may be withheld even if neither response is.
        lora = keep_permitted(merge(lora, known) if is_older else merge(known, lora))
        # Compare LoRAs, not their texts, because the order of an image's parameters varies without meaning.
        document = stored.document if lora == known else encode(lora)
    is_same = stored is not None and document == stored.document
    if is_same and not found_by:
        return None
    row, names = row_and_spellings(lora)
    before = stored.found if stored else ""
    if before or found_by:
        texts = [getattr(row, name) for name in TEXTS]
        phrases = (*split_found(before), *found_by)
        row = replace(row, found=join_found(each for each in phrases if not any(each in text for text in texts)))
    if is_same and row.found == before:
        return None
    return Change(lora=lora, document=document, row=row, names=names, stored=stored, known=known)


def split_found(text: str) -> list[str]:
    """Split a row's `found` into its phrases, each with the spaces that it has in a searchable text."""
    return [f" {words} " for words in text.strip().split(_BETWEEN) if words]


def join_found(found: Iterable[str]) -> str:
    """Join phrases in alphabetical order up to _MOST_FOUND words, so that the order of the searches does not matter."""
    ordered = sorted(set(found))
    counts = accumulate(len(piece.split()) for piece in ordered)
    kept = [piece.strip() for piece, count in zip(ordered, counts, strict=True) if count <= _MOST_FOUND]
    return f" {_BETWEEN.join(kept)} " if kept else ""


def pieces(text: str) -> tuple[str, ...]:
    """Return the phrases that a LoRA's texts must contain to match this search text."""
    wanted = terms(text)
    return tuple(phrase(words) for words in wanted.phrases) if wanted else ()


_VERSION = 1
# The fields of each part of a LoRA with their defaults, which are not written.
_FIELDS = {
    kind: [(field.name, {} if field.name == "params" else field.default) for field in fields(kind)]
    for kind in (Lora, Version, WeightFile, Example)
}


def encode(lora: Lora) -> str:
    """Encode a LoRA as JSON that `decode` reads without loss, including lone surrogates and infinite numbers."""
    plain = {"v": _VERSION, **_plain(lora)}
    # Records are trees, so skip json's check for circular references: it costs a seventh of the time.
    text = json.dumps(plain, ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_plain)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Escape lone surrogates, because databases can't store them.
        return json.dumps(plain, separators=(",", ":"), default=_plain)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Ref):
        # Refs are not written as text, because a hub's ids may contain "#" or "@", which have a meaning in our format.
        return [value.hub, value.id, value.version, value.file]
    if isinstance(value, Claim):
        return [value.field, value.value, value.source, value.where]
    kept = {}
    for name, default in _FIELDS[type(value)]:
        item = getattr(value, name)
        # 0, 0.0 and False are equal but not the same, so compare the type as well.
        if item is not default and (item != default or type(item) is not type(default)):
            kept[name] = item
    return kept


def decode(text: str) -> Lora:
    """Decode a stored document. Raises HubUiError if it is invalid or from a newer hub-ui."""
    try:
        values = read_json(text)
        if values.pop("v") != _VERSION:
            raise HubUiError("The catalog holds an entry of a newer hub-ui. Update hub-ui to read it.")
        lora: Lora = _from_json(Lora, values)
        return lora
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HubUiError(
            f"An entry of the catalog can't be read ({error!r}). Open the LoRA on its hub again."
        ) from error


def read_json(text: str) -> Any:
    """Parse JSON text. Raises ValueError if it is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # msgspec can't read lone surrogates and infinite numbers, but json can.
        return json.loads(text)


def _from_json(kind: type, values: dict[str, Any]) -> Any:
    for name, read in _READERS[kind].items():
        if name in values:
            values[name] = read(values[name])
    return kind(**values)


def _many(kind: type) -> Callable[[Any], Any]:
    return lambda items: tuple(_from_json(kind, item) for item in items)


def _ref(parts: list[Any]) -> Ref:
    hub, lora_id, version, file = parts
    return Ref(hub=hub, id=lora_id, version=version, file=file)


def _claims_of(items: list[list[Any]]) -> tuple[Claim, ...]:
    return tuple(
        Claim(field=field, value=tuple(value) if isinstance(value, list) else value, source=source, where=where)
        for field, value, source, where in items
    )


# Readers for the fields of each part that are not plain text or numbers.
_READERS: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    Lora: {"ref": _ref, "tags": tuple, "versions": _many(Version), "claims": _claims_of},
    Version: {"ref": _ref, "files": _many(WeightFile), "examples": _many(Example), "claims": _claims_of},
    WeightFile: {"ref": _ref, "claims": _claims_of},
    Example: {},
}


def read(document: str) -> Lora | None:
    """Decode a document. Log and return None if that fails: adding its LoRA again will replace the entry."""
    try:
        return decode(document)
    except HubUiError as error:
        _LOG.warning("%s", error.message)
        return None
