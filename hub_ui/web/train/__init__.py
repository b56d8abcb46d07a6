"""The addresses of the Train page, and trainings as jobs.

Those that were started or followed here are shown in the order in which they began.
"""

import io
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Form, Request, Response
from starlette.datastructures import UploadFile

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.ref import Ref
from connectors.replicate.runs import MOST_UPLOADED, Order, Run, Runs, list_running, start_training, terms_of
from hub_ui.app.jobs import Jobs, JobSubject, Stopped
from hub_ui.app.training import TrainingSet, follow_training, price, training_set
from hub_ui.base.i18n import N_, _
from hub_ui.generate.request import IsCancelled, Step
from hub_ui.settings import REFUSALS
from hub_ui.web.layout.pages import Room, is_part, route
from hub_ui.web.uploads import Uploads, plain_name

KIND = "training"
CANCELLED = N_("The training is cancelled.")
# It goes on at its hub: who ends hub-ui has paid for it.
NOT_FOLLOWED = N_("This training is not followed any more. Load the page again.")
OnProgress = Callable[["Progress"], None]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`run` is its id on Replicate, empty until it has begun there; `percent` None is unknown."""

    text: str
    percent: float | None = None
    run: str = ""


MOST_FILES = 2_000
# Names of files mean nothing to the trainer, but a caption has that of its image.
LONGEST_NAME = 120
USUAL: Mapping[str, str] = {"destination": "", "trigger": "", "rank": "16", "steps": "1000"}
Text = Annotated[str, Form(max_length=300)]
Number = Annotated[int, Form(ge=0, le=10**6)]


@dataclass(frozen=True, kw_only=True)
class TrainRoutes(Room):
    """A training is a job whose steps are Progress, and whose result is the Ref of the LoRA. It paints them too (see
    web/site.py).

    A set of images is kept as an upload: one packed zip.
    """

    runs: Runs
    jobs: Jobs
    uploads: Uploads
    # What asks Replicate, or reads images, just now.
    most_at_once = 10

    @route("GET /train")
    def show(self, request: Request) -> Response:
        return self.page(request)

    @route("GET /train/elsewhere", may="train", waits=True)
    def show_elsewhere(self, request: Request) -> Response:
        """What else is under way on Replicate with this key."""
        listed: dict[str, Any] = {"runs": [], "runs_problem": ""}
        own = {job.step.run for job in self.jobs.all(KIND) if job.step is not None}
        try:
            listed["runs"] = [run for run in list_running(self.runs) if run.id not in own]
        except HubUiError as error:
            listed["runs_problem"] = error.message
        return self.pages.part("train/elsewhere", **listed) if is_part(request) else self.page(request, **listed)

    @route("POST /train/price", may="train")
    async def show_price(self, request: Request) -> Response:
        self.runs.need_key("Training a LoRA")
        async with self.uploads.read_form(request, MOST_FILES, most=MOST_UPLOADED, max_part_size=100_000) as form:
            files = [file for file in form.getlist("pictures") if isinstance(file, UploadFile) and file.filename]
            given = {name: str(form.get(name, ""))[:300].strip() for name in USUAL}
            shown = await to_thread.run_sync(self.price, given, files, limiter=self.limiter)
        if is_part(request):
            return self.pages.part("train/price", **shown)
        return self.page(request, status=422 if shown["problem"] else 200, given=given, **shown)

    @route("POST /train/start", may="train", waits=True)
    def start(
        self, request: Request, images: Text, destination: Text, trigger: Text, rank: Number, steps: Number
    ) -> Response:
        """Pressed twice it is the same training: what is started is paid for."""
        self.runs.need_key("Training a LoRA")
        order = Order(destination=destination, trigger_word=trigger, rank=rank, steps=steps)
        order.check()
        try:
            found = training_set(self.uploads.path(images))
        except NotFound as error:
            raise UsageError(_("The images are no longer here. Choose them again to see the price.")) from error

        def work(on_progress: OnProgress, is_cancelled: IsCancelled) -> Ref:
            on_progress(Progress(text=_("Uploading the images…")))
            return self.wait(start_training(self.runs, order, found.zipped), on_progress, is_cancelled)

        self.jobs.start(JobSubject(kind=KIND, name=order.destination), work, inputs=(images, order))
        return self.answer(request)

    @route("POST /train/follow", may="train", waits=True)
    def follow(self, request: Request, run: Text) -> Response:
        """One that was started elsewhere, or before this page was."""
        self.runs.need_key("Training a LoRA")
        found = self.runs.get("trainings", run)
        subject = JobSubject(kind=KIND, name=terms_of(found).trigger_word or found.id)
        self.jobs.start(subject, partial(self.wait, found), inputs=found.id)
        return self.answer(request)

    @route("POST /train/cancel", may="train", waits=True)
    def cancel(self, request: Request, run: Text) -> Response:
        """One that nobody follows here."""
        self.runs.need_key("Training a LoRA")
        self.runs.cancel(self.runs.get("trainings", run))
        return self.answer(request)

    def price(self, given: Mapping[str, str], files: list[UploadFile]) -> dict[str, Any]:
        """What would be sent and what it costs; nothing is sent yet."""
        # What is no number is none that there may be, which the order says.
        rank, steps = (
            int(text) if text.isdecimal() and len(text) < 9 else 0 for text in (given["rank"], given["steps"])
        )
        order = Order(destination=given["destination"], trigger_word=given["trigger"], rank=rank, steps=steps)
        try:
            order.check()
            images = read_images(files)
        except HubUiError as error:
            return {"problem": error.message, "price": ""}
        name = self.uploads.keep(io.BytesIO(images.zipped), "images.zip")
        return {"problem": "", "price": price(order, images), "notes": images.notes, "order": order, "images": name}

    def wait(self, run: Run, on_progress: OnProgress, is_cancelled: IsCancelled) -> Ref:
        def tell(step: Step) -> None:
            if is_cancelled():
                raise UsageError(_(NOT_FOLLOWED))
            percent = 100 * step.done / step.total if step.total else None
            on_progress(Progress(text=step.stage, percent=percent, run=run.id))

        on_progress(Progress(text=_("Waiting for a machine on Replicate"), run=run.id))
        return follow_training(self.services, self.runs, run, tell)[1]

    def answer(self, request: Request) -> Response:
        place, trainings = "../train#trainings", self.jobs.all(KIND)
        return self.pages.after_act(request, "train/started", place, trainings=trainings)

    def page(self, request: Request, *, status: int = 200, **values: Any) -> Response:
        is_open = self.services.policy.allows("train")
        shown = {
            "closed": "" if is_open else _(REFUSALS["train"]),
            "trainings": self.jobs.all(KIND) if is_open else [],
            "given": USUAL, "price": "", "problem": "", "runs": None, "runs_problem": "",
            **values,
        }  # fmt: skip
        return self.pages.own(request, "train/page", "train", _("Train"), status=status, **shown)

    def paint(self, request: Request, id_: str, steps: Iterator[tuple[int, Any]]) -> Iterator[str]:
        """The row of a training after each of its steps."""
        for _number, step in steps:
            if step is not None:
                is_cancelled = isinstance(step, Stopped) and step.text == _(CANCELLED)
                end = _(CANCELLED if is_cancelled else NOT_FOLLOWED)
                yield self.pages.render("train/step", training=self.jobs.find(id_), id=id_, end=end)

    def stop(self, request: Request, id_: str) -> Response:
        """On Replicate, then here."""
        job = self.jobs.find(id_)
        if job is not None and job.step is not None and job.step.run:
            self.runs.cancel(self.runs.get("trainings", job.step.run))
        self.jobs.stop(id_, _(CANCELLED))
        return self.answer(request)


def read_images(files: Sequence[UploadFile]) -> TrainingSet:
    """Raises UsageError for what could not be trained on."""
    if not files:
        raise UsageError(_("Choose images first: 10 to 20 of the same thing, from several angles."))
    with TemporaryDirectory(prefix="hub-ui-train-", ignore_cleanup_errors=True) as name:
        part = Path(name)
        for file in files:
            path = part / plain_name(str(file.filename), LONGEST_NAME)
            if path.exists():
                raise UsageError(_("Two of the files have the same name. Rename one of them."))
            with path.open("xb") as kept:
                shutil.copyfileobj(file.file, kept)
        zips = [path for path in part.iterdir() if path.suffix.lower() == ".zip"]
        return training_set(zips[0] if zips else part, zips[0].name if zips else _("What you chose"))
