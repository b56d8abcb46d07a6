"""What a hub's answer changes in the catalog: the LoRA as merged, its document, and the words that it was found by.

Two answers about one LoRA are merged, since a listing says less than a `get`, and they arrive in any order. A document
is a LoRA as JSON text.
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
    """What is known of a LoRA after a listing or a `get`, which arrive in any order and say more or less.

    A value that is given replaces the old one. Versions and files are never dropped, since a lock file may name them;
    the hub's order comes first. A source's claims replace its earlier ones about the same fields. From an answer that
    says less than we knew, "open" and "safe" change nothing, except that a removed LoRA is back once it is listed, and
    what other places of the card say stays. One that is withheld stays so until its hub says of it that it shows no
    minor.
    """
    if old.is_withheld and not any(claim.field == "minor" for claim in new.claims):
        return old
    is_thinner = _detail(new) < _detail(old)
    return replace(
        new,
        **_unsaid(old, new, "title", "url", "creator", "description", "downloads", "likes", "updated_at", "tags"),
        description_format=(new if new.description else old).description_format,
        nsfw=_nsfw(old.nsfw, new.nsfw, is_thinner),
        access=_access(old.access, new.access, is_thinner),
        versions=_union(old.versions, new.versions, lambda version: version.ref.version, _version),
        claims=_claims(old.claims, new.claims, is_thinner),
    )


def _version(old: Version, new: Version) -> Version:
    def merge_files(old: WeightFile, new: WeightFile) -> WeightFile:
        unsaid = _unsaid(old, new, "size", "sha256", "autov3")
        claims = _claims(old.claims, new.claims, is_thinner)
        return replace(new, **unsaid, primary=new.primary or old.primary, claims=claims)

    def merge_examples(old: Example, new: Example) -> Example:
        size: dict[str, Any] = {} if new.width else {"width": old.width, "height": old.height}
        return replace(new, **_unsaid(old, new, "prompt", "params"), **size, nsfw=_nsfw(old.nsfw, new.nsfw, True))

    is_thinner = _version_detail(new) < _version_detail(old)
    old_files, examples = old.files, new.examples
    # At most one file stays primary: the one the newest answer points out, if it points one out.
    if any(file.primary for file in new.files):
        old_files = tuple(replace(file, primary=False) for file in old_files)
    if is_thinner or not examples:
        examples = _union(old.examples, examples, lambda example: example.url, merge_examples)
    return replace(
        new,
        **_unsaid(old, new, "name", "description", "updated_at"),
        access=_access(old.access, new.access, is_thinner),
        access_note=new.access_note or (old.access_note if is_thinner else None),
        files=_union(old_files, new.files, lambda file: file.ref.file or file.name, merge_files),
        examples=examples,
        claims=_claims(old.claims, new.claims, is_thinner),
    )


def _unsaid(old: Any, new: Any, *names: str) -> dict[str, Any]:
    """What the old one says and the new one does not. A number that is 0 is said."""
    return {name: getattr(old, name) for name in names if getattr(new, name) in (None, "", (), {})}


def _claims(old: tuple[Claim, ...], new: tuple[Claim, ...], is_thinner: bool) -> tuple[Claim, ...]:
    def topic(claim: Claim) -> tuple[str, ...]:
        # A listing has a card's metadata without its text.
        place = (claim.where,) if is_thinner and claim.source == "card" else ()
        return (claim.field, claim.source, *place)

    answers = {topic(claim) for claim in new}
    merged = (*new, *(claim for claim in old if topic(claim) not in answers))
    # Their order says nothing, and a listing and a `get` in turns would write it anew each time.
    is_same = len(merged) == len(old) and all(claim in old for claim in merged)
    return old if is_same else merged


def _nsfw(old: Nsfw | None, new: Nsfw | None, is_thinner: bool) -> Nsfw | None:
    """A listing shows the tame images only, so what it leaves out is no reason to call a LoRA tamer."""
    if old is None or new is None:
        return new or old
    return highest((new, old)) if is_thinner else new


def _access(old: Access, new: Access, is_thinner: bool) -> Access:
    return old if is_thinner and new == "open" and old != "removed" else new


def _union(
    old: tuple[_T, ...], new: tuple[_T, ...], key: Callable[[_T], Hashable], merge_two: Callable[[_T, _T], _T]
) -> tuple[_T, ...]:
    by_key = {key(item): item for item in reversed(old)}
    new_keys = {key(item) for item in new}
    merged = (merge_two(by_key[key(item)], item) if key(item) in by_key else item for item in new)
    return (*merged, *(item for item in old if key(item) not in new_keys))


def _detail(lora: Lora) -> int:
    """How much it says, counted: enough to tell a listing from a `get`."""
    return bool(lora.description) + len(lora.claims) + sum(1 + _version_detail(version) for version in lora.versions)


def _version_detail(version: Version) -> int:
    return len(version.claims) + len(version.examples) + sum(1 + len(file.claims) for file in version.files)


_LOG = logging.getLogger(__name__)
_MOST_FOUND = 50
# Between what was found by different words: in no word, so nothing stands side by side across it.
_BETWEEN = " | "


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A LoRA as it is in the catalog. `found` is what the hubs' own search found it by (see Row), `seen` when its hub
    last listed it.
    """

    id: int
    document: str
    found: str
    seen: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A LoRA to be written: its `document` is it as text, `names` are spellings of its base models.

    `stored` is what is there of it already, and `known` the same as a LoRA, None where it can't be read.
    """

    lora: Lora
    document: str
    row: Row
    names: dict[str, str]
    stored: Stored | None = None
    known: Lora | None = None


def change(lora: Lora, stored: Stored | None, found_by: Sequence[str] = (), *, is_older: bool = False) -> Change | None:
    """None if this says nothing new. `found_by` are pieces of a search's text (see `pieces`).

    `is_older`: what is stored was listed later than this, and wins.
    """
    lora = keep_permitted(lora)
    document = encode(lora)
    known: Lora | None = None
    if stored is not None and document == stored.document:
        known = lora
    elif stored is not None and (known := read(stored.document)) is not None:
        # Only the two together may tell that it is withheld.
        lora = keep_permitted(merge(lora, known) if is_older else merge(known, lora))
        # Parameters of an image may come in another order, which says nothing.
        document = stored.document if lora == known else encode(lora)
    is_same = stored is not None and document == stored.document
    if is_same and not found_by:
        return None
    row, names = row_and_spellings(lora)
    before = stored.found if stored else ""
    if before or found_by:
        texts = [getattr(row, name) for name in TEXTS]
        said = (*split_found(before), *found_by)
        row = replace(row, found=join_found(piece for piece in said if not any(piece in text for text in texts)))
    if is_same and row.found == before:
        return None
    return Change(lora=lora, document=document, row=row, names=names, stored=stored, known=known)


def split_found(text: str) -> list[str]:
    """The pieces of a row's `found`, each as it would stand in a text."""
    return [f" {words} " for words in text.strip().split(_BETWEEN) if words]


