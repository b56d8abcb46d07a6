"""The downloads drawer and its button in the header: progress, speed, and actions."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from connectors.errors import NotFound
from connectors.ref import Ref
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.library.download.queue_tasks import Task

TRIES = 5
# Limited, because a lock file may add hundreds of downloads, and the page gets all rows after each change.
MOST_ROWS = 60
ORDER = {"running": 0, "failed": 1, "paused": 2, "waiting": 3, "done": 4}
# Errors that a person can fix only on the hub's page.
ASK_THERE = ("DownloadsDisabled", "Gated", "KeyRequired", "Paid")


def line(task: Task, now: float) -> str:
    """Describe the state of a download in a few words."""
    done, total = format.size(task.done) if task.done else "", format.size(task.total)
    amount = _("{done} of {total}").format(done=done, total=total) if done and total else done
    if task.state == "done":
        return format.join(total, _("in the library"))
    if task.state == "failed":
        return _("Not downloaded")
    if task.state == "paused":
        return format.join(_("Paused"), amount)
    if task.state == "waiting":
        return waits(task, now)
    speed = _("{size}/s").format(size=format.size(round(task.speed))) if task.speed else ""
    left = task.seconds_left if task.speed else None
    time_left = "" if left is None else _("{time} left").format(time=format.duration(left))
    return format.join(amount or _("Asking the hub…"), speed, time_left)


def waits(task: Task, now: float) -> str:
    if task.not_before is None:
        return _("Waits for its turn")
    when = format.duration(task.not_before - now)
    if not task.attempts:
        return _("Starts in {time}: its hub asks us to wait").format(time=when)
    text = _("Tried again in {time} · failed {n} of {most} times")
    return text.format(time=when, n=task.attempts, most=TRIES)


def sort_tasks(tasks: Sequence[Task]) -> list[Task]:
    """Sort the tasks: running, failed, paused, waiting, done. The latest done task comes first."""
    return sorted(tasks, key=lambda task: (ORDER[task.state], -task.id if task.state == "done" else task.id))


def drawer_values(services: Services, of: Ref | None = None) -> dict[str, Any]:
    """Return the values for downloads/*.html. `task` is the latest unfinished download of `of`.

    `hub_page` is the address of the hub's page that can fix a download's error, or "".
    """

    def hub_page(task: Task) -> str:
        try:
            return services.catalog.lora(task.ref).url if task.error and task.error.name in ASK_THERE else ""
        except NotFound:
            return ""

    tasks, now = sort_tasks(services.queue.tasks()), time.time()
    latest = max((task for task in tasks if task.ref == of), key=lambda task: task.id, default=None)
    counts = Counter(task.state for task in tasks)
    return {
        "tasks": tasks[:MOST_ROWS],
        "task": latest if latest is not None and latest.state != "done" else None,
        "task_line": lambda task: line(task, now),
        "hub_page": hub_page,
        "more": max(0, len(tasks) - MOST_ROWS),
        "moving": counts["running"] + counts["waiting"],
        "finished": counts["done"],
        "paused": counts["paused"],
        "failed": counts["failed"],
    }
