"""`loras.lock`: which file is which ref, byte for byte. This module converts text to entries and back.

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

A file that is on no known hub has the ref "local:NAME@SHA256" and no source. Its version is its own hash, so the ref is
pinned to these bytes like any other, but a lost file can't be downloaded again.

Entries are sorted by ref and keys have a fixed order, so equal libraries have equal lock files. Unknown values are left
out. Keys that this version does not know are kept after the others, so that rewriting loses nothing from another
version. A version "1.x" is read as version 1 with such keys; every other version is rejected.
"""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal

import tomlkit

from connectors.errors import BadRef, UsageError
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from hub_ui.base.i18n import _
from hub_ui.library.file_names import fold, free_path, is_safe_path


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One LoRA file of the library.

    `file` is a path below the library folder, with forward slashes. `weight` is the author's or the person's own.
    `source` is empty for a file that is on no known hub. `extra` has the keys of the table that this version does not
    know, unchanged.
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
    # Not hashed, because tables are not hashable: equal entries still have equal hashes.
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def answers_to(self, ref: Ref) -> bool:
        """Return whether `ref` matches this entry, with or without its version and file."""
        same_lora = (ref.hub, ref.id) == (self.ref.hub, self.ref.id) or (not ref.id and ref.hub == self.ref.hub)
        return same_lora and ref.version in (None, self.ref.version) and (ref.file is None or ref.file == self.ref.file)


# The fields that describe the LoRA, apart from the title.
ABOUT = ("base_model", "architecture", "trigger_words", "weight", "license")


def entry_about(about: Record | Entry, *, ref: Ref, file: str, size: int, sha256: str, source: str) -> Entry:
    """Build the entry of a file with the description of its LoRA."""
    known = {name: getattr(about, name) for name in ABOUT}
    return Entry(ref=ref, title=about.title, file=file, size=size, sha256=sha256, source=source, **known)


VERSION = 1
_HEAD = "# Written by hub-ui: the LoRAs of this library, pinned. Comments are not kept."
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Characters of a text that need an escape, and lone surrogates.
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f\ud800-\udfff]')
_CONFLICT = re.compile(r"(<{7}|\|{7}|={7}|>{7})(\s|$)")
_MINOR = re.compile(r"1(\.[0-9]{1,6})*")
# The types of the keys that are not texts.
_TYPES: Mapping[str, type] = {"size": int, "trigger_words": list, "weight": float}
_TYPE_NAMES: Mapping[type, str] = {str: "text", int: "whole number", float: "number", list: "list"}
_REQUIRED = ("ref", "title", "file", "size", "sha256")
KEYS = tuple(each.name for each in fields(Entry) if each.name != "extra")


