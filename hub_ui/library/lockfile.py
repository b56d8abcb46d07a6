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

Entries are sorted by ref and keys stand in one order, so equal libraries have equal lock files. Unknown values are left
out. A key this version does not know is an error: rewriting must never lose what another version wrote.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.errors import BadRef, UsageError
from connectors.ref import Ref
from hub_ui.library.entry import Entry
from hub_ui.library.folder import is_safe_path

VERSION = 1
_HEAD = f"# Written by hub-ui: the LoRAs of this library, pinned. Comments are not kept.\nversion = {VERSION}\n"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEYS = (
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


def dumps(entries: Iterable[Entry]) -> str:
    """The same entries give the same text, whatever their order."""
    return "\n".join([_HEAD, *(_entry_text(entry) for entry in sorted(entries, key=lambda e: str(e.ref)))])


def _entry_text(entry: Entry) -> str:
    values = {key: getattr(entry, key) for key in _KEYS} | {"ref": str(entry.ref)}
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if value not in (None, ())]
    return "\n".join(["[[lora]]", *lines, ""])


def _value(value: str | int | float | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_string(item) for item in value) + "]"
    return _string(value) if isinstance(value, str) else repr(value)


def _string(text: str) -> str:
    """JSON's string is TOML's basic string, but for DEL, which TOML wants escaped, and for half surrogates."""
    clean = text.encode("utf-8", "replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


def loads(text: str, name: str = "loras.lock") -> tuple[Entry, ...]:
    """Raises LockError with `name` and the line at fault."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LockError(f"{name} is not readable: {error}. Mend it, or move it away to start anew.") from error
    _check_version(data, name)
    raws = data.get("lora", [])
    if not isinstance(raws, list):
        raise LockError(f"{name} is not readable: write each LoRA under a line [[lora]].")
    reader = _Reader(text, name)
    entries = tuple(reader.entry(raw, number) for number, raw in enumerate(raws))
    reader.check_twins(entries)
    return entries


def _check_version(data: Mapping[str, Any], name: str) -> None:
    if data.get("version") != VERSION:
        raise LockError(
            f"{name} has version {data.get('version')!r}; this hub-ui reads version {VERSION}. Update hub-ui, or move "
            "the file away to start anew."
        )
    if unknown := sorted(set(data) - {"version", "lora"}):
        raise LockError(f"{name} holds “{unknown[0]}”, which this hub-ui does not know. Update hub-ui, or take it out.")


class _Reader:
    """Turns tables into entries; knows the text they came from to name the line of a mistake."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.splitlines()
        self._name = name

    def entry(self, raw: Any, number: int) -> Entry:
        if not isinstance(raw, dict):
            raise self._error(number, None, "this is not a table")
        for key in raw:
            if key not in _KEYS:
                raise self._error(number, key, f"“{key}” is not known to this hub-ui")
        return Entry(
            ref=self._ref(raw, number),
            title=self._get(raw, number, "title", str),
            file=self._file(raw, number),
            size=self._get(raw, number, "size", int),
            sha256=self._sha256(raw, number),
            source=self._get(raw, number, "source", str),
            base_model=self._get(raw, number, "base_model", str, optional=True),
            architecture=self._get(raw, number, "architecture", str, optional=True),
            trigger_words=self._words(raw, number),
            weight=self._get(raw, number, "weight", float, optional=True),
            license=self._get(raw, number, "license", str, optional=True),
        )

    def check_twins(self, entries: tuple[Entry, ...]) -> None:
        for key in ("ref", "file"):
            seen: set[str] = set()
            for number, entry in enumerate(entries):
                # Letter case tells paths of a repository apart, but not files on every disk.
                value = str(entry.ref) if key == "ref" else entry.file.casefold()
                if value in seen:
                    raise self._error(number, key, f"another entry has this {key} too")
                seen.add(value)

    def _get(self, raw: Mapping[str, Any], number: int, key: str, kind: type, *, optional: bool = False) -> Any:
        value = raw.get(key)
        if value is None and optional:
            return None
        if value is None:
            raise self._error(number, None, f"“{key}” is missing")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise self._error(number, key, f"“{key}” is not a {_KIND_NAMES[kind]}")
        return value

    def _ref(self, raw: Mapping[str, Any], number: int) -> Ref:
        text = self._get(raw, number, "ref", str)
        try:
            ref = Ref.parse(text)
        except BadRef as error:
            raise self._error(number, "ref", error.message) from error
        if not ref.pinned:
            raise self._error(number, "ref", "the ref names no fixed version")
        return ref

    def _file(self, raw: Mapping[str, Any], number: int) -> str:
        file: str = self._get(raw, number, "file", str)
        if not is_safe_path(file):
            raise self._error(number, "file", "this is no safetensors file inside the library folder")
        return file

    def _sha256(self, raw: Mapping[str, Any], number: int) -> str:
        sha256: str = self._get(raw, number, "sha256", str)
        if not _SHA256.fullmatch(sha256):
            raise self._error(number, "sha256", "this is not 64 lower-case hexadecimal digits")
        return sha256

    def _words(self, raw: Mapping[str, Any], number: int) -> tuple[str, ...]:
        words = self._get(raw, number, "trigger_words", list, optional=True) or []
        if not all(isinstance(word, str) for word in words):
            raise self._error(number, "trigger_words", "“trigger_words” holds something that is no text")
        return tuple(words)

    def _error(self, number: int, key: str | None, what: str) -> LockError:
        line = self._line(number, key)
        return LockError(f"{self._name}, line {line}: {what}. Mend the line; the file was left as it is.")

    def _line(self, number: int, key: str | None) -> int:
        """The line of a key in the n-th [[lora]], or of the heading itself."""
        heads = [i for i, line in enumerate(self._lines) if re.match(r"\s*\[\[\s*lora\s*\]\]", line)]
        if number >= len(heads):
            return 1
        start = heads[number]
        for i in range(start + 1, heads[number + 1] if number + 1 < len(heads) else len(self._lines)):
            if key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", self._lines[i]):
                return i + 1
        return start + 1


_KIND_NAMES: Mapping[type, str] = {str: "text", int: "whole number", float: "number", list: "list"}
