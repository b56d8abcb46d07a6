"""A base in memory with its LoRAs: pipeline, batches, and memory."""

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.errors import NoBase
from hub_ui.generate import batch
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.table import NETWORKS
from hub_ui.generate.caches import PromptCache
from hub_ui.generate.compare.comparison import Cell
from hub_ui.generate.control import ControlImage
from hub_ui.generate.lora.hooks import NotPerRow
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.memory.device import is_out_of_memory
from hub_ui.generate.memory.offload import Placement, Stage, first_fit, release_memory, set_tiling
from hub_ui.generate.memory.plan import base_too_large, image_too_large
from hub_ui.generate.plan import GenerationPlan
from hub_ui.generate.previews import LatentPreviews, load_decoder
from hub_ui.generate.prompt_weights import chunk_count
from hub_ui.generate.request import LoraInput, ProgressTracker, replace_attribute
from hub_ui.generate.result import Coverage, GeneratedImage

_ONE_BY_ONE = "Memory ran out once. The images were generated one by one then."
_TILED = "The image was decoded piece by piece, which changes it a little: at once it does not fit into the memory."
_IN_PIECES = "Memory ran out while the image was decoded. It was decoded piece by piece, which changes it a little."
_OFFLOADED = "Memory ran out once. More of the base was kept off the device then, which is slower."
# Requests.
_MOST_PATIENCE = 15
# The cells of one call of the pipeline, one row each.
Call = tuple[Cell, ...]
# Calls and the images of their rows.
Images = Generator[tuple[Call, Sequence[GeneratedImage]], None, None]


