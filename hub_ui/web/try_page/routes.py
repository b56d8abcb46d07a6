"""The addresses of the Compare page: its form, what it makes, and the image on its stage."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import HubUiError, UsageError
from connectors.record import within
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.jobs.jobs import Failed, Jobs, Stopped
from hub_ui.web.layout.pages import LEVEL_COOKIE, Pages, Preview, is_part, page_address
from hub_ui.web.try_page.fields import TryFields, apply_act
from hub_ui.web.try_page.form import PageState, complete, fill, find_record, read_address
from hub_ui.web.try_page.generate import download_subject
from hub_ui.web.try_page.parts import TryParts, with_weight_of_shown
from hub_ui.web.try_page.result import Result
from hub_ui.web.view import View

# Each may wait for a hub.
MOST_ASKING = 20
Fields = Annotated[TryFields, Form()]


@dataclass(frozen=True, kw_only=True)
class TryRoutes:
    pages: Pages
    parts: TryParts
    jobs: Jobs

    def router(self) -> APIRouter:
        router, limit = self.pages.router(), CapacityLimiter(MOST_ASKING)

        async def run(handle: Callable[..., Response], *values: object) -> Response:
            return await to_thread.run_sync(handle, *values, limiter=limit)

        @router.post("/try")
        async def make(request: Request, fields: Fields) -> Response:
            return await run(self.make, request, fields)

        @router.post("/try/form")
        async def change(request: Request, fields: Fields) -> Response:
            return await run(self.change, request, fields)

        @router.post("/try/weights")
        async def add_weights(request: Request, fields: Fields) -> Response:
            return await run(self.add_weights, request, fields)

        @router.get("/try/ask")
        async def ask(request: Request) -> Response:
            """The form again, once hubs have been asked for LoRAs that were never seen."""
            return await run(self.ask, request)

        @router.get("/try/price")
        async def price(request: Request) -> Response:
            """What the images will take, for a page that was shown before that was known."""
            return await run(self.price, request)

        return router

    def price(self, request: Request) -> Response:
        return self.pages.part("try_page/typed", **self.parts.all(self.state(request)))

    def answer(self, request: Request, _view: View) -> Response:
        """The page of an address."""
        state = self.state(request)
        return self.whole(request, state)

    def state(self, request: Request) -> PageState:
        return read_address(request.url.query, request.cookies.get(LEVEL_COOKIE))

    def whole(self, request: Request, state: PageState, *, status: int = 200, **values: Any) -> Response:
        values = {**self.parts.all(state, waits=False), **values}
        return self.pages.whole(
            request, "try_page/page", state.view, preview=self.preview(state), status=status, **values
        )

    def preview(self, state: PageState) -> Preview:
        """Never above "safe": other sites show it to everybody."""
        records = [find_record(self.pages.services, ref, asks=False) for ref in state.view.refs]
        shown = [r for r in records if r is not None and within(r.nsfw, "safe")]
        titles = ", ".join(format.title(record.title) for record in shown)
        return Preview(title=_("Compare {titles}").format(titles=titles) if titles else _("Compare"))

    def make(self, request: Request, fields: TryFields) -> Response:
        state = fields.state()
        if not fields.filled:
            state = self.at_once(state, fields)
        may_fetch = bool(fields.fetch) and fields.fetch == download_subject(state.view, state.settings.base)
        try:
            id_ = self.parts.generator.start(self.parts.order(state, may_fetch=may_fetch))
        except HubUiError as error:
            # At its field, beside the images of before, or on the stage.
            return self.refuse(request, state if state.problems else replace(state, job="", shown=None), error)
        return self.follow(request, replace(state, job=id_, shown=None))

    def at_once(self, state: PageState, fields: TryFields) -> PageState:
        """For who has no form yet: each LoRA with its author's weight, and what the form suggests."""
        services, view = self.pages.services, state.view
        for written, stacked in zip(fields.lora, view.stack, strict=False):
            if "*" not in written and not fields.weight:
                view = view.with_weight(stacked.ref, services.generation.default_weight(Ref.parse(stacked.ref)))
        state = replace(state, view=view)
        return complete(state, fill(services, state, asks=True))

    def refuse(self, request: Request, state: PageState, error: HubUiError) -> Response:
        said = {} if state.problems else {"mode": "failed", "text": error.message}
        if not is_part(request):
            return self.whole(request, state, status=422, **said)
        return self.pages.part("try_page/changed", **{**self.parts.all(state), **said, "with_form": True})

    def follow(self, request: Request, state: PageState) -> Response:
        """The stage while a job of it runs, under the address that leads back to it."""
        if not is_part(request):
            return RedirectResponse(self.address(request, state), 303)
        values = {**self.parts.all(state), "with_form": False}
        return self.pages.part("try_page/changed", push=state.to_address(), **values)

    def address(self, request: Request, state: PageState) -> str:
        """Relative to the address that is asked."""
        depth = request.url.path.removeprefix(request.scope.get("root_path", "")).count("/") - 1
        return page_address(state.to_address(), "../" * depth or "./")

    def change(self, request: Request, fields: TryFields) -> Response:
        """After a field has changed, or a button of the form was pressed."""
        # What has changed is no longer the same image made again.
        state = replace(apply_act(fields.state(), fields.act, fields), again="")
        name = fields.act.partition(" ")[0]
        if name == "browse":
            return RedirectResponse(f"../{state.view.place('browse').removeprefix('./')}", 303)
        if name == "use-weight" or (name == "tile" and state.settings.sheet == "strip"):
            state = with_weight_of_shown(state, self.result_of(state))
        if not is_part(request):
            return RedirectResponse(self.address(request, state), 303)
        is_base = fields.was != fields.on
        answer = self.pages.part(
            "try_page/changed" if name or is_base else "try_page/typed", **self.parts.all(state), with_form=True
        )
        answer.headers["HX-Replace-Url"] = page_address(state.to_address())
        return answer

    def ask(self, request: Request) -> Response:
        state = self.state(request)
        return self.pages.part("try_page/changed", **self.parts.all(state, asks=True), with_form=True)

    def result_of(self, state: PageState) -> Result | None:
        found = self.jobs.find(state.job)
        return found.result if found is not None and isinstance(found.result, Result) else None

    def add_weights(self, request: Request, fields: TryFields) -> Response:
        state = fields.state()
        result = self.result_of(state)
        if result is None:
            raise UsageError(_("These images are no longer here. Make them again."))
        shown = result if state.shown is None else result.showing(state.shown)
        id_ = self.parts.generator.add_weights(shown)
        return self.follow(request, replace(state, job=id_, shown=None))

    def paint(self, request: Request, id_: str, steps: Iterator[tuple[int, Any]]) -> Iterator[str]:
        """The stage at each step of a generation (see web/jobs.py)."""
        state = replace(self.state(request), job=id_)
        filled, look = fill(self.pages.services, state), ""
        for _number, step in steps:
            if step is None:
                # So that one who has left is noticed.
                yield ""
            elif isinstance(step, Failed):
                yield self.end(state, **self.parts.failure(state, step.error))
            elif isinstance(step, Stopped):
                yield self.end(state, mode="failed", text=step.text)
            elif isinstance(step, Result):
                yield self.end(state, mode="done", **self.parts.result(state, step))
            else:
                values = self.parts.waiting(state, step, filled)
                # Not each step has a preview: the last one stays.
                look = values["look"] or look
                yield self.pages.render("try_page/step", **{**values, "look": look}, state=state)

    def end(self, state: PageState, **shown: Any) -> str:
        return self.pages.render("try_page/end", **{**self.parts.all(state), **shown})

    def stop(self, request: Request, id_: str) -> Response:
        text = self.parts.generator.stop(id_)
        state = replace(self.state(request), job="", shown=None)
        if not is_part(request):
            return RedirectResponse(self.address(request, state), 303)
        values = {**self.parts.all(state), "mode": "failed", "text": text, "with_form": False}
        answer = self.pages.part("try_page/changed", **values)
        answer.headers["HX-Replace-Url"] = page_address(state.to_address())
        return answer
