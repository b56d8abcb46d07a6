"""The addresses of the Compare page."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import HubUiError, NeedsFetching, UsageError
from connectors.record import within
from connectors.ref import Ref
from hub_ui.app.generation import DeferredBackend
from hub_ui.app.jobs import Failed, Stopped
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.generate.request import Step
from hub_ui.generate.try_fields import MOST_LORAS, MOST_SEEDS, TRY_FIELDS
from hub_ui.web.layout.pages import LEVEL_COOKIE, Preview, Room, is_part, route
from hub_ui.web.server import use_request
from hub_ui.web.try_page.form import (
    CHECKED,
    CONTROL_KINDS,
    Fields,
    PageState,
    TryFields,
    apply_act,
    fill,
    read_address,
)
from hub_ui.web.try_page.generate import Generator, TryOrder, check_bases, download_subject, is_about, loras
from hub_ui.web.try_page.result import Result, data_url, read_original
from hub_ui.web.view import View

logger = logging.getLogger(__name__)
# The groups of the form, each with its fields.
SECTIONS = {place: [row for row in TRY_FIELDS if row.place == place] for place in ("numbers", "images", "expert")}
# The largest factor by which images are enlarged, and the longest side in pixels.
LARGEST_SCALE, LARGEST_SIDE = 3, 2048


@dataclass(frozen=True, kw_only=True)
class TryRoutes(Room):
    """The routes of the page. `uploaded` returns the file of an upload, `history` the pane next to the stage."""

    generator: Generator
    uploaded: Callable[[str], Path]
    history: Callable[[], str]

    # Each request may wait for a hub.
    most_at_once = 20

    @route("GET /try")
    def answer(self, request: Request) -> Response:
        """Return the whole page for an address."""
        return self.whole(request, self.state(request))

    def state(self, request: Request) -> PageState:
        return read_address(request.url.query, request.cookies.get(LEVEL_COOKIE))

    def whole(self, request: Request, state: PageState, *, status: int = 200, **shown: Any) -> Response:
        values = {**self.values(state, waits=False), **shown}
        return self.pages.whole(
            request, "try_page/page", state.view, preview=self.preview(state), status=status, **values
        )

    def part(self, state: PageState, template: str = "changed", *, asks: bool = False, **shown: Any) -> HTMLResponse:
        """Render a part of the page. `shown` replaces values of the stage."""
        values = {"with_form": True, **self.values(state, asks=asks), **shown}
        return self.pages.part(f"try_page/{template}", **values)

    def move(
        self, request: Request, state: PageState, template: str = "changed", *, adds_step: bool = False, **shown: Any
    ) -> Response:
        """Return the page's part for a new state, and change the address. `adds_step` adds a step to the history."""
        if not is_part(request):
            depth = request.url.path.removeprefix(request.scope.get("root_path", "")).count("/") - 1
            return RedirectResponse(state.link("../" * depth), 303)
        answer = self.part(state, template, **shown)
        answer.headers["HX-Push-Url" if adds_step else "HX-Replace-Url"] = state.link()
        return answer

    def preview(self, state: PageState) -> Preview:
        """Return the link preview. It never shows content above "safe", because other sites show it to all visitors."""
        records = [self.services.lookup.find_record(ref) for ref in state.view.refs]
        shown = [r for r in records if r is not None and within(r.nsfw, "safe")]
        titles = ", ".join(format.title(record.title) for record in shown)
        return Preview(title=_("Compare {titles}").format(titles=titles) if titles else _("Compare"))

    @route("POST /try", waits=True)
    def make(self, request: Request, fields: Fields) -> Response:
        state = fields.state()
        try:
            if not fields.get("filled"):
                state = self.at_once(state, fields)
            may_fetch = bool(fields.get("fetch")) and fields.get("fetch") == download_subject(state.view)
            order = self.order(state, may_fetch=may_fetch)
            with use_request(request):
                id_ = self.generator.start(order)
        except HubUiError as error:
            # An invalid field shows its message and leaves the images. Other errors are shown on the stage.
            return self.refuse(request, state if state.problems else replace(state, job="", shown=None), error)
        # This response cancels the look-up that the page has started, so it includes the look-up's results.
        return self.follow(request, state, id_, with_form=not fields.get("filled"))

    def at_once(self, state: PageState, fields: TryFields) -> PageState:
        """Fill in the defaults for a request without the form: the authors' weights, and the suggested prompt and seed.

        Raises NetworkError if an unknown LoRA's hub can't be reached, so that the hub is queried only once.
        """
        services, view = self.services, state.view
        if view.settings.place == "local":
            check_bases(services, view.refs, view.settings.base)
        for written, stacked in zip(fields.getlist("lora"), view.stack, strict=False):
            if "*" not in written and not fields.getlist("weight"):
                view = view.with_weight(stacked.ref, services.generation.default_weight(Ref.parse(stacked.ref)))
        state = replace(state, view=view)
        filled = fill(services, state, asks=True)["settings"]
        settings = replace(view.settings, prompt=filled.prompt, seed=filled.seed)
        return replace(state, view=replace(view, settings=settings))

    def refuse(self, request: Request, state: PageState, error: HubUiError) -> Response:
        shown: dict[str, Any] = {} if state.problems else {"mode": "failed", "text": error.message}
        return self.part(state, **shown) if is_part(request) else self.whole(request, state, status=422, **shown)

    def follow(self, request: Request, state: PageState, id_: str, *, with_form: bool = False) -> Response:
        """Show the stage while a job of it runs."""
        return self.move(request, replace(state, job=id_, shown=None), adds_step=True, with_form=with_form)

    @route("POST /try/form", waits=True)
    def change(self, request: Request, fields: Fields) -> Response:
        """Respond to a changed field or a pressed button of the form."""
        act = fields.get("act", "")
        # A changed form no longer reproduces the original image.
        state = replace(apply_act(fields.state(), act, fields), again="")
        name = act.partition(" ")[0]
        if name == "browse":
            return RedirectResponse(replace(state.view, page="browse", open="").link("../"), 303)
        result = self.result_of(state)
        if result is not None and (name == "use-weight" or (name == "tile" and state.settings.sheet == "strip")):
            state = with_weight_of_shown(state, result)
        # A form without the facts of its LoRAs requests them again, because this action has cancelled the look-up.
        has_new_form = name or fields.has_new_base or not fields.get("filled")
        return self.move(request, state, "changed" if has_new_form else "typed")

    @route("GET /try/ask", waits=True)
    def ask(self, request: Request) -> Response:
        """Return the form with the facts of LoRAs that only their hubs know. The stage is left as it is."""
        return self.part(self.state(request), "asked", asks=True)

    @route("GET /try/price", waits=True)
    def price(self, request: Request) -> Response:
        """Return the estimate for a page that was shown without it."""
        return self.part(self.state(request), "typed")

    def result_of(self, state: PageState) -> Result | None:
        found = self.generator.jobs.find(state.job)
        return found.result if found is not None and isinstance(found.result, Result) else None

    @route("POST /try/weights", waits=True)
    def add_weights(self, request: Request, fields: Fields) -> Response:
        state = fields.state()
        result = self.result_of(state)
        if result is None:
            raise UsageError(_("These images are no longer here. Make them again."))
        with use_request(request):
            id_ = self.generator.add_weights(result.showing(state.shown))
        return self.follow(request, state, id_)

    @route("POST /try/full", waits=True)
    def render_in_full(self, request: Request, fields: Fields) -> Response:
        state = fields.state()
        with use_request(request):
            return self.follow(request, state, self.generator.render_in_full(state.job))

    def paint(self, request: Request, id_: str, steps: Iterator[tuple[int, Any]]) -> Iterator[str]:
        """Render the stage at each step of a generation (see web/site.py)."""
        state = replace(self.state(request), job=id_)
        filled, look = fill(self.services, state), ""
        for _number, step in steps:
            if step is None:
                # Send an empty text, because only sending detects a closed connection.
                yield ""
                continue
            values = self.step(state, step, filled)
            if values["mode"] != "waiting":
                yield self.pages.render("try_page/end", **{**self.values(state), **values})
                continue
            # Keep the last preview, because not every step has one.
            look = values["look"] or look
            yield self.pages.render("try_page/step", **{**values, "look": look}, state=state)

    def stop(self, request: Request, id_: str) -> Response:
        text = self.generator.stop(id_)
        state = replace(self.state(request), job="", shown=None)
        return self.move(request, state, mode="failed", text=text, with_form=False)

    def values(self, state: PageState, *, asks: bool = False, waits: bool = True) -> dict[str, Any]:
        """Return the values of the templates. Without `waits` the page requests the estimate later."""
        filled = fill(self.services, state, asks=asks)
        values = self.form_values(state, filled, waits=waits or self.knows_price)
        return {**values, **self.stage(state, filled), "history": self.history}

    def form_values(self, state: PageState, filled: Mapping[str, Any], *, waits: bool) -> dict[str, Any]:
        # If no LoRA runs here, skip the estimate: the rows show the reasons.
        unfit = state.view.settings.place == "local" and all(item["problem"] for item in filled["stack"])
        estimate, is_problem = self.estimate(state) if waits and not unfit else ("", False)
        return {
            "state": state,
            "view": state.view,
            "settings": state.settings,
            "filled": filled,
            "texts": filled["texts"],
            # Every field has an element for its error message, which may have to be cleared.
            "problems": {**dict.fromkeys(("lora", *CHECKED), ""), **state.problems},
            "sections": SECTIONS,
            "most": MOST_LORAS,
            "most_seeds": MOST_SEEDS,
            "control_kinds": CONTROL_KINDS,
            # Keep the search of the Browse page.
            "search": parse_qsl(View(query=state.view.query).to_address()),
            "estimate": estimate,
            "estimate_problem": is_problem,
            "asks_price": not waits and bool(state.view.stack),
            # Unfold the section if it has an invalid field or a choice other than the default.
            "is_expert": any(
                row.name in state.problems or (row.choices and getattr(state.settings, row.attribute) != row.default)
                for row in SECTIONS["expert"]
            ),
        }

    @property
    def knows_price(self) -> bool:
        """Whether an estimate is fast. The first estimate imports torch, which takes seconds."""
        local = self.services.generation.local
        return not isinstance(local, DeferredBackend) or local.is_built

    def estimate(self, state: PageState) -> tuple[str, bool]:
        """Return the expected time and price, or an error message, and whether it is an error."""
        try:
            return (self.generator.estimate(self.order(state)) if state.view.stack else ""), False
        except UsageError as error:
            return error.message, True
        # Other errors, such as a deleted upload, are reported when the images are generated.
        except HubUiError:
            return "", False

    def order(self, state: PageState, *, may_fetch: bool = False) -> TryOrder:
        """Return the order for a state. Raises UsageError for an invalid field, NotFound for a deleted upload."""
        state.check()
        again = state.again
        return TryOrder(
            view=View(page="try", stack=state.view.stack, settings=state.settings),
            control=self.uploaded(state.control) if state.control else None,
            control_kind=state.control_kind,
            image=self.uploaded(state.image) if state.image else None,
            may_fetch=may_fetch,
            original=read_original(self.uploaded(again), f"uploaded?name={again}") if again else None,
        )

    def stage(self, state: PageState, filled: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the stage for the job in the address."""
        job = self.generator.jobs.find(state.job)
        if job is None or not is_about(job.subject.name, job.subject.refs, state.view):
            return {"mode": "empty", "gone": bool(state.job)}
        step = job.outcome if isinstance(job.outcome, Failed) else job.result or job.step
        return self.step(state, step, filled)

    def step(self, state: PageState, step: Any, filled: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the stage at a step, which is None before the first one. `box` is the images' size."""
        if isinstance(step, Failed):
            return failure(state, step.error)
        if isinstance(step, Stopped):
            return {"mode": "failed", "text": step.text}
        if isinstance(step, Result):
            return {"mode": "done", "r": step.showing(state.shown), "box": frame(step.width, step.height)}
        preview = step.preview if isinstance(step, Step) else None
        return {
            "mode": "waiting",
            "step": step,
            "duration": format.duration,
            "look": "" if preview is None else data_url(preview),
            "box": frame(*(filled["settings"].size or (512, 512))),
        }


def failure(state: PageState, error: BaseException) -> dict[str, Any]:
    if isinstance(error, NeedsFetching):
        return {"mode": "question", "need": error, "subject": download_subject(state.view)}
    if isinstance(error, HubUiError):
        return {"mode": "failed", "text": error.message}
    logger.error("A generation failed.", exc_info=error)
    return {"mode": "failed", "text": _("Something went wrong here. The log has the details; try again.")}


def frame(width: int, height: int) -> tuple[int, int]:
    """Return the largest size in which an image is shown."""
    scale = min(LARGEST_SCALE, LARGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def with_weight_of_shown(state: PageState, result: Result) -> PageState:
    """Give the varied LoRA the weight of the image on the stage, if the LoRA is still in the form."""
    weight, varied = result.showing(state.shown).right_tile.weight, loras(result.refs[result.varied :][:1])
    # If the varied LoRA was removed, the other LoRAs keep their weights.
    mine = next((s for s in state.view.stack if loras([s.ref]) == varied), None)
    if mine is None or weight is None or state.shown is None:
        return state
    return replace(state, view=state.view.with_weight(mine.ref, weight))
