"""hub-ui train: a LoRA made on Replicate from a folder or zip of pictures, and the ref of what came of it."""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from typing import Any

from connectors.errors import UsageError
from connectors.ref import Ref
from connectors.replicate.runs import Run
from connectors.replicate.trainings import Order, terms_of
from hub_ui import services, settings
from hub_ui.commands.asking import agree_to_pay
from hub_ui.commands.progress import words
from hub_ui.terminal import Terminal, size
from hub_ui.training import Trainer, price, training_set


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    _check(args)
    with services.build(settings.from_environment(os.environ)) as built, closing(Trainer(services=built)) as trainer:
        if args.cancel:
            return _cancelled(trainer, args.cancel, terminal)
        started = trainer.get(args.follow) if args.follow else _started(trainer, args, terminal)
        ended, ref = trainer.follow(started, told=lambda step: terminal.rewrite(words(step)))
    terminal.rewrite("")
    _tell(ended, ref, terminal)
    return 0


def _check(args: argparse.Namespace) -> None:
    goes_on = [name for name in ("follow", "cancel") if getattr(args, name)]
    if goes_on and (args.pictures or args.destination or args.trigger):
        raise UsageError(f"--{goes_on[0]} takes the training's ID alone.")
    if len(goes_on) > 1:
        raise UsageError("Either --follow or --cancel a training.")
    if not goes_on and not (args.pictures and args.destination and args.trigger):
        raise UsageError("A folder or zip of pictures, --destination OWNER/NAME and --trigger WORD are needed.")


def _started(trainer: Trainer, args: argparse.Namespace, terminal: Terminal) -> Run:
    trainer.need_key()
    order = Order(destination=args.destination, trigger_word=args.trigger, rank=args.rank, steps=args.steps)
    order.check()
    pictures = training_set(args.pictures)
    for note in (*pictures.notes, price(order, pictures)):
        terminal.note(note)
    agree_to_pay("Training", terminal, yes=args.yes)
    terminal.rewrite(f"Uploading {size(len(pictures.zipped))}…")
    started = trainer.start(order, pictures)
    terminal.rewrite("")
    terminal.note(f"Training {started.id} has begun. It goes on there whatever happens here:")
    terminal.note(f"  hub-ui train --follow {started.id}    hub-ui train --cancel {started.id}")
    return started


def _cancelled(trainer: Trainer, run_id: str, terminal: Terminal) -> int:
    ended = trainer.cancel(run_id)
    if terminal.json:
        terminal.document({"id": ended.id, "status": ended.status})
    else:
        terminal.line(f"Training {ended.id}: {ended.status}")
    return 0


def _tell(ended: Run, ref: Ref, terminal: Terminal) -> None:
    if terminal.json:
        terminal.document(_document(ended, ref))
        return
    terminal.line(str(ref))
    terminal.note(f"Try it: hub-ui try {ref} --prompt … --out FILE.png")


def _document(ended: Run, ref: Ref) -> dict[str, Any]:
    terms = terms_of(ended)
    return {
        "id": ended.id,
        "status": ended.status,
        "ref": str(ref),
        "trigger_word": terms.trigger_word,
        "rank": terms.rank,
        "steps": terms.steps,
        "seconds": ended.seconds,
    }
