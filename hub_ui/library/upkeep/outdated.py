"""Updates of the library: newer versions, replaced files, deleted LoRAs, and rules for updates to ignore.

The library is compared with its hubs. A rule applies to one version, to all versions of a LoRA, or to all LoRAs for a
base model. Rules are stored in one SQLite file.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from connectors.claims import base_models
from connectors.claims.resolve import flatten
from connectors.errors import AccessError, HubDown, HubTimeout, HubUiError, NotFound, RateLimited, UsageError
from connectors.record import Lora, Version, WeightFile
from connectors.ref import LOCAL, Origin, Ref
from hub_ui.base.database import LazyDatabase, timestamp
from hub_ui.library.lockfile import Entry

RuleKind = Literal["version", "lora", "base"]
_LABEL = "file of update rules"
_BASE = "base:"
# "superseded": the library has the newer version as well. "replaced": the author put other bytes under the same
# version. "ignored": newer or replaced, but a rule hides it. "unknown": the hub gives too little data.
UpdateState = Literal["current", "newer", "superseded", "replaced", "ignored", "gone", "unknown", "failed"]
# After one of these errors the hub is not queried again, because the next request would fail as well.
_HUB_ERRORS = (HubDown, HubTimeout, RateLimited, AccessError)
LOCAL_NOTE = "No hub is known to have this file, so nobody tells of newer versions."


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class UpdateRule:
    """A rule for updates to ignore. `value` is a ref, or the name of a base model or architecture.

    `sha256` is the hash of the version's file, if known. Each edit of a card on Hugging Face makes a new commit, so a
    version there is recognised by its bytes.
    """

    kind: RuleKind
    value: str
    sha256: str | None = None

    def __str__(self) -> str:
        """Return the text that `parse_rule` reads as this rule."""
        return f"{_BASE}{self.value}" if self.kind == "base" else self.value

    def ignores(self, entry: Entry, newest: Ref, sha256: str | None) -> bool:
        """Return whether the rule applies to this update of an entry."""
        if self.kind == "base":
            return base_models.matches(entry.base_model, entry.architecture, None, (self.value,))
        if self.kind == "lora":
            return self.value == str(entry.ref.lora)
        return self.value == _version_text(newest) or (self.sha256 is not None and self.sha256 == sha256)


def parse_rule(text: str) -> UpdateRule:
    """Parse a rule: a ref with a version for that version, one without for the LoRA, or base:NAME for a base model."""
    if text.lower().startswith(_BASE):
        name = text[len(_BASE) :].strip()
        if not name:
            raise UsageError("base: needs the name of a base model behind it, such as base:sdxl.")
        return UpdateRule(kind="base", value=name)
    ref = Ref.parse(text)
    return (
        UpdateRule(kind="version", value=_version_text(ref))
        if ref.version
        else UpdateRule(kind="lora", value=str(ref.lora))
    )


def rule_for(rules: Iterable[UpdateRule], entry: Entry, newest: Ref, sha256: str | None) -> UpdateRule | None:
    return next((rule for rule in rules if rule.ignores(entry, newest, sha256)), None)


def _version_text(ref: Ref) -> str:
    """Return the version as text. On Hugging Face it includes the file, because each file of a repo is a LoRA."""
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
    """The stored rules. The class is thread-safe, and the first rule creates the file."""

    def __init__(self, path: Path) -> None:
        self._database = LazyDatabase(path, _LABEL, MIGRATIONS, {"ignored": ("kind", "value", "sha256", "at")})

    def close(self) -> None:
        self._database.close()

    def all(self) -> tuple[UpdateRule, ...]:
        if not self._database.exists:
            return ()
        with self._database.use() as connection:
            rows = connection.execute("SELECT kind, value, sha256 FROM ignored ORDER BY kind, value").fetchall()
        return tuple(UpdateRule(kind=k, value=v, sha256=sha) for k, v, sha in rows if k in get_args(RuleKind))

    def add(self, rule: UpdateRule) -> None:
        with self._database.change() as connection:
            row = (rule.kind, rule.value, rule.sha256, timestamp())
            connection.execute("INSERT OR REPLACE INTO ignored VALUES (?, ?, ?, ?)", row)

    def lift(self, rule: UpdateRule) -> None:
        """Delete a rule. Raises NotFound if it does not exist."""
        known = [one for one in self.all() if (one.kind, one.value) == (rule.kind, rule.value)]
        if not known:
            raise NotFound(f"Updates of {rule} are not ignored. hub-ui outdated --rules lists what is.")
        with self._database.change() as connection:
            connection.execute("DELETE FROM ignored WHERE kind = ? AND value = ?", (rule.kind, rule.value))


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateStatus:
    """The update of an entry.

    `newest` is the pinned ref of the newest version for the same base model that no rule ignores. `sha256` is the hash
    of its file. If all newer versions are ignored, `rule` is the rule for the newest.
    """

    entry: Entry
    state: UpdateState
    newest: Ref | None = None
    newest_name: str | None = None
    newest_at: str | None = None
    note: str | None = None
    error: HubUiError | None = None
    sha256: str | None = None
    rule: UpdateRule | None = None


def check_for_updates(
    entries: Iterable[Entry], get: Callable[[Ref], Lora], rules: Sequence[UpdateRule] = ()
) -> Iterator[UpdateStatus]:
    """Yield the update of each entry, with one request per LoRA. A failing hub affects only its own entries."""
    library = tuple(entries)
    results: dict[Ref, Lora | HubUiError] = {}
    failures: dict[Origin, HubUiError] = {}
    for entry in library:
        if entry.ref.hub == LOCAL:
            yield UpdateStatus(entry=entry, state="unknown", note=LOCAL_NOTE)
            continue
        ref = entry.ref.lora if entry.ref.id else entry.ref
        if ref not in results:
            try:
                results[ref] = failures.get(entry.ref.hub) or get(ref)
            except HubUiError as error:
                results[ref] = error
        result = results[ref]
        if isinstance(result, _HUB_ERRORS):
            failures[entry.ref.hub] = result
        if isinstance(result, NotFound):
            found = UpdateStatus(entry=entry, state="gone", note="The LoRA is not on its hub any more. Keep the file.")
        elif isinstance(result, HubUiError):
            found = UpdateStatus(entry=entry, state="failed", error=result)
        else:
            found = (_compare_commit if entry.ref.hub == "huggingface" else _compare_version)(entry, result, rules)
        if found.state in ("newer", "ignored") and found.newest is not None:
            # CivitAI may offer several files per version, any of which will do. On Hugging Face each file is a LoRA.
            newest = found.newest if found.newest.hub == "huggingface" else found.newest.at(found.newest.version)
            if any(other.answers_to(newest) for other in library):
                note = f"The library holds the newer one. Where this one is not needed: hub-ui remove {entry.ref}"
                found = replace(found, state="superseded", note=note)
        yield found


def _compare_commit(entry: Entry, lora: Lora, rules: Sequence[UpdateRule]) -> UpdateStatus:
    """Compare the bytes of the file. A newer commit is not enough, because every edit of a card is a commit."""
    newest = lora.version(None)
    file = newest.find_file(entry.ref) if newest else None
    if newest is None or file is None:
        return UpdateStatus(
            entry=entry, state="gone", note="The newest commit has no such file any more; the pinned one still may."
        )
    match _has_same_bytes(file, entry):
        case True:
            return UpdateStatus(entry=entry, state="current")
        case False if newest.ref.version == entry.ref.version:
            return _update(entry, "replaced", newest, file, rules)
        case False:
            return _update(entry, "newer", newest, file, rules)
    return UpdateStatus(entry=entry, state="unknown", note="The hub states no SHA-256 for this file.")


def _compare_version(entry: Entry, lora: Lora, rules: Sequence[UpdateRule]) -> UpdateStatus:
    current = lora.version(entry.ref.version)
    if current is not None and not any(_has_same_bytes(file, entry) for file in current.files):
        # A replaced file may get a new number: if ours is missing, a file with another hash has replaced it.
        file = current.find_file(entry.ref) or current.file
        if file is not None and _has_same_bytes(file, entry) is False:
            return _update(entry, "replaced", current, file, rules)
    later = [version for version in lora.versions if _is_later(lora, version, entry, current)]
    if later:
        files = {version.ref: version.find_file(entry.ref) or version.file for version in later}
        updates = [_update(entry, "newer", version, files[version.ref], rules) for version in sorted(later, key=_age)]
        return next((update for update in reversed(updates) if update.state == "newer"), updates[-1])
    # Replicate lists only one version.
    if current is None and entry.ref.hub != "replicate":
        return UpdateStatus(entry=entry, state="gone", note="This version is not on its hub any more. Keep the file.")
    return UpdateStatus(entry=entry, state="current")


def _has_same_bytes(file: WeightFile, entry: Entry) -> bool | None:
    """Return whether the hub's file has the entry's bytes, or None if the hub's data don't tell."""
    if file.sha256 is not None:
        return file.sha256 == entry.sha256
    # CivitAI rounds sizes, so only Hugging Face's sizes prove a difference.
    return False if file.size not in (None, entry.size) and entry.ref.hub == "huggingface" else None


def _is_later(lora: Lora, version: Version, entry: Entry, current: Version | None) -> bool:
    """Return whether a version is an update: newer, for the same base model, and with a file."""
    if version.ref.version == entry.ref.version:
        return False
    if entry.ref.hub == "replicate":
        # Replicate's response contains only the newest version.
        return True
    base = _base(lora, current) if current is not None else entry.base_model
    if version.file is None or _base(lora, version) != base:
        return False
    if current is not None and current.updated_at and version.updated_at:
        return _age(version) > _age(current)
    return version_number(version.ref) > version_number(entry.ref)


def _base(lora: Lora, version: Version) -> str | None:
    record = flatten(lora, version)
    return record.base_model or record.raw_base_model


def _age(version: Version) -> tuple[str, int]:
    return version.updated_at or "", version_number(version.ref)


def version_number(ref: Ref) -> int:
    """Return CivitAI's version id, which grows with time, or 0 for other hubs, whose versions have no order."""
    return int(ref.version) if ref.version and ref.version.isdecimal() else 0


def _update(
    entry: Entry, state: UpdateState, version: Version, file: WeightFile | None, rules: Sequence[UpdateRule]
) -> UpdateStatus:
    note = version.access_note
    if state == "replaced" and file is not None:
        note = f"Its author replaced the file under the same version (sha256 now {(file.sha256 or '')[:12]}…)."
    newest, sha256 = file.ref if file else version.ref, file.sha256 if file else None
    rule = rule_for(rules, entry, newest, sha256)
    return UpdateStatus(
        entry=entry,
        state="ignored" if rule else state,
        newest=newest,
        sha256=sha256,
        rule=rule,
        newest_name=version.name,
        newest_at=version.updated_at,
        note=note,
    )
