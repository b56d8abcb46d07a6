"""Import another library's lock file: pasted or uploaded, shown, then downloaded by the queue."""

from collections import Counter
from collections.abc import Sequence

from connectors.errors import UsageError
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry, MergeResult, merge
from hub_ui.services import Services
from hub_ui.web.library.notes import Tone

MOST_BYTES = 5_000_000
STATES: dict[str, tuple[str, Tone]] = {
    "new": (N_("will be downloaded"), ""),
    "here": (N_("here already"), "good"),
    "differs": (N_("here with other bytes; yours is kept"), "warn"),
}


def read_lock(services: Services, text: str) -> tuple[MergeResult, ...]:
    if not (text or "").strip():
        raise UsageError(_("There is no lock file yet. Paste its text, or choose the file."))
    if len(text) > MOST_BYTES:
        raise UsageError(_("This is too long for a lock file. On the command line: hub-ui sync --lock FILE"))
    return merge(services.library.entries(), lockfile.loads(text, _("The lock file")))


def new_entries(wanted: Sequence[MergeResult]) -> tuple[Entry, ...]:
    return tuple(found.entry for found in wanted if found.state == "new")


def plan_summary(wanted: Sequence[MergeResult]) -> str:
    counts = Counter(found.state for found in wanted)
    size = format.size(sum(entry.size for entry in new_entries(wanted)))
    new = _("{n} new, {size}").format(n=format.number(counts["new"]), size=size)
    parts = [new if counts["new"] else _("Nothing new")]
    parts += [f"{format.number(counts[state])} {_(STATES[state][0])}" for state in ("here", "differs") if counts[state]]
    return "; ".join(parts) + "."


def import_entries(services: Services, wanted: Sequence[Entry]) -> int:
    """Pins the entries unchanged, and queues their downloads."""
    adopted = services.library.adopt(wanted)
    for entry in adopted:
        services.queue.add(entry.ref, entry.title)
    return len(adopted)
