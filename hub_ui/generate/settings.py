"""A request with all defaults filled in, and its validation."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from connectors.errors import NoBase, UsageError
from hub_ui.base.i18n import _
from hub_ui.generate.base_models import PipelineSpec, base_by_id, bases_for_architecture, choose_base, substitution_note
from hub_ui.generate.base_models.table import Draft
from hub_ui.generate.compare.comparison import MAX_CELLS, Comparison
from hub_ui.generate.lora.blocks import block_names
from hub_ui.generate.request import GenerationRequest
from hub_ui.settings import Policy

_LONGEST_SIDE = 4096
# Of the sides of drafts, which nobody chose: some autoencoders take no others.
_DRAFT_GRID = 32
# With so many, an image is whole on every base, if rougher.
_DRAFT_STEPS = 16
_MOST_STEPS = 500
_MOST_FRAMES = 257
_LARGEST_SEED = 2**63 - 1
# That torch tells apart on the CPU, where the noise of every device comes from.
_SEEDS = 2**32


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedRequest:
    """The settings that all cells share. `sampler` None is the base's own; `frames` 0 is a still image.

    `strength` is None without an image that is drawn over, and `draft` for images in full.
    """

    negative: str
    seed: int
    steps: int
    guidance: float
    width: int
    height: int
    sampler: str | None = None
    frames: int = 0
    emphasis: bool = True
    compile: bool = False
    strength: float | None = None
    draft: Draft | None = None

    @property
    def run_steps(self) -> int:
        """The steps that are run: over an image, diffusers leaves out the first ones."""
        return self.steps if self.strength is None else min(self.steps, int(self.steps * self.strength))


def resolve_request(request: GenerationRequest, spec: PipelineSpec, draft: Draft | None = None) -> ResolvedRequest:
    """Sides are cut to what the base can make. A draft is made as `draft` says, by default the base's row."""
    width, height = (
        max(spec.grid, side - side % spec.grid) for side in (request.width or spec.width, request.height or spec.height)
    )
    settings = ResolvedRequest(
        negative=request.negative,
        seed=request.seed,
        steps=request.steps if request.steps is not None else spec.steps,
        guidance=request.guidance if request.guidance is not None else spec.guidance,
        width=width,
        height=height,
        sampler=request.sampler,
        frames=request.frames or (spec.video.frames if spec.video else 0),
        emphasis=request.emphasis,
        compile=request.compile,
        strength=None if request.image is None or spec.begins_with_image else request.strength,
    )
    return _as_draft(settings, draft or spec.draft) if request.draft else settings


def _as_draft(settings: ResolvedRequest, draft: Draft) -> ResolvedRequest:
    """Smaller, and in fewer steps; in its LoRA's, what was chosen for guidance and sampler means nothing."""
    width, height = (
        side if draft.scale == 1 else max(_DRAFT_GRID, round(side * draft.scale / _DRAFT_GRID) * _DRAFT_GRID)
        for side in (settings.width, settings.height)
    )
    quick = replace(settings, draft=draft, width=width, height=height, steps=min(settings.steps, _DRAFT_STEPS))
    if (lora := draft.lora) is None:
        return quick
    sampler = lora.sampler or settings.sampler
    return replace(quick, steps=min(settings.steps, lora.steps), guidance=lora.guidance, sampler=sampler)


def size_notes(
    request: GenerationRequest, settings: ResolvedRequest, spec: PipelineSpec, size: tuple[int, int], frames: int
) -> Iterator[str]:
    """Notes when the image has another size or length than the requested one; `size` and `frames` are its own."""
    planned = settings.width, settings.height
    asked = request.width or planned[0], request.height or planned[1]
    if size != asked and not (settings.draft and size == planned):
        why = "This base makes images of its own size"
        if size == planned:
            why = f"Sides are multiples of {spec.grid} pixels"
        yield f"{why}: {size[0]} x {size[1]} in place of {asked[0]} x {asked[1]}."
    if spec.video and request.frames not in (None, frames):
        yield f"This base does not make clips of every length: {frames} in place of {request.frames} frames."


