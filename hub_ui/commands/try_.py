"""hub-ui try: generates images or comparisons with LoRAs, or repeats the request stored in an image."""

import os
import random
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, make_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError, NeedsFetching
from connectors.ref import Ref
from hub_ui import services, settings
from hub_ui.commands.options import can_answer, confirm, confirm_payment, parse_lora, progress_callback, watch_ctrl_c
from hub_ui.commands.try_again import TryPlan, plan_again
from hub_ui.commands.try_options import ROWS, TryOptions, row_option
from hub_ui.documents import result_json
from hub_ui.format import plural, size
from hub_ui.generate import comparison
from hub_ui.generate.base_models import PipelineSpec, download
from hub_ui.generate.base_models.download import DownloadPlan, Source
from hub_ui.generate.base_models.precision import Quality, precise_label
from hub_ui.generate.device_kinds import kind_of
from hub_ui.generate.engine import choose_spec
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
from hub_ui.generate.request import DEFAULT_STRENGTH, GenerationRequest
from hub_ui.generate.result import GenerationResult
from hub_ui.generate.settings import ResolvedRequest, resolve_request, substitution_notes
from hub_ui.images import png_metadata
from hub_ui.images.png_metadata import contact
from hub_ui.services import Services
from hub_ui.terminal import Terminal
from hub_ui.used_loras import find_ref

LARGEST_SEED = 2**32
# Cards in GB, with the base in the precision that it gets there and its plan.
Larger = list[tuple[int, PipelineSpec, MemoryPlan]]


@dataclass(frozen=True, kw_only=True)
class TryCommand(TryOptions):
    def run(self, terminal: Terminal) -> int:
        self.check()
        chosen = settings.from_environment(os.environ, library=self.library, lock=self.lock)
        with services.build(chosen) as built:
            if self.plan:
                self._print_memory_plan(built, terminal)
                return 0
            if self.again:
                plan = plan_again(built, self, self.again, progress_callback(terminal))
            else:
                plan = self._plan(built, terminal)
            plan = replace(plan, request=replace(plan.request, compile=self.compile))
            plan = replace(plan, notes=(*plan.notes, *self.weight_warnings())).with_file_hashes()
            if self.estimate:
                _print_estimate(built, plan, terminal)
                return 0
            result = _generate(built, plan, terminal, yes=self.yes)
        out = self.out or Path()
        cells = [self.cells / f"{i:02}.png" for i in range(1, len(result.images) + 1)] if self.cells else []
        try:
            save(result, out, cells)
        except OSError as error:
            raise HubUiError(
                f"{error.filename or out} can't be written: {error.strerror or error}. Images generated lately are in "
                f"{chosen.home / 'pictures'}."
            ) from error
        notes = plan.result_notes(result)
        # Those of the plan were told before the progress, because a note may be a reason to cancel.
        new = [note for note in notes if note not in plan.notes]
        document = result_json(result, str(out), notes, cells)
        terminal.show(document, lambda: _print_result(result, out, new, self.cells, terminal))
        return 0

    def _print_memory_plan(self, built: Services, terminal: Terminal) -> None:
        loras = [parse_lora(text, partial(find_ref, built)) for text in self.refs or ()]
        request = built.generation.plan(
            loras,
            (),
            prompt="",
            base=self.base,
            quality=self.quality or "balanced",
            width=self.size.width if self.size else None,
            height=self.size.height if self.size else None,
            frames=self.frames,
        )
        spec = choose_spec(request)
        remarks = substitution_notes(spec, request)
        print_plan(spec, resolve_request(request, spec), request.quality, self.memory, remarks, terminal)

    def _plan(self, built: Services, terminal: Terminal) -> TryPlan:
        loras = [parse_lora(text, partial(find_ref, built)) for text in self.refs or ()]
        prompts = self.prompt or []
        fields: dict[str, Any] = {
            **self.rows(),
            "prompt": prompts[0],
            "clip_weights": self.clip_weight or (),
            "blocks": self.blocks or (),
            "base": self.base,
            "seed": random.randrange(LARGEST_SEED) if self.seed is None else self.seed,
            "width": self.size.width if self.size else None,
            "height": self.size.height if self.size else None,
            "sampler": self.sampler,
            "control": self.control,
            "control_kind": self.control_kind,
            "image": self.image,
            "strength": DEFAULT_STRENGTH if self.strength is None else self.strength,
            "frames": self.frames,
            "use_trigger_words": not self.no_trigger_words,
            "emphasis": not self.no_emphasis,
            "may_fetch": self.fetch,
            "quality": self.quality or "balanced",
        }
        # Replicate and estimates need no local file.
        missing = any(built.downloads.find_installed(lora) is None for lora in loras if isinstance(lora, Ref))
        if self.on != "local" or (self.estimate and missing):
            request = built.generation.plan(loras, self.weight or (), **fields)
        else:
            request = built.generation.request(
                loras, self.weight or (), on_progress=progress_callback(terminal), **fields
            )
        sheet = comparison.make_comparison(
            self.sheet or "one", request, prompts, self.weights_of or comparison.DEFAULT_SWEEP
        )
        return TryPlan(request=request, comparison=sheet, place=self.on)


Try = make_dataclass("Try", map(row_option, ROWS), bases=(TryCommand,), frozen=True, kw_only=True)


