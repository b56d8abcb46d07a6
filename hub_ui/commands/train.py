"""hub-ui train: trains a LoRA on Replicate from a folder or zip of images."""

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from connectors.errors import UsageError
from connectors.replicate.runs import Order, Run, terms_of
from hub_ui import services, settings
from hub_ui.commands import options
from hub_ui.commands.options import JsonOption, argument, confirm_payment, flag, option, progress_callback
from hub_ui.format import size
from hub_ui.terminal import Terminal
from hub_ui.training import Trainer, price, training_set


@dataclass(frozen=True, kw_only=True)
class Train(JsonOption):
    pictures: Annotated[Path | None, argument("FOLDER|ZIP", "Images, each with a caption NAME.txt if it has one.")] = (
        None
    )
    destination: Annotated[
        str | None, option("OWNER/NAME", "Your model on Replicate. A new one is created, private.")
    ] = None
    trigger: Annotated[str | None, option("WORD", "A word that is no real one; it will call the LoRA.")] = None
    rank: Annotated[int, option("N", "1 to 128.", options.count)] = 16
    steps: Annotated[int, option("N", "3 to 6000.", options.count)] = 1000
    yes: Annotated[bool, flag("--yes", "Spend the money without being asked.")] = False
    follow: Annotated[str | None, option("ID", "Go on with a training that was started before.")] = None
    cancel: Annotated[str | None, option("ID", "Stop a training.")] = None

    def run(self, terminal: Terminal) -> int:
        if (self.follow or self.cancel) and (self.pictures or self.destination or self.trigger):
            raise UsageError(f"--{'follow' if self.follow else 'cancel'} takes the training's ID alone.")
        if self.follow and self.cancel:
            raise UsageError("Either --follow or --cancel a training.")
        chosen = settings.from_environment(os.environ)
        with services.build(chosen) as built, closing(Trainer(built)) as trainer:
            if self.cancel:
                run = trainer.cancel(self.cancel)
                said = f"Training {run.id}: {run.status}"
                terminal.show({"id": run.id, "status": run.status}, lambda: terminal.line(said))
                return 0
            run = trainer.get(self.follow) if self.follow else self._start(trainer, terminal)
            run, ref = trainer.follow(run, on_progress=progress_callback(terminal))
        terms = terms_of(run)
        document = {
            "id": run.id,
            "status": run.status,
            "ref": str(ref),
            "trigger_word": terms.trigger_word,
            "rank": terms.rank,
            "steps": terms.steps,
            "seconds": run.seconds,
        }
        terminal.show(document, lambda: terminal.line(str(ref)))
        if not terminal.json:
            terminal.note(f"Try it: hub-ui try {ref} --prompt … --out FILE.png")
        return 0

    def _start(self, trainer: Trainer, terminal: Terminal) -> Run:
        if not (self.pictures and self.destination and self.trigger):
            raise UsageError("A folder or zip of pictures, --destination OWNER/NAME and --trigger WORD are needed.")
        trainer.need_key()
        order = Order(destination=self.destination, trigger_word=self.trigger, rank=self.rank, steps=self.steps)
        order.check()
        pictures = training_set(self.pictures)
        for note in (*pictures.notes, price(order, pictures)):
            terminal.note(note)
        confirm_payment("Training", terminal, yes=self.yes)
        terminal.progress(f"Uploading {size(len(pictures.zipped), precise=True)}…")
        run = trainer.start(order, pictures)
        terminal.note(f"Training {run.id} has begun. It goes on there whatever happens here:")
        terminal.note(f"  hub-ui train --follow {run.id}    hub-ui train --cancel {run.id}")
        return run
