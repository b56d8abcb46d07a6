"""hub-ui train: a LoRA made on Replicate from a folder or zip of pictures, and the ref of what came of it."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from typing import Any

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from connectors.replicate import Replicate
from connectors.replicate_runs import Run, Runs
from connectors.replicate_trainings import Order, Trainings, made_by, ref_of, steps_of
from connectors.session import Endpoint
from connectors.wire import table
from hub_ui import settings
from hub_ui.catalog.catalog import Catalog
from hub_ui.commands.progress import words
from hub_ui.preview.job import Step
from hub_ui.preview.prices import of_training, spread
from hub_ui.preview.training_set import TrainingSet, training_set
from hub_ui.settings import Settings
from hub_ui.terminal import Terminal, size


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    _check(args)
    chosen = settings.from_environment(os.environ)
    trainings = Trainings(runs=Runs(_endpoint(chosen)))
    try:
        if args.cancel:
            return _cancelled(trainings, args.cancel, terminal)
        started = trainings.get(args.follow) if args.follow else _started(trainings, args, terminal)
        ended = _followed(trainings, started, terminal)
    finally:
        trainings.runs.close()
    ref = _result(ended)
    _remember(chosen, ended, ref)
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


def _endpoint(chosen: Settings) -> Endpoint:
    return Endpoint(
        hub="replicate",
        label="Replicate",
        url=chosen.endpoints["replicate"],
        token=chosen.tokens.get("replicate"),
    )


def _started(trainings: Trainings, args: argparse.Namespace, terminal: Terminal) -> Run:
    trainings.runs.need_key("Training a LoRA")
    order = Order(destination=args.destination, trigger_word=args.trigger, rank=args.rank, steps=args.steps)
    order.check()
    pictures = training_set(args.pictures)
    for note in (*pictures.notes, _price(order, pictures)):
        terminal.note(note)
    _ask(args.yes, terminal)
    terminal.rewrite(f"Uploading {size(len(pictures.zipped))}…")
    started = trainings.start(order, pictures.zipped)
    terminal.rewrite("")
    terminal.note(f"Training {started.id} has begun. It goes on there whatever happens here:")
    terminal.note(f"  hub-ui train --follow {started.id}    hub-ui train --cancel {started.id}")
    return started


def _price(order: Order, pictures: TrainingSet) -> str:
    price = of_training(order.steps)
    minutes, cost = round((price.seconds or 0) / 60), spread(price.low or 0, price.high or 0)
    return (
        f"{pictures.images} pictures, {pictures.captions} with a caption, {size(len(pictures.zipped))}: {order.steps} "
        f"steps at rank {order.rank} take about {minutes} minutes on Replicate and cost about {cost}."
    )


def _ask(yes: bool, terminal: Terminal) -> None:
    """Money is spent on a person's word only: typed now, or given beforehand with --yes."""
    if yes:
        return
    if not sys.stdin.isatty() or terminal.json:
        raise UsageError("Training costs money. Add --yes to start it without being asked.")
    print("Start it? [y/N] ", end="", file=terminal.err, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("Not started. Nothing was sent, and nothing is paid.")


def _followed(trainings: Trainings, started: Run, terminal: Terminal) -> Run:
    def told(now: Run) -> None:
        terminal.rewrite(words(_step(now)))

    ended = trainings.follow(started, told=told)
    terminal.rewrite("")
    return ended


def _step(now: Run) -> Step:
    if now.status == "starting":
        return Step(stage="Waiting for a machine on Replicate", done=0, total=0)
    steps = steps_of(now)
    if now.progress is None or not steps:
        return Step(stage="Training on Replicate", done=0, total=0)
    return Step(stage="Training on Replicate", done=round(now.progress * steps), total=steps)


def _cancelled(trainings: Trainings, run_id: str, terminal: Terminal) -> int:
    ended = trainings.cancel(trainings.get(run_id))
    if terminal.json:
        terminal.document({"id": ended.id, "status": ended.status})
    else:
        terminal.line(f"Training {ended.id}: {ended.status}")
    return 0


def _result(ended: Run) -> Ref:
    ref = ref_of(ended)
    if ref is not None and ended.status == "succeeded":
        return ref
    if ended.status in ("canceled", "aborted"):
        raise HubUiError(f"Training {ended.id} was cancelled. Start it again to have its LoRA.", hub="replicate")
    said = " ".join((ended.error or "it doesn't say why").split())[:400].rstrip(".")
    raise HubUiError(f"Training {ended.id} failed: {said}. https://replicate.com/p/{ended.id}", hub="replicate")


def _remember(chosen: Settings, ended: Run, ref: Ref) -> None:
    """Into the catalog: with what its owner asked for, which no one else can know, and what the hub says of it now."""
    lora = made_by(ended)
    with Catalog.open(chosen.catalog) as catalog:
        if lora is not None:
            catalog.add([lora])
        # What the training itself says is there, and enough.
        with suppress(HubUiError):
            catalog.add([Replicate(_endpoint(chosen)).get(ref)])


def _tell(ended: Run, ref: Ref, terminal: Terminal) -> None:
    if terminal.json:
        terminal.document(_document(ended, ref))
        return
    terminal.line(str(ref))
    terminal.note(f"Try it: hub-ui try {ref} --prompt … --out FILE.png")


def _document(ended: Run, ref: Ref) -> dict[str, Any]:
    asked = table(ended.wire.get("input"))
    return {
        "id": ended.id,
        "status": ended.status,
        "ref": str(ref),
        "trigger_word": asked.get("trigger_word"),
        "rank": asked.get("lora_rank"),
        "steps": asked.get("steps"),
        "seconds": ended.seconds,
    }
