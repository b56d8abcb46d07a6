"""The downloads drawer and its button in the header: progress, speed, and actions."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from connectors.errors import NotFound
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.library.queue import Task
from hub_ui.services import Services
from hub_ui.web.layout.render import address

TRIES = 5
# A lock file may add hundreds, too many to send to a page every second.
MOST_ROWS = 60
ORDER = {"running": 0, "failed": 1, "paused": 2, "waiting": 3, "done": 4}
# Only the hub's own page can fix these.
ASK_THERE = ("DownloadsDisabled", "Gated", "KeyRequired", "Paid")
# The address of a LoRA's page, empty where it is not known.
PageOf = Callable[[Ref], str]
Button = tuple[str, str]
# The actions of a task by its state: (act, button label).
PAUSE: Button = ("pause", N_("Pause"))
RESUME: Button = ("resume", N_("Resume"))
RETRY: Button = ("retry", N_("Try again"))
NOW: Button = ("retry", N_("Try now"))
CANCEL: Button = ("cancel", N_("Cancel"))
REMOVE: Button = ("cancel", N_("Remove"))
# The file stays.
DISMISS: Button = ("cancel", N_("Dismiss"))
BUTTONS: dict[str, tuple[Button, ...]] = {
    "running": (PAUSE, CANCEL),
    "waiting": (PAUSE, CANCEL),
    "later": (NOW, PAUSE, CANCEL),
    "paused": (RESUME, CANCEL),
    "failed": (RETRY, REMOVE),
    "done": (DISMISS,),
}


def row(task: Task, now: float, page_of: PageOf) -> dict[str, Any]:
    """`percent` is None for an unknown length; `moving` has a bar."""
    error = task.error.message if task.error and task.state in ("waiting", "failed") else ""
    return {
        "task": task,
        "title": format.visible(task.title) or str(task.ref),
        "line": line(task, now),
        "tone": {"failed": "trouble", "done": "good"}.get(task.state, ""),
        "error": format.visible(error),
        "link": address(page_of(task.ref)) if task.error and error and task.error.name in ASK_THERE else "",
        "percent": None if task.fraction is None else round(100 * task.fraction, 1),
        "moving": task.state == "running" or (task.state in ("paused", "waiting") and task.done > 0),
        "buttons": BUTTONS["later" if task.not_before is not None else task.state],
    }


def line(task: Task, now: float) -> str:
    """Where a download stands, in a few words."""
    if task.state == "done":
        return format.join(format.size(task.total), _("in the library"))
    if task.state == "failed":
        return _("Not downloaded")
    if task.state == "paused":
        return format.join(_("Paused"), amount(task))
    if task.state == "waiting":
        return waits(task, now)
    speed = _("{size}/s").format(size=format.size(round(task.speed))) if task.speed else ""
    left = task.seconds_left if task.speed else None
    time_left = "" if left is None else _("{time} left").format(time=format.duration(left))
    return format.join(amount(task) or _("Asking the hub…"), speed, time_left)


def waits(task: Task, now: float) -> str:
    if task.not_before is None:
        return _("Waits for its turn")
    when = format.duration(task.not_before - now)
    if not task.attempts:
        return _("Starts in {time}: its hub asks us to wait").format(time=when)
    text = _("Tried again in {time} · failed {n} of {most} times")
    return text.format(time=when, n=task.attempts, most=TRIES)


def amount(task: Task) -> str:
    if not task.done:
        return ""
    done, total = format.size(task.done), format.size(task.total)
    return _("{done} of {total}").format(done=done, total=total) if task.total else done


def sort_tasks(tasks: Sequence[Task]) -> list[Task]:
    """Running, then waiting for the user, then queued, then done, the latest first."""
    return sorted(tasks, key=lambda task: (ORDER[task.state], -task.id if task.state == "done" else task.id))


def drawer_values(services: Services, of: Ref | None = None) -> dict[str, Any]:
    """For downloads/*.html. `row` is the latest download of `of` that is not done."""

    def page_of(ref: Ref) -> str:
        try:
            return services.catalog.lora(ref).url
        except NotFound:
            return ""

    tasks, now = sort_tasks(services.queue.tasks()), time.time()
    latest = max((task for task in tasks if task.ref == of), key=lambda task: task.id, default=None)
    counts = Counter(task.state for task in tasks)
    return {
        "rows": [row(task, now, page_of) for task in tasks[:MOST_ROWS]],
        "row": row(latest, now, page_of) if latest is not None and latest.state != "done" else None,
        "more": max(0, len(tasks) - MOST_ROWS),
        "moving": counts["running"] + counts["waiting"],
        "finished": counts["done"],
        "paused": counts["paused"],
        "failed": counts["failed"],
    }
