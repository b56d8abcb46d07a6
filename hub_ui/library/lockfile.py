"""`loras.lock`: which file is which ref, byte for byte. Text in, entries out, and back: no files are touched here.

    version = 1

    [[lora]]
    ref = "civitai:1001@2001#3001"
    title = "Ink lines"
    file = "sd1/ada/Ink lines-2001.safetensors"
    size = 876544
    sha256 = "…64 hex…"
    source = "https://civitai.com/api/download/models/2001?fileId=3001"
    base_model = "sd1"
    trigger_words = ["sks style"]
    weight = 0.8
    license = "…"

A file that no hub is known to have has the ref "local:NAME@SHA256", and no source. Its version is its own hash, so the
ref names these bytes and no others, here as for the hubs; but nothing can bring them back once they are lost.

Entries are sorted by ref and keys stand in one order, so equal libraries have equal lock files. Unknown values are left
out. Keys that this version does not know are kept, after those it knows: rewriting never loses what another version
wrote. A version "1.x" is read as version 1 with such keys; any other version is refused.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from connectors.errors import BadRef, UsageError
from connectors.ref import LOCAL, Ref
from hub_ui.library.file_names import is_safe_path


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


_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def pair(key: str, value: Any) -> str:
    return f"{key_text(key)} = {value_text(value)}"


def key_text(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else string(key)


def value_text(value: Any) -> str:
    """On one line. A table is written inline with its keys sorted, whatever form it was read in."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return string(value)
        case int() | float():
            # Python writes no decimal of many thousand digits, but reads one that was written in hexadecimal.
            return hex(value) if isinstance(value, int) and value >= 2**63 else repr(value)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            pairs = ", ".join(pair(key, value[key]) for key in sorted(value))
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple():
            return "[" + ", ".join(value_text(item) for item in value) + "]"
    raise TypeError(f"TOML has no value for {type(value).__name__}")