@dataclass(kw_only=True, slots=True)
class LoadedPipeline:
    """`plan` is that of the request that is generated; its base is `requested` as its own files describe it. `sha256`
    is that of what no commit pins.

    `refused`: what kinds of calls with several rows the pipeline failed with, those with different weights (True) and
    with the same. `one_by_one`: memory ran out, so that all calls have one row. `patience` is for how many requests
    what ran out is not tried again; `stayed` counts them. `decoder` is the small one, once it is here.
    """

    requested: PipelineSpec
    plan: GenerationPlan
    revision: str | None
    sha256: str | None
    pipe: Any
    manager: AdapterManager
    placement: Placement
    refused: set[bool] = field(default_factory=set)
    one_by_one: bool = False
    ran_out_decoding: bool = False
    patience: int = 0
    stayed: int = 0
    decoder: Any = None
    prompt_cache: PromptCache = field(default_factory=PromptCache)
    previews: LatentPreviews = field(default_factory=LatentPreviews)

    def set_adapters(self, adapters: Sequence[LoraInput]) -> tuple[Coverage, ...]:
        """Sets no weights yet: each batch brings its own, and is repeated with less memory where memory runs out."""
        return self.manager.set_adapters([replace(adapter, weight=0.0) for adapter in adapters])

    @property
    def is_short(self) -> bool:
        """Whether memory ran out, so that less of it is used than was planned."""
        return self.one_by_one or self.ran_out_decoding or self.placement.level != self.placement.planned

    @property
    def rises(self) -> bool:
        """Whether the next request begins as was planned."""
        return self.is_short and self.stayed >= self.patience

    def begin(self, plan: GenerationPlan) -> None:
        """Called before a request: puts the base on the level that is planned for it.

        Memory that ran out in the request before may be there again. Where it runs out each time, it is tried ever more
        rarely, since each try costs a part of an image.
        """
        self.plan = plan
        if self.is_short and not self.rises:
            self.stayed += 1
            return
        self.patience, self.stayed = (min(2 * self.patience + 1, _MOST_PATIENCE) if self.is_short else 0), 0
        self.one_by_one = self.ran_out_decoding = False
        wanted = replace(plan.placement, is_tiled=self.placement.is_tiled)
        if self.placement.level == wanted.level:
            self.placement = wanted
            return
        self.manager.disable()
        try:
            self.placement = first_fit(self.pipe, plan.device, wanted)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise base_too_large(plan.spec, plan.device) from error

    def read_decoder(self) -> None:
        """Once: previews have their colours from it until there is an image."""
        folder = self.plan.draft.decoder if self.plan.draft else None
        if folder and self.decoder is None:
            # A damaged one is said where a draft needs it.
            with nullcontext() if self.plan.settings.draft else suppress(NoBase):
                self.decoder = load_decoder(folder)
                self.previews.learn_decoder(self.decoder)

    @contextmanager
    def as_planned(self, checks: batch.OutputChecks) -> Iterator[None]:
        """Within it, images are decoded in pieces where that is planned, or memory ran out before, and drafts are made
        the quick way. A draft in too many steps to go without has its networks cached: layers that are copied one by
        one can't be left out, what is compiled takes no hooks, and pipelines for another image have no cache.
        """
        import diffusers
        import torch

        if self.plan.is_tiled:
            checks.note(_TILED)
        self.placement = replace(self.placement, is_tiled=self.plan.is_tiled or self.ran_out_decoding)
        set_tiling(self.pipe, is_tiled=self.placement.is_tiled)
        self.read_decoder()
        draft, request, device = self.plan.settings.draft, self.plan.request, self.plan.device
        is_whole = self.placement.level in ("whole", "model_offload")
        is_plain = not (request.compile or request.image or request.control)
        threshold = draft.cache if draft and draft.lora is None and is_whole and is_plain else 0.0
        networks: list[Any] = [getattr(self.pipe, name, None) for name in NETWORKS if threshold]
        config: Any = diffusers.FirstBlockCacheConfig  # untyped
        with ExitStack() as stack:
            if draft and self.plan.draft and self.plan.draft.decoder:
                decoder = self.decoder.to(device.name, getattr(torch, device.dtype))
                stack.enter_context(replace_attribute(self.pipe, "vae", decoder))
            # diffusers has no cache for some.
            for network in (network for network in networks if hasattr(network, "enable_cache")):
                network.enable_cache(config(threshold=threshold))
                stack.callback(network.disable_cache)
            yield

    def calls(self, cells: Sequence[Cell], control: ControlImage) -> list[Call]:
        """The calls of the pipeline for these cells. The request's LoRAs are on."""

        def alike(cell: Cell) -> Hashable:
            plain = self._is_plain(cell)
            # Embeddings of several chunks are longer.
            text = chunk_count(control.pipe, self.plan.settings, cell.prompt) if is_padded else cell.prompt
            return plain, text, cell.weights if not plain and not mixes else None

        is_padded, mixes = self.plan.family.padded, self.manager.supports_row_weights
        return self._split(plan_calls(cells, self.plan.rows, alike))

    def generate(
        self,
        calls: Sequence[Call],
        control: ControlImage,
        progress: ProgressTracker,
        checks: batch.OutputChecks,
    ) -> Images:
        """Yields calls with their images: those that were planned, or parts of them. The request's LoRAs are on."""
        adapters, followers = self.plan.adapters, self.plan.followers
        context = batch.BatchContext(
            pipe=control.pipe,
            base_pipe=self.pipe,
            manager=self.manager,
            adapters=adapters,
            settings=self.plan.settings,
            progress=progress,
            prompt_cache=self.prompt_cache,
            previews=self.previews,
            checks=checks,
            control=control.image,
            start=control.start,
        )
        plain = [call for call in calls if self._is_plain(call[0])]
        if plain:
            # With the base's own narrow input, as without a control LoRA.
            self.set_adapters(followers)
            without_loras = {replace(cell, weights=()): cell for call in plain for cell in call}
            bare = [tuple(replace(cell, weights=()) for cell in call) for call in plain]
            try:
                plain_context = replace(context, pipe=self.pipe, adapters=followers, control=None)
                for call, images in self._generate(plain_context, bare):
                    yield tuple(without_loras[cell] for cell in call), images
            finally:
                self.set_adapters(adapters)
        yield from self._generate(context, [call for call in calls if call not in plain])

    def _is_plain(self, cell: Cell) -> bool:
        return self.manager.needs_control_image and not any(cell.weights)

    def _split(self, calls: Sequence[Call]) -> list[Call]:
        """Calls of several rows as single ones, where they failed before."""
        return in_order(
            part
            for call in calls
            for part in ([(cell,) for cell in call] if self.one_by_one or is_mixed(call) in self.refused else [call])
        )

    def _generate(self, context: batch.BatchContext, calls: Sequence[Call]) -> Images:
        """A call that did not fit is repeated with less memory."""
        waiting = list(calls)
        with context.manager.merge(self.plan.merge_steps):
            while waiting:
                call, is_full = waiting[0], False
                try:
                    images = batch.generate_batch(context, call)
                except NotPerRow:
                    if len(call) == 1:
                        raise
                    self.refused.add(is_mixed(call))
                    waiting = self._split(waiting)
                    continue
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    is_full = True
                if is_full:
                    # Outside of the handler, because the error keeps the memory alive.
                    if not self._use_less_memory(context, len(call)):
                        raise image_too_large(self.plan.spec, self.plan.settings, self.plan.device)
                    waiting = self._split(waiting)
                    continue
                yield call, images
                del waiting[0]

    def _use_less_memory(self, context: batch.BatchContext, size: int) -> bool:
        """Called after a call of that size did not fit; returns whether a retry makes sense.

        Several images are tried one by one first, then pieces where decoding ran out, then lower levels.
        """
        # What was merged is restored before weights move; merging may be what ran out.
        self.manager.disable()
        release_memory(self.plan.device)
        if size > 1:
            self.one_by_one = True
            context.checks.note(_ONE_BY_ONE)
        else:
            stage: Stage = "decoding" if context.progress.is_denoised else "generating"
            was_tiled = self.placement.is_tiled
            if not self._place_lower(stage):
                self.set_adapters(context.adapters)
                return False
            has_new_pieces = self.placement.is_tiled != was_tiled
            context.checks.note(_IN_PIECES if has_new_pieces else _OFFLOADED)
            self.ran_out_decoding = self.ran_out_decoding or has_new_pieces
        self.set_adapters(context.adapters)
        return True

    def _place_lower(self, stage: Stage) -> bool:
        """Moves the pipeline to the next lower placement that it can be moved to; returns False after the last."""
        lower = self.placement.lower(stage)
        if lower is None:
            return False
        # Also where it stays half moved: from there, the next request moves it.
        self.placement = replace(lower, level=lower.levels[-1])
        try:
            self.placement = first_fit(self.pipe, self.plan.device, lower)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True


def plan_calls(cells: Iterable[Cell], size: int, alike: Callable[[Cell], Hashable]) -> list[Call]:
    """Cells in calls of up to `size` rows, which are alike in that."""
    groups: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(alike(cell), []).append(cell)
    return in_order(
        tuple(group[start : start + size]) for group in groups.values() for start in range(0, len(group), size)
    )


def in_order(calls: Iterable[Call]) -> list[Call]:
    """Calls of equal weights one after another, so that what is merged for one serves the next. Mixed ones come first:
    for them nothing is merged."""
    return sorted(calls, key=lambda call: (not is_mixed(call), () if is_mixed(call) else call[0].weights))


def is_mixed(call: Call) -> bool:
    """Whether its rows have different weights."""
    return len({cell.weights for cell in call}) > 1
