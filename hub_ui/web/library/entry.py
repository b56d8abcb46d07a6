"""What a person says of an entry of the library: a note, tags, and values in place of the hub's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from connectors.claims import base_models
from connectors.errors import UsageError
from connectors.query_fields import BY_KEY
from connectors.ref import Ref
from hub_ui.i18n import _
from hub_ui.library.annotations import Annotation
from hub_ui.library_index import LibraryRow
from hub_ui.library_values import VALUES
from hub_ui.services import Services
from hub_ui.web.browse.header_reader import with_header_facts

# What is said of a LoRA after an act: from what was said, the trigger words that count, and the text of a field.
Edit = Callable[[Annotation, Sequence[str], str], Annotation]
EDITS: Mapping[str, Edit] = {
    "favorite": lambda own, words, text: replace(own, favorite=True),
    "unfavorite": lambda own, words, text: replace(own, favorite=False),
    "note": lambda own, words, text: replace(own, note=text),
    "tag": lambda own, words, text: replace(own, tags=(*own.tags, text)),
    "untag": lambda own, words, text: replace(
        own, tags=tuple(tag for tag in own.tags if tag.casefold() != text.casefold())
    ),
    "add-word": lambda own, words, text: replace(own, trigger_words=(*words, text)),
    "remove-word": lambda own, words, text: replace(own, trigger_words=tuple(w for w in words if w != text)),
    "set-weight": lambda own, words, text: replace(own, weight=read_weight(text)),
    "base_model": lambda own, words, text: replace(own, base_model=BY_KEY["base"].read(text.strip()) or None),
    "reset": lambda own, words, text: reset(own, text),
}


def edit(services: Services, name: str, ref: Ref, text: str) -> None:
    """Changes what is said of the LoRA. Raises UsageError for what can't be saved."""
    services.policy.check("annotate")
    words = services.library_index.row(ref).entry.trigger_words
    if name not in EDITS:
        raise UsageError(_("That is no button of this page."))
    services.own_values.edit([ref], lambda own: EDITS[name](own, words, text))


def reset(own: Annotation, field: str) -> Annotation:
    """To what the hub says."""
    if field not in VALUES:
        raise UsageError(_("That is no button of this page."))
    return replace(own, **{field: None})  # type: ignore[arg-type]


def read_weight(text: str) -> float | None:
    """None for an empty text."""
    try:
        return float(text.replace(",", ".")) if text.strip() else None
    except ValueError as error:
        raise UsageError(_("A weight is a number from -1 to 2. Write one such as 0.8.")) from error


def bases() -> Mapping[str, list[tuple[str, str]]]:
    """Base models by the label of their architecture, as (id, label)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for base in dict.fromkeys(filter(None, map(base_models.by_id, base_models.choices()))):
        group = base_models.architecture_label(base.architecture) if base.architecture else base.label
        found.setdefault(group, []).append((base.id, base.label))
    return found


def conflicts(services: Services, row: LibraryRow) -> Sequence[str]:
    """Who contradicts the person about the base model."""
    record = services.lookup.find_record(row.entry.ref) if row.annotation.base_model else None
    return with_header_facts(services, record)[0].conflict_sentences if record else ()
