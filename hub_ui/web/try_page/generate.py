"""Start the Compare page's jobs: the downloads first, then the comparison, with progress."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError, NetworkError, UsageError
from connectors.ref import Ref
from hub_ui.app.compatibility import choose_base, to_download
from hub_ui.app.jobs import Jobs, JobSubject
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import N_, _
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.request import Callbacks, GenerationRequest, IsCancelled, Step
from hub_ui.library.download.partial_file import PullCancelled
from hub_ui.library.download.queue import Queue
from hub_ui.library.download.queue_tasks import Task
from hub_ui.web.downloads import drawer
from hub_ui.web.images import GeneratedImages
from hub_ui.web.try_page import form, result
from hub_ui.web.try_page.result import Original, Result
from hub_ui.web.view import View

OnProgress = Callable[[Any], None]
Make = Callable[[OnProgress, IsCancelled], Any]
LOOK_SECONDS = 0.4
# A job fails if a hub's rate limit lasts longer.
PATIENCE_SECONDS = 30.0
STOPPED = N_("Stopped. Nothing was changed.")
DOWNLOAD_KEPT = N_("Stopped. What has come of the download is kept.")


def enqueue(services: Services, refs: Sequence[Ref]) -> tuple[Sequence[Task], Sequence[int]]:
    """Queue missing files. Return all tasks to wait for, and the ids of new tasks, which the job may pause.

    The downloads continue when the page is closed. A hosted page has no queue: its engine downloads files with the key
    of the visitor.
    """
    if not services.policy.allows("pull"):
        return (), ()
    missing = [ref for ref in refs if services.downloads.find_installed(ref) is None]
    under_way = {task.id for task in services.queue.tasks() if not task.rests}
    tasks = tuple(services.downloads.enqueue(ref) for ref in missing)
    return tasks, tuple(task.id for task in tasks if task.id not in under_way)


def wait_for_downloads(queue: Queue, tasks: Sequence[Task], on_progress: OnProgress, is_cancelled: IsCancelled) -> None:
    """Wait until all files are in the library. Cancelling the wait does not stop the downloads."""
    for task in tasks:
        while (now := queue.wait(task.id, timeout=LOOK_SECONDS)).state != "done":
            check_coming(now)
            if is_cancelled():
                raise PullCancelled(_("Stopped. The download goes on."))
            text = _("Downloading: {progress}").format(progress=drawer.line(now, time.time()))
            total = 0 if now.fraction is None else 1000
            on_progress(Step(stage=text, done=round(total * (now.fraction or 0)), total=total))


def check_coming(task: Task) -> None:
    """Raise an error if the download is paused, has failed or has to wait longer than PATIENCE_SECONDS."""
    if task.state == "paused":
        raise UsageError(_("The download is paused. Resume it under Downloads, then press the button again."))
    if task.state == "failed" and task.error is not None:
        raise HubUiError(task.error.message, hub=task.ref.hub)
    at = time.time()
    if task.not_before is not None and task.not_before - at > PATIENCE_SECONDS:
        reason = task.error.message if task.error else _("The hub asks us to wait.")
        goes_on = _("The download goes on by itself: {line}.").format(line=drawer.line(task, at).lower())
        raise HubUiError(format.sentences(reason, goes_on))


def check_bases(services: Services, refs: Sequence[Ref], base: str = "") -> None:
    """Check the bases before any download. Raises NetworkError if an unknown LoRA's hub can't be reached."""
    for ref in refs:
        try:
            record = services.lookup.find_record(ref) or services.lookup.record(ref)
        except NetworkError:
            if services.downloads.find_installed(ref) is None:
                raise
        except HubUiError:
            continue
        else:
            choose_base(services, record, base or None)


def start_job(
    services: Services,
    jobs: Jobs,
    refs: Sequence[Ref],
    make: Make,
    *,
    name: str,
    base: str | None,
    inputs: object = None,
) -> str:
    """Start a job that downloads the LoRAs and then calls `make`. Return its id.

    `base` is the chosen base, or None if another service generates. Raises our errors for an impossible request before
    anything is downloaded.
    """
    tasks: Sequence[Task] = ()
    own: Sequence[int] = ()
    if base is not None:
        check_bases(services, refs, base)
        tasks, own = enqueue(services, refs)

    def work(on_progress: OnProgress, is_cancelled: IsCancelled) -> Any:
        wait_for_downloads(services.queue, tasks, on_progress, is_cancelled)
        return make(on_progress, is_cancelled)

    waits_for = tuple(task.id for task in tasks)
    subject = JobSubject(name=name, refs=tuple(map(str, refs)), downloads=tuple(own), waits_for=waits_for)
    return jobs.start(subject, work, inputs=inputs)


@dataclass(frozen=True, kw_only=True)
class TryOrder:
    """A request to generate the comparison of `view`. `may_fetch` permits the download of a base's gigabytes.

    With an `original` one image is generated, to be compared with the original.
    """

    view: View
    control: Path | None = None
    control_kind: str = "canny"
    image: Path | None = None
    may_fetch: bool = False
    original: Original | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a GenerationRequest, without its LoRAs."""
        return {
            **self.view.settings.arguments(),
            "control": self.control,
            "control_kind": self.control_kind,
            "image": self.image,
            "may_fetch": self.may_fetch,
        }


