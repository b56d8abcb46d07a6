"""One line of the library: a pinned ref, and the file that holds its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.ref import Ref


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """`file` is a path below the library folder, with forward slashes. `weight` is the author's or the person's own.
    `source` is empty for a file that no hub is known to have.

    `extra` holds the keys of its table that this version does not know, as they were: rewriting loses nothing.
    """

    ref: Ref
    title: str
    file: str
    size: int
    sha256: str
    source: str
    base_model: str | None = None
    architecture: str | None = None
    trigger_words: tuple[str, ...] = ()
    weight: float | None = None
    license: str | None = None
    # Left out of the hash, since tables can't be hashed: equal entries still have equal hashes.
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def answers_to(self, ref: Ref) -> bool:
        """Whether `ref` names this entry, be it in full or with its version or file left out."""
        same_lora = (ref.hub, ref.id) == (self.ref.hub, self.ref.id) or (not ref.id and ref.hub == self.ref.hub)
        return same_lora and ref.version in (None, self.ref.version) and (ref.file is None or ref.file == self.ref.file)
