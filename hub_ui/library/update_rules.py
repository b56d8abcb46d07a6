"""Updates that a person doesn't want to hear of: one version, all of a LoRA, all for a base model. One SQLite file."""

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from connectors.claims import base_models
from connectors.errors import NotFound, UsageError
from connectors.ref import Ref
from hub_ui.database import LazyDatabase, timestamp, transaction
from hub_ui.library.lockfile import Entry

RuleKind = Literal["version", "lora", "base"]
_LABEL = "file of update rules"
_BASE = "base:"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class UpdateRule:
    """`value` is a ref, or the name of a base model or architecture. `sha256` is of the version's file, where known.

    A Hugging Face repo has a new commit for each edit of its card, so there a version is known by its bytes.
    """

    kind: RuleKind
    value: str
    sha256: str | None = None

    def __str__(self) -> str:
        """As `parse_rule` reads it."""
        return f"{_BASE}{self.value}" if self.kind == "base" else self.value

    def ignores(self, entry: Entry, newest: Ref, sha256: str | None) -> bool:
        """Whether it is about this update of an entry."""
        if self.kind == "base":
            return base_models.matches(entry.base_model, entry.architecture, None, (self.value,))
        if self.kind == "lora":
            return self.value == str(entry.ref.lora)
        return self.value == _version(newest) or (self.sha256 is not None and self.sha256 == sha256)


def parse_rule(text: str) -> UpdateRule:
    """A ref with a version is that version, one without the whole LoRA, base:NAME all for a base model."""
    if text.lower().startswith(_BASE):
        name = text[len(_BASE) :].strip()
        if not name:
            raise UsageError("base: needs the name of a base model behind it, such as base:sdxl.")
        return UpdateRule(kind="base", value=name)
    ref = Ref.parse(text)
    return (
        UpdateRule(kind="version", value=_version(ref)) if ref.version else UpdateRule(kind="lora", value=str(ref.lora))
    )


def rule_for(rules: Iterable[UpdateRule], entry: Entry, newest: Ref, sha256: str | None) -> UpdateRule | None:
    return next((rule for rule in rules if rule.ignores(entry, newest, sha256)), None)


def _version(ref: Ref) -> str:
    """On Hugging Face, each file of a repo is a LoRA of its own."""
    return str(ref if ref.hub == "huggingface" else ref.at(ref.version))


def _m001_initial(connection: sqlite3.Connection) -> None:
    connection.execute(
        """CREATE TABLE ignored (
            kind TEXT NOT NULL, value TEXT NOT NULL, sha256 TEXT, at TEXT NOT NULL,
            PRIMARY KEY (kind, value)) WITHOUT ROWID"""
    )


# Only ever append.
MIGRATIONS = [_m001_initial]


class UpdateRules:
    """Any thread may call any method. The file need not be there: the first rule makes it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = LazyDatabase(path, _LABEL, MIGRATIONS, {"ignored": ("kind", "value", "sha256", "at")})

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def all(self) -> tuple[UpdateRule, ...]:
        with self._lock, self._database.errors_as_messages():
            if not self._database.exists:
                return ()
            rows = (
                self._database.connect()
                .execute("SELECT kind, value, sha256 FROM ignored ORDER BY kind, value")
                .fetchall()
            )
        return tuple(UpdateRule(kind=k, value=v, sha256=sha) for k, v, sha in rows if k in get_args(RuleKind))

    def add(self, rule: UpdateRule) -> None:
        with self._lock, self._database.errors_as_messages():
            connection = self._database.connect()
            with transaction(connection):
                row = (rule.kind, rule.value, rule.sha256, timestamp())
                connection.execute("INSERT OR REPLACE INTO ignored VALUES (?, ?, ?, ?)", row)

    def lift(self, rule: UpdateRule) -> None:
        """Raises NotFound where there is no such rule."""
        known = [one for one in self.all() if (one.kind, one.value) == (rule.kind, rule.value)]
        if not known:
            raise NotFound(f"Updates of {rule} are not ignored. hub-ui outdated --rules lists what is.")
        with self._lock, self._database.errors_as_messages():
            connection = self._database.connect()
            with transaction(connection):
                connection.execute("DELETE FROM ignored WHERE kind = ? AND value = ?", (rule.kind, rule.value))
