"""The addresses of the Compare page: its form, what it makes, and the image on its stage."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import HubUiError, UsageError
from connectors.record import within
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.web.layout.pages import LEVEL_COOKIE, Pages, Preview, is_part, page_address
from hub_ui.web.try_page.fields import Fields, TryFields, apply_act
from hub_ui.web.try_page.form import PageState, fill, find_record, read_address
from hub_ui.web.try_page.generate import check_bases, download_subject
from hub_ui.web.try_page.parts import TryParts, with_weight_of_shown
from hub_ui.web.try_page.result import Result
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
            id_ = self.parts.generator.start(self.parts.order(state, may_fetch=may_fetch))
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