def download_subject(view: View) -> str:
    """Return a text that identifies the base and the LoRAs for which a download was confirmed."""
    return " ".join((view.settings.base, *(s.ref for s in view.stack)))


@dataclass(frozen=True, kw_only=True)
class Generator:
    """The service that starts and stops the page's jobs."""

    services: Services
    jobs: Jobs
    images: GeneratedImages

    def start(self, order: TryOrder) -> str:
        """Start a job and return its id. Raises our errors for an impossible request before any download."""
        if not order.view.refs and order.original is None:
            raise UsageError(_("There is no LoRA to try. Open one on the Browse page and press “Try it”."))
        fitting, aside = self.fit(order)
        settings, make = fitting.view.settings, partial(self.make, fitting, aside)
        base = settings.base if settings.place == "local" else None
        return start_job(
            self.services, self.jobs, fitting.view.refs, make, name=settings.sheet, base=base, inputs=order
        )

    def render_in_full(self, id_: str) -> str:
        """Start a job that renders the drafts of another job in full, and return its id."""
        found = self.jobs.find(id_)
        if found is None or not isinstance(order := found.inputs, TryOrder):
            raise UsageError(_("These images are no longer here. Make them again."))
        settings = replace(order.view.settings, drafts="never")
        return self.start(replace(order, view=replace(order.view, settings=settings)))

    def fit(self, order: TryOrder) -> tuple[TryOrder, tuple[str, ...]]:
        """Keep the LoRAs that fit one base in a comparison of LoRAs. Also return the reasons for the others."""
        view, generation = order.view, self.services.generation
        if view.settings.sheet != "loras" or view.settings.place != "local":
            return order, ()
        fit = generation.fit(generation.plan(view.refs, view.weights, **order.fields))
        settings = replace(view.settings, base=fit.base or "")
        return replace(
            order, view=replace(view, stack=tuple(view.stack[i] for i in fit.kept), settings=settings)
        ), fit.aside

    def make(self, order: TryOrder, aside: Sequence[str], on_progress: OnProgress, is_cancelled: IsCancelled) -> Result:
        generation, view, original = self.services.generation, order.view, order.original
        place, callbacks = view.settings.place, Callbacks(on_progress=on_progress, is_cancelled=is_cancelled)
        # Replicate downloads the files itself.
        fields = {**order.fields, "pulls": place == "local"}
        request = generation.request(
            view.refs, view.weights, on_progress=on_progress, is_cancelled=is_cancelled, **fields
        )
        cells, at = original.cells(request) if original else (comparison_of(self.services, view, request), None)
        made = generation.generate(request, cells, callbacks, place=place)
        shown = result.result_of(made, self.images, at)
        if original is not None:
            shown = result.with_original(shown, original, made)
        if shown.request is not None and shown.kind == "pair":
            around = comparison.sweep_around(generation.recommended_weight(view.refs[shown.varied]))
            shown = replace(shown, offered=tuple(sorted({*around, view.weights[shown.varied]})))
        most = generation.highest_usual_weight(view.refs[shown.varied]) if view.refs else 1.0
        return replace(shown, notes=(*aside, *shown.notes), most=most, view=view)

    def add_weights(self, shown: Result) -> str:
        """Start a job that adds the missing weights below a pair, and return its id."""
        request, missing, services = shown.request, shown.missing, self.services
        if request is None or not missing:
            raise UsageError(_("There are no other weights to compare here."))

        def work(on_progress: OnProgress, is_cancelled: IsCancelled) -> Result:
            ready = self.with_files(request, on_progress, is_cancelled)
            sweep = comparison.weight_sweep(ready, missing, shown.varied)
            made = services.generation.generate(
                ready, sweep, Callbacks(on_progress=on_progress, is_cancelled=is_cancelled)
            )
            return result.with_weights(shown, made, self.images)

        subject = JobSubject(name=shown.kind, refs=shown.refs)
        return self.jobs.start(subject, work, inputs=(request, missing, shown.varied))

    def with_files(
        self, request: GenerationRequest, on_progress: OnProgress, is_cancelled: IsCancelled
    ) -> GenerationRequest:
        """Return the request with existing files. Files that were deleted since then are downloaded again."""
        gone = [adapter.ref for adapter in request.adapters if not adapter.path.is_file()]
        found = self.services.generation.inputs(gone, on_progress=on_progress, is_cancelled=is_cancelled)
        paths = {adapter.ref: adapter.path for adapter in found}
        adapters = (replace(adapter, path=paths.get(adapter.ref, adapter.path)) for adapter in request.adapters)
        return replace(request, adapters=tuple(adapters))

    def stop(self, id_: str) -> str:
        """Stop a job, and its downloads unless another job waits for them. Return a message for the user."""
        found = self.jobs.find(id_)
        downloads = found.subject.downloads if found else ()
        alone = [task for task in downloads if not self.jobs.is_awaited(task, besides=id_)]
        # On a local page the downloads are only paused, so that the received bytes are kept.
        may_resume = self.services.policy.allows("pull")
        text = _(DOWNLOAD_KEPT if alone and may_resume else STOPPED)
        if not alone and found and found.subject.name == "loras" and self.services.policy.allows("keep history"):
            text = _("Stopped. The LoRAs that are done are kept: make the sheet again to go on.")
        self.jobs.stop(id_, text)
        for task in alone:
            self.services.queue.pause(task) if may_resume else self.services.queue.cancel(task)
        return text

    def estimate(self, order: TryOrder) -> str:
        """Return a sentence with the expected time, and with the price if generation costs money."""
        generation, (order, aside) = self.services.generation, self.fit(order)
        view = order.view
        request = generation.plan(view.refs, view.weights, **order.fields)
        text = generation.estimate(request, comparison_of(self.services, view, request), place=view.settings.place)
        if view.settings.sheet == "loras":
            text = format.join(text, to_download(self.services, view.refs))
        return format.sentences(text, *aside)


def is_about(kind: str, refs: Iterable[str], view: View) -> bool:
    """Return whether images belong to the view: they have the same kind, and share a LoRA with the view."""
    mine, now = loras(refs), loras(s.ref for s in view.stack)
    return ("pair" if kind == "one" else kind) == view.settings.sheet and (
        not mine or not now or not mine.isdisjoint(now)
    )


def loras(refs: Iterable[str]) -> frozenset[Ref]:
    """Return the refs of the LoRAs without version and file."""
    return frozenset(Ref.parse(ref).lora for ref in refs)


def comparison_of(services: Services, view: View, request: GenerationRequest) -> Comparison:
    """Return the comparison of the form. Raises UsageError if the LoRAs can't be compared this way."""
    settings = view.settings
    weights = settings.weights or form.usual_weights(services, view)
    prompts = (request.prompt, *settings.prompts)
    varied = min(settings.varied, max(0, len(comparison.lora_slices(request)) - 1))
    return comparison.make_comparison(settings.sheet, request, prompts, weights, varied, settings.seeds)
