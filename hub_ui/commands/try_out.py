"""hub-ui try: one image with LoRAs applied, or an image made again from what its file says."""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui import services, settings
from hub_ui.commands.progress import progress
from hub_ui.library.progress import Progress
from hub_ui.preview import stamp
from hub_ui.preview.job import Adapter, Job, One, Step
from hub_ui.services import Services, spread
from hub_ui.terminal import Terminal

LARGEST_SEED = 2**32


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    _check(args)
    chosen = settings.from_environment(os.environ, library=args.library, lock=args.lock)
    report = progress(terminal)
    with services.build(chosen) as built:
        job = _again(built, args.again, report) if args.again else _job(built, args, report)
        one = built.studio.make_one(job, report=report)
        terminal.rewrite("")
        _save(one, job, args.out)
    _tell(one, job, args.out, terminal)
    return 0


def _check(args: argparse.Namespace) -> None:
    """What argparse can't say. Told before a download that may take minutes."""
    if args.again and (args.refs or args.prompt or args.weight or args.base or args.seed is not None or args.steps):
        raise UsageError("--again takes everything from the file it names; only --out goes with it.")
    if not args.again and (not args.refs or not args.prompt):
        raise UsageError("A REF and a --prompt are needed, or --again FILE.png. Try: hub-ui try --help")
    if args.out.suffix.lower() != ".png":
        raise UsageError(f"--out {args.out}: the name must end in .png")
    if not args.out.parent.is_dir():
        raise UsageError(f"--out {args.out}: there is no folder {args.out.parent}")
    spread(args.weight, len(args.refs))


def _job(built: Services, args: argparse.Namespace, report: Callable[[Progress | Step], None]) -> Job:
    refs = [Ref.parse(text) for text in args.refs]
    return Job(
        adapters=built.adapters(refs, args.weight, report=report),
        prompt=args.prompt,
        base=args.base,
        seed=random.randrange(LARGEST_SEED) if args.seed is None else args.seed,
        steps=args.steps,
    )


def _again(built: Services, path: Path, report: Callable[[Progress | Step], None]) -> Job:
    def adapter(ref: Ref, weight: float) -> Adapter:
        return built.adapters([ref], [weight], report=report)[0]

    return stamp.read(path).job(adapter)


def _save(one: One, job: Job, out: Path) -> None:
    try:
        stamp.save(one, job, out)
    except OSError as error:
        raise HubUiError(f"{out} can't be written: {error.strerror or error}") from error


def _tell(one: One, job: Job, out: Path, terminal: Terminal) -> None:
    if terminal.json:
        terminal.document(made_json(one, job, out))
        return
    terminal.line(str(out))
    terminal.note(
        f"{one.report.base} on {one.report.device}, seed {one.report.seed}, {one.report.steps} steps, "
        f"{one.picture.seconds:.1f} s; {one.report.applied} of {one.report.total} tensors took effect"
    )


def made_json(one: One, job: Job, out: Path) -> dict[str, Any]:
    report = one.report
    return {
        "out": str(out),
        "loras": [{"ref": str(adapter.ref), "weight": adapter.weight} for adapter in job.adapters],
        "base": report.base,
        "prompt": report.prompt,
        "seed": report.seed,
        "steps": report.steps,
        "guidance": report.guidance,
        "width": one.picture.image.width,
        "height": one.picture.image.height,
        "device": report.device,
        "seconds": round(one.picture.seconds, 3),
        "applied": report.applied,
        "total": report.total,
        "unmatched": list(report.unmatched),
    }
