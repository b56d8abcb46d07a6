"""Routes of the downloads: the drawer, its stream while downloads run, and actions such as pause and retry."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Form, Request, Response

from connectors.errors import UsageError
from hub_ui.base.i18n import _
from hub_ui.web.downloads.drawer import drawer_values
from hub_ui.web.layout.pages import Room, Signal, is_part, route

ActName = Literal["pause", "resume", "retry", "cancel", "clear", "pause-all", "resume-all"]
Id = Annotated[int | None, Form(ge=0, le=2**53)]
# The interval of polling the queue, and of empty events that keep an unchanged stream alive.
SECONDS = 0.5
BEAT = 5.0


@dataclass(frozen=True, kw_only=True)
class DownloadRoutes(Room):
    @route("GET /downloads", may="pull")
    def downloads(self, request: Request) -> Response:
        values = drawer_values(self.services)
        if is_part(request):
            return self.pages.part("downloads/drawer", **values)
        return self.pages.own(request, "downloads/page", "downloads", _("Downloads"), **values)

    @route("GET /downloads/stream", may="pull")
    def stream(self) -> Response:
        return self.pages.streams.answer(self.steps())

    @route("POST /downloads/{act}", may="pull")
    def change(self, request: Request, act: ActName, id: Id = None) -> Response:
        queue = self.services.queue
        if act == "clear":
            queue.clear()
        elif act in ("pause-all", "resume-all"):
            for task in queue.tasks():
                queue.pause(task.id) if act == "pause-all" else queue.resume(task.id)
        elif id is None:
            raise UsageError(_("That is no download of this list."))
        else:
            getattr(queue, act)(id)
        return self.pages.after_act(request, "downloads/changed", "../downloads", **drawer_values(self.services))

    def steps(self) -> Iterator[str | Signal]:
        """Render the whole drawer after each change, until no download runs or waits. Signal a finished download."""
        painted, ended, last = "", None, time.monotonic()
        while True:
            values = drawer_values(self.services)
            now = {task.id for task in values["tasks"] if task.state in ("done", "failed")}
            step = self.pages.render("downloads/step", **values)
            if step != painted:
                yield step
                painted, last = step, time.monotonic()
            if ended is not None and now - ended:
                yield Signal("arrived")
            ended = now
            if not values["moving"]:
                return
            if time.monotonic() - last > BEAT:
                yield ""
                last = time.monotonic()
            time.sleep(SECONDS)
