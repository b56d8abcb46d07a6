"""Which precision a base gets on a device: by the memory that it has, not what is free, so that nothing but the request
and the device decides what an image looks like.
"""

from collections.abc import Callable

from hub_ui.format import sentences
from hub_ui.generate import memory as device_memory
from hub_ui.generate.base_models import PipelineSpec, precision
from hub_ui.generate.memory import Device, choose_device
from hub_ui.generate.memory_plan import CARDS, GIBIBYTE, MemoryPlan, plan_memory, usable_memory, usable_ram
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.settings import ResolvedRequest
from hub_ui.i18n import _

# In GB, with the largest that are sold.
_CARDS = (*CARDS, 96, 141)


# The plan of a base on a device of this kind with so many bytes of memory.
PlanFor = Callable[[PipelineSpec, int], MemoryPlan]


def in_quality(spec: PipelineSpec, request: GenerationRequest) -> PipelineSpec:
    """`spec` in the precision of the image to make again, where it runs here, else in that of the request's quality."""
    device = choose_device(spec)
    before = precision.in_precision(spec, request.precision) if request.precision else None
    if before is not None and precision.precision_of(before).runs_on(device.kind):
        return before
    return choose_precision(spec, request.quality, device.kind, total_memory(device), plan_for(device.kind))


def quality_notes(spec: PipelineSpec, request: GenerationRequest) -> tuple[str, ...]:
    """What there is to say on the precision that a request's base has."""
    device = choose_device(spec)
    if request.precision not in (None, spec.precision):
        return (f"{spec.label} does not run in {precision.precision_name(request.precision)} here.",)
    note = precision_note(spec, device.kind, total_memory(device), plan_for(device.kind))
    return (note,) if note else ()


def total_memory(device: Device) -> int:
    """The bytes of memory of a device, free or not."""
    return device_memory.total_memory() if device.total_bytes is None else device.total_bytes


def plan_for(kind: str) -> PlanFor:
    """The plans of bases on devices of a kind, in this computer."""

    def plan(spec: PipelineSpec, memory: int) -> MemoryPlan:
        on_cpu = kind == "cpu"
        return plan_memory(
            spec,
            memory=None if on_cpu else usable_memory(memory),
            ram=usable_ram(memory if on_cpu else device_memory.total_memory()),
            dtype=choose_device(spec).dtype,
            kind=kind,
        )

    return plan


def choose_precision(
    spec: PipelineSpec, quality: precision.Quality, kind: str, memory: int, plan: PlanFor
) -> PipelineSpec:
    """`spec` in the precision that the quality means on a device with `memory` bytes; `kind` is torch's name for it.

    "full" is always the base's own. "balanced" is the best that runs whole or part by part, else the smallest that goes
    layer by layer, and nothing smaller, so that more memory never means fewer bits. "fast" is the base's own where it
    fits whole, else the smallest that fits.
    """
    if quality == "full" or spec.assumed:
        return spec
    planned = [(one, plan(one, memory)) for one in precision.precisions_of(spec, kind)]
    if quality == "fast":
        smallest = min(planned, key=lambda pair: (not pair[1].fits, _bits(pair[0])))[0]
        return next((one for one, its in planned if one == spec and its.fits and its.level == "whole"), smallest)
    smallest = min((one for one, _ in planned if precision.precision_of(one).goes_by_layers), key=_bits)
    large = [(one, its) for one, its in planned if _bits(one) >= _bits(smallest)]
    # The best comes first.
    return next((one for one, its in large if its.fits and its.level in ("whole", "model_offload")), smallest)


def _bits(spec: PipelineSpec) -> float:
    return precision.precision_of(spec).bits


def plan_on_card(
    spec: PipelineSpec,
    quality: precision.Quality,
    memory: int,
    *,
    ram: int | None = None,
    settings: ResolvedRequest | None = None,
) -> tuple[PipelineSpec, MemoryPlan]:
    """The base in the precision that it gets on a GPU of so many bytes, and its plan there. No `ram`: any amount."""

    def plan(one: PipelineSpec, memory: int) -> MemoryPlan:
        return plan_memory(one, memory=usable_memory(memory), ram=ram, settings=settings)

    chosen = choose_precision(precision.in_precision(spec, precision.FULL.id) or spec, quality, "cuda", memory, plan)
    return chosen, plan(chosen, memory)


def precision_note(chosen: PipelineSpec, kind: str, memory: int, plan: PlanFor) -> str:
    """What was chosen, why, and what more memory would allow; empty for full precision.

    "FLUX.1 dev in Q4 (6.8 GB), because this GPU has 8 GB. A GPU with 24 GB runs it in full precision."
    """
    whole = precision.in_precision(chosen, precision.FULL.id)
    if whole is None or whole == chosen:
        return ""
    size = sum(count for part, count in plan(chosen, memory).parts.items() if part in precision.NETWORKS)
    here = _("{base} ({n} GB), because this GPU has {memory} GB.")
    there = _("On a GPU with {memory} GB it runs in full precision.")
    if kind == "cpu":
        here = _("{base} ({n} GB), because this computer has {memory} GB.")
        there = _("With {memory} GB it runs in full precision.")
    note = here.format(base=precision.precise_label(chosen), n=f"{size / 1e9:.1f}", memory=round(memory / GIBIBYTE))
    enough = (card for card in _CARDS if choose_precision(whole, "balanced", kind, card * GIBIBYTE, plan) == whole)
    card = next((card for card in enough if card * GIBIBYTE > memory), None)
    return note if card is None else sentences(note, there.format(memory=card))
