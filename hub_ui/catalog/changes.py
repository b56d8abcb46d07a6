"""What a hub's answer changes in the catalog: the LoRA as merged, and the words that it was found by."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from connectors.errors import HubUiError
from connectors.filter import keep_permitted
from connectors.record import Lora
from hub_ui.catalog.codec import decode, encode
from hub_ui.catalog.merge import merge
from hub_ui.catalog.plan import PLACES
from hub_ui.catalog.row import Row, phrase, row_and_spellings, terms

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
    """A LoRA to be written: its `document` is it as text (see codec.py), `names` are spellings of its base models.

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
    if stored is None:
        return _change(lora, document, None, None, found_by)
    if document != stored.document and (known := read(stored.document)) is not None:
        # Only the two together may tell that it is withheld.
        lora = keep_permitted(merge(lora, known) if is_older else merge(known, lora))
        # Parameters of an image may come in another order, which says nothing.
        document = stored.document if lora == known else encode(lora)
    else:
        known = lora if document == stored.document else None
    if document == stored.document and not found_by:
        return None
    found = _change(lora, document, stored, known, found_by)
    return None if document == stored.document and found.row.found == stored.found else found


def rewrite(lora: Lora, stored: Stored) -> Change:
    """Replaces what is stored, whatever it says."""
    return _change(lora, encode(lora), stored, read(stored.document), ())


def _change(lora: Lora, document: str, stored: Stored | None, known: Lora | None, found_by: Sequence[str]) -> Change:
    row, names = row_and_spellings(lora)
    before = split_found(stored.found) if stored else []
    if before or found_by:
        texts = [getattr(row, name) for name in PLACES[-1].fields]
        missing = (piece for piece in (*before, *found_by) if not any(piece in text for text in texts))
        row = replace(row, found=join_found(missing))
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


def read(document: str) -> Lora | None:
    """None for an entry that can't be read. It is replaced when its LoRA is added again."""
    try:
        return decode(document)
    except HubUiError as error:
        _LOG.warning("%s", error.message)
        return None
