"""Long checks of the library: changed files, newer versions on the hubs, duplicates, and files without an entry.

Only one check runs at a time. The results belong to the library, so every page shows them.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeVar, cast, get_args

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui.app.downloads import Downloads
from hub_ui.app.jobs import Jobs, JobSubject, Steps
from hub_ui.base import format
from hub_ui.base.i18n import N_, _, ngettext
from hub_ui.library.download.sync import FileCheck, FileState, check_all, foreign
from hub_ui.library.file_names import SUFFIX
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.duplicates import Duplicates, find_duplicates
from hub_ui.library.upkeep.outdated import UpdateRules, UpdateState, UpdateStatus, check_for_updates

CheckKind = Literal["verify", "updates", "update", "duplicates", "folder"]
# The messages at the beginning of a check and at each of its steps.
_TEXTS: Mapping[CheckKind, tuple[str, str]] = {
    "verify": (N_("Verifying…"), N_("Verified {done} of {total}: {title}")),
    "updates": (N_("Asking the hubs…"), N_("Asked about {done} of {total}: {title}")),
    "update": (N_("Asking the hubs…"), N_("Asked about {done} of {total}: {title}")),
    "duplicates": (N_("Comparing files…"), N_("Compared {done} of {total} files")),
    "folder": (N_("Reading the folder…"), N_("Read {done} of {total}: {title}")),
}


@dataclass(frozen=True, kw_only=True)
class CheckResults:
    """The results of all checks since the app was started.

    `said` is the summary of the last check, `at` is its time in seconds since 1970, and `failures` are pairs of a title
    and an error message.
    """

    checked: Mapping[Ref, FileCheck] = field(default_factory=dict)
    statuses: Mapping[Ref, UpdateStatus] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    groups: tuple[Duplicates, ...] | None = None
    said: str = ""
    at: float = 0.0
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def updates(self) -> frozenset[Ref]:
        """Entries with a newer version."""
        return frozenset(ref for ref, status in self.statuses.items() if status.state == "newer")


@dataclass(frozen=True, kw_only=True)
class CheckProgress:
    kind: CheckKind
    done: int = 0
    total: int = 0
    title: str = ""

    @property
    def line(self) -> str:
        begin, step = _TEXTS[self.kind]
        done, total = format.number(self.done), format.number(self.total)
        return _(step).format(done=done, total=total, title=format.visible(self.title)) if self.done else _(begin)

    @property
    def percent(self) -> float | None:
        return 100 * self.done / self.total if self.done and self.total else None


Step = Callable[[int, int, str], None]
R = TypeVar("R", FileCheck, UpdateStatus)


class LibraryChecks:
    """The checks of one library, and their results. Thread-safe."""

    def __init__(self, downloads: Downloads, update_rules: UpdateRules, jobs: Jobs) -> None:
        self._library = downloads.lookup.library
        self._lookup = downloads.lookup
        self._downloads = downloads
        self._update_rules = update_rules
        self._jobs, self._id = jobs, ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.results = CheckResults()
        # Each function returns the fields of `results` that it changes.
        self._works: Mapping[CheckKind, Callable[[Sequence[Entry], Step], dict[str, Any]]] = {
            "verify": self._verify,
            "updates": self._check_updates,
            "update": self._queue_updates,
            "duplicates": self._find_duplicates,
            "folder": self._add_foreign_files,
        }

    @property
    def progress(self) -> CheckProgress | None:
        """The progress of the running check, or None."""
        job = self._jobs.find(self._id)
        if job is None or job.outcome is not None:
            return None
        return job.step or CheckProgress(kind=check_kind(job.subject.name))

    def start(self, kind: CheckKind, entries: Sequence[Entry] = ()) -> None:
        """Start a check of these entries, or of the whole library. Raise UsageError if a check is already running."""
        with self._lock:
            if self.progress is not None:
                raise UsageError(_("A check is already running. Wait for it, or stop it."))
            self._stop = threading.Event()
            work = partial(self._run, kind, tuple(entries))
            self._id = self._jobs.start(JobSubject(kind="check", name=kind), work)

    def stop(self) -> None:
        """Stop the running check. Its results so far are kept."""
        self._stop.set()

    def change(self, **changes: Any) -> None:
        """Replace fields of `results`."""
        with self._lock:
            self.results = replace(self.results, **changes)

    def follow(self) -> Steps:
        """Follow the running check as Jobs.follow does. Its results are in `results`."""
        return self._jobs.follow(self._id, beat=5.0)

    def _run(
        self, kind: CheckKind, chosen: Sequence[Entry], put: Callable[[Any], None], is_cancelled: Callable[[], bool]
    ) -> None:
        last = 0.0

        def on_step(done: int, total: int, title: str) -> None:
            nonlocal last
            if is_cancelled():
                self._stop.set()
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                put(CheckProgress(kind=kind, done=done, total=total, title=title))

        try:
            self.change(**{"failures": (), "at": time.time(), **self._works[kind](chosen, on_step)})
        except HubUiError as error:
            self.change(said=error.message, failures=(), at=time.time())

    def _until_stopped(self, results: Iterable[R], total: int, on_step: Step) -> Iterator[R]:
        for number, result in enumerate(results, 1):
            yield result
            on_step(number, total, result.entry.title)
            if self._stop.is_set():
                return

    def _verify(self, chosen: Sequence[Entry], on_step: Step) -> dict[str, Any]:
        entries = chosen or self._library.entries()
        results = list(self._until_stopped(check_all(self._library, entries), len(entries), on_step))
        checked = {**self.results.checked, **{result.entry.ref: result for result in results}}
        if not chosen:
            unknown = foreign(self._library)
            return {"checked": checked, "foreign": unknown, "said": verify_summary(results, unknown)}
        wrong = tuple(
            (format.title(result.entry.title), _(result.state)) for result in results if result.state != "right"
        )
        summary = count_text(len(results) - len(wrong), "{n} file is right.", "{n} files are right.")
        return {"checked": checked, "said": summary, "failures": wrong}

    def _check_updates(self, chosen: Sequence[Entry], on_step: Step) -> dict[str, Any]:
        entries = chosen or self._library.entries()
        updates = check_for_updates(entries, partial(self._lookup.fetch, is_patient=True), self._update_rules.all())
        new = {status.entry.ref: status for status in self._until_stopped(updates, len(entries), on_step)}
        statuses = {**(self.results.statuses if chosen else {}), **new}
        return {"statuses": statuses, "said": update_summary(new.values())}

    def _queue_updates(self, chosen: Sequence[Entry], on_step: Step) -> dict[str, Any]:
        """Check the chosen entries for updates, and queue the newer versions."""
        statuses, queued, failures = self._check_updates(chosen, on_step)["statuses"], 0, []
        for status in (statuses[entry.ref] for entry in chosen if entry.ref in statuses):
            try:
                if status.error is not None:
                    raise status.error
                if status.state == "newer" and status.newest is not None:
                    self._downloads.enqueue(status.newest)
                    queued += 1
            except HubUiError as error:
                failures.append((format.title(status.entry.title), error.message))
        text = count_text(queued, "{n} newer version is being downloaded.", "{n} newer versions are being downloaded.")
        return {"statuses": statuses, "said": text, "failures": tuple(failures)}

    def _find_duplicates(self, chosen: Sequence[Entry], on_step: Step) -> dict[str, Any]:
        half, is_stopped = self._downloads.other_half, self._stop.is_set
        groups = find_duplicates(self._library, half, lambda done, total: on_step(done, total, ""), is_stopped)
        return {
            "groups": groups,
            "said": "" if groups else _("No file is there twice, and no LoRA in several versions."),
        }

    def _add_foreign_files(self, chosen: Sequence[Entry], on_step: Step) -> dict[str, Any]:
        """Identify the files in the library's folder that have no entry, and add the LoRAs among them."""
        library, lookup = self._library, self._lookup
        files = [name for name in foreign(library) if name.endswith(SUFFIX)]
        entries, failures = [], []
        for number, name in enumerate(files, 1):
            on_step(number, len(files), name)
            try:
                file = lookup.identifier(by_hash=lookup.find_by_hash).one(library.folder / name)
                entry = lookup.entry_of(file, name)
                entries += [entry] if entry is not None else []
            except HubUiError as error:
                failures.append((name, error.message))
            if self._stop.is_set():
                break
        count = len(library.adopt(entries))
        text = count_text(count, "{n} file was added from the folder.", "{n} files were added from the folder.")
        return {"foreign": foreign(library), "said": text, "failures": tuple(failures)}


