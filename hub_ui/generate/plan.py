"""The plan of a generation: all that follows from the request, the base and the device, before weights are loaded.

It is made once, shown by `hub-ui try --plan` and in estimates, and followed by the engine. A user's own base is known
only when its own description has been read, so the plan is made after that. Where a base has to be loaded, it is made
again by the same function: after a download, and without the base of before, less can be free than was expected.

The precision of a base follows from the memory that the device has, not what is free, so that nothing but the request
and the device decides what an image looks like.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from connectors.errors import DoesNotFit, PreviewError, UsageError
from hub_ui.base.format import sentences
from hub_ui.base.i18n import _
from hub_ui.generate.base_models import PipelineSpec, base_by_id, check_substitution, choose_base
from hub_ui.generate.base_models.files import DraftFiles
from hub_ui.generate.base_models.table import FULL, NETWORKS, Quality, precision_name
from hub_ui.generate.estimate import UNKNOWN, Timing, Timings
from hub_ui.generate.lora.load import check_halves, lora_bytes
from hub_ui.generate.memory import device as device_memory
from hub_ui.generate.memory.device import Device
from hub_ui.generate.memory.offload import Placement
from hub_ui.generate.memory.plan import (
    CARDS,
    GIBIBYTE,
    MemoryPlan,
    PlanFor,
    choose_device,
    footprint,
    latent_frames,
    levels_of,
    plan_for,
    plan_memory,
    shortage,
    usable_memory,
    usable_ram,
    usual_loras,
)
from hub_ui.generate.pipeline_arguments import Family, family
from hub_ui.generate.request import GenerationRequest, LoraInput
from hub_ui.generate.settings import ResolvedRequest, resolve_request, substitution_notes

# In GB, with the largest that are sold.
_CARDS = (*CARDS, 96, 141)
# Pixels of all rows of a call. More rows at once are faster only where one leaves the device idle.
_PIXELS: Mapping[str, int] = {"cpu": 8 * 128 * 128}
_PIXELS_OF_A_GPU = 5 * 512 * 512
_LARGEST_CALL = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationPlan:
    """`spec` is the base as its own files describe it, in its precision; it computes on `device`. That and the `ram`
    bytes of the computer's memory are free without the base that is in memory. `settings` are those of all cells.

    `memory` is what such an image takes, and `usual` one of the base's own size, with `disk` bytes for temporary files.
    `placement` begins at the level of the first, or of the second where the first fits at none: memory has to run out
    then. `is_tiled`: images are decoded in pieces. `timing` is what an image is expected to take. `draft` are the files
    of a draft, once they are there, and for images in full the small decoder.
    """

    request: GenerationRequest
    spec: PipelineSpec
    device: Device
    ram: int
    settings: ResolvedRequest
    memory: MemoryPlan
    placement: Placement
    usual: MemoryPlan
    disk: int
    is_tiled: bool
    timing: Timing
    draft: DraftFiles | None = None

    @property
    def family(self) -> Family:
        return family(self.spec.pipeline)

    @property
    def rows(self) -> int:
        """How many images are generated at once, at most.

        It depends on the request and the kind of device alone, not on free memory: sums are rounded in another order
        for each number of rows. Measured on a processor in float32: one pixel in 10,000 differs, by one shade of 256.
        """
        if not self.family.lists or (self.family.edits and self.request.control is not None):
            return 1
        # Video autoencoders make one latent frame of four frames or more.
        pixels = self.settings.width * self.settings.height * latent_frames(self.settings.frames)
        return max(1, min(_LARGEST_CALL, _PIXELS.get(self.device.kind, _PIXELS_OF_A_GPU) // pixels))

    @property
    def merge_steps(self) -> int | None:
        """LoRAs are merged where that pays off in so many. None is any number: a compiled network takes no hooks."""
        return None if self.settings.compile else self.settings.run_steps

    @property
    def remarks(self) -> tuple[str, ...]:
        """On LoRAs that were made for another base."""
        return substitution_notes(self.spec, self.request)

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say on the base."""
        asked, device = self.request.precision, self.device
        if asked in (None, self.spec.precision):
            remark = precision_note(self.spec, device.kind, total_memory(device), plan_for(device))
        else:
            remark = f"{self.spec.label} does not run in {precision_name(asked)} here."
        return tuple(filter(None, (*self.remarks, remark, *(self.draft.notes if self.draft else ()))))

    @property
    def followers(self) -> tuple[LoraInput, ...]:
        """The LoRAs of a draft: nobody chose them, and each image has them at their own weight."""
        return self.draft.followers if self.draft else ()

    @property
    def adapters(self) -> tuple[LoraInput, ...]:
        """All that is put on: the request's LoRAs, then the followers."""
        return (*self.request.adapters, *self.followers)

    @property
    def shortage(self) -> str:
        """Why not even an image of the base's own size fits; empty where it does."""
        return "" if self.usual.fits else shortage(self.spec, self.usual, self.device, self.ram, self.disk)

    def check(self, *, is_loaded: bool = False) -> None:
        """Raises PreviewError for a base that fits at no level, and where nothing here compiles it as requested."""
        if self.request.compile:
            device_memory.check_compiler(self.device.kind)
        if self.shortage and not is_loaded:
            raise PreviewError(self.shortage)


