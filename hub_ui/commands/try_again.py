"""hub-ui try --again: the job that a picture says it came from, be it ours or of A1111's kin."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path

from connectors.errors import BadHeader, DoesNotFit, HubUiError, NotWeights, UsageError
from connectors.ref import Ref
from connectors.weights import inspect
from hub_ui.generate import comparison
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.request import GenerationRequest, GenerationResult, LoraInput, Step
from hub_ui.images import example_settings, png_metadata
from hub_ui.images.infotext import Infotext, UsedLora
from hub_ui.images.provenance import Provenance, sha256_of
from hub_ui.library.download.progress import Progress
from hub_ui.library.identify import FindsByHash
from hub_ui.services import Services

OTHER_NOISE = "Another program made it, and its seeds stand for other noise: expect one like it, not the same."

Report = Callable[[Progress | Step], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """What is to be made. `stamp` is what it is made again from, `notes` what could not be taken over."""

    job: GenerationRequest
    sheet: Comparison
    place: str
    stamp: Provenance | None = None
    notes: tuple[str, ...] = ()

    def changed(self, made: GenerationResult) -> tuple[str, ...]:
        """Everything worth saying of the result."""
        since = png_metadata.differences(self.stamp, made.job, made.report) if self.stamp else ()
        return tuple(dict.fromkeys([*self.notes, *since, *made.report.notes]))


def as_they_lie(asked: Again) -> Again:
    """With the hash of the bytes that are on this disk: a file that was changed there is told, not drawn in silence."""
    # Elsewhere the hub's file is drawn with, whatever lies here.
    if asked.place != "local":
        return asked
    for adapter in asked.job.adapters:
        _check_file(adapter)
    there = [(adapter, sha256_of(adapter.path)) for adapter in asked.job.adapters]
    changed = tuple(
        f"“{adapter.title}” is not what the lock file pins: its bytes were changed on this disk. "
        "hub-ui sync brings the right ones back."
        for adapter, sha256 in there
        if sha256 not in (None, adapter.sha256)
    )
    adapters = tuple(replace(adapter, sha256=sha256 or adapter.sha256) for adapter, sha256 in there)
    return replace(asked, job=replace(asked.job, adapters=adapters), notes=(*asked.notes, *changed))


def _check_file(adapter: LoraInput) -> None:
    """What is no LoRA for pictures is said before anyone looks for a base for it. Without a file there is no saying."""
    if not adapter.path.is_file():
        return
    try:
        facts = inspect.inspect_path(adapter.path).adapter
    except (BadHeader, NotWeights) as error:
        raise type(error)(f"“{adapter.title}”: {error.message} hub-ui sync brings the right file back.") from error
    if not facts.is_lora:
        reason = facts.warnings[0] if facts.warnings else "This is no LoRA."
        raise DoesNotFit(f"“{adapter.title}” can't be tried here. {reason} Choose another file.")


def again(built: Services, args: argparse.Namespace, report: Report) -> Again:
    found = png_metadata.read_any(args.again)
    if isinstance(found, Infotext):
        return _of_others(built, found, args, report)
    return _of_ours(built, found, args, report)


def _of_ours(built: Services, found: Provenance, args: argparse.Namespace, report: Report) -> Again:
    place = "replicate" if args.on == "replicate" or (found.report and found.report.place == "replicate") else "local"

    def adapter(ref: Ref, weight: float) -> LoraInput:
        if place == "replicate" or (args.estimate and built.downloads.find_installed(ref) is None):
            return built.generation.plan([ref], [weight], prompt="").adapters[0]
        return built.generation.inputs([ref], [weight], on_progress=report)[0]

    control, notes = _control(found, args)
    job = replace(found.job(adapter, control), may_fetch=args.fetch)
    if args.base:
        # Where it was may be a folder that is gone, or that lies on somebody else's disk.
        notes = (*notes, f"It was made on {found.base}, and this one on {args.base}.")
        job = replace(job, base=args.base)
    return Again(job=job, sheet=found.whole_comparison or comparison.one(job), place=place, stamp=found, notes=notes)


def _control(found: Provenance, args: argparse.Namespace) -> tuple[Path | None, tuple[str, ...]]:
    """The picture that steered: the one named now, else the one that lies beside the file."""
    if found.control is None:
        return None, ()
    path: Path = args.control or args.again.parent / found.control.name
    if not path.is_file():
        raise UsageError(
            f"{args.again.name} was steered by {found.control.name}, which does not lie beside it. Name that picture "
            "with --control FILE."
        )
    with path.open("rb") as file:
        same = found.control.sha256 in (None, file_digest(file, "sha256").hexdigest())
    return path, () if same else (f"{path.name} is not the picture that steered it then: its bytes are others.",)


def _of_others(built: Services, found: Infotext, args: argparse.Namespace, report: Report) -> Again:
    taken = example_settings.of_text(found)
    known = [(lora, _ref(built, lora)) for lora in taken.loras]
    refs, weights = _usable(known)
    if not refs and not args.base:
        raise UsageError(_nothing(args.again.name, known=bool(known)))
    fields = {
        "prompt": taken.prompt, "negative": taken.negative, "seed": taken.seed or 0, "steps": taken.steps,
        "guidance": taken.guidance, "width": taken.width, "height": taken.height, "sampler": taken.sampler,
        "base": args.base, "use_trigger_words": False, "may_fetch": args.fetch, "control": args.control,
        "control_kind": args.control_kind,
    }  # fmt: skip
    plain = args.on != "local" or (args.estimate and None in map(built.downloads.find_installed, refs))
    job = (
        built.generation.plan(refs, weights, **fields)
        if plain
        else built.generation.request(refs, weights, on_progress=report, **fields)
    )
    said = [*([taken.sentence()] if taken.unmapped else []), *_left_out(known), *_other_noise(found)]
    return Again(job=job, sheet=comparison.one(job), place=args.on, notes=tuple(filter(None, said)))


def _other_noise(found: Infotext) -> list[str]:
    """A picture of ours comes here when a site kept only what A1111 reads of it."""
    return [] if found.fields.get("Version", "").startswith("hub-ui") else [OTHER_NOISE]


def _nothing(name: str, *, known: bool) -> str:
    why = (
        f"None of the LoRAs that {name} names could be found here or by their hashes"
        if known
        else f"{name} was made without a LoRA"
    )
    return f"{why}, and its base model is none of ours. Choose one: --base sdxl-1.0, for example."


def _usable(known: Sequence[tuple[UsedLora, Ref | None]]) -> tuple[list[Ref], list[float]]:
    """Those that were found, with the weight that the prompt gave them; A1111 takes 1 where it gives none."""
    found = [(ref, 1.0 if lora.weight is None else lora.weight) for lora, ref in known if ref is not None]
    return [ref for ref, _ in found], [weight for _, weight in found]


def _left_out(known: Sequence[tuple[UsedLora, Ref | None]]) -> list[str]:
    return [
        f"“{lora.name}” could not be found here{' or by its hash' if lora.hash else ''}: it was left out."
        for lora, ref in known
        if ref is None
    ]


def _ref(built: Services, lora: UsedLora) -> Ref | None:
    """By CivitAI's id, in the library, in what was ever seen, then by asking who finds files by their hash."""
    return _by_version(built, lora) or _in_library(built, lora) or _by_hash(built, lora)


def _by_version(built: Services, lora: UsedLora) -> Ref | None:
    if lora.version is None:
        return None
    ref = Ref(hub="civitai", id="", version=lora.version)
    held = built.downloads.find_installed(ref)
    try:
        return held.ref if held else built.lookup.connector("civitai").pin(ref)
    # It is gone, or the hub can't be asked: its name and hash may still be known.
    except HubUiError:
        return None


def _in_library(built: Services, lora: UsedLora) -> Ref | None:
    for entry in built.library.entries():
        stem = Path(entry.file).stem
        if (lora.hash and entry.sha256.startswith(lora.hash)) or stem.casefold() == lora.name.casefold():
            return entry.ref
    return None


def _by_hash(built: Services, lora: UsedLora) -> Ref | None:
    if lora.hash is None:
        return None
    seen = built.catalog.by_sha256(lora.hash)
    if seen:
        return seen[0]
    for hub in built.connectors:
        if isinstance(hub, FindsByHash):
            try:
                found, ref = hub.by_hash(lora.hash)
            # A hub that can't be asked costs this LoRA only, and that is said.
            except HubUiError:
                return None
            built.catalog.add([found])
            return ref
    return None
