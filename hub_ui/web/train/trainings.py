"""Trainings as jobs: those that were started or followed here, in the order in which they began."""

import re
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from connectors.replicate.runs import Order, Run, terms_of
from hub_ui.generate.request import Step
from hub_ui.i18n import N_, _
from hub_ui.jobs.jobs import Failed, Jobs, JobState, JobSubject
from hub_ui.training import Trainer, TrainingSet, training_set
from hub_ui.web.requests import Refused
from hub_ui.web.uploads import Uploads, receive_upload

KIND = "training"
CANCELLED = N_("The training is cancelled.")
# It goes on at its hub: who ends hub-ui has paid for it.
NOT_FOLLOWED = N_("This training is not followed any more. Load the page again.")
OnProgress = Callable[["Progress"], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`run` is its id on Replicate, empty until it has begun there; `percent` None is unknown."""

    text: str
    percent: float | None = None
    run: str = ""


@dataclass(frozen=True, kw_only=True)
class Training:
    """A job whose steps are Progress, and whose result is the Ref of the LoRA."""

    id: str
    job: JobState

    @property
    def problem(self) -> str:
        if not isinstance(self.job.outcome, Failed):
            return ""
        error = self.job.outcome.error
        return error.message if isinstance(error, HubUiError) else _("It failed unexpectedly. The log has the details.")


@dataclass(frozen=True, kw_only=True)
class Trainings:
    trainer: Trainer
    jobs: Jobs

    def start(self, order: Order, images: TrainingSet, images_id: str) -> None:
        """Pressed twice it is the same training: what is started is paid for."""

        def work(on_progress: OnProgress, is_cancelled: IsCancelled) -> Ref:
            on_progress(Progress(text=_("Uploading the images…")))
            return self._wait(self.trainer.start(order, images), on_progress, is_cancelled)

        self.jobs.start(JobSubject(kind=KIND, name=order.destination), work, inputs=(images_id, order))

    def follow(self, run_id: str) -> None:
        """One that was started elsewhere, or before this page was."""
        run = self.trainer.get(run_id)
        subject = JobSubject(kind=KIND, name=terms_of(run).trigger_word or run.id)
        self.jobs.start(subject, partial(self._wait, run), inputs=run.id)

    def cancel(self, id_: str) -> None:
        """On Replicate, then here."""
        training = self.find(id_)
        if training is not None and training.job.step is not None and training.job.step.run:
            self.trainer.cancel(training.job.step.run)
        self.jobs.stop(id_, _(CANCELLED))

    def find(self, id_: str) -> Training | None:
        job = self.jobs.find(id_)
        return None if job is None else Training(id=id_, job=job)

    def all(self) -> list[Training]:
        """The last one first."""
        found = map(self.find, reversed(self.jobs.ids(KIND)))
        return [training for training in found if training is not None]

    def elsewhere(self) -> list[Run]:
        """What else is under way on Replicate with this key. Raises the hub's error."""
        own = {training.job.step.run for training in self.all() if training.job.step is not None}
        return [run for run in self.trainer.list_running() if run.id not in own]

    def _wait(self, run: Run, on_progress: OnProgress, is_cancelled: IsCancelled) -> Ref:
        def tell(step: Step) -> None:
            if is_cancelled():
                raise UsageError(_(NOT_FOLLOWED))
            percent = 100 * step.done / step.total if step.total else None
            on_progress(Progress(text=step.stage, percent=percent, run=run.id))

        on_progress(Progress(text=_("Waiting for a machine on Replicate"), run=run.id))
        return self.trainer.follow(run, tell)[1]


MOST_FILES = 2_000
_NAME = re.compile(r"[\w-]{20,40}")
# Names of files mean nothing to the trainer, but a caption has that of its image.
_NOT_PLAIN = re.compile(r"[^\w.() -]+")


@dataclass(frozen=True, kw_only=True)
class TrainingUploads:
    """`folder` holds one packed zip a set, named by its id, which is a secret."""

    folder: Path
    uploads: Uploads

    @asynccontextmanager
    async def read_form(self, request: Request) -> AsyncIterator[FormData]:
        """The fields and files of a form. Raises UsageError for more than Replicate takes."""
        length = request.headers.get("content-length", "")
        try:
            upload = self.uploads.begin(int(length) if length.isascii() and length.isdigit() else None)
            try:
                bounded = Request(request.scope, receive_upload(upload, request.receive))
                async with bounded.form(max_files=MOST_FILES, max_fields=40, max_part_size=100_000) as form:
                    yield form
            finally:
                self.uploads.end(upload)
        except Refused as error:
            raise UsageError(error.message) from error

    def keep(self, files: Sequence[UploadFile]) -> tuple[str, TrainingSet]:
        """Packs the images, and gives the id of the set. Raises UsageError for what could not be trained on."""
        named = [file for file in files if file.filename]
        if not named:
            raise UsageError(_("Choose images first: 10 to 20 of the same thing, from several angles."))
        with TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as name:
            part = Path(name)
            for number, file in enumerate(named):
                path = part / plain_name(str(file.filename), number)
                if path.exists():
                    raise UsageError(_("Two of the files have the same name. Rename one of them."))
                with path.open("xb") as kept:
                    shutil.copyfileobj(file.file, kept)
            zips = [path for path in part.iterdir() if path.suffix.lower() == ".zip"]
            images = training_set(zips[0] if zips else part, zips[0].name if zips else _("What you chose"))
        id_ = secrets.token_urlsafe(24)
        (self.folder / f"{id_}.zip").write_bytes(images.zipped)
        return id_, images

    def find(self, id_: str) -> TrainingSet:
        """Raises UsageError for one that is no longer here."""
        path = self.folder / f"{id_}.zip"
        if not _NAME.fullmatch(id_) or not path.is_file():
            raise UsageError(_("The images are no longer here. Choose them again to see the price."))
        return training_set(path)


def plain_name(name: str, number: int) -> str:
    """A name within the folder, whatever a browser says."""
    plain = _NOT_PLAIN.sub("-", Path(name.replace("\\", "/")).name).lstrip(".")[-120:]
    return plain or f"{number}"
