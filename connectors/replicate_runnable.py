"""What can be run on Replicate: a model's version, what it takes, and what its own example took and brought."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.replicate_inputs import Inputs, inputs_of
from connectors.replicate_runs import Runs
from connectors.wire import Table, number, table, text, texts


@dataclass(frozen=True, kw_only=True, slots=True)
class Runnable:
    """`newest` is the hash of its latest version. `official` models run by their name alone.

    `seconds` is what its example took, for `steps` steps; `example` are the addresses of what came of it.
    """

    inputs: Inputs
    newest: str | None = None
    official: bool = False
    seconds: float | None = None
    steps: float | None = None
    example: tuple[str, ...] = ()

    def seconds_for(self, steps: int | None) -> float | None:
        """What its own example took, for as many steps; None where it doesn't say."""
        if self.seconds is None or self.seconds <= 0:
            return None
        return self.seconds * steps / self.steps if steps and self.steps and self.steps > 0 else self.seconds


def runnable(runs: Runs, name: str, version: str | None) -> Runnable:
    """Asks what the model is; once more for a version that is not its latest."""
    model = runs.model(name)
    latest = table(model.get("latest_version"))
    other = version is not None and version != text(latest.get("id"))
    return runnable_of(model, runs.version(name, version) if version is not None and other else latest)


def runnable_of(model: Table, version: Table) -> Runnable:
    example = table(model.get("default_example"))
    return Runnable(
        inputs=inputs_of(version),
        newest=text(table(model.get("latest_version")).get("id")),
        official=model.get("is_official") is True,
        seconds=number(table(example.get("metrics")).get("predict_time")),
        steps=number(table(example.get("input")).get("num_inference_steps")),
        example=texts(example.get("output")),
    )
