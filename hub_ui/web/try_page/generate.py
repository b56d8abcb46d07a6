"""From the form to images on the page: downloads first, then the comparison, with progress."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui import format
from hub_ui.generate import comparison
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.request import DEFAULT_STRENGTH, GenerationRequest, Step
from hub_ui.i18n import N_, _
from hub_ui.jobs.jobs import Jobs, JobSubject
from hub_ui.library.download.progress import Progress, PullCancelled
from hub_ui.library.queue import Queue, Task
from hub_ui.services import Services
from hub_ui.web.downloads import drawer
from hub_ui.web.images import GeneratedImages
from hub_ui.web.try_page import image_files
from hub_ui.web.try_page.compatibility import choose_base
from hub_ui.web.try_page.form import FormValues, find_record, usual_weights, weights_under_pair
from hub_ui.web.try_page.image_files import Original
from hub_ui.web.try_page.result import Result
from hub_ui.web.view import TrySettings, View

IsCancelled = Callable[[], bool]
LOOK_SECONDS = 0.4
# A longer rate limit of a hub is an error here.
PATIENCE_SECONDS = 30.0
STOPPED = N_("Stopped. Nothing was changed.")
DOWNLOAD_KEPT = N_("Stopped. What has come of the download is kept.")


@dataclass(frozen=True, kw_only=True)
class DownloadWait:
    """A download that a generation waits for, as a line of text and a fraction."""

    text: str
    fraction: float | None = None


@dataclass(frozen=True, kw_only=True)
class PendingDownloads:
    """The downloads that a generation waits for; `own` are those it queued, and may pause."""

    tasks: tuple[Task, ...] = ()
    own: tuple[int, ...] = ()


def enqueue(services: Services, refs: Sequence[Ref]) -> PendingDownloads:
    """Queues missing files; the downloads continue when the page is closed.

    A hosted page has no queue: files come with the generation, with the right of the visitor who asks for it.
    """
    if not services.policy.allows("pull"):
        return PendingDownloads()
    missing = [ref for ref in refs if services.downloads.find_installed(ref) is None]
    under_way = {task.id for task in services.queue.tasks() if not task.rests}
    tasks = tuple(services.downloads.enqueue(ref) for ref in missing)
    return PendingDownloads(tasks=tasks, own=tuple(task.id for task in tasks if task.id not in under_way))


def wait_for_downloads(
    queue: Queue, fetches: PendingDownloads, on_progress: Callable[[DownloadWait], None], is_cancelled: IsCancelled
) -> None:
    """Returns when all are in the library. Cancelling the wait leaves the downloads as they are."""
    for task in fetches.tasks:
        for wait in follow_download(queue, task):
            if is_cancelled():
                raise PullCancelled(_("Stopped. The download goes on."))
            on_progress(wait)


def follow_download(queue: Queue, task: Task) -> Iterator[DownloadWait]:
    """Yields a download's progress until it is done. Raises an error if it can't be done soon."""
    while (now := queue.wait(task.id, timeout=LOOK_SECONDS)).state != "done":
        at = time.time()
        if now.state == "paused":
            raise UsageError(_("The download is paused. Resume it under Downloads, then press the button again."))
        if now.state == "failed" and now.error is not None:
            raise HubUiError(now.error.message, hub=now.ref.hub)
        if now.not_before is not None and now.not_before - at > PATIENCE_SECONDS:
            reason = now.error.message if now.error else _("The hub asks us to wait.")
            goes_on = _("The download goes on by itself: {line}.").format(line=drawer.line(now, at).lower())
            raise HubUiError(format.sentences(reason, goes_on))
        text = _("Downloading: {progress}").format(progress=drawer.line(now, at))
        yield DownloadWait(text=text, fraction=now.fraction)


def check_bases(services: Services, refs: Sequence[Ref], base: str = "") -> None:
    """Checks the bases before any download."""
    for record in filter(None, (find_record(services, ref) for ref in refs)):
        choose_base(services, record, base or None)


@dataclass(frozen=True, kw_only=True)
class TryOrder:
    """A request to generate, and whether gigabytes of a base may be downloaded for it.

    With an `original` one image is made, to be compared with that.
    """

    view: View
    filled: FormValues
    may_fetch: bool = False
    original: Original | None = None

    @property
    def settings(self) -> TrySettings:
        return self.filled.settings

    @property
    def inputs(self) -> tuple[object, ...]:
        """What its images depend on. The view's own settings are those of the form, or will be."""
        return self.view.stack, self.filled, self.may_fetch, self.original

    @property
    def subject(self) -> str:
        return download_subject(self.view, self.settings.base)