def _print_estimate(built: Services, plan: TryPlan, terminal: Terminal) -> None:
    """Neither generates nor downloads."""
    sentence = built.generation.estimate(plan.request, plan.comparison, place=plan.place)
    # The time is known even if the base cannot be downloaded.
    if not terminal.json:
        terminal.line(sentence)
    fetch = None
    if plan.place == "local":
        choice = choose_spec(plan.request)
        plan = replace(plan, notes=(*plan.notes, *substitution_notes(choice, plan.request)))
        tokens, endpoints = built.settings.tokens, built.settings.endpoints
        source = Source(endpoint=endpoints["huggingface"], keys=tokens, cache=None)
        fetch = download.plan_download(choice, source)
    if terminal.json:
        terminal.document(estimate_json(plan, sentence, fetch))
    elif fetch is not None and fetch.missing <= 0:
        terminal.line(f"{precise_label(fetch.spec)} is on this disk: nothing has to be downloaded.")
    elif fetch is not None:
        terminal.line(
            f"{precise_label(fetch.spec)} would be downloaded first: {size(fetch.missing, precise=True)} from "
            f"{fetch.origin}, "
            f"under {fetch.license or 'a licence that its page names'}."
        )


def _generate(built: Services, plan: TryPlan, terminal: Terminal, *, yes: bool) -> GenerationResult:
    for note in () if terminal.json else plan.notes:
        terminal.note(note)
    # If the estimate fails, generation reports the reason.
    with suppress(HubUiError):
        terminal.note(built.generation.estimate(plan.request, plan.comparison, place=plan.place))
    if plan.place == "replicate":
        confirm_payment("Generating on Replicate", terminal, yes=yes)
    on_progress = progress_callback(terminal)
    with watch_ctrl_c() as is_cancelled:

        def generate(request: GenerationRequest) -> GenerationResult:
            return built.generation.generate(
                request, plan.comparison, place=plan.place, on_progress=on_progress, is_cancelled=is_cancelled
            )

        try:
            return generate(plan.request)
        except NeedsFetching as error:
            if not can_answer(terminal):
                raise
            terminal.note(f"hub-ui: {error.message}")
            if not confirm("Download it now?", terminal):
                raise
            return generate(replace(plan.request, may_fetch=True))


def save(result: GenerationResult, out: Path, cells: Sequence[Path]) -> None:
    with _write_whole(out) as part:
        if len(result.images) == 1:
            png_metadata.save(result, 0, part)
        else:
            png_metadata.save_comparison(result, contact(result), part)
    if not cells:
        return
    cells[0].parent.mkdir(exist_ok=True)
    hashes = png_metadata.lora_hashes(result)
    for i, cell in enumerate(cells):
        with _write_whole(cell) as part:
            png_metadata.save(result, i, part, hashes)


@contextmanager
def _write_whole(path: Path) -> Iterator[Path]:
    """Writes a temporary file beside `path` and renames it at the end, so that `path` is never incomplete."""
    target = path.resolve()
    part = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        # The user does not know the temporary name.
        raise OSError(error.errno or 0, error.strerror or str(error), str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _print_result(
    result: GenerationResult, out: Path, notes: Sequence[str], cells: Path | None, terminal: Terminal
) -> None:
    report = result.report
    terminal.line(str(out))
    facts = [
        f"{len(result.images)} images" if len(result.images) > 1 else "",
        f"seed {report.seed}",
        plural(report.steps, "step") if report.steps else "",
        report.sampler,
        f"{sum(image.seconds for image in result.images):.1f} s",
    ]
    terminal.note(f"{report.base} on {report.device}, {', '.join(filter(None, facts))}")
    if cells:
        terminal.note(f"Each image by itself: {cells}")
    for coverage in report.coverage:
        terminal.note(f"{coverage.title}: {coverage.sentence()}")
    for note in notes:
        terminal.note(note)


def estimate_json(plan: TryPlan, sentence: str, fetch: DownloadPlan | None) -> dict[str, Any]:
    """`fetch` is null if nothing has to be downloaded."""
    return {
        "estimate": sentence,
        "loras": [{"ref": str(adapter.ref), "weight": adapter.weight} for adapter in plan.request.adapters],
        "notes": list(plan.notes),
        "place": plan.place,
        "pictures": len(plan.comparison.cells),
        "fetch": {
            "base": fetch.spec.label,
            "repo": fetch.repo,
            "bytes": fetch.missing,
            "license": fetch.license,
            "gated": fetch.gated,
        }
        if fetch is not None and fetch.missing > 0
        else None,
    }


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
    head = (
        f"{precise_label(spec)} on {where}, {settings.width} x {settings.height}, {dtype}: "
        f"{LEVEL_NAMES[planned.level] if planned.fits else 'does not fit'}."
    )
    own = f", and {_gigabytes(planned.ram)} of the computer's own" if kind_of(kind).has_own_memory else ""
    taken = f"At most {_gigabytes(planned.peak)} of {_gigabytes(room)} of its memory{own}."
    document = plan_json(spec, where, dtype, room, planned, larger)
    terminal.show(document, lambda: _print_memory(head, taken, planned, larger, terminal))


def _print_memory(head: str, taken: str, planned: MemoryPlan, larger: Larger, terminal: Terminal) -> None:
    terminal.line(head)
    terminal.line(taken)
    for part, needed in planned.parts.items():
        terminal.line(f"  {part:<18}{_gigabytes(needed):>9}")
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
