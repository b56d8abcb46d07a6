"""hub-ui try: pictures with LoRAs applied, one or a whole comparison, or made again from what a file says."""

from __future__ import annotations

import argparse
import os
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError, NeedsFetching, UsageError
from connectors.ref import Ref
from hub_ui import services, settings
from hub_ui.commands.asking import agree_to_pay, agreed, somebody_answers
from hub_ui.commands.progress import progress
from hub_ui.commands.targets import lora_of
from hub_ui.commands.try_again import Again, again, as_they_lie
from hub_ui.commands.try_told import estimate_json, fetch_words, made_json
from hub_ui.commands.waiting import ctrl_c
from hub_ui.generate import base_models, comparison, samplers
from hub_ui.generate.base_models import download
from hub_ui.generate.base_models.download import Plan, Source
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.request import GenerationRequest, GenerationResult, Step, spread
from hub_ui.images import png_metadata
from hub_ui.images.contact_sheet import contact
from hub_ui.library.download.progress import Progress
from hub_ui.services import Services
from hub_ui.terminal import Terminal

LARGEST_SEED = 2**32
LEAST_WEIGHT, MOST_WEIGHT = -1.0, 2.0
# What --again takes from its file.
_NOT_WITH_AGAIN = (
    "refs", "prompt", "weight", "seed", "steps", "negative", "guidance", "size", "sampler", "frames", "sheet",
    "weights_of", "no_trigger_words",
)  # fmt: skip

Report = Callable[[Progress | Step], None]


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    _check(args)
    chosen = settings.from_environment(os.environ, library=args.library, lock=args.lock)
    with services.build(chosen) as built:
        if args.again:
            asked = again(built, args, progress(terminal))
        else:
            job = _job(built, args, progress(terminal))
            asked = Again(job=job, sheet=_sheet(job, args), place=args.on)
        asked = as_they_lie(replace(asked, notes=(*asked.notes, *far_from_usual(args))))
        if args.estimate:
            return _estimated(built, asked, terminal)
        made = _made(built, asked, terminal, yes=args.yes)
    _save(made, args, chosen.home / "pictures")
    notes = asked.changed(made)
    # For people, what was known before stands above the progress: it may be a reason to stop.
    _tell(made, notes if terminal.json else [note for note in notes if note not in asked.notes], args, terminal)
    return 0


def _check(args: argparse.Namespace) -> None:
    """What argparse can't say. Told before a download that may take minutes."""
    if args.again and any(_given(getattr(args, name)) for name in _NOT_WITH_AGAIN):
        raise UsageError("--again takes LoRAs, prompt and numbers from the file it names: leave them out.")
    if not args.again and (not args.refs or not args.prompt):
        raise UsageError("A REF and a --prompt are needed, or --again FILE.png. Try: hub-ui try --help")
    if args.again and not args.again.is_file():
        raise UsageError(f"--again {args.again}: there is no such file")
    if not args.estimate:
        _check_out(args.out)
    if args.sampler and samplers.read(args.sampler) is None:
        raise UsageError(f"--sampler {args.sampler}: no such sampler. Choose one of: {', '.join(samplers.names())}")
    if args.base and args.on == "local":
        base_models.check_name(args.base)
    if args.control and not args.control.is_file():
        raise UsageError(f"--control {args.control}: there is no such file")
    if not args.again:
        _check_sheet(args)
        spread(args.weight, len(args.refs))


def _given(value: object) -> bool:
    """0 is a number that was given."""
    return value is not None and value is not False and value != []


def _check_out(out: Path | None) -> None:
    if out is None:
        raise UsageError("--out FILE.png is needed, or --estimate. Try: hub-ui try --help")
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out}: the name must end in .png")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    if out.is_dir():
        raise UsageError(f"--out {out}: this is a folder. Name a file.")
    if not os.access(out.parent, os.W_OK):
        raise UsageError(f"--out {out}: nothing can be written into {out.absolute().parent}")


def _check_sheet(args: argparse.Namespace) -> None:
    if len(args.prompt) > 1 and args.sheet != "grid":
        raise UsageError("More than one --prompt makes rows of a grid: add --sheet grid.")
    if args.weights_of and args.sheet not in ("strip", "grid"):
        raise UsageError("--weights-of goes with --sheet strip or --sheet grid.")
    if args.cells and not args.sheet:
        raise UsageError("--cells goes with --sheet: it is where each of its pictures is written.")
    if args.cells and args.cells.exists() and not args.cells.is_dir():
        raise UsageError(f"--cells {args.cells}: this is a file. Name a folder.")
    if args.cells and not args.cells.absolute().parent.is_dir():
        raise UsageError(f"--cells {args.cells}: there is no folder {args.cells.absolute().parent}")


def _job(built: Services, args: argparse.Namespace, report: Report) -> GenerationRequest:
    loras = [lora_of(text) for text in args.refs]
    width, height = args.size or (None, None)
    fields: dict[str, Any] = {
        "prompt": args.prompt[0],
        "negative": args.negative or "",
        "base": args.base,
        "seed": random.randrange(LARGEST_SEED) if args.seed is None else args.seed,
        "steps": args.steps,
        "guidance": args.guidance,
        "width": width,
        "height": height,
        "sampler": args.sampler,
        "control": args.control,
        "control_kind": args.control_kind,
        "frames": args.frames,
        "use_trigger_words": not args.no_trigger_words,
        "may_fetch": args.fetch,
    }
    # Elsewhere, and for an estimate, no file is needed.
    away = any(built.downloads.find_installed(lora) is None for lora in loras if isinstance(lora, Ref))
    if args.on != "local" or (args.estimate and away):
        return built.generation.plan(loras, args.weight, **fields)
    return built.generation.request(loras, args.weight, on_progress=report, **fields)