def string(text: str) -> str:
    """JSON's string is TOML's basic string, but for DEL, which TOML wants escaped, and for half surrogates."""
    clean = text.encode("utf-8", "replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


VERSION = 1
_HEAD = "# Written by hub-ui: the LoRAs of this library, pinned. Comments are not kept."
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MINOR = re.compile(r"1(\.[0-9]{1,6})*")
KEYS = (
    "ref",
    "title",
    "file",
    "size",
    "sha256",
    "source",
    "base_model",
    "architecture",
    "trigger_words",
    "weight",
    "license",
)


class LockError(UsageError):
    """The lock file can't be read. It is left as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """All of a lock file. `version` is 1, or a text such as "1.2"; `extra` is what this version does not know."""

    entries: tuple[Entry, ...] = ()
    version: int | str = VERSION
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


def dumps(entries: Iterable[Entry]) -> str:
    """The same entries give the same text, whatever their order."""
    return write(Lock(entries=tuple(entries)))


def loads(text: str, name: str = "loras.lock") -> tuple[Entry, ...]:
    """The entries alone. Raises LockError as `read` does."""
    return read(text, name).entries


def write(lock: Lock) -> str:
    rest = [pair(key, lock.extra[key]) for key in sorted(lock.extra)]
    head = "\n".join([_HEAD, pair("version", lock.version), *rest, ""])
    ordered = sorted(lock.entries, key=lambda entry: (str(entry.ref), entry.file))
    return "\n".join([head, *(_entry_text(entry) for entry in ordered)])


def _entry_text(entry: Entry) -> str:
    local = entry.ref.hub == LOCAL and not entry.source
    values = {key: getattr(entry, key) for key in KEYS} | {"ref": str(entry.ref)}
    known = [
        pair(key, value) for key, value in values.items() if value not in (None, ()) and not (key == "source" and local)
    ]
    rest = [pair(key, entry.extra[key]) for key in sorted(entry.extra)]
    return "\n".join(["[[lora]]", *known, *rest, ""])


def read(text: str, name: str = "loras.lock") -> Lock:
    """Raises LockError with `name`, the line at fault, and the entry and key: `lora[3].sha256`, counted from 0."""
    reader = _Reader(text, name)
    data = reader.table()
    _check_version(data.get("version"), name)
    raws = data.get("lora", [])
    if not isinstance(raws, list):
        raise LockError(f"{name} is not readable: write each LoRA under a line [[lora]].")
    entries = tuple(reader.entry(raw, number) for number, raw in enumerate(raws))
    reader.check_twins(entries)
    extra = {key: value for key, value in data.items() if key not in ("version", "lora")}
    return Lock(entries=entries, version=data["version"], extra=extra)


def _check_version(version: object, name: str) -> None:
    known = version == VERSION if type(version) is int else isinstance(version, str) and _MINOR.fullmatch(version)
    if not known:
        told = "no version" if version is None else f"version {version!r}"
        raise LockError(
            f"{name} has {told}; this hub-ui reads version {VERSION}. Update hub-ui, or move the file "
            "away to start anew."
        )


class _Reader:
    """Turns tables into entries; knows the text they came from to name the line of a mistake."""

    def __init__(self, text: str, name: str) -> None:
        # Editors on Windows put a mark of their own in front.
        self._text = text.removeprefix("\ufeff")
        self._lines = self._text.split("\n")
        self._name = name

    def table(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        # Nested a thousand deep, or a number of thousands of digits.
        except (ValueError, RecursionError) as error:
            raise LockError(
                f"{self._name} is not readable: {error}{self._near(str(error))}. Mend it, or move it away to start "
                "anew."
            ) from error

    def entry(self, raw: Any, number: int) -> Entry:
        if not isinstance(raw, dict):
            raise self._error(number, None, "is no table")
        ref = self._ref(raw, number)
        return Entry(
            ref=ref,
            title=self._get(raw, number, "title", str),
            file=self._file(raw, number),
            size=self._size(raw, number),
            sha256=self._sha256(raw, number, ref),
            source=self._get(raw, number, "source", str, optional=ref.hub == LOCAL) or "",
            base_model=self._get(raw, number, "base_model", str, optional=True),
            architecture=self._get(raw, number, "architecture", str, optional=True),
            trigger_words=self._words(raw, number),
            weight=self._weight(raw, number),
            license=self._get(raw, number, "license", str, optional=True),
            extra={key: value for key, value in raw.items() if key not in KEYS},
        )

    def check_twins(self, entries: tuple[Entry, ...]) -> None:
        for key in ("ref", "file"):
            seen: dict[str, int] = {}
            for number, entry in enumerate(entries):
                # Letter case tells paths of a repository apart, but not files on every disk.
                value = str(entry.ref) if key == "ref" else unicodedata.normalize("NFC", entry.file).casefold()
                if value in seen:
                    raise self._error(number, key, f"is that of lora[{seen[value]}] too")
                seen[value] = number

    def _get(self, raw: Mapping[str, Any], number: int, key: str, kind: type, *, optional: bool = False) -> Any:
        value = raw.get(key)
        if value is None and optional:
            return None
        if value is None:
            raise self._error(number, key, "is missing")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise self._error(number, key, f"is not a {_KIND_NAMES[kind]}")
        return value

    def _ref(self, raw: Mapping[str, Any], number: int) -> Ref:
        text = self._get(raw, number, "ref", str)
        try:
            ref = Ref.parse(text)
        except BadRef as error:
            raise self._error(number, "ref", f"can't be read: {error.message.rstrip('.')}") from error
        if not ref.pinned:
            raise self._error(number, "ref", "names no fixed version")
        return ref

    def _file(self, raw: Mapping[str, Any], number: int) -> str:
        file: str = self._get(raw, number, "file", str)
        if not is_safe_path(file):
            raise self._error(number, "file", "is no safetensors file inside the library folder")
        return file

    def _size(self, raw: Mapping[str, Any], number: int) -> int:
        size: int = self._get(raw, number, "size", int)
        if size < 0:
            raise self._error(number, "size", "is below zero")
        return size

    def _sha256(self, raw: Mapping[str, Any], number: int, ref: Ref) -> str:
        sha256: str = self._get(raw, number, "sha256", str)
        if not _SHA256.fullmatch(sha256):
            raise self._error(number, "sha256", "is not 64 lower-case hexadecimal digits")
        if ref.hub == LOCAL and sha256 != ref.version:
            raise self._error(number, "sha256", "is not the one in the entry's ref")
        return sha256

    def _weight(self, raw: Mapping[str, Any], number: int) -> float | None:
        weight: float | None = self._get(raw, number, "weight", float, optional=True)
        if weight is not None and not math.isfinite(weight):
            raise self._error(number, "weight", "is not a number")
        return weight

    def _words(self, raw: Mapping[str, Any], number: int) -> tuple[str, ...]:
        words = self._get(raw, number, "trigger_words", list, optional=True) or []
        if not all(isinstance(word, str) for word in words):
            raise self._error(number, "trigger_words", "holds something that is no text")
        return tuple(words)

    def _error(self, number: int, key: str | None, what: str) -> LockError:
        line = self._line(number, key)
        named = f"lora[{number}].{key}" if key else f"lora[{number}]"
        return LockError(f"{self._name}, line {line}: {named} {what}. Mend the line; the file was left as it is.")

    def _line(self, number: int, key: str | None) -> int:
        """The line of a key in the n-th [[lora]], or of the heading itself."""
        heads = self._heads()
        if number >= len(heads):
            return 1
        start = heads[number]
        for i in range(start + 1, heads[number + 1] if number + 1 < len(heads) else len(self._lines)):
            if key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", self._lines[i]):
                return i + 1
        return start + 1

    def _heads(self) -> list[int]:
        return [i for i, line in enumerate(self._lines) if re.match(r"\s*\[\[\s*lora\s*\]\]", line)]

    def _near(self, said: str) -> str:
        """Which entry and key the line is of that tomllib complains about."""
        found = re.search(r"at line (\d+)", said)
        if found is None:
            return ""
        place = int(found[1]) - 1
        number = sum(head <= place for head in self._heads()) - 1
        if number < 0:
            return ""
        key = re.match(r"\s*([A-Za-z0-9_-]+)\s*=", self._lines[place] if place < len(self._lines) else "")
        return f", in lora[{number}]" + (f".{key[1]}" if key else "")


_KIND_NAMES: Mapping[type, str] = {str: "text", int: "whole number", float: "number", list: "list"}
