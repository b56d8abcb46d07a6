"""A LoRA source for files of the library that no hub is known to have."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.claims.resolve import with_header
from connectors.connector import Download
from connectors.errors import NotFound, WrongHash
from connectors.record import Claim, Lora, Version, WeightFile
from connectors.ref import LOCAL, Ref
from connectors.registry import origin_label
from connectors.weights import inspect
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry

_CLAIM_FIELDS = ("base_model", "architecture", "trigger_words", "weight", "license")


@dataclass(frozen=True, kw_only=True)
class LocalFiles:
    """All it knows of a LoRA is the lock entry and the header of the file."""

    library: Library
    label: str = origin_label(LOCAL)

    def get(self, ref: Ref) -> Lora:
        entry = self._entry(ref)
        path = self.library.path(entry)
        file = WeightFile(ref=entry.ref, name=path.name, size=entry.size, sha256=entry.sha256, primary=True)
        version = Version(ref=entry.ref, name=entry.sha256[:12], files=(file,))
        # What the person may have written into the lock file; of the rest, the file's own header leads.
        values = ((name, getattr(entry, name)) for name in _CLAIM_FIELDS)
        claims = tuple(
            Claim(field=name, value=value, source="hub", where="lock file")
            for name, value in values
            if value not in (None, ())
        )
        lora = Lora(ref=entry.ref.lora, title=entry.title, url="", versions=(version,), claims=claims)
        return with_header(lora, entry.ref, inspect.inspect_path(path).adapter) if path.is_file() else lora

    def pin(self, ref: Ref) -> Ref:
        return self._entry(ref).ref

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        return self.locate(ref)

    def locate(self, ref: Ref) -> Download:
        entry = self._entry(ref)
        raise content_error(entry) if self.library.path(entry).is_file() else missing_error(entry)

    def _entry(self, ref: Ref) -> Entry:
        # The name may differ here: the hash identifies the file.
        found = [entry for entry in self.library.entries() if entry.answers_to(ref) or entry.sha256 == ref.version]
        if len(found) == 1:
            return found[0]
        if found:
            # Raises what says so.
            return self.library.entry(ref)
        bytes_ = f" with sha256 {ref.version[:12]}…" if ref.version else ""
        raise NotFound(
            f"“{ref.id}” is a file from somebody's disk{bytes_}: no hub is known to have it, and this library doesn't. "
            f"Put it below {self.library.folder} and run: hub-ui import {self.library.folder}"
        )


def content_error(entry: Entry) -> WrongHash:
    return WrongHash(
        f"{entry.file} is not what was entered any more, and no hub is known to have what was. The file was left as it "
        "is. If it is meant to be so, enter it anew with hub-ui import."
    )


def missing_error(entry: Entry) -> NotFound:
    return NotFound(
        f"“{entry.title}” is not at {entry.file} any more, and no hub is known to have it. Put the file with sha256 "
        f'{entry.sha256[:12]}… back there, or forget it: hub-ui remove "{entry.ref}" --keep-file'
    )