def _sheet(job: GenerationRequest, args: argparse.Namespace) -> Comparison:
    weights: Sequence[float] = args.weights_of or comparison.USUAL_STRIP
    return comparison.of_kind(args.sheet or "one", job, args.prompt, weights)


def _estimated(built: Services, asked: Again, terminal: Terminal) -> int:
    """How long it would take, and what would be downloaded for it. Draws and fetches nothing."""
    sentence = built.generation.estimate(asked.job, asked.sheet, place=asked.place)
    # How long it takes is known also of a base that can't be had.
    if not terminal.json:
        terminal.line(sentence)
    plan = _plan(built, asked.job) if asked.place == "local" else None
    if terminal.json:
        terminal.document(estimate_json(asked, sentence, plan))
    elif plan is not None:
        terminal.line(fetch_words(plan))
    return 0


def _plan(built: Services, job: GenerationRequest) -> Plan:
    first = job.adapters[0] if job.adapters else None
    choice = base_models.choose(first.architecture if first else None, first.base_model if first else None, job.base)
    tokens, endpoints = built.settings.tokens, built.settings.endpoints
    source = Source(endpoint=endpoints["huggingface"], token=tokens.get("huggingface"), cache=None)
    return download.plan_download(choice, source)


def far_from_usual(args: argparse.Namespace) -> tuple[str, ...]:
    """A note on weights that no page offers: nothing forbids them, and little good comes of them."""
    far = {weight for weight in (*args.weight, *(args.weights_of or ())) if not LEAST_WEIGHT <= weight <= MOST_WEIGHT}
    return tuple(
        f"Weight {weight:g} is far from usual: 1 is the full effect, most LoRAs are made for 0.3 to 1, and beyond "
        f"{LEAST_WEIGHT:g} to {MOST_WEIGHT:g} pictures fall apart."
        for weight in sorted(far)
    )


def _made(built: Services, asked: Again, terminal: Terminal, *, yes: bool) -> GenerationResult:
    for note in () if terminal.json else asked.notes:
        terminal.note(note)
    # Who can't be told how long it takes is told why when it is made.
    with suppress(HubUiError):
        terminal.note(built.generation.estimate(asked.job, asked.sheet, place=asked.place))
    if asked.place == "replicate":
        agree_to_pay("Drawing on Replicate", terminal, yes=yes)
    try:
        return _drawn(built, asked, terminal)
    except NeedsFetching as error:
        terminal.rewrite("")
        if not _agreed(error, terminal):
            raise
        return _drawn(built, replace(asked, job=replace(asked.job, may_fetch=True)), terminal)


def _drawn(built: Services, asked: Again, terminal: Terminal) -> GenerationResult:
    with ctrl_c() as pressed:
        made = built.generation.generate(
            asked.job, asked.sheet, place=asked.place, on_progress=progress(terminal), is_cancelled=pressed
        )
    terminal.rewrite("")
    return made


def _agreed(error: NeedsFetching, terminal: Terminal) -> bool:
    """Asks a person who sits there; nobody else can agree to gigabytes."""
    if not somebody_answers(terminal):
        return False
    terminal.note(f"hub-ui: {error.message}")
    return agreed("Download it now?", terminal)


def _save(made: GenerationResult, args: argparse.Namespace, pictures: Path) -> None:
    """What took minutes to draw is not lost where it can't be written: the history has it, and is named."""
    try:
        with _whole(args.out) as part:
            if len(made.pictures) == 1:
                png_metadata.save(made, 0, part)
            else:
                png_metadata.save_comparison(made, contact(made), part)
        if args.cells:
            args.cells.mkdir(exist_ok=True)
            hashes = png_metadata.lora_hashes(made)
            for cell in range(len(made.pictures)):
                with _whole(cell_path(args.cells, cell)) as part:
                    png_metadata.save(made, cell, part, hashes)
    except OSError as error:
        raise HubUiError(
            f"{error.filename or args.out} can't be written: {error.strerror or error}. Pictures drawn lately are in "
            f"{pictures}."
        ) from error


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file is there whole or as it was before: written beside its place, and moved there at the end."""
    target = path.resolve()
    part = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        # The name of a part means nothing to anyone.
        raise OSError(error.errno or 0, error.strerror or str(error), str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def cell_path(folder: Path, cell: int) -> Path:
    return folder / f"{cell + 1:02}.png"


def _tell(made: GenerationResult, notes: Sequence[str], args: argparse.Namespace, terminal: Terminal) -> None:
    report = made.report
    if terminal.json:
        cells = [cell_path(args.cells, i) for i in range(len(made.pictures))] if args.cells else []
        terminal.document(made_json(made, args.out, notes, cells))
        return
    terminal.line(str(args.out))
    seconds = sum(picture.seconds for picture in made.pictures)
    facts = [
        f"{len(made.pictures)} pictures" if len(made.pictures) > 1 else "",
        f"seed {report.seed}",
        f"{report.steps} step{'s' if report.steps > 1 else ''}" if report.steps else "",
        report.sampler,
        f"{seconds:.1f} s",
    ]
    terminal.note(f"{report.base} on {report.device}, {', '.join(filter(None, facts))}")
    if args.cells:
        terminal.note(f"Each picture by itself: {args.cells}")
    for one in report.coverage:
        terminal.note(f"{one.title}: {one.sentence()}")
    for note in notes:
        terminal.note(note)
