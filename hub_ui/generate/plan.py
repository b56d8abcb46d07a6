"""The plan of a generation, which follows from the request, the base and the device before weights are loaded.

`hub-ui try --plan` and estimates show the plan, and the engine follows it. A user's own base is known only after its
files are read, so the plan is made after that. If the base has to be loaded, the same function makes the plan again.
After a download, or after the previous base is unloaded, less memory can be free than expected.

The precision of a base depends on the total memory of the device, not on its free memory. So an image depends on
nothing but the request and the device.
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

# The memory of GPUs that are sold, in GB.
_CARDS = (*CARDS, 96, 141)
# The most pixels in all rows of a call. More rows are faster only if one row leaves the device idle.
_PIXELS: Mapping[str, int] = {"cpu": 8 * 128 * 128}
_PIXELS_OF_A_GPU = 5 * 512 * 512
_LARGEST_CALL = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationPlan:
    """How a request is generated.

    `spec` is the base as its files describe it, in its precision. It computes on `device`. The free bytes of `device`
    and the free bytes of RAM in `ram` are counted without the base in memory. `settings` are shared by all cells.

    `memory` is the need of the requested image, and `usual` the need of one in the base's default size. `disk` is the
    free space for temporary files. `placement` begins at the level of `memory`. If the requested image fits at no
    level, it begins at the level of `usual`, and memory has to run out. `is_tiled`: images are decoded in pieces.
    `timing` is the expected timing. `draft` holds the files of a draft, once they are on this disk. For images in full
    it holds only the small decoder.
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
        """The most images that are generated at once.

        It depends only on the request and the kind of device, not on free memory, because the number of rows changes
        the order of sums and so their rounding. On a processor in float32, one pixel in 10,000 differs by one shade of
        256.
        """
        if not self.family.lists or (self.family.edits and self.request.control is not None):
            return 1
        # Video autoencoders make one latent frame of four or more frames.
        pixels = self.settings.width * self.settings.height * latent_frames(self.settings.frames)
        return max(1, min(_LARGEST_CALL, _PIXELS.get(self.device.kind, _PIXELS_OF_A_GPU) // pixels))

    @property
    def merge_steps(self) -> int | None:
        """The number of steps within which merging LoRAs has to pay off.

        None merges them always, because a compiled network takes no hooks.
        """
        return None if self.settings.compile else self.settings.run_steps

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes on LoRAs that were made for another base."""
        return substitution_notes(self.spec, self.request)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the base, its precision and the draft."""
        requested, device = self.request.precision, self.device
        if requested in (None, self.spec.precision):
            remark = precision_note(self.spec, device.kind, total_memory(device), plan_for(device))
        else:
            remark = f"{self.spec.label} does not run in {precision_name(requested)} here."
        return tuple(filter(None, (*self.remarks, remark, *(self.draft.notes if self.draft else ()))))

    @property
    def followers(self) -> tuple[LoraInput, ...]:
        """The LoRAs of a draft, which every image has at their own weight."""
        return self.draft.followers if self.draft else ()

    @property
    def adapters(self) -> tuple[LoraInput, ...]:
        """All LoRAs to apply: those of the request, then the followers."""
        return (*self.request.adapters, *self.followers)

    @property
    def shortage(self) -> str:
        """Why an image of the base's default size does not fit, or "" if it fits."""
        return "" if self.usual.fits else shortage(self.spec, self.usual, self.device, self.ram, self.disk)

    def check(self, *, is_loaded: bool = False) -> None:
        """Raise PreviewError if the base fits at no level, or a requested compiler is missing."""
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
    """Plan a request on `spec`, the base of `choose_spec`, by default with this computer's `device` and `ram`.

    If the base of `before` is loaded, its free memory counts. Without `draft`, a draft's LoRA has its expected size.
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
    # Decoding in pieces changes an image a little, so it depends on total memory, not on free memory.
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
    """Choose one base that fits all the LoRAs, in the precision for the request's quality here."""
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
    """Return the total memory of a device in bytes."""
    return device_memory.total_memory() if device.total_bytes is None else device.total_bytes


def choose_precision(
    spec: PipelineSpec, quality: Quality, kind: str, memory: int, plan: PlanFor, before: str | None = None
) -> PipelineSpec:
    """Return `spec` in the precision for the quality on a device of `memory` bytes.

    `kind` is torch's name of the device. `before` is the precision of an image to make again. It is kept if it runs
    here.

    "full" is the base's own precision. "balanced" is the best that runs "whole" or with "model_offload", or else the
    smallest that runs layer by layer. It never goes below that, so that more memory never means fewer bits. "fast" is
    the base's own precision if it fits whole, or else the smallest that fits.
    """
    again = spec.in_precision(before) if before else None
    if again is not None and again.storage.runs_on(kind):
        return again
    if quality == "full" or spec.assumed:
        return spec
    planned = [(candidate, plan(candidate, memory)) for candidate in spec.precisions_on(kind)]
    if quality == "fast":
        smallest = min(planned, key=lambda pair: (not pair[1].fits, pair[0].storage.bits))[0]
        return next((base for base, need in planned if base == spec and need.fits and need.level == "whole"), smallest)
    planned = [(base, need) for base, need in planned if not base.storage.is_rough]
    smallest = min((base for base, _ in planned if base.storage.levels == 4), key=lambda base: base.storage.bits)
    good = [(base, need) for base, need in planned if need.fits and need.level in ("whole", "model_offload")]
    # The best precision comes first. int8 can only run whole, which does not justify decoding in pieces.
    return next((base for base, need in good if not need.is_tiled or base.storage.levels > 1), smallest)


def plan_on_card(
    spec: PipelineSpec,
    quality: Quality,
    memory: int,
    *,
    ram: int | None = None,
    settings: ResolvedRequest | None = None,
) -> tuple[PipelineSpec, MemoryPlan]:
    """Return the base in its precision on a GPU of that many bytes, and its memory plan there.

    If `ram` is None, any amount of RAM is assumed.
    """

    def plan(base: PipelineSpec, memory: int) -> MemoryPlan:
        return plan_memory(base, memory=usable_memory(memory), ram=ram, settings=settings)

    chosen = choose_precision(spec.in_precision(FULL.id) or spec, quality, "cuda", memory, plan)
    return chosen, plan(chosen, memory)


def precision_note(chosen: PipelineSpec, kind: str, memory: int, plan: PlanFor) -> str:
    """Return the chosen precision, its reason, and the memory for full precision. Return "" for full precision.

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