def seed_notes(seeds: Iterable[int]) -> Iterator[str]:
    """Notes on seeds of which each gives the image of a smaller one."""
    for seed in dict.fromkeys(seeds):
        if seed >= _SEEDS:
            yield f"Seed {seed} gives the same image as {seed % _SEEDS}: beyond {_SEEDS - 1}, seeds begin again."


def substitution_notes(spec: PipelineSpec, request: GenerationRequest) -> tuple[str, ...]:
    """A sentence for each LoRA that was made for another base."""
    loras = [adapter for adapter in request.adapters if not adapter.follows]
    return tuple(filter(None, (substitution_note(spec, lora.title, lora.base_model) for lora in loras)))


def check_request(request: GenerationRequest, comparison: Comparison) -> None:
    """Raises UsageError for values that no pipeline supports, or that would take too long."""
    weights = [weight for cell in comparison.cells for weight in cell.weights]
    for adapter in request.adapters:
        weights += [adapter.weight, adapter.text_encoder_scale, *adapter.block_weights]
        if adapter.block_weights and adapter.architecture:
            block_names(adapter.architecture, len(adapter.block_weights))
    cells, seeds = len(comparison.cells), (request.seed, *(cell.seed for cell in comparison.cells))
    rules = (
        (all(map(math.isfinite, weights)), "A weight must be a number, such as 0.8."),
        (
            all(_is_within(seed, 0, _LARGEST_SEED) for seed in seeds),
            f"A seed is a whole number from 0 to {_LARGEST_SEED}.",
        ),
        (_is_within(request.steps, 1, _MOST_STEPS), f"Choose between 1 and {_MOST_STEPS} steps."),
        (
            all(_is_within(side or None, 1, _LONGEST_SIDE) for side in (request.width, request.height)),
            f"An image's sides go up to {_LONGEST_SIDE} pixels.",
        ),
        (_is_within(request.guidance, 0, 100), "Guidance is a number from 0 to 100, such as 7."),
        (0 < request.strength <= 1, "Strength is a number above 0 and up to 1, such as 0.6."),
        (
            request.image is None or request.control is None,
            "An image is either started from or steers as a control image. Leave one of the two out.",
        ),
        (_is_within(request.frames, 1, _MOST_FRAMES), f"A clip has 1 to {_MOST_FRAMES} frames."),
        (1 <= cells <= MAX_CELLS, f"A comparison has 1 to {MAX_CELLS} images; this one has {cells}."),
        (
            all(len(cell.weights) == len(request.adapters) for cell in comparison.cells),
            "Each image needs one weight for each LoRA. Make the comparison again from the LoRAs chosen.",
        ),
    )
    for holds, message in rules:
        if not holds:
            raise UsageError(message)


def _is_within(value: float | None, least: float, most: float) -> bool:
    """None is the base's default, which is always valid."""
    return value is None or least <= value <= most


def check_policy(policy: Policy, place: str, request: GenerationRequest, *, images: int) -> None:
    """Raises UsageError for what the policy forbids, or above its limits."""
    if place == "replicate":
        policy.check("run on Replicate")
    check_base_policy(policy, request.base)
    policy.check_bounds(
        loras=len(request.adapters),
        images=images,
        steps=request.steps,
        side=max(request.width or 0, request.height or 0),
        frames=request.frames,
    )


def check_base_policy(policy: Policy, name: str | None) -> None:
    """Keeps visitors from reading folders of this computer and from filling its disk."""
    known = base_by_id(name.lower()) if name else None
    if name and known is None:
        policy.check("open paths")
    elif known is not None and not policy.allows_base(known.id):
        raise _not_allowed(known)


def choose_allowed_base(
    policy: Policy, architecture: str | None, base_model: str | None, asked: str | None
) -> PipelineSpec:
    """As `choose_base`, among those that the policy allows."""
    check_base_policy(policy, asked)
    choice = choose_base(architecture, base_model, asked)
    others = bases_for_architecture(choice.architecture)
    allowed = next((base for base in (choice, *others) if policy.allows_base(base.id)), None)
    if allowed is None:
        raise _not_allowed(choice)
    return allowed


def _not_allowed(base: PipelineSpec) -> NoBase:
    text = _(
        "This shared page does not generate with {base}. Choose another base or LoRA, or run hub-ui on your own "
        "computer."
    )
    return NoBase(text.format(base=base.label))