def download_subject(view: View, base: str | None) -> str:
    """What a confirmation of a download is about."""
    return " ".join((str(base or "").strip(), *(s.ref for s in view.stack)))


@dataclass(frozen=True, kw_only=True)
class Generator:
    """Starts the page's jobs, and ends them."""

    services: Services
    jobs: Jobs
    images: GeneratedImages

    def start(self, order: TryOrder) -> str:
        """The id of the job that makes it. Raises our errors for what can't be made, before anything is downloaded."""
        if not order.view.refs and order.original is None:
            raise UsageError(_("There is no LoRA to try. Open one on the Browse page and press “Try it”."))
        services, fetches = self.services, PendingDownloads()
        if order.settings.place == "local":
            check_bases(services, order.view.refs, order.settings.base)
            fetches = enqueue(services, order.view.refs)
        subject = JobSubject(
            name=order.settings.sheet,
            refs=tuple(map(str, order.view.refs)),
            downloads=fetches.own,
            waits_for=tuple(task.id for task in fetches.tasks),
        )

        def work(on_progress: Callable[[Any], None], is_cancelled: IsCancelled) -> Result:
            wait_for_downloads(services.queue, fetches, on_progress, is_cancelled)
            return make_result(services, order, self.images, on_progress, is_cancelled)

        return self.jobs.start(subject, work, inputs=order.inputs)

    def add_weights(self, shown: Result) -> str:
        """The id of the job that makes the weights that are missing under a pair."""
        request, missing, services = shown.request, shown.missing, self.services
        if request is None or not missing:
            raise UsageError(_("There are no other weights to compare here."))

        def work(on_progress: Callable[[Any], None], is_cancelled: IsCancelled) -> Result:
            ready = with_files(services, request, on_progress, is_cancelled)
            sweep = comparison.weight_sweep(ready, missing, shown.varied)
            made = services.generation.generate(ready, sweep, on_progress=on_progress, is_cancelled=is_cancelled)
            return image_files.with_weights(shown, made, self.images)

        return self.jobs.start(
            JobSubject(name=shown.kind, refs=shown.refs), work, inputs=(request, missing, shown.varied)
        )

    def stop(self, id_: str) -> str:
        """Says what is left of it. Its downloads stop too, unless another job waits for them."""
        found = self.jobs.find(id_)
        downloads = found.subject.downloads if found else ()
        alone = [task for task in downloads if not self.jobs.is_awaited(task, besides=id_)]
        # What has come is kept for another time.
        may_resume = self.services.policy.allows("pull")
        text = _(DOWNLOAD_KEPT if alone and may_resume else STOPPED)
        self.jobs.stop(id_, text)
        for task in alone:
            self.services.queue.pause(task) if may_resume else self.services.queue.cancel(task)
        return text

    def estimate(self, order: TryOrder) -> str:
        """The time, and the price where generation costs money."""
        generation = self.services.generation
        request = generation.plan(order.view.refs, order.view.weights, **request_fields(order.filled))
        return generation.estimate(request, comparison_of(self.services, order, request), place=order.settings.place)


