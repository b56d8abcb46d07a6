"""A base in memory with its LoRAs: calls of its pipeline, and retries with less memory."""

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
# The most requests that run with less memory before the planned memory is tried again.
_MOST_PATIENCE = 15
# The cells of one call of the pipeline, one row each.
Call = tuple[Cell, ...]
# Calls with the images of their rows.
Images = Generator[tuple[Call, Sequence[GeneratedImage]], None, None]


@dataclass(kw_only=True, slots=True)
class LoadedPipeline:
    """A base in memory with its pipeline.

    `plan` is the plan of the current request. `requested` is the base before its files were read. `sha256` is the hash
    of files that no commit pins.

    `refused` holds the kinds of calls with several rows that the pipeline can't generate: True for different weights,
    False for equal weights. After memory ran out, `one_by_one` limits calls to one row, and `ran_out_decoding` decodes
    in pieces. Both stay for `patience` requests, which `stayed` counts. `decoder` is the small decoder, once it is
    loaded.
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
        """Apply LoRAs with a weight of 0.

        Each batch sets its own weights, because it is retried with less memory if memory runs out.
        """
        return self.manager.set_adapters([replace(adapter, weight=0.0) for adapter in adapters])

    @property
    def is_short(self) -> bool:
        """Whether memory ran out, so that less is used than planned."""
        return self.one_by_one or self.ran_out_decoding or self.placement.level != self.placement.planned

    @property
    def rises(self) -> bool:
        """Whether the next request tries again with as much memory as planned."""
        return self.is_short and self.stayed >= self.patience

    def begin(self, plan: GenerationPlan) -> None:
        """Move the base to the level that is planned for the next request.

        Memory that ran out in an earlier request may be free again. If it runs out each time, it is tried less and less
        often, because each try costs a part of an image.
        """
        self.plan = plan
        if self.is_short and not self.rises:
            self.stayed += 1
            return
        self.patience, self.stayed = (min(2 * self.patience + 1, _MOST_PATIENCE) if self.is_short else 0), 0
        self.one_by_one = self.ran_out_decoding = False
        planned = replace(plan.placement, is_tiled=self.placement.is_tiled)
        if self.placement.level == planned.level:
            self.placement = planned
            return
        self.manager.disable()
        try:
            self.placement = first_fit(self.pipe, plan.device, planned)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise base_too_large(plan.spec, plan.device) from error

    def read_decoder(self) -> None:
        """Load the small decoder once. Previews take their colours from it until an image is finished."""
        folder = self.plan.draft.decoder if self.plan.draft else None
        if folder and self.decoder is None:
            # Report a damaged decoder only if a draft needs it.
            with nullcontext() if self.plan.settings.draft else suppress(NoBase):
                self.decoder = load_decoder(folder)
                self.previews.learn_decoder(self.decoder)

    @contextmanager
    def as_planned(self, checks: batch.OutputChecks) -> Iterator[None]:
        """Within the context, decode in pieces as planned, and generate drafts the quick way.

        Images are also decoded in pieces if memory ran out before. The networks of a draft are cached if the draft has
        no LoRA for few steps. There is no cache in three cases: layers that are copied one by one can't be skipped,
        compiled networks take no hooks, and pipelines for other tasks have none in diffusers.
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
            # diffusers has no cache for some networks.
            for network in (network for network in networks if hasattr(network, "enable_cache")):
                network.enable_cache(config(threshold=threshold))
                stack.callback(network.disable_cache)
            yield

    def calls(self, cells: Sequence[Cell], control: ControlImage) -> list[Call]:
        """Split these cells into calls of the pipeline. The request's LoRAs must be applied."""

        def alike(cell: Cell) -> Hashable:
            plain = self._is_plain(cell)
            # Prompts of several chunks have longer embeddings.
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
        """Yield calls with their images: the planned calls, or parts of them.

        The request's LoRAs must be applied.
        """
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
            # Generate these on the base's own narrow input, which a control LoRA widens.
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
        """Split calls of several rows that failed before into single rows."""
        return in_order(
            part
            for call in calls
            for part in ([(cell,) for cell in call] if self.one_by_one or is_mixed(call) in self.refused else [call])
        )

    def _generate(self, context: batch.BatchContext, calls: Sequence[Call]) -> Images:
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
                    # Retry outside of the handler, because the error keeps the memory alive.
                    if not self._use_less_memory(context, len(call)):
                        raise image_too_large(self.plan.spec, self.plan.settings, self.plan.device)
                    waiting = self._split(waiting)
                    continue
                yield call, images
                del waiting[0]

    def _use_less_memory(self, context: batch.BatchContext, size: int) -> bool:
        """Reduce the use of memory after a call of that size ran out, and return whether a retry makes sense.

        First, several images are generated one by one. Then images are decoded in pieces, if decoding ran out of
        memory. Lower offload levels come last.
        """
        # Restore merged weights before weights move. Merging itself may have run out of memory.
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
        """Move the pipeline to the next lower placement that works. Return False after the last."""
        lower = self.placement.lower(stage)
        if lower is None:
            return False
        # Record the lowest level first. If the move stops halfway, the next request moves the pipeline from there.
        self.placement = replace(lower, level=lower.levels[-1])
        try:
            self.placement = first_fit(self.pipe, self.plan.device, lower)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True


def plan_calls(cells: Iterable[Cell], size: int, alike: Callable[[Cell], Hashable]) -> list[Call]:
    """Group cells with an equal key `alike`, and split the groups into calls of up to `size` rows."""
    groups: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(alike(cell), []).append(cell)
    return in_order(
        tuple(group[start : start + size]) for group in groups.values() for start in range(0, len(group), size)
    )


def in_order(calls: Iterable[Call]) -> list[Call]:
    """Sort calls so that equal weights follow each other, because merged weights then serve several calls.

    Calls with mixed weights come first, because nothing is merged for them.
    """
    return sorted(calls, key=lambda call: (not is_mixed(call), () if is_mixed(call) else call[0].weights))


def is_mixed(call: Call) -> bool:
    """Return whether the rows of a call have different weights."""
    return len({cell.weights for cell in call}) > 1
