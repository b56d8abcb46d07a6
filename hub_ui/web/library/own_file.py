"""What a person brings along: a LoRA file, to be inspected, identified, tried and kept, and a lock file."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from connectors.claims.resolve import record_of
from connectors.errors import HubUiError, UsageError
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from connectors.weights.inspect import inspect_path
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.library import lockfile
from hub_ui.library.file_names import DEFAULT, FileNameTemplate, target
from hub_ui.library.identify import entry_of_file
from hub_ui.library.library import source_of
from hub_ui.library.lockfile import Entry, MergeResult, merge
from hub_ui.services import Services
from hub_ui.web.lora import detail, fact_rows
from hub_ui.web.lora.fact_rows import Fact


@dataclass(frozen=True, kw_only=True)
class OwnFile:
    """What a file proves that waits to be kept."""

    entry: Entry
    said: str
    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]


def receive(services: Services, path: Path) -> Ref:
    """A LoRA moves to where it can be tried; anything else is left. Raises what keeps a file from being one."""
    services.policy.check("use own files")
    identifier = services.lookup.identifier(by_hash=services.lookup.find_by_hash, failure=lambda error: None)
    try:
        found = identifier.one(path)
    except HubUiError as error:
        raise UsageError(error.message) from error
    if found.facts is None or not found.facts.adapter.is_lora:
        raise UsageError(f"{format.visible(path.name)}: {detail.refusal(found.facts)}")
    entry = entry_of_file(found, services.library.entries())
    if found.state != "held":
        entry = services.own_files.add(path, entry)
        services.lookup.remember_header(entry, services.library.path(entry))
    return entry.ref


def waiting(services: Services, ref: Ref) -> OwnFile | None:
    """A file that waits to be kept; None for what does not wait."""
    entry = next((one for one in services.own_files.entries() if one.ref == ref), None)
    if entry is None or services.library.holds(ref):
        return None
    facts = inspect_path(services.library.path(services.own_files.entry(ref)))
    return OwnFile(
        entry=entry,
        said=state_text(services, entry),
        facts=tuple(fact_rows.rows(record_of_file(services, ref), facts)),
        warnings=facts.adapter.remarks,
    )


def state_text(services: Services, entry: Entry) -> str:
    """How the file was identified."""
    if services.catalog.by_sha256(entry.sha256):
        return _("It is on a hub.")
    if entry.ref.hub != LOCAL:
        return _("Its weights are on a hub, with other metadata.")
    return _("No hub is known to have it.")


def record_of_file(services: Services, ref: Ref) -> Record:
    known = services.lookup.find_record(ref)
    return known or record_of(services.lookup.connector(ref.hub).get(ref), ref)


def keep(services: Services, ref: Ref) -> Entry:
    """The file in the library, under the name that its template gives."""
    services.policy.check("use own files")
    names = FileNameTemplate.parse(services.settings.names or DEFAULT)
    waits = services.own_files.entry(ref)
    source = ""
    if ref.hub != LOCAL:
        # Without the hub, the library fetches it by its ref all the same.
        with suppress(HubUiError):
            source = source_of(services.lookup.connector(ref.hub).locate(ref))
    place = target(record_of_file(services, ref), ref, PurePosixPath(waits.file).name, names=names)
    return services.own_files.keep(ref, place, source)


MOST_BYTES = 5_000_000
# What becomes of an entry of a lock file, and the tone of that.
STATES = {
    "new": (N_("will be downloaded"), ""),
    "here": (N_("here already"), "good"),
    "differs": (N_("here with other bytes; yours is kept"), "warn"),
}


def read_lock(services: Services, text: str) -> tuple[MergeResult, ...]:
    if not text.strip():
        raise UsageError(_("There is no lock file yet. Paste its text, or choose the file."))
    if len(text) > MOST_BYTES:
        raise UsageError(_("This is too long for a lock file. On the command line: hub-ui sync --lock FILE"))
    return merge(services.library.entries(), lockfile.loads(text, _("The lock file")))


def plan_summary(wanted: Sequence[MergeResult]) -> str:
    counts = Counter(found.state for found in wanted)
    size = format.size(sum(found.entry.size for found in wanted if found.state == "new"))
    new = _("{n} new, {size}").format(n=format.number(counts["new"]), size=size)
    others = (f"{format.number(counts[state])} {_(STATES[state][0])}" for state in ("here", "differs") if counts[state])
    return "; ".join([new if counts["new"] else _("Nothing new"), *others]) + "."