def check_kind(text: str) -> CheckKind:
    """Return `text` as a CheckKind. Raise UsageError if it is not one."""
    if text not in get_args(CheckKind):
        raise UsageError(_("That is no button of this page."))
    return cast(CheckKind, text)


def count_text(number: int, one: str, many: str) -> str:
    return ngettext(one, many, number).format(n=format.number(number))


def file_count(number: int) -> str:
    return count_text(number, "{n} file", "{n} files")


def verify_summary(checked: Iterable[FileCheck], foreign: Sequence[str]) -> str:
    counts = Counter(result.state for result in checked)
    names: dict[FileState, str] = {
        "missing": _("{n} missing"),
        "changed": _("{n} changed"),
        "unreadable": _("{n} unreadable"),
    }
    wrong = [text.format(n=format.number(counts[state])) for state, text in names.items() if counts[state]]
    right, problems = file_count(counts["right"]), ", ".join(wrong) or _("nothing missing or changed")
    if not foreign:
        return _("Verified: {files} right, {problems}.").format(files=right, problems=problems)
    text = _("Verified: {files} right, {problems}; {others} that no entry names.")
    return text.format(files=right, problems=problems, others=file_count(len(foreign)))


def update_summary(statuses: Iterable[UpdateStatus]) -> str:
    counts = Counter(result.state for result in statuses)
    names: dict[UpdateState, str] = {
        "newer": _("{n} with a newer version"),
        "superseded": _("{n} whose newer version is here, too"),
        "replaced": _("{n} replaced by its author"),
        "ignored": _("{n} whose update is ignored"),
        "gone": _("{n} gone from its hub"),
        "unknown": _("{n} that no hub says enough of"),
        "failed": _("{n} that could not be asked about"),
    }
    others = [text.format(n=format.number(counts[state])) for state, text in names.items() if counts[state]]
    current = _("{n} up to date").format(n=format.number(counts["current"]))
    return _("Asked the hubs: {results}.").format(results=", ".join([current, *others]))