def make_plan(
    request: GenerationRequest,
    spec: PipelineSpec,
    device: Device | None = None,
    ram: int | None = None,
    *,
    timings: Timings | None = None,
    before: GenerationPlan | None = None,
    draft: DraftFiles | None = None,
) -> GenerationPlan:
    """`spec` is the base of choose_spec. There is room for the request's LoRAs, and for a usual one; for that of a
    draft too. Without the files of a `draft`, it is planned as if all of them could be had. By default, `device` and
    `ram` are this computer's, with what was free for the plan `before`, if its base is in memory.
    """
    settings = resolve_request(request, spec, draft.draft if draft else None)
    in_full = resolve_request(replace(request, draft=False), spec)
    if ram is None:
        ram = device_memory.available_memory() if before is None else before.ram
    if device is None:
        device = before.device if before is not None and before.spec == spec else choose_device(spec)
        if before is not None and before.device.name == device.name:
            device = replace(device, free_bytes=before.device.free_bytes)
    on_cpu, levels = device.kind == "cpu", device.levels or levels_of(device.kind, spec.storage)
    usual_lora, merges = usual_loras(spec), footprint(spec, spec.dtype).originals > 0
    loras, disk = max(lora_bytes(request.adapters, merges=merges), usual_lora), device_memory.free_disk()
    if settings.draft and settings.draft.lora:
        expected = round(settings.draft.lora.gigabytes * 1e9) or usual_lora
        loras += lora_bytes(draft.followers, merges=merges) if draft else expected
    plan = partial(plan_memory, spec, dtype=device.dtype, kind=device.kind, levels=levels)
    with_free = partial(plan, memory=ram if on_cpu else device.free_bytes, ram=ram, loras=loras, disk=disk)
    usual, memory = with_free(), with_free(settings=settings)
    level = (memory if memory.fits else usual).level
    # Pieces change an image a little, so the memory that there is decides on them, free or not.
    all_ram = usable_ram(device_memory.total_memory())
    card = None if device.total_bytes is None else usable_memory(device.total_bytes)
    is_tiled = plan(memory=all_ram if on_cpu else card, ram=all_ram, settings=settings).is_tiled
    return GenerationPlan(
        request=request,
        spec=spec,
        device=device,
        ram=ram,
        settings=settings,
        timing=timings.expect(spec, settings, device, in_full) if timings else UNKNOWN,
        memory=memory,
        placement=Placement(level=level, planned=level, levels=levels),
        usual=usual,
        disk=disk,
        is_tiled=is_tiled,
        draft=draft,
    )