class LockError(UsageError):
    """The lock file can't be read. It is not changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """The content of a lock file. `version` is 1 or a text such as "1.2"; `extra` has the keys unknown to this one."""

    entries: tuple[Entry, ...] = ()
    version: int | str = VERSION
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


def dumps(entries: Iterable[Entry]) -> str:
    """Return the text of a lock file, which does not depend on the order of the entries."""
    return write(Lock(entries=tuple(entries)))


def loads(text: str, name: str = "loras.lock") -> tuple[Entry, ...]:
    """Return only the entries. Raises LockError like `read`."""
    return read(text, name).entries


def write(lock: Lock) -> str:
    unknown = [_pair(key, lock.extra[key]) for key in sorted(lock.extra)]
    lines = [_HEAD, _pair("version", lock.version), *unknown, ""]
    for entry in sorted(lock.entries, key=lambda entry: (str(entry.ref), entry.file)):
        values = {key: getattr(entry, key) for key in KEYS} | {"ref": str(entry.ref)}
        if entry.ref.hub == LOCAL and not entry.source:
            del values["source"]
        lines += ["[[lora]]", *(_pair(key, value) for key, value in values.items() if value not in (None, ()))]
        lines += [*(_pair(key, entry.extra[key]) for key in sorted(entry.extra)), ""]
    return "\n".join(lines)


def _pair(key: str, value: Any) -> str:
    return f"{key if key in KEYS else tomlkit.key(key).as_string()} = {_toml(value)}"


def _toml(value: Any) -> str:
    """Return a value as TOML on one line. Tables are inline with sorted keys, independent of their form when read."""
    match value:
        case str() if not _ESCAPED.search(value):
            return f'"{value}"'
        case str():
            # TOML can't contain lone surrogates.
            return tomlkit.item(value.encode("utf-8", "replace").decode()).as_string()
        case int() if value >= 2**63:
            # By default Python refuses to write a decimal of more than 4,300 digits, but it reads such a number in
            # hexadecimal.
            return hex(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            pairs = ", ".join(_pair(key, value[key]) for key in sorted(value))
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
    text: str = tomlkit.item(value).as_string()
    return text


def read(text: str, name: str = "loras.lock") -> Lock:
    """Parse a lock file.

    Raises LockError with `name`, the line of the mistake, and the entry and key: `lora[3].sha256`, counted from 0.
    """
    reader = _Reader(text, name)
    data = reader.table()
    if not data:
        text = _(
            "{name} is empty. Put a copy of it back, or move it away and enter the files of the library anew: hub-ui "
            "import DIR"
        )
        raise LockError(text.format(name=name))
    version = data.get("version")
    is_minor = isinstance(version, str) and _MINOR.fullmatch(version)
    if not is_minor and (type(version) is not int or version != VERSION):
        found = "no version" if version is None else f"version {version!r}"
        text = _(
            "{name} has {found}; this hub-ui reads version {version}. Update hub-ui, or move the file away to start "
            "anew."
        )
        raise LockError(text.format(name=name, found=found, version=VERSION))
    tables = data.get("lora", [])
    if not isinstance(tables, list):
        raise LockError(_("{name} is not readable: write each LoRA under a line [[lora]].").format(name=name))
    entries = tuple(reader.entry(table, number) for number, table in enumerate(tables))
    reader.check_unique(entries)
    extra = {key: value for key, value in data.items() if key not in ("version", "lora")}
    return Lock(entries=entries, version=data["version"], extra=extra)


class _Reader:
    """A converter of tables to entries, which finds the line of a mistake in the text."""

    def __init__(self, text: str, name: str) -> None:
        # Some editors on Windows write a byte order mark.
        self._text = text.removeprefix("\ufeff")
        self._lines = self._text.split("\n")
        self._name = name

    def table(self) -> dict[str, Any]:
        marks = (number for number, line in enumerate(self._lines, 1) if _CONFLICT.match(line))
        if mark := next(marks, None):
            text = _(
                "{name}, line {mark}: git left both sides of a conflict here. Keep the LoRAs that are wanted, each "
                "once, and take out the lines of <<<<<<<, ======= and >>>>>>>."
            )
            raise LockError(text.format(name=self._name, mark=mark))
        try:
            return tomllib.loads(self._text)
        # Raised for nesting a thousand levels deep, and for a number of thousands of digits.
        except (ValueError, RecursionError) as error:
            text = _("{name} is not readable: {error}{self}. Mend it, or move it away to start anew.")
            raise LockError(text.format(name=self._name, error=error, self=self._place(str(error)))) from error

    def _place(self, message: str) -> str:
        """Return the entry and key on the line of tomllib's error message."""
        found = re.search(r"at line (\d+)", message)
        index = int(found[1]) - 1 if found else -1
        number = sum(head <= index for head in self._heads()) - 1
        if number < 0:
            return ""
        key = re.match(r"\s*([A-Za-z0-9_-]+)\s*=", self._lines[index] if index < len(self._lines) else "")
        return f", in lora[{number}]" + (f".{key[1]}" if key else "")

    def entry(self, table: Any, number: int) -> Entry:
        if not isinstance(table, dict):
            raise self._error(number, None, "is no table")
        values = {key: self._value(table, number, key) for key in KEYS}
        try:
            ref = Ref.parse(values["ref"])
        except BadRef as error:
            raise self._error(number, "ref", f"can't be read: {error.message.rstrip('.')}") from error
        words, weight, is_local = values["trigger_words"] or [], values["weight"], ref.hub == LOCAL
        for key, is_wrong, what in (
            ("ref", not ref.is_pinned, "names no fixed version"),
            ("file", not is_safe_path(values["file"]), "is no safetensors file inside the library folder"),
            ("size", values["size"] < 0, "is below zero"),
            ("sha256", not _SHA256.fullmatch(values["sha256"]), "is not 64 lower-case hexadecimal digits"),
            ("sha256", is_local and values["sha256"] != ref.version, "is not the one in the entry's ref"),
            ("source", not is_local and values["source"] is None, "is missing"),
            ("trigger_words", not all(isinstance(word, str) for word in words), "holds something that is no text"),
            ("weight", weight is not None and not math.isfinite(weight), "is not a number"),
        ):
            if is_wrong:
                raise self._error(number, key, what)
        values |= {"ref": ref, "source": values["source"] or "", "trigger_words": tuple(words)}
        return Entry(**values, extra={key: value for key, value in table.items() if key not in KEYS})

    def check_unique(self, entries: tuple[Entry, ...]) -> None:
        for key in ("ref", "file"):
            seen: dict[str, int] = {}
            for number, entry in enumerate(entries):
                # Letter case distinguishes refs, but not files on every disk.
                value = str(entry.ref) if key == "ref" else fold(entry.file)
                if value in seen:
                    raise self._error(number, key, f"is that of lora[{seen[value]}] too")
                seen[value] = number

    def _value(self, table: Mapping[str, Any], number: int, key: str) -> Any:
        value, wanted = table.get(key), _TYPES.get(key, str)
        if value is None:
            if key in _REQUIRED:
                raise self._error(number, key, "is missing")
            return None
        if wanted is float and type(value) is int:
            # float() fails for an integer of hundreds of digits.
            return float(value) if abs(value) < 2**63 else math.inf
        if type(value) is not wanted:
            raise self._error(number, key, f"is not a {_TYPE_NAMES[wanted]}")
        return value

    def _error(self, number: int, key: str | None, what: str) -> LockError:
        """Build an error with the line of the key in the entry, or of the entry's heading."""
        heads, line = [*self._heads(), len(self._lines)], 0
        if number < len(heads) - 1:
            pattern = re.compile(rf"\s*[\"']?{re.escape(key or '')}[\"']?\s*=")
            lines = range(heads[number] + 1, heads[number + 1])
            line = next((i for i in lines if key and pattern.match(self._lines[i])), heads[number])
        name = f"lora[{number}].{key}" if key else f"lora[{number}]"
        return LockError(f"{self._name}, line {line + 1}: {name} {what}. Mend the line; the file was left as it is.")

    def _heads(self) -> list[int]:
        return [i for i, line in enumerate(self._lines) if re.match(r"\s*\[\[\s*lora\s*\]\]", line)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A changed entry. `keys` has the old and the new value of each key that differs, None if the key is missing."""

    old: Entry
    new: Entry
    keys: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    changed: tuple[Change, ...] = ()

    @property
    def same(self) -> bool:
        return not (self.added or self.removed or self.changed)


def difference(old: Iterable[Entry], new: Iterable[Entry]) -> Difference:
    """Compare entries by ref. The rest are paired by LoRA if each side has exactly one of it: that is a new version."""
    removed, added = list(old), list(new)
    pairs: list[tuple[Entry, Entry]] = []
    for key in _SAME:
        olds, news = _unique(removed, key), _unique(added, key)
        shared = olds.keys() & news.keys()
        pairs += [(olds[ref], news[ref]) for ref in shared]
        removed, added = ([entry for entry in left if key(entry.ref) not in shared] for left in (removed, added))
    changes = []
    for old_entry, new_entry in pairs:
        old_values, new_values = values(old_entry), values(new_entry)
        names = [*KEYS, *sorted({*old_entry.extra, *new_entry.extra})]
        both = {name: (old_values.get(name), new_values.get(name)) for name in names}
        keys = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
        changes.append(Change(old=old_entry, new=new_entry, keys=keys))
    return Difference(
        added=tuple(sorted(added, key=lambda entry: str(entry.ref))),
        removed=tuple(sorted(removed, key=lambda entry: str(entry.ref))),
        changed=tuple(sorted((c for c in changes if c.keys), key=lambda change: str(change.old.ref))),
    )


# The keys of the pairing. A path in a repo is the same in each commit, but CivitAI's file number changes.
_SAME: tuple[Callable[[Ref], Ref], ...] = (lambda ref: ref, lambda ref: ref.at(None, ref.file), lambda ref: ref.lora)


def _unique(entries: list[Entry], key: Callable[[Ref], Ref]) -> dict[Ref, Entry]:
    """Return the entries whose key is unique among `entries`."""
    counts = Counter(key(entry.ref) for entry in entries)
    return {key(entry.ref): entry for entry in entries if counts[key(entry.ref)] == 1}


def values(entry: Entry) -> dict[str, Any]:
    """Return every key of the entry's table."""
    return {**{key: getattr(entry, key) for key in KEYS}, "ref": str(entry.ref), **entry.extra}


# "differs": the same ref with other bytes. Our entry is kept.
MergeState = Literal["new", "here", "differs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeResult:
    """The result of merging one entry: ours, or theirs with a file name that is free here."""

    entry: Entry
    state: MergeState


def merge(ours: Iterable[Entry], theirs: Iterable[Entry]) -> tuple[MergeResult, ...]:
    """Merge the entries of another lock file. Return one result per entry, in the same order."""
    known = {entry.ref: entry for entry in ours}
    taken = [entry.file for entry in known.values()]
    results = []
    for entry in theirs:
        present = known.get(entry.ref)
        if present is not None:
            results.append(MergeResult(entry=present, state="here" if present.sha256 == entry.sha256 else "differs"))
            continue
        added = replace(entry, file=free_path(entry.file, entry.ref, taken))
        taken.append(added.file)
        results.append(MergeResult(entry=added, state="new"))
    return tuple(results)
