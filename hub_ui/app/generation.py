"""Generation: from refs or files with weights to images, on this computer or on Replicate."""

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
# A sheet that takes longer in full is made of drafts, unless somebody chose.
_LONGEST_IN_FULL = 60


class HasSentence(Protocol):
    """An estimate: how long it takes, or what it costs."""

    @property
    def sentence(self) -> str: ...


class Backend(Protocol):
    """Generates comparisons. Its callers are threads, several at once."""

    @property
    def loaded_base(self) -> PipelineSpec | None:
        """The base that is ready, where there is one for all requests."""

    def prepare(self) -> None:
        """What can be done before the first request, when the page starts."""

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        """The images of all cells. Raises GenerationCancelled soon after `callbacks` say so."""

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> HasSentence:
        """Without generating anything."""

    def close(self) -> None:
        """Frees what it holds."""


class DeferredBackend:
    """A backend that is built with its first use: what it imports takes long, and most commands need none of it."""

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
        """Whether what it imports is here."""
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
    """`local` is the backend that the operator chose: this process, or other computers.

    `unfinished` is the folder of comparisons that were stopped, each below where it was made.
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
        """`fields` are those of GenerationRequest. With `pulls`, what isn't in the library is pulled first.

        No weights: each author's own, else 1. One weight: for all of them. `clip_weights` are those of the text
        encoders, by default the same; `blocks` are what lora/blocks.py reads.
        """

        meter = Meter(on_progress=on_progress, is_cancelled=is_cancelled)

        def load(ref: Ref | Path, weight: float | None) -> LoraInput:
            if isinstance(ref, Path):
                # With the words of its entry or its hub where its bytes are known.
                entry = entry_of_file(self._lookup.identifier().one(ref), self._lookup.library.entries())
                return _input_of(entry, weight, path=ref, sha256=entry.sha256)
            installed = self.downloads.find_installed(ref)
            if installed is None and not pulls:
                record = self._lookup.find_record(ref) or self._lookup.record(ref)
                pinned = record.ref if record.ref.is_pinned else pin(self._lookup.connector(ref.hub), ref)
                return replace(_input_of(record, weight, path=Path()), ref=pinned)
            entry = installed or self.downloads.pull(ref, meter)
            return _input_of(entry, weight, path=self.downloads.path(entry), sha256=entry.sha256)

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
        inputs = [_with_parts(load(ref, weight), clip, text) for ref, weight, clip, text in spread]
        adapters = add_other_halves(inputs, self.downloads.other_half, load)
        return GenerationRequest(adapters=adapters, **fields)

    def plan(self, refs: Sequence[Ref | Path], weights: Sequence[float] = (), **fields: Any) -> GenerationRequest:
        """The same without any file: enough to say how long it takes, and to run it on Replicate."""
        return self.request(refs, weights, pulls=False, **fields)

    def inputs(
        self, refs: Sequence[Ref | Path], weights: Sequence[float] = (), **options: Any
    ) -> tuple[LoraInput, ...]:
        """The files of such a request."""
        return self.request(refs, weights, prompt="", **options).adapters

    def fit(self, request: GenerationRequest) -> Fit:
        """Which of its LoRAs can be compared on one base that the policy allows."""

        def choose(request: GenerationRequest) -> PipelineSpec:
            first = request.adapters[0]
            allowed = choose_allowed_base(self._policy, first.architecture, first.base_model, request.base)
            return choose_spec(replace(request, base=request.base or allowed.id))

        return lora_axis.fit(request, choose)

    def to_pull(self, refs: Iterable[Ref | Path]) -> tuple[int, int]:
        """How many of them are not in the library yet, and their bytes as far as hubs say them."""
        missing = [ref for ref in refs if isinstance(ref, Ref) and self.downloads.find_installed(ref) is None]
        records = filter(None, map(self._lookup.find_record, missing))
        return len(missing), sum(record.file.size or 0 for record in records if record.file)

    def default_weight(self, ref: Ref, known: Record | None = None) -> float:
        """The lock file's, else its author's, as `known` or remembered, within what the page allows; else the full
        effect.
        """
        recommended = self.recommended_weight(ref, known)
        return 1.0 if recommended is None else clamp_weight(recommended)

    def recommended_weight(self, ref: Ref, known: Record | None = None) -> float | None:
        """The lock file's, else its author's, as `known` or remembered; None where nobody says one."""
        found = self.downloads.find_listed(ref) or known or self._lookup.find_record(ref)
        return found.weight if found else None

    def highest_usual_weight(self, ref: Ref, known: Record | None = None) -> float:
        """Above it, artifacts are likely."""
        return max(1.0, self.recommended_weight(ref, known) or 1.0)

    def generate(
        self,
        request: GenerationRequest,
        comparison: Comparison,
        callbacks: Callbacks = NO_CALLBACKS,
        *,
        place: str = "local",
    ) -> GenerationResult:
        """The images of a comparison, kept in the history where the policy says so. `place`: "local" or "replicate"."""
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
            # A full disk must not cost what took minutes to generate.
            except HubUiError as error:
                report = replace(result.report, notes=(*result.report.notes, error.message))
                return replace(result, report=report)
        return result

    def _with_allowed_base(self, request: GenerationRequest) -> GenerationRequest:
        """The engine would choose among all."""
        first = next(iter(request.adapters), None)
        if first is None or request.base is not None or self._policy.allows_every_base:
            return request
        base = choose_allowed_base(self._policy, first.architecture, first.base_model, None)
        return replace(request, base=base.id)

    def close(self) -> None:
        self.local.close()
        self.replicate.close()

    def estimate(self, request: GenerationRequest, comparison: Comparison, *, place: str = "local") -> str:
        """How long a comparison takes, and for how much money, in a sentence."""
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
        """Whether they are drafts, and where nobody chose that, the seconds that they would take in full: a sheet that
        is known to take long is made of drafts. One that was begun in full goes on as it was.
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
        """Whether Replicate can run these with the key at hand: its own fine-tunes, and LoRAs for FLUX.1."""
        if (
            not refs
            or not self._policy.allows("run on Replicate")
            or not self.downloads.settings.tokens.get("replicate")
        ):
            return False
        records = [self._lookup.find_record(ref) for ref in refs if ref.hub != "replicate"]
        return all(record is not None and record.architecture == "flux1" for record in records)


def _input_of(found: Entry | Record, weight: float | None, path: Path, sha256: str | None = None) -> LoraInput:
    """Without a weight it has its author's."""
    own = 1.0 if found.weight is None else found.weight
    return LoraInput(
        ref=found.ref,
        path=path,
        title=found.title,
        weight=own if weight is None else weight,
        trigger_words=found.trigger_words,
        architecture=found.architecture,
        base_model=found.base_model,
        sha256=sha256,
    )


def _with_parts(lora: LoraInput, clip_weight: float | None, blocks: str | None) -> LoraInput:
    """At weight 0, which is the base alone, a clip weight means nothing."""
    return replace(
        lora,
        text_encoder_scale=1.0 if clip_weight is None or not lora.weight else clip_weight / lora.weight,
        block_weights=parse_block_weights(blocks, lora.architecture) if blocks else (),
    )
