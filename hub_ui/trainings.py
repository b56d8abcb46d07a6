"""LoRAs trained on Replicate: from pictures and a price to a new version in the catalog."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from connectors.errors import HubUiError
from connectors.ref import Ref
from connectors.replicate_runs import Run, Runs
from connectors.replicate_trainings import Order, Trainings, made_by, result_of, terms_of
from hub_ui.preview.job import Step
from hub_ui.preview.prices import of_training, spread
from hub_ui.preview.training_set import TrainingSet
from hub_ui.services import Services


@dataclass(frozen=True, kw_only=True)
class Trainer:
    services: Services
    trainings: Trainings = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "trainings", Trainings(runs=Runs(self.services.replicate)))

    def need_key(self) -> None:
        """Raises KeyRequired with what to do."""
        self.trainings.runs.need_key("Training a LoRA")

    def start(self, order: Order, pictures: TrainingSet) -> Run:
        """Uploads and starts. It goes on there whatever happens here, and is paid for."""
        return self.trainings.start(order, pictures.zipped)

    def follow(self, run: Run, told: Callable[[Step], None]) -> tuple[Run, Ref]:
        """Until it is over; what it made is in the catalog then. Raises HubUiError for one that made nothing."""
        ended = self.trainings.follow(run, told=lambda now: told(step_of(now)))
        ref = result_of(ended)
        self._remember(ended, ref)
        return ended, ref

    def get(self, run_id: str) -> Run:
        return self.trainings.get(run_id)

    def cancel(self, run_id: str) -> Run:
        return self.trainings.cancel(self.trainings.get(run_id))

    def under_way(self) -> tuple[Run, ...]:
        return self.trainings.under_way()

    def close(self) -> None:
        self.trainings.runs.close()

    def _remember(self, ended: Run, ref: Ref) -> None:
        """With what its owner asked for, which no one else can know, and what the hub says of it now."""
        lora = made_by(ended)
        if lora is not None:
            self.services.catalog.add([lora])
        # What the training itself says is there, and enough.
        with suppress(HubUiError):
            self.services.open(ref)


def price(order: Order, pictures: TrainingSet) -> str:
    """What is sent, how long it takes, and what it costs, before anything is sent."""
    expected = of_training(order.steps)
    minutes, cost = round((expected.seconds or 0) / 60), spread(expected.low or 0, expected.high or 0)
    return (
        f"{pictures.images} pictures, {pictures.captions} with a caption: {order.steps} steps at rank {order.rank} "
        f"take about {minutes} minutes on Replicate and cost about {cost}."
    )


def step_of(now: Run) -> Step:
    if now.status == "starting":
        return Step(stage="Waiting for a machine on Replicate", done=0, total=0)
    steps = terms_of(now).steps
    if now.progress is None or not steps:
        return Step(stage="Training on Replicate", done=0, total=0)
    return Step(stage="Training on Replicate", done=round(now.progress * steps), total=steps)
