"""The addresses of the Train page: the price, the start, and the trainings under way."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import HubUiError
from connectors.replicate.runs import MOST_UPLOADED, Order
from hub_ui.i18n import _
from hub_ui.jobs.jobs import Jobs, Stopped
from hub_ui.settings.policy import REFUSALS
from hub_ui.training import Trainer, price
from hub_ui.web.layout.pages import Pages, Preview, is_part, own_view
from hub_ui.web.train.trainings import CANCELLED, NOT_FOLLOWED, Trainings, TrainingUploads
from hub_ui.web.uploads import Uploads

# What asks Replicate, or reads images, just now.
MOST_AT_WORK = 10
USUAL: Mapping[str, str] = {"destination": "", "trigger": "", "rank": "16", "steps": "1000"}
Text = Annotated[str, Form(max_length=300)]
Number = Annotated[int, Form(ge=0, le=10**6)]


@dataclass(frozen=True, kw_only=True)
class TrainRoutes:
    """It paints the jobs of its trainings too (see web/streams.py)."""

    pages: Pages
    trainings: Trainings
    uploads: TrainingUploads
    limiter: CapacityLimiter = field(default_factory=partial(CapacityLimiter, MOST_AT_WORK))

    def router(self) -> APIRouter:
        router = self.pages.router()
        router.add_api_route("/train", self.show, methods=["GET"])
        router.add_api_route("/train/elsewhere", self.show_elsewhere, methods=["GET"])
        router.add_api_route("/train/price", self.show_price, methods=["POST"])
        router.add_api_route("/train/start", self.start, methods=["POST"])
        router.add_api_route("/train/follow", self.follow, methods=["POST"])
        router.add_api_route("/train/cancel", self.cancel, methods=["POST"])
        return router

    def show(self, request: Request) -> Response:
        return self.page(request)

    async def show_elsewhere(self, request: Request) -> Response:
        self.pages.services.policy.check("train")
        listed = await to_thread.run_sync(self.list_elsewhere, limiter=self.limiter)
        return self.pages.part("train/elsewhere", **listed) if is_part(request) else self.page(request, **listed)

    async def show_price(self, request: Request) -> Response:
        self.check()
        async with self.uploads.read_form(request) as form:
            files = [file for file in form.getlist("pictures") if isinstance(file, UploadFile)]
            given = {name: str(form.get(name, ""))[:300].strip() for name in USUAL}
            shown = await to_thread.run_sync(self.price, given, files, limiter=self.limiter)
        if is_part(request):
            return self.pages.part("train/price", **shown)
        return self.page(request, status=422 if shown["problem"] else 200, given=given, **shown)

    async def start(
        self, request: Request, images: Text, destination: Text, trigger: Text, rank: Number, steps: Number
    ) -> Response:
        self.check()
        order = Order(destination=destination, trigger_word=trigger, rank=rank, steps=steps)
        order.check()
        found = await to_thread.run_sync(self.uploads.find, images, limiter=self.limiter)
        self.trainings.start(order, found, images)
        return self.answer(request)

    async def follow(self, request: Request, run: Text) -> Response:
        self.check()
        await to_thread.run_sync(self.trainings.follow, run, limiter=self.limiter)
        return self.answer(request)

    async def cancel(self, request: Request, run: Text) -> Response:
        """One that nobody follows here."""
        self.check()
        await to_thread.run_sync(self.trainings.trainer.cancel, run, limiter=self.limiter)
        return self.answer(request)

    def check(self) -> None:
        """Raises our errors where nothing can be trained."""
        self.pages.services.policy.check("train")
        self.trainings.trainer.need_key()

    def price(self, given: Mapping[str, str], files: list[UploadFile]) -> dict[str, Any]:
        """What would be sent and what it costs; nothing is sent yet."""
        try:
            order = order_of(given)
            order.check()
            id_, images = self.uploads.keep(files)
        except HubUiError as error:
            return {"problem": error.message, "price": ""}
        return {"problem": "", "price": price(order, images), "notes": images.notes, "order": order, "images": id_}

    def list_elsewhere(self) -> dict[str, Any]:
        try:
            return {"runs": self.trainings.elsewhere(), "runs_problem": ""}
        except HubUiError as error:
            return {"runs": [], "runs_problem": error.message}

    def answer(self, request: Request) -> Response:
        if is_part(request):
            return self.pages.part("train/started", trainings=self.trainings.all())
        return RedirectResponse("../train#trainings", 303)

    def page(self, request: Request, *, status: int = 200, **values: Any) -> Response:
        is_open = self.pages.services.policy.allows("train")
        shown = {
            "closed": "" if is_open else _(REFUSALS["train"]),
            "trainings": self.trainings.all() if is_open else [],
            "given": USUAL, "price": "", "problem": "", "runs": None, "runs_problem": "",
            **values,
        }  # fmt: skip
        view, preview = own_view("train", request.url.query), Preview(title=_("Train"))
        return self.pages.whole(request, "train/page", view, preview=preview, status=status, **shown)

    def paint(self, request: Request, id_: str, steps: Iterator[tuple[int, Any]]) -> Iterator[str]:
        """The row of a training after each of its steps."""
        for _number, step in steps:
            if step is not None:
                is_cancelled = isinstance(step, Stopped) and step.text == _(CANCELLED)
                end = _(CANCELLED if is_cancelled else NOT_FOLLOWED)
                yield self.pages.render("train/step", training=self.trainings.find(id_), id=id_, end=end)

    def stop(self, request: Request, id_: str) -> Response:
        self.trainings.cancel(id_)
        return self.answer(request)


def order_of(given: Mapping[str, str]) -> Order:
    def number(text: str) -> int:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0

    return Order(
        destination=given["destination"],
        trigger_word=given["trigger"],
        rank=number(given["rank"]),
        steps=number(given["steps"]),
    )


def build_train(pages: Pages, jobs: Jobs, closing: ExitStack) -> TrainRoutes:
    """With a folder of its own, for the images that wait for their start."""
    services = pages.services
    trainer = Trainer(services)
    closing.callback(trainer.close)
    folder = Path(closing.enter_context(TemporaryDirectory(prefix="hub-ui-train-", ignore_cleanup_errors=True)))
    limits = replace(services.policy.limits, upload_bytes=MOST_UPLOADED)
    uploads = TrainingUploads(folder=folder, uploads=Uploads(folder, limits, spend=lambda _bytes: None))
    return TrainRoutes(pages=pages, trainings=Trainings(trainer=trainer, jobs=jobs), uploads=uploads)
