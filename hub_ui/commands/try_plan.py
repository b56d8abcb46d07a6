"""hub-ui try --plan: what a base takes of a device's memory, and how it runs there. Loads and downloads nothing."""

from dataclasses import replace
from typing import Any

from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.precision import Quality, precise_label
from hub_ui.generate.device_kinds import kind_of
from hub_ui.generate.memory import available_memory, choose_device, total_memory
from hub_ui.generate.memory_plan import (
    CARDS,
    GIBIBYTE,
    LEVEL_NAMES,
    LEVELS,
    MemoryPlan,
    plan_memory,
    usable_memory,
    usable_ram,
)
from hub_ui.generate.quality import plan_on_card
from hub_ui.generate.settings import ResolvedRequest
from hub_ui.terminal import Terminal

# Cards in GB, with the base in the precision that it gets there and its plan.
Larger = list[tuple[int, PipelineSpec, MemoryPlan]]


def print_plan(
    spec: PipelineSpec,
    settings: ResolvedRequest,
    quality: Quality,
    memory: int | None,
    remarks: tuple[str, ...],
    terminal: Terminal,
) -> None:
    """`memory` are the bytes of a GPU that need not be here; None stands for this computer's device as it is now, and
    `spec` is in the precision for that one. `remarks` are those on the base, and come before the notes on memory.
    """
    if memory is None:
        device = choose_device(spec)
        where, dtype, kind = f"this {device.label}", device.dtype, device.kind
        room = available_memory() if kind == "cpu" else device.free_bytes or 0
        planned = plan_memory(spec, memory=room, ram=available_memory(), dtype=dtype, settings=settings, kind=kind)
    else:
        where, dtype, kind, room = f"a GPU with {memory / GIBIBYTE:g} GB", spec.dtype, "cuda", usable_memory(memory)
        spec, planned = plan_on_card(spec, quality, memory, ram=usable_ram(total_memory()), settings=settings)
    planned = replace(planned, notes=(*remarks, *planned.notes))
    larger = _larger(spec, settings, quality, planned, room) if kind_of(kind).has_own_memory else []
    if terminal.json:
        terminal.document(plan_json(spec, where, dtype, room, planned, larger))
        return
    terminal.line(
        f"{precise_label(spec)} on {where}, {settings.width} x {settings.height}, {dtype}: "
        f"{LEVEL_NAMES[planned.level] if planned.fits else 'does not fit'}."
    )
    own = f", and {_gigabytes(planned.ram)} of the computer's own" if kind_of(kind).has_own_memory else ""
    terminal.line(f"At most {_gigabytes(planned.peak)} of {_gigabytes(room)} of its memory{own}.")
    for part, size in planned.parts.items():
        terminal.line(f"  {part:<18}{_gigabytes(size):>9}")
    for note in planned.notes:
        terminal.note(note)
    for card, other, one in larger:
        terminal.note(f"A GPU with {card} GB: {precise_label(other)}, {LEVEL_NAMES[one.level]}.")


def plan_json(
    spec: PipelineSpec, where: str, dtype: str, memory: int, planned: MemoryPlan, larger: Larger
) -> dict[str, Any]:
    """Sizes are in bytes, but for the cards' in GB as they are sold."""
    return {
        "base": spec.label,
        "device": where,
        "memory": memory,
        "precision": spec.precision,
        "dtype": dtype,
        "level": planned.level,
        "tiled": planned.is_tiled,
        "fits": planned.fits,
        "peak": planned.peak,
        "ram": planned.ram,
        "parts": dict(planned.parts),
        "notes": list(planned.notes),
        "larger": [
            {"card": card, "precision": other.precision, "level": one.level, "peak": one.peak}
            for card, other, one in larger
        ],
    }


def _larger(spec: PipelineSpec, settings: ResolvedRequest, quality: Quality, planned: MemoryPlan, room: int) -> Larger:
    """The smallest cards that run it in another precision, or faster."""
    found: Larger = []
    last = spec.precision, LEVELS.index(planned.level) if planned.fits else len(LEVELS)
    for card in CARDS:
        if usable_memory(card * GIBIBYTE) <= room:
            continue
        memory = card * GIBIBYTE
        other, one = plan_on_card(spec, quality, memory, ram=usable_ram(total_memory()), settings=settings)
        level = LEVELS.index(one.level)
        if one.fits and (other.precision != last[0] or level < last[1]):
            found.append((card, other, one))
            last = other.precision, level
    return found


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
