"""The plans of hub-ui try: the request stored in an image (--again), and the memory of a base model (--plan)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.errors import BadHeader, DoesNotFit, NotWeights, UsageError
from connectors.ref import Ref
from connectors.weights import inspect
from hub_ui.app.services import Services
from hub_ui.app.used_loras import find_used_lora
from hub_ui.base.json_values import attributes
from hub_ui.commands import ProgressCallback
from hub_ui.commands.terminal import Terminal
from hub_ui.commands.try_options import TryOptions
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.download import RepoCache, Source
from hub_ui.generate.base_models.files import is_on_disk
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.estimate import format_duration
from hub_ui.generate.lora.blocks import parse_block_weights
from hub_ui.generate.memory.device import LEVEL_NAMES, LEVELS, kind_of, total_memory
from hub_ui.generate.memory.plan import CARDS, GIBIBYTE, MemoryPlan, download_bytes, usable_memory, usable_ram
from hub_ui.generate.plan import GenerationPlan, plan_on_card
from hub_ui.generate.request import GenerationRequest, LoraInput
from hub_ui.images import example_settings, png_metadata
from hub_ui.images.infotext import Infotext, UsedLora
from hub_ui.images.provenance import ControlProvenance, Provenance, StartProvenance, sha256_of


@dataclass(frozen=True, kw_only=True, slots=True)
class TryPlan:
    """A request to generate. `provenance` is the stored request if it is repeated.

    `notes` are sentences about settings that could not be applied.
    """

    request: GenerationRequest
    comparison: Comparison
    place: str
    provenance: Provenance | None = None
    notes: tuple[str, ...] = ()

    def with_file_hashes(self) -> TryPlan:
        """Return the plan with the files' hashes, and with a note for each file that differs from the lock file.

        Raise HubUiError if a file is not a LoRA for images.
        """
        # Skip Replicate, which uses the hub's file and not the local one.
        if self.place != "local":
            return self
        for adapter in self.request.adapters:
            if adapter.path.is_file():
                _check_file(adapter)
        hashes = [(adapter, sha256_of(adapter.path)) for adapter in self.request.adapters]
        changes = [
            f"“{adapter.title}” is not what the lock file pins: its bytes were changed on this disk. "
            "hub-ui sync brings the right ones back."
            for adapter, sha256 in hashes
            if sha256 not in (None, adapter.sha256)
        ]
        adapters = tuple(replace(adapter, sha256=sha256 or adapter.sha256) for adapter, sha256 in hashes)
        return replace(self, request=replace(self.request, adapters=adapters), notes=(*self.notes, *changes))


def _check_file(adapter: LoraInput) -> None:
    try:
        facts = inspect.inspect_path(adapter.path).adapter
    except (BadHeader, NotWeights) as error:
        raise type(error)(f"“{adapter.title}”: {error.message} hub-ui sync brings the right file back.") from error
    if not facts.is_lora:
        reason = facts.warnings[0] if facts.warnings else "This is no LoRA."
        raise DoesNotFit(f"“{adapter.title}” can't be tried here. {reason} Choose another file.")


def plan_again(built: Services, options: TryOptions, file: Path, on_progress: ProgressCallback) -> TryPlan:
    stored = png_metadata.read_any(file)
    if isinstance(stored, Infotext):
        plan = _plan_infotext(built, stored, options, file, on_progress)
    else:
        plan = _plan_provenance(built, stored, options, file, on_progress)
    draft = options.draft if options.draft or options.full else plan.request.draft
    return replace(plan, request=replace(plan.request, draft=draft))


def _plan_provenance(
    built: Services, stored: Provenance, options: TryOptions, file: Path, on_progress: ProgressCallback
) -> TryPlan:
    on_replicate = options.on == "replicate" or (stored.report and stored.report.place == "replicate")

    def adapter(ref: Ref, weight: float) -> LoraInput:
        pulls = not on_replicate and not (options.estimate and built.downloads.find_installed(ref) is None)
        return built.generation.inputs([ref], [weight], pulls=pulls, on_progress=on_progress)[0]

    control = image = None
    notes: list[str] = []
    if stored.control is not None:
        control = options.control or file.parent / stored.control.name
        notes += _check_input(file, control, stored.control, ("was steered by", "steered it"), "--control")
    if stored.image is not None:
        image = options.image or file.parent / stored.image.name
        notes += _check_input(file, image, stored.image, ("started from", "it started from"), "--image")
    request = replace(stored.job(adapter, control, image), may_fetch=options.fetch)
    if options.quality:
        request = replace(request, quality=options.quality, precision=None)
    if options.base:
        # The option --base helps if the stored base is a deleted folder, or on another computer.
        notes.append(f"It was made on {stored.base}, and this one on {options.base}.")
        request = replace(request, base=options.base)
    place = "replicate" if on_replicate else "local"
    return TryPlan(
        request=request,
        comparison=stored.whole_comparison or comparison.single(request),
        place=place,
        provenance=stored,
        notes=tuple(notes),
    )


def _check_input(
    file: Path, path: Path, stored: ControlProvenance | StartProvenance, words: tuple[str, str], option: str
) -> list[str]:
    """Return notes on an image that `file` was made with. Raise UsageError if that image is missing."""
    if not path.is_file():
        raise UsageError(
            f"{file.name} {words[0]} {stored.name}, which does not lie beside it. Name that image with {option} FILE."
        )
    if stored.sha256 in (None, sha256_of(path)):
        return []
    return [f"{path.name} is not the image that {words[1]} then: its bytes are others."]


def _plan_infotext(
    built: Services, infotext: Infotext, options: TryOptions, file: Path, on_progress: ProgressCallback
) -> TryPlan:
    example = example_settings.of_text(infotext)
    results = [find_used_lora(built, lora) for lora in example.loras]
    refs = [result.ref for result in results if result.ref is not None]
    used = [result.used for result in results if result.ref is not None]
    # A1111 uses weight 1 by default.
    weights = [1.0 if lora.weight is None else lora.weight for lora in used]
    if not refs and not options.base:
        reason = f"{file.name} was made without a LoRA"
        if results:
            reason = f"None of the LoRAs that {file.name} names could be found here or by their hashes"
        raise UsageError(f"{reason}, and its base model is none of ours. Choose one: --base sdxl-1.0, for example.")
    fields: dict[str, Any] = example.arguments() | {
        "clip_weights": [lora.clip_weight for lora in used],
        "quality": options.quality or "balanced",
        "precision": None if options.quality else infotext.fields.get("Precision"),
        "base": options.base, "use_trigger_words": False, "may_fetch": options.fetch, "control": options.control,
        "control_kind": options.control_kind, "image": options.image,
    }  # fmt: skip
    pulls = options.on == "local" and not (options.estimate and None in map(built.downloads.find_installed, refs))
    request = built.generation.request(refs, weights, pulls=pulls, on_progress=on_progress, **fields)
    request, notes = _with_block_weights(request, used)
    if options.image:
        example = replace(example, unmapped=tuple(name for name in example.unmapped if name != example.start))
    notes += [example.sentence()] if example.unmapped else []
    notes += [
        f"“{result.used.name}” could not be found here{' or by its hash' if result.used.hash else ''}: it was left out."
        for result in results
        if result.ref is None
    ]
    notes += [
        f"“{result.used.name}” was found by its name alone; another file may bear it."
        for result in results
        if result.by == "name" and result.used.hash
    ]
    # An image by hub-ui gets here as well if a site has stripped all metadata except the A1111 parameters.
    if not infotext.fields.get("Version", "").startswith("hub-ui"):
        notes.append(example_settings.OTHER_NOISE)
    return TryPlan(
        request=request, comparison=comparison.single(request), place=options.on, notes=tuple(filter(None, notes))
    )


def _with_block_weights(
    request: GenerationRequest, used: Sequence[UsedLora]
) -> tuple[GenerationRequest, list[str | None]]:
    """Return the request with the block weights of an infotext, and notes on invalid block weights."""
    adapters, notes = list(request.adapters), list[str | None]()
    for lora, places in zip(used, comparison.lora_slices(request), strict=True):
        try:
            weights = parse_block_weights(lora.blocks, adapters[places.start].architecture) if lora.blocks else ()
        except UsageError as error:
            notes.append(f"The block weights of “{lora.name}” were left out. {error.message}")
            continue
        for place in places:
            adapters[place] = replace(adapters[place], block_weights=weights)
    return replace(request, adapters=tuple(adapters)), notes


# Sizes of cards in GB, each with the base model in its precision on this card and its memory plan.
LargerCards = list[tuple[int, PipelineSpec, MemoryPlan]]


def print_plan(
    plan: GenerationPlan, draft: GenerationPlan, memory: int | None, source: Source, terminal: Terminal
) -> None:
    """Print the memory plan of an image in full and of a draft.

    `memory` is the size in bytes of a GPU, which need not exist. If it is None, use the free memory of this computer's
    device. The remarks on the base model come before the notes on memory.
    """
    settings, device = plan.settings, plan.device
    spec, planned = _plan_on_gpu(plan, memory)
    if memory is None:
        where, dtype, kind = f"this {device.label}", device.dtype, device.kind
        room = plan.ram if kind == "cpu" else device.free_bytes or 0
    else:
        where, dtype, kind = f"a GPU with {memory / GIBIBYTE:g} GB", plan.spec.dtype, "cuda"
        room = usable_memory(memory)
    planned = replace(planned, notes=(*plan.remarks, *planned.notes))
    larger = _find_larger_cards(plan, spec, planned, room) if kind_of(kind).has_own_memory else []
    head = (
        f"{spec.precise_label} on {where}, {settings.width} x {settings.height}, {dtype}: "
        f"{LEVEL_NAMES[planned.level] if planned.fits else 'does not fit'}."
    )
    ram = f", and {_gigabytes(planned.ram)} of the computer's own" if kind_of(kind).has_own_memory else ""
    usage = f"At most {_gigabytes(planned.peak)} of {_gigabytes(room)} of its memory{ram}."
    qualities = {name: quality_json(one, memory, source) for name, one in (("full", plan), ("draft", draft))}
    # All sizes are in bytes, except the size of a card, which is in GB.
    document = {
        "base": spec.label,
        "device": where,
        "memory": room,
        "precision": spec.precision,
        "dtype": dtype,
        "tiled": planned.is_tiled,
        **attributes(planned, "level", "fits", "peak", "ram", "parts", "notes"),
        "larger": [
            {"card": card, "precision": other.precision, "level": gpu_plan.level, "peak": gpu_plan.peak}
            for card, other, gpu_plan in larger
        ],
        "qualities": qualities,
    }
    terminal.show(document, lambda: _print_memory(head, usage, planned, larger, qualities, terminal))


def _plan_on_gpu(plan: GenerationPlan, memory: int | None) -> tuple[PipelineSpec, MemoryPlan]:
    """Return the base model and its memory plan, on a GPU of `memory` bytes if it is given."""
    if memory is None:
        return plan.spec, plan.memory
    ram = usable_ram(total_memory())
    return plan_on_card(plan.spec, plan.request.quality, memory, ram=ram, settings=plan.settings)


def quality_json(plan: GenerationPlan, memory: int | None, source: Source) -> dict[str, Any]:
    """Return the requirements of an image in full or of a draft.

    `seconds` is null for another device, or before the first image on this one. `fetch` is the number of bytes to
    download, as far as it is known without a request.
    """
    settings, (spec, planned) = plan.settings, _plan_on_gpu(plan, memory)
    seconds = settings.run_steps * plan.timing.step + plan.timing.rest
    lora = settings.draft.lora if settings.draft else None
    missing = 0 if is_on_disk(spec, source.cache) else download_bytes(spec)
    if lora and not RepoCache(lora.repo, source.cache).commits():
        missing += round(lora.gigabytes * 1e9)
    return {
        **attributes(settings, "steps", "guidance", "width", "height"),
        "seconds": round(seconds, 1) if memory is None and math.isfinite(seconds) else None,
        "peak": planned.peak,
        "fetch": missing,
    }


def _print_memory(
    head: str,
    usage: str,
    planned: MemoryPlan,
    larger: LargerCards,
    qualities: Mapping[str, Any],
    terminal: Terminal,
) -> None:
    terminal.line(head)
    terminal.line(usage)
    for part, needed in planned.parts.items():
        terminal.line(f"  {part:<18}{_gigabytes(needed):>9}")
    for name, needs in qualities.items():
        size = f"{needs['width']} x {needs['height']}"
        time = "" if needs["seconds"] is None else f", {format_duration(needs['seconds'])} each"
        fetch = f", {_gigabytes(needs['fetch'])} to download" if needs["fetch"] else ""
        terminal.line(f"  {name:<6}{needs['steps']:>4} steps, {size}, {_gigabytes(needs['peak'])}{time}{fetch}")
    for note in planned.notes:
        terminal.note(note)
    for card, other, gpu_plan in larger:
        terminal.note(f"A GPU with {card} GB: {other.precise_label}, {LEVEL_NAMES[gpu_plan.level]}.")


def _find_larger_cards(plan: GenerationPlan, spec: PipelineSpec, planned: MemoryPlan, room: int) -> LargerCards:
    """Return the smallest cards that run the base model in another precision, or faster."""
    cards: LargerCards = []
    last = spec.precision, LEVELS.index(planned.level) if planned.fits else len(LEVELS)
    for card in (card for card in CARDS if usable_memory(card * GIBIBYTE) > room):
        other, gpu_plan = _plan_on_gpu(plan, card * GIBIBYTE)
        level = LEVELS.index(gpu_plan.level)
        if gpu_plan.fits and (other.precision != last[0] or level < last[1]):
            cards.append((card, other, gpu_plan))
            last = other.precision, level
    return cards


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