def choose_spec(request: GenerationRequest) -> PipelineSpec:
    """One base that fits all the LoRAs, in the precision that the request's quality means here."""
    if not request.adapters and request.base is None:
        raise UsageError(_("There is neither a LoRA nor a base model to generate with. Choose one."))
    first = request.adapters[0] if request.adapters else None
    made_for = (first.architecture, first.base_model) if first else (None, None)
    spec = choose_base(*made_for, request.base)
    for adapter in request.adapters[1:]:
        if adapter.architecture not in (None, spec.architecture):
            raise DoesNotFit(
                _(
                    "“{title}” is for {architecture} and “{title2}” for {architecture2}: LoRAs of different "
                    "architectures can't be used together. Leave one of them out."
                ).format(
                    title=request.adapters[0].title,
                    architecture=spec.architecture,
                    title2=adapter.title,
                    architecture2=adapter.architecture,
                )
            )
        check_substitution(spec, adapter.base_model)
    if base_by_id(spec.id) is not None:
        check_halves(request.adapters, spec.architecture, spec.parts)
    device = choose_device(spec)
    memory, plan = total_memory(device), plan_for(device)
    return choose_precision(spec, request.quality, device.kind, memory, plan, request.precision)


def total_memory(device: Device) -> int:
    """The bytes of memory of a device, free or not."""
    return device_memory.total_memory() if device.total_bytes is None else device.total_bytes


def choose_precision(
    spec: PipelineSpec, quality: Quality, kind: str, memory: int, plan: PlanFor, before: str | None = None
) -> PipelineSpec:
    """`spec` in the precision that the quality means on a device with `memory` bytes; `kind` is torch's name for it.
    That of the image to make again, `before`, is kept where it runs here.

    "full" is always the base's own. "balanced" is the best that runs whole or part by part, else the smallest that goes
    layer by layer, and nothing smaller, so that more memory never means fewer bits. "fast" is the base's own where it
    fits whole, else the smallest that fits.
    """
    again = spec.in_precision(before) if before else None
    if again is not None and again.storage.runs_on(kind):
        return again
    if quality == "full" or spec.assumed:
        return spec
    planned = [(one, plan(one, memory)) for one in spec.precisions_on(kind)]
    if quality == "fast":
        smallest = min(planned, key=lambda pair: (not pair[1].fits, pair[0].storage.bits))[0]
        return next((one for one, its in planned if one == spec and its.fits and its.level == "whole"), smallest)
    planned = [(one, its) for one, its in planned if not one.storage.is_rough]
    smallest = min((one for one, _ in planned if one.storage.levels == 4), key=lambda one: one.storage.bits)
    good = [(one, its) for one, its in planned if its.fits and its.level in ("whole", "model_offload")]
    # The best comes first. Pieces are not worth it to have all of int8 on the GPU.
    return next((one for one, its in good if not its.is_tiled or one.storage.levels > 1), smallest)


def plan_on_card(
    spec: PipelineSpec,
    quality: Quality,
    memory: int,
    *,
    ram: int | None = None,
    settings: ResolvedRequest | None = None,
) -> tuple[PipelineSpec, MemoryPlan]:
    """The base in the precision that it gets on a GPU of so many bytes, and its plan there. No `ram`: any amount."""

    def plan(one: PipelineSpec, memory: int) -> MemoryPlan:
        return plan_memory(one, memory=usable_memory(memory), ram=ram, settings=settings)

    chosen = choose_precision(spec.in_precision(FULL.id) or spec, quality, "cuda", memory, plan)
    return chosen, plan(chosen, memory)


def precision_note(chosen: PipelineSpec, kind: str, memory: int, plan: PlanFor) -> str:
    """What was chosen, why, and what more memory would allow; empty for full precision.

    "FLUX.1 dev in Q4 (6.8 GB), because this GPU has 8 GB. A GPU with 24 GB runs it in full precision."
    """
    whole = chosen.in_precision(FULL.id)
    if whole is None or whole == chosen:
        return ""
    size = sum(count for part, count in plan(chosen, memory).parts.items() if part in NETWORKS)
    here = _("{base} ({n} GB), because this GPU has {memory} GB.")
    there = _("On a GPU with {memory} GB it runs in full precision.")
    if kind == "cpu":
        here = _("{base} ({n} GB), because this computer has {memory} GB.")
        there = _("With {memory} GB it runs in full precision.")
    note = here.format(base=chosen.precise_label, n=f"{size / 1e9:.1f}", memory=round(memory / GIBIBYTE))
    enough = (card for card in _CARDS if choose_precision(whole, "balanced", kind, card * GIBIBYTE, plan) == whole)
    card = next((card for card in enough if card * GIBIBYTE > memory), None)
    return note if card is None else sentences(note, there.format(memory=card))
