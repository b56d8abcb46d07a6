"""A person's own trigger words, weight and base model take effect: the store keeps them, the lock file follows."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from connectors.ref import Ref
from hub_ui.library.annotations import Annotation, Annotations
from hub_ui.library.library import Library
from hub_ui.lookup import Lookup

VALUES = ("trigger_words", "weight", "base_model")


class OwnValues:
    """Try, exports and sidecars read the lock file, so each change of a value is written there too."""

    def __init__(self, annotations: Annotations, library: Library, lookup: Lookup) -> None:
        self._annotations = annotations
        self._library = library
        self._lookup = lookup

    def change(self, ref: Ref, **changes: Any) -> Annotation:
        """Fields of Annotation by name. Raises UsageError for a value that is too long or none."""
        self.edit([ref], lambda annotation: replace(annotation, **changes))
        return self._annotations.get(ref)

    def edit(self, refs: Iterable[Ref], change: Callable[[Annotation], Annotation]) -> tuple[Annotation, ...]:
        """All of them or none. Returns them as they were, which `put` brings back."""
        before = self._annotations.edit(refs, change)
        now = self._annotations.all()
        changed: dict[Ref, list[str]] = {}
        for old in before:
            new = now.get(old.ref) or Annotation(ref=old.ref)
            changed[old.ref] = [name for name in VALUES if getattr(old, name) != getattr(new, name)]
        if any(changed.values()):
            entries = [entry for entry in self._library.entries() if changed.get(entry.ref.lora)]
            self._library.change(self._lookup.own_entry(entry, changed[entry.ref.lora]) for entry in entries)
        return before

    def put(self, annotations: Iterable[Annotation]) -> None:
        """These in place of what was said of the same LoRAs."""
        given = {annotation.ref.lora: annotation for annotation in annotations}
        self.edit(given, lambda annotation: given[annotation.ref])
