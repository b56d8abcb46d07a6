"""Generation of images from refs or files with weights, on this computer or on Replicate."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from connectors.connector import pin
from connectors.errors import HubUiError, NeedsFetching
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from hub_ui.app.downloads import Downloads
from hub_ui.base.i18n import _
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.compare import lora_axis
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.compare.lora_axis import Fit
from hub_ui.generate.estimate import Estimate, format_duration
from hub_ui.generate.lora.blocks import parse_block_weights
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import (
    NO_CALLBACKS,
    Callbacks,
    GenerationRequest,
    LoraInput,
    Step,
    add_other_halves,
    spread_weights,
)
from hub_ui.generate.result import GenerationResult
from hub_ui.generate.settings import check_policy, choose_allowed_base
from hub_ui.generate.try_fields import clamp_weight
from hub_ui.images.history import History, UnfinishedComparison
from hub_ui.library.download.partial_file import Meter, Progress
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.identify import entry_of_file

_LOG = logging.getLogger(__name__)
# A comparison that takes more seconds in full is made of drafts, unless the request sets `draft`.
_LONGEST_IN_FULL = 60


class HasSentence(Protocol):
    """An estimate of the time or the cost of a generation."""

    @property
    def sentence(self) -> str: ...


class Backend(Protocol):
    """A backend that generates comparisons. Thread-safe."""

    @property
    def loaded_base(self) -> PipelineSpec | None:
        """The base model in memory, or None. Always None if each request may run on another machine."""

    def prepare(self) -> None:
        """Do the work that would delay the first request. The app calls it at its start."""

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        """Generate the images of all cells. Raise GenerationCancelled soon after `callbacks` request it."""

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> HasSentence:
        """Estimate the time or the cost of a comparison."""

    def close(self) -> None:
        """Free the memory and the connections of the backend."""


class DeferredBackend:
    """A backend that is built at its first use, because its imports are slow and most commands don't need them."""

    def __init__(self, build: Callable[[], Backend]) -> None:
        self._build = build
        self._built: Backend | None = None
        self._lock = threading.Lock()

    @property
    def backend(self) -> Backend:
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built

    @property
    def loaded_base(self) -> PipelineSpec | None:
        return None if self._built is None else self._built.loaded_base

    @property
    def is_built(self) -> bool:
        """Whether the backend was built, and so its imports are loaded."""
        return self._built is not None

    def prepare(self) -> None:
        self.backend.prepare()

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        return self.backend.generate(request, comparison, callbacks)

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> HasSentence:
        return self.backend.estimate(request, comparison)

    def close(self) -> None:
        if self._built is not None:
            self._built.close()