def join_found(found: Iterable[str]) -> str:
    """So many words in alphabetical order of their pieces, so that it does not matter which search came first."""
    ordered = sorted(set(found))
    counts = accumulate(len(piece.split()) for piece in ordered)
    kept = [piece.strip() for piece, count in zip(ordered, counts, strict=True) if count <= _MOST_FOUND]
    return f" {_BETWEEN.join(kept)} " if kept else ""


def pieces(text: str) -> tuple[str, ...]:
    """What a LoRA's texts must hold to be found by this text."""
    wanted = terms(text)
    return tuple(phrase(words) for words in wanted.phrases) if wanted else ()


_VERSION = 1
# Of each part of a LoRA, its fields and their defaults: those are not written.
_FIELDS = {
    kind: [(field.name, {} if field.name == "params" else field.default) for field in fields(kind)]
    for kind in (Lora, Version, WeightFile, Example)
}


def encode(lora: Lora) -> str:
    """As JSON that `decode` reads back the same, lone surrogates and infinite numbers included."""
    plain = {"v": _VERSION, **_plain(lora)}
    # That nothing leads back to itself need not be checked, which takes a seventh of the time.
    text = json.dumps(plain, ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_plain)
    try:
        text.encode()
    except UnicodeEncodeError:
        # No database holds half of a character as it is.
        return json.dumps(plain, separators=(",", ":"), default=_plain)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Ref):
        # Not as text: a hub may put "#" or "@" where our own form has a meaning for it.
        return [value.hub, value.id, value.version, value.file]
    if isinstance(value, Claim):
        return [value.field, value.value, value.source, value.where]
    kept = {}
    for name, default in _FIELDS[type(value)]:
        item = getattr(value, name)
        # 0, 0.0 and False are equal and not the same: only the very default is left out.
        if item is not default and (item != default or type(item) is not type(default)):
            kept[name] = item
    return kept


def decode(text: str) -> Lora:
    """Raises HubUiError for text that is not ours, or that a newer hub-ui wrote."""
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
    """Raises ValueError for what is no JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # Lone surrogates and infinite numbers, which msgspec can't read.
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


# How the fields of each part are read that are more than text and numbers.
_READERS: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    Lora: {"ref": _ref, "tags": tuple, "versions": _many(Version), "claims": _claims_of},
    Version: {"ref": _ref, "files": _many(WeightFile), "examples": _many(Example), "claims": _claims_of},
    WeightFile: {"ref": _ref, "claims": _claims_of},
    Example: {},
}


def read(document: str) -> Lora | None:
    """None for an entry that can't be read. It is replaced when its LoRA is added again."""
    try:
        return decode(document)
    except HubUiError as error:
        _LOG.warning("%s", error.message)
        return None
