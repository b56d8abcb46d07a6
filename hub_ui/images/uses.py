"""When each LoRA last made an image, and a small copy of that image: what the history says of the library."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from connectors.errors import NotFound, UsageError
from connectors.ref import Ref
from hub_ui.images.history import History


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """The latest image with a LoRA: when it was made, in seconds, and a small copy of it."""

    at: float
    thumbnail: Path


class Uses:
    """What the history says of each LoRA. Each of its images is read once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._read: dict[str, tuple[frozenset[Ref], Use] | None] = {}
        self._latest: Mapping[Ref, Use] = {}
        self._times: Mapping[Ref, float] = MappingProxyType({})

    def latest(self) -> Mapping[Ref, Use]:
        """By LoRA, without version and file."""
        with self._lock:
            ids = self._history.ids()
            if ids != tuple(self._read):
                self._read = {id_: self._read[id_] if id_ in self._read else self._use(id_) for id_ in ids}
                found = [use for use in self._read.values() if use is not None]
                self._latest = {ref: use for refs, use in reversed(found) for ref in refs}
                self._times = MappingProxyType({ref: use.at for ref, use in self._latest.items()})
            return self._latest

    def times(self) -> Mapping[Ref, float]:
        """The same object as before for as long as nothing new was made."""
        self.latest()
        return self._times

    def _use(self, id_: str) -> tuple[frozenset[Ref], Use] | None:
        with suppress(NotFound, UsageError):
            entry = self._history.entry(id_)
            refs = frozenset(lora.ref.lora for lora in entry.provenance.loras)
            return refs, Use(at=entry.at, thumbnail=entry.thumbnail)
        return None