@dataclass(kw_only=True, eq=False, repr=False)
class Generation:
    """The generation of images on two backends: `local`, which is this process or a cluster, and `replicate`.

    `unfinished` is the folder of stopped comparisons, with a subfolder for each backend.
    """

    downloads: Downloads
    local: Backend
    replicate: Backend
    history: History
    unfinished: Path

    def __post_init__(self) -> None:
        self._lookup, self._policy = self.downloads.lookup, self.downloads.settings.policy

    def request(
        self,
        refs: Sequence[Ref | Path],
        weights: Sequence[float] = (),
        *,
        clip_weights: Sequence[float | None] = (),
        blocks: Sequence[str | None] = (),
        pulls: bool = True,
        on_progress: Callable[[Progress | Step], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        **fields: Any,
    ) -> GenerationRequest:
        """Build a request with these `fields` of GenerationRequest. If `pulls` is set, download missing LoRAs first.

        Without weights, each LoRA has its author's weight, or else 1. One weight applies to all LoRAs. `clip_weights`
        are for the text encoders, and by default equal to the weights. For `blocks` see lora/blocks.py.
        """
        meter = Meter(on_progress=on_progress, is_cancelled=is_cancelled)

        def load(ref: Ref | Path, weight: float | None) -> LoraInput:
            if isinstance(ref, Path):
                # If the bytes are known, the entry has the trigger words of the library or the hub.
                entry = entry_of_file(self._lookup.identifier().one(ref), self._lookup.library.entries())
                return _build_input(entry, weight, path=ref, sha256=entry.sha256)
            installed = self.downloads.find_installed(ref)
            if installed is None and not pulls:
                record = self._lookup.find_record(ref) or self._lookup.record(ref)
                pinned = record.ref if record.ref.is_pinned else pin(self._lookup.connector(ref.hub), ref)
                return replace(_build_input(record, weight, path=Path()), ref=pinned)
            entry = installed or self.downloads.pull(ref, meter)
            return _build_input(entry, weight, path=self.downloads.path(entry), sha256=entry.sha256)

        self._policy.check_bounds(loras=len(refs))
        if any(isinstance(ref, Path) or ref.hub == LOCAL for ref in refs):
            self._policy.check("use own files")
        for ref in refs:
            if isinstance(ref, Ref):
                self._lookup.check_shown(ref)
        spread = zip(
            refs,
            spread_weights(weights, len(refs)),
            spread_weights(clip_weights, len(refs), ("clip weight", "clip weights")),
            spread_weights(blocks, len(refs), ("block weights", "block weights")),
            strict=True,
        )
        inputs = [_with_part_weights(load(ref, weight), clip, text) for ref, weight, clip, text in spread]
        adapters = add_other_halves(inputs, self.downloads.other_half, load)
        return GenerationRequest(adapters=adapters, **fields)

    def plan(self, refs: Sequence[Ref | Path], weights: Sequence[float] = (), **fields: Any) -> GenerationRequest:
        """Build a request without downloading files, which is enough for an estimate and for Replicate."""
        return self.request(refs, weights, pulls=False, **fields)

    def inputs(
        self, refs: Sequence[Ref | Path], weights: Sequence[float] = (), **options: Any
    ) -> tuple[LoraInput, ...]:
        """Return the LoRAs of a request with these refs and options. Download the missing ones."""
        return self.request(refs, weights, prompt="", **options).adapters

    def fit(self, request: GenerationRequest) -> Fit:
        """Return which LoRAs of the request can be compared on one base model that the policy allows."""

        def choose(request: GenerationRequest) -> PipelineSpec:
            first = request.adapters[0]
            allowed = choose_allowed_base(self._policy, first.architecture, first.base_model, request.base)
            return choose_spec(replace(request, base=request.base or allowed.id))

        return lora_axis.fit(request, choose)

    def to_pull(self, refs: Iterable[Ref | Path]) -> tuple[int, int]:
        """Return the number of LoRAs that are not installed, and their total size in bytes as far as it is known."""
        missing = [ref for ref in refs if isinstance(ref, Ref) and self.downloads.find_installed(ref) is None]
        records = filter(None, map(self._lookup.find_record, missing))
        return len(missing), sum(record.file.size or 0 for record in records if record.file)

    def default_weight(self, ref: Ref, known: Record | None = None) -> float:
        """Return the recommended weight, clamped to the limits of the page. Return 1 if there is none."""
        recommended = self.recommended_weight(ref, known)
        return 1.0 if recommended is None else clamp_weight(recommended)

    def recommended_weight(self, ref: Ref, known: Record | None = None) -> float | None:
        """Return the weight in the lock file, or else the author's recommendation. Return None if there is neither.

        `known` is the LoRA's record, if the caller has it; otherwise it is read from the catalog.
        """
        source = self.downloads.find_listed(ref) or known or self._lookup.find_record(ref)
        return source.weight if source else None

    def highest_usual_weight(self, ref: Ref, known: Record | None = None) -> float:
        """Return the weight above which artifacts are likely."""
        return max(1.0, self.recommended_weight(ref, known) or 1.0)

    def generate(
        self,
        request: GenerationRequest,
        comparison: Comparison,
        callbacks: Callbacks = NO_CALLBACKS,
        *,
        place: str = "local",
    ) -> GenerationResult:
        """Generate the images of a comparison, and add them to the history if the policy allows it.

        `place` is "local" or "replicate".
        """
        start = time.monotonic()
        check_policy(self._policy, place, request, images=len(comparison.cells))
        request, _in_full = self._with_quality(request, comparison, place)
        backend = self.replicate if place == "replicate" else self.local
        if not self._policy.allows("fetch bases"):
            request = replace(self._with_allowed_base(request), may_fetch=False, may_complete=False)
        self._lookup.quotas.spend("images", len(comparison.cells))
        try:
            paths = [adapter.path for adapter in request.adapters]
            with self._lookup.metrics.generation(place), self.downloads.hold(paths):
                if comparison.kind == "loras":
                    unfinished = None
                    if self._policy.allows("keep history"):
                        unfinished = self._unfinished(place, request, comparison)
                    result = lora_axis.generate(backend.generate, request, comparison, callbacks, unfinished)
                else:
                    result = backend.generate(request, comparison, callbacks)
        except NeedsFetching as need:
            self._policy.check("fetch bases", need.label)
            raise
        seconds = round(time.monotonic() - start, 3)
        _LOG.info("images", extra={"place": place, "images": len(comparison.cells), "seconds": seconds})
        if self._policy.allows("keep history"):
            try:
                self.history.add(result)
            # If the disk is full, still return the images, because they took minutes to generate.
            except HubUiError as error:
                report = replace(result.report, notes=(*result.report.notes, error.message))
                return replace(result, report=report)
        return result

    def _with_allowed_base(self, request: GenerationRequest) -> GenerationRequest:
        # The engine would choose among all base models, also the ones that the policy forbids.
        first = next(iter(request.adapters), None)
        if first is None or request.base is not None or self._policy.allows_every_base:
            return request
        base = choose_allowed_base(self._policy, first.architecture, first.base_model, None)
        return replace(request, base=base.id)

    def close(self) -> None:
        self.local.close()
        self.replicate.close()

    def estimate(self, request: GenerationRequest, comparison: Comparison, *, place: str = "local") -> str:
        """Return a phrase about the time and the cost of a comparison."""
        check_policy(self._policy, place, request, images=len(comparison.cells))
        backend = self.replicate if place == "replicate" else self.local
        chosen, in_full = self._with_quality(request, comparison, place)
        sentence = backend.estimate(chosen, comparison).sentence
        if in_full is not None:
            text = _("in full about {time}, so as drafts: {estimate}")
            return text.format(time=format_duration(in_full), estimate=sentence)
        return _("as drafts: {estimate}").format(estimate=sentence) if chosen.draft else sentence

    def _with_quality(
        self, request: GenerationRequest, comparison: Comparison, place: str
    ) -> tuple[GenerationRequest, float | None]:
        """Return the request with `draft` resolved. If drafts were chosen here, also return the seconds in full.

        Drafts are chosen for a comparison that is known to take long, if the request leaves it open. A comparison that
        was begun in full is continued in full.
        """
        if request.draft is None and place == "local" and len(comparison.cells) > 1:
            in_full = replace(request, draft=False)
            if self._unfinished(place, in_full, comparison).has_begun:
                return in_full, None
            expected = self.local.estimate(in_full, comparison)
            if isinstance(expected, Estimate) and expected.measured and expected.seconds > _LONGEST_IN_FULL:
                return replace(request, draft=True), expected.seconds
        return replace(request, draft=bool(request.draft) and place == "local"), None

    def _unfinished(self, place: str, request: GenerationRequest, comparison: Comparison) -> UnfinishedComparison:
        return UnfinishedComparison(self.unfinished / place, request, comparison)

    def runs_on_replicate(self, refs: Sequence[Ref]) -> bool:
        """Check whether Replicate can run these LoRAs: its own fine-tunes and LoRAs for FLUX.1, and there is a key."""
        if (
            not refs
            or not self._policy.allows("run on Replicate")
            or not self.downloads.settings.tokens.get("replicate")
        ):
            return False
        records = [self._lookup.find_record(ref) for ref in refs if ref.hub != "replicate"]
        return all(record is not None and record.architecture == "flux1" for record in records)


def _build_input(source: Entry | Record, weight: float | None, path: Path, sha256: str | None = None) -> LoraInput:
    default_weight = 1.0 if source.weight is None else source.weight
    return LoraInput(
        ref=source.ref,
        path=path,
        title=source.title,
        weight=default_weight if weight is None else weight,
        trigger_words=source.trigger_words,
        architecture=source.architecture,
        base_model=source.base_model,
        sha256=sha256,
    )


def _with_part_weights(lora: LoraInput, clip_weight: float | None, blocks: str | None) -> LoraInput:
    """Set the weights of the text encoder and the blocks. At weight 0 the clip weight has no effect."""
    return replace(
        lora,
        text_encoder_scale=1.0 if clip_weight is None or not lora.weight else clip_weight / lora.weight,
        block_weights=parse_block_weights(blocks, lora.architecture) if blocks else (),
    )
