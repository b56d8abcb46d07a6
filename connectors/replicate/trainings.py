"""Trainings on Replicate: a LoRA for FLUX.1 [dev] from a zip of images becomes a new version of one's own model."""

import re
from dataclasses import dataclass

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.http.json_fields import count, table, tables, text
from connectors.record import Lora
from connectors.ref import is_id
from connectors.replicate import parse
from connectors.replicate.runs import UNDER_WAY, Run, Runs

TRAINER = "ostris/flux-dev-lora-trainer"
TRAINER_VERSION = "e440909d3512c31646ee2e0c7d6f6f4923224863a6a10c494606e79fb5844497"
# Creating a model requires some hardware; Replicate runs fine-tunes of FLUX on other hardware regardless.
_HARDWARE = "gpu-t4"
_RANKS, _STEPS = range(1, 129), range(3, 6001)
_LONGEST_WORD = 100
_WORD = re.compile(r"[^\x00-\x1f\x7f,<>\"]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What to train. `captions`: whether Replicate writes captions for images without one."""

    destination: str
    trigger_word: str
    rank: int = 16
    steps: int = 1000
    captions: bool = True

    def check(self) -> None:
        """Raises UsageError, before anything is uploaded or paid for."""
        if not is_id("replicate", self.destination):
            raise UsageError(f"“{self.destination[:100]}” is no place for a model. Write OWNER/NAME, OWNER being you.")
        if self.rank not in _RANKS:
            raise UsageError("A rank is a whole number from 1 to 128; 16 is usual.")
        if self.steps not in _STEPS:
            raise UsageError("Train for 3 to 6000 steps; 1000 is usual.")
        if not _WORD.fullmatch(self.trigger_word) or len(self.trigger_word) > _LONGEST_WORD:
            raise UsageError("A trigger word is a short word that is no real one, without commas: TOK, or CYBRPNK.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The settings of a training; None for unknown ones."""

    trigger_word: str | None
    rank: int | None
    steps: int | None


def start_training(runs: Runs, order: Order, zipped: bytes) -> Run:
    """Creates the model if there is none, uploads the images and starts the training."""
    runs.need_key("Training a LoRA")
    order.check()
    try:
        runs.model(order.destination)
    except NotFound:
        # A new model is private, since the images may show people.
        owner, _, name = order.destination.partition("/")
        model = {"owner": owner, "name": name, "visibility": "private", "hardware": _HARDWARE}
        runs.json("/v1/models", method="POST", json=model)
    inputs = {
        "input_images": runs.upload("pictures.zip", zipped, "application/zip"),
        "trigger_word": order.trigger_word,
        "lora_rank": order.rank,
        "steps": order.steps,
        "autocaption": order.captions,
    }
    path = f"/v1/models/{TRAINER}/versions/{TRAINER_VERSION}/trainings"
    return runs.start("trainings", path, {"destination": order.destination, "input": inputs})


def list_running(runs: Runs) -> tuple[Run, ...]:
    """Trainings of this key that are not over, newest first."""
    listed = tables(runs.json("/v1/trainings").get("results"))
    ids = (text(each.get("id"), 64) for each in listed if text(each.get("status")) in UNDER_WAY)
    found = (runs.get("trainings", run_id) for run_id in ids if run_id)
    return tuple(run for run in found if not run.over)


def lora_of(run: Run) -> Lora:
    """The LoRA of a training, with its settings as claims. Raises HubUiError with the reason if it made none."""
    lora = parse.lora_of_training(run.data)
    if lora is not None and lora.versions and run.status == "succeeded":
        return lora
    if run.status in ("canceled", "aborted"):
        raise HubUiError(f"Training {run.id} was cancelled. Start it again to have its LoRA.", hub="replicate")
    reason = " ".join((run.error or "it doesn't say why").split())[:400].rstrip(".")
    raise HubUiError(f"Training {run.id} failed: {reason}. https://replicate.com/p/{run.id}", hub="replicate")


def terms_of(run: Run) -> Terms:
    """The settings that a training was started with."""
    given = table(run.data.get("input"))
    return Terms(
        trigger_word=text(given.get("trigger_word"), _LONGEST_WORD),
        rank=count(given.get("lora_rank")),
        steps=count(given.get("steps")),
    )