def make_result(
    services: Services,
    order: TryOrder,
    images: GeneratedImages,
    on_progress: Callable[[Any], None],
    is_cancelled: IsCancelled,
) -> Result:
    view, fields = order.view, {**request_fields(order.filled), "may_fetch": order.may_fetch}
    original, place = order.original, order.settings.place
    if place == "replicate":
        request = services.generation.plan(view.refs, view.weights, **fields)
    else:
        request = services.generation.request(
            view.refs, view.weights, on_progress=on_progress, is_cancelled=is_cancelled, **fields
        )
    if original is None:
        cells, at = comparison_of(services, order, request), None
    else:
        cells, at = original.cells(request)
    made = services.generation.generate(request, cells, place=place, on_progress=on_progress, is_cancelled=is_cancelled)
    shown = image_files.result_of(made, images, at)
    if original is not None:
        shown = image_files.with_original(shown, original, made)
    return finish(services, shown, replace(view, settings=order.settings))


def finish(services: Services, shown: Result, view: View) -> Result:
    """With the link that makes it again, and the weights that can be added under a pair."""
    offered = shown.request is not None and shown.kind == "pair"
    weights = weights_under_pair(services, view, shown.varied) if offered else ()
    return image_files.with_link(replace(shown, offered=weights), view)


def with_files(
    services: Services, request: GenerationRequest, on_progress: Callable[[Any], None], is_cancelled: IsCancelled
) -> GenerationRequest:
    """A request of the history knows its LoRAs by their refs alone."""
    if all(adapter.path.is_file() for adapter in request.adapters):
        return request
    own = [adapter for adapter in request.adapters if not adapter.follows]
    inputs = services.generation.inputs(
        [adapter.ref for adapter in own], [adapter.weight for adapter in own], on_progress=on_progress,
        is_cancelled=is_cancelled,
    )  # fmt: skip
    parts = {adapter.ref: (adapter.text_encoder_scale, adapter.block_weights) for adapter in request.adapters}
    return replace(request, adapters=tuple(
        replace(each, text_encoder_scale=parts[each.ref][0], block_weights=parts[each.ref][1])
        if each.ref in parts else each
        for each in inputs
    ))  # fmt: skip


def is_about(kind: str, refs: Iterable[str], view: View) -> bool:
    """Whether images belong to the view: the same comparison, and at least one of its LoRAs."""
    mine, now = loras(refs), loras(s.ref for s in view.stack)
    return ("pair" if kind == "one" else kind) == view.settings.sheet and (
        not mine or not now or not mine.isdisjoint(now)
    )


def loras(refs: Iterable[str]) -> frozenset[Ref]:
    """The LoRAs without version and file."""
    return frozenset(Ref.parse(ref).lora for ref in refs)


def request_fields(filled: FormValues) -> dict[str, Any]:
    settings = filled.settings
    return {
        "prompt": settings.prompt,
        "negative": settings.negative,
        "seed": settings.seed or 0,
        "steps": settings.steps,
        "guidance": settings.guidance,
        "width": settings.size[0] if settings.size else None,
        "height": settings.size[1] if settings.size else None,
        "base": settings.base or None,
        "sampler": settings.sampler or None,
        "use_trigger_words": settings.use_trigger_words,
        "control": Path(filled.control) if filled.control else None,
        "control_kind": filled.control_kind,
        "quality": settings.quality,
        "image": Path(filled.image) if filled.image else None,
        "strength": DEFAULT_STRENGTH if settings.strength is None else settings.strength,
        "clip_weights": settings.clip_weights,
        "blocks": settings.blocks,
    }


def comparison_of(services: Services, order: TryOrder, request: GenerationRequest) -> Comparison:
    """Raises UsageError for LoRAs that can't be compared this way."""
    settings = order.settings
    weights = settings.weights or usual_weights(services, order.view, settings)
    varied = min(settings.varied, max(0, len(comparison.lora_slices(request)) - 1))
    return comparison.make_comparison(settings.sheet, request, (request.prompt, *settings.prompts), weights, varied)


def progress_text(step: Progress | Step | DownloadWait) -> tuple[str, float | None]:
    """A line of text about a step, and its fraction from 0 to 1."""
    if isinstance(step, DownloadWait):
        return step.text, step.fraction
    if isinstance(step, Progress):
        size, total = format.size(step.done), format.size(step.total)
        size = _("{done} of {total}").format(done=size, total=total) if step.total else size
        return _("Downloading: {progress}").format(progress=size), step.fraction
    return step.stage, step.done / step.total if step.total else None
