"""hub-ui try --plan: what a base takes of a device's memory, and how it runs there. Loads and downloads nothing."""

from typing import Any

from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.memory import available_memory, choose_device, free_memory, total_memory
from hub_ui.generate.memory_plan import CARDS, GIBIBYTE, LEVEL_NAMES, LEVELS, MemoryPlan, usable_memory, usable_ram
from hub_ui.generate.memory_plan import plan_memory as plan
from hub_ui.generate.settings import ResolvedRequest
from hub_ui.terminal import Terminal


def print_plan(spec: PipelineSpec, settings: ResolvedRequest, memory: int | None, terminal: Terminal) -> None:
    """`memory` are the bytes of a GPU that need not be here; None stands for this computer's device as it is now."""
    if memory is None:
        device = choose_device(spec)
        where, dtype, kind = f"this {device.label}", device.dtype, device.kind
        room = available_memory() if kind == "cpu" else device.free_bytes or free_memory(kind)
        ram = available_memory()
    else:
        where, dtype, kind = f"a GPU with {memory / GIBIBYTE:g} GB", spec.dtype, "cuda"
        room, ram = usable_memory(memory), usable_ram(total_memory())
    planned = plan(spec, memory=room, ram=ram, dtype=dtype, settings=settings, kind=kind)
    larger = [] if kind in ("cpu", "mps") else _larger(spec, settings, planned, room)
    if terminal.json:
        terminal.document(plan_json(spec, where, dtype, room, planned, larger))
        return
    terminal.line(
        f"{spec.label} on {where}, {settings.width} x {settings.height}, {dtype}: "
        f"{LEVEL_NAMES[planned.level] if planned.fits else 'does not fit'}."
    )
    own = f", and {_gigabytes(planned.ram)} of the computer's own" if kind not in ("cpu", "mps") else ""
    terminal.line(f"At most {_gigabytes(planned.peak)} of {_gigabytes(room)} of its memory{own}.")
    for part, size in planned.parts.items():
        terminal.line(f"  {part:<18}{_gigabytes(size):>9}")
    for note in planned.notes:
        terminal.note(note)
    for card, one in larger:
        terminal.note(f"A GPU with {card} GB: {LEVEL_NAMES[one.level]}.")


def plan_json(
    spec: PipelineSpec, where: str, dtype: str, memory: int, planned: MemoryPlan, larger: list[tuple[int, MemoryPlan]]
) -> dict[str, Any]:
    """Sizes are in bytes, but for the cards' in GB as they are sold."""
    return {
        "base": spec.label,
        "device": where,
        "memory": memory,
        "precision": dtype,
        "level": planned.level,
        "tiled": planned.is_tiled,
        "fits": planned.fits,
        "peak": planned.peak,
        "ram": planned.ram,
        "parts": dict(planned.parts),
        "notes": list(planned.notes),
        "larger": [{"card": card, "level": one.level, "peak": one.peak} for card, one in larger],
    }


def _larger(
    spec: PipelineSpec, settings: ResolvedRequest, planned: MemoryPlan, room: int
) -> list[tuple[int, MemoryPlan]]:
    """The smallest cards that run it faster, one for each level."""
    found: list[tuple[int, MemoryPlan]] = []
    best = LEVELS.index(planned.level) if planned.fits else len(LEVELS)
    for card in CARDS:
        memory = usable_memory(card * GIBIBYTE)
        if memory <= room:
            continue
        one = plan(spec, memory=memory, ram=usable_ram(total_memory()), settings=settings)
        if one.fits and LEVELS.index(one.level) < best:
            best = LEVELS.index(one.level)
            found.append((card, one))
    return found


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
