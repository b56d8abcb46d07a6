"""The addresses of the Compare page, and of images that are given to a page: what one was made with, its end, and those
of the form.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import within
from connectors.ref import Ref
from hub_ui import format
from hub_ui.generate.input_images import open_image
from hub_ui.i18n import _
from hub_ui.web.layout.pages import LEVEL_COOKIE, Pages, Preview, is_part, own_view, page_address
from hub_ui.web.queue import use_request
from hub_ui.web.try_page import dropped
from hub_ui.web.try_page.form import Fields, PageState, TryFields, apply_act, fill, find_record, read_address
from hub_ui.web.try_page.generate import TryParts, check_bases, download_subject, with_weight_of_shown
from hub_ui.web.try_page.result import Result
from hub_ui.web.uploads import UploadedFiles, UploadName, text_of
from hub_ui.web.view import View

# Each may wait for a hub.
MOST_ASKING = 20


@dataclass(frozen=True, kw_only=True)
class TryRoutes:
    pages: Pages
    parts: TryParts

    def router(self) -> APIRouter:
        router, limit = self.pages.router(), CapacityLimiter(MOST_ASKING)

        def post(path: str, handle: Callable[[Request, TryFields], Response]) -> None:
            @router.post(path)
            async def answer(request: Request, fields: Fields) -> Response:
                return await to_thread.run_sync(handle, request, fields, limiter=limit)

        def get(path: str, handle: Callable[[Request], Response]) -> None:
            @router.get(path)
            async def answer(request: Request) -> Response:
                return await to_thread.run_sync(handle, request, limiter=limit)

        post("/try", self.make)
        post("/try/form", self.change)
        post("/try/weights", self.add_weights)
        get("/try/ask", self.ask)
        get("/try/price", self.price)
        return router

    def answer(self, request: Request, _view: View) -> Response:
        """The page of an address."""
        return self.whole(request, self.state(request))

    def state(self, request: Request) -> PageState:
        return read_address(request.url.query, request.cookies.get(LEVEL_COOKIE))

    def whole(self, request: Request, state: PageState, *, status: int = 200, **shown: Any) -> Response:
        values = {**self.parts.values(state, waits=False), **shown}
        return self.pages.whole(
            request, "try_page/page", state.view, preview=self.preview(state), status=status, **values
        )

    def part(self, state: PageState, template: str = "changed", *, asks: bool = False, **shown: Any) -> HTMLResponse:
        """`shown` is said in the place of what the stage would show."""
        values = {"with_form": True, **self.parts.values(state, asks=asks), **shown}
        return self.pages.part(f"try_page/{template}", **values)

    def move(
        self, request: Request, state: PageState, template: str = "changed", *, adds_step: bool = False, **shown: Any
    ) -> Response:
        """What an act leads to, under its address. `adds_step`: to the browser's history."""
        address = state.to_address()
        if not is_part(request):
            depth = request.url.path.removeprefix(request.scope.get("root_path", "")).count("/") - 1
            return RedirectResponse(page_address(address, "../" * depth or "./"), 303)
        answer = self.part(state, template, **shown)
        answer.headers["HX-Push-Url" if adds_step else "HX-Replace-Url"] = page_address(address)
        return answer

    def preview(self, state: PageState) -> Preview:
        """Never above "safe": other sites show it to everybody."""
        records = [find_record(self.pages.services, ref, asks=False) for ref in state.view.refs]
        shown = [r for r in records if r is not None and within(r.nsfw, "safe")]
        titles = ", ".join(format.title(record.title) for record in shown)
        return Preview(title=_("Compare {titles}").format(titles=titles) if titles else _("Compare"))

    def make(self, request: Request, fields: TryFields) -> Response:
        state = fields.state()
        try:
            if not fields.one("filled"):
                state = self.at_once(state, fields)
            may_fetch = bool(fields.one("fetch")) and fields.one("fetch") == download_subject(state.view)
            order = self.parts.order(state, may_fetch=may_fetch)
            with use_request(request):
                id_ = self.parts.generator.start(order)
        except HubUiError as error:
            # At its field, beside the images of before, or on the stage.
            return self.refuse(request, state if state.problems else replace(state, job="", shown=None), error)
        return self.follow(request, state, id_)

    def at_once(self, state: PageState, fields: TryFields) -> PageState:
        """For who has no form yet: each LoRA with its author's weight, and what the form suggests.

        Raises the error of a hub that says nothing of a LoRA to be fetched, so that it is not asked a second time.
        """
        services, view = self.pages.services, state.view
        if view.settings.place == "local":
            check_bases(services, view.refs, view.settings.base)
        for written, stacked in zip(fields.all("lora"), view.stack, strict=False):
            if "*" not in written and not fields.all("weight"):
                view = view.with_weight(stacked.ref, services.generation.default_weight(Ref.parse(stacked.ref)))
        state = replace(state, view=view)
        filled = fill(services, state, asks=True).settings
        settings = replace(view.settings, prompt=filled.prompt, seed=filled.seed)
        return replace(state, view=replace(view, settings=settings))

    def refuse(self, request: Request, state: PageState, error: HubUiError) -> Response:
        shown: dict[str, Any] = {} if state.problems else {"mode": "failed", "text": error.message}
        return self.part(state, **shown) if is_part(request) else self.whole(request, state, status=422, **shown)

    def follow(self, request: Request, state: PageState, id_: str) -> Response:
        """The stage while a job of it runs."""
        return self.move(request, replace(state, job=id_, shown=None), adds_step=True, with_form=False)

    def change(self, request: Request, fields: TryFields) -> Response:
        """After a field has changed, or a button of the form was pressed."""
        act = fields.one("act")
        # What has changed is no longer the same image made again.
        state = replace(apply_act(fields.state(), act, fields), again="")
        name = act.partition(" ")[0]
        if name == "browse":
            return RedirectResponse(f"../{state.view.place('browse').removeprefix('./')}", 303)
        result = self.result_of(state)
        if result is not None and (name == "use-weight" or (name == "tile" and state.settings.sheet == "strip")):
            state = with_weight_of_shown(state, result)
        return self.move(request, state, "changed" if name or fields.has_new_base else "typed")

    def ask(self, request: Request) -> Response:
        """The form again, once hubs have been asked for LoRAs that were never seen."""
        return self.part(self.state(request), asks=True)

    def price(self, request: Request) -> Response:
        """What the images will take, for a page that was shown before that was known."""
        return self.part(self.state(request), "typed")

    def result_of(self, state: PageState) -> Result | None:
        found = self.parts.generator.jobs.find(state.job)
        return found.result if found is not None and isinstance(found.result, Result) else None

    def add_weights(self, request: Request, fields: TryFields) -> Response:
        state = fields.state()
        result = self.result_of(state)
        if result is None:
            raise UsageError(_("These images are no longer here. Make them again."))
        with use_request(request):
            id_ = self.parts.generator.add_weights(result.showing(state.shown))
        return self.follow(request, state, id_)

    def paint(self, request: Request, id_: str, steps: Iterator[tuple[int, Any]]) -> Iterator[str]:
        """The stage at each step of a generation (see web/streams.py)."""
        state = replace(self.state(request), job=id_)
        filled, look = fill(self.pages.services, state), ""
        for _number, step in steps:
            if step is None:
                # So that one who has left is noticed.
                yield ""
                continue
            values = self.parts.step(state, step, filled)
            if values["mode"] != "waiting":
                yield self.pages.render("try_page/end", **{**self.parts.values(state), **values})
                continue
            # Not each step has a preview: the last one stays.
            look = values["look"] or look
            yield self.pages.render("try_page/step", **{**values, "look": look}, state=state)

    def stop(self, request: Request, id_: str) -> Response:
        text = self.parts.generator.stop(id_)
        state = replace(self.state(request), job="", shown=None)
        return self.move(request, state, mode="failed", text=text, with_form=False)


# Hubs may be asked for each LoRA of an image.
MOST_READ = 16


@dataclass(frozen=True, kw_only=True)
class DroppedRoutes:
    pages: Pages
    files: UploadedFiles

    def router(self) -> APIRouter:
        router, limit = self.pages.router(), CapacityLimiter(MOST_READ)

        @router.get("/image")
        async def image(request: Request, name: UploadName = "") -> Response:
            path = self.files.path(name) if name else None
            values = {} if path is None else await to_thread.run_sync(self.values, name, path, limiter=limit)
            if path is not None and is_part(request):
                return self.pages.part("try_page/dropped", **values)
            view, preview = own_view("image", request.url.query), Preview(title=_("How was this image made?"))
            return self.pages.whole(request, "try_page/image_page", view, preview=preview, **{"name": "", **values})

        @router.post("/image/forget")
        def forget(request: Request, name: Annotated[str, Form(max_length=60)]) -> Response:
            with suppress(NotFound):
                shutil.rmtree(self.files.path(name).parent, ignore_errors=True)
            return HTMLResponse("") if is_part(request) else RedirectResponse("../image", 303)

        return router

    @property
    def answers(self) -> Mapping[str, Callable[[Request, FormData, str], Response]]:
        """To uploads, by the form's file fields. Beside those of the form, hidden ones hold what was chosen before."""
        return {
            "file": self.answer,
            "image_file": partial(self.answer_choice, "image"),
            "control_file": partial(self.answer_choice, "control"),
        }

    def answer(self, request: Request, form: FormData, name: str) -> Response:
        """It stands on the page at once, and what it was made with comes when it is known."""
        if not is_part(request):
            return RedirectResponse(page_address(f"name={name}", "image"), 303)
        return self.pages.part("try_page/dropped", name=name, file=self.files.path(name).name, problem="", waits=True)

    def answer_choice(self, field: str, request: Request, form: FormData, name: str) -> Response:
        """The form's images as they are now, an empty name for none; without JavaScript, the page with them."""
        if name:
            open_image(self.files.path(name), "picture")
        chosen = {"image": text_of(form, "image", 60), "control": text_of(form, "control", 60), field: name}
        state = replace(read_address(text_of(form, "back")), image=chosen["image"], control=chosen["control"])
        if is_part(request):
            return self.pages.part("try_page/chosen_images", state=state)
        return RedirectResponse(page_address(state.to_address()), 303)

    def values(self, name: str, path: Path) -> dict[str, Any]:
        shown = {"name": name, "file": path.name, "problem": "", "waits": False}
        try:
            found = dropped.read_dropped(self.pages.services, path)
        except UsageError as error:
            return {**shown, "problem": error.message}
        filled = PageState(view=found.view(View()))
        # A sheet is compared with nothing: the same sheet is made.
        again = filled if found.is_sheet else replace(filled, again=name)
        addresses = {"fill": filled.to_address(), "again": again.to_address()}
        return {**shown, "dropped": found, **addresses}
