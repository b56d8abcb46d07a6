"""One training loop for every stage: warm-up, decay, averaged weights, and checkpoints that resume bit for bit.

A stage's loss must draw all its randomness from the step's number. Then a checkpoint needs no random state, and a run
that was interrupted is the same as one that was not.
"""

import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast to learn. `averaging` is the share of the old average kept at each step (EMA).

    Weights whose names begin with `slow` learn at `slow_share` of the rate.
    """

    steps: int
    rate: float
    warm_up: int = 100
    averaging: float = 0.998
    weight_decay: float = 0.01
    save_every: int = 200
    slow: str | None = None
    slow_share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The randomness of one step."""

    python: random.Random
    torch: torch.Generator


def draws_at(seed: int, step: int) -> Draws:
    """The same draws for the same seed and step, in any process."""
    return Draws(python=random.Random(f"{seed}:{step}"), torch=torch.Generator().manual_seed(seed * 1_000_003 + step))


def fit(
    weights: Mapping[str, nn.Parameter],
    loss: Callable[[int], Tensor],
    plan: Plan,
    checkpoint: Path,
    *,
    stop_at: int | None = None,
) -> dict[str, Tensor]:
    """Train `weights` in place, from the checkpoint where there is one. Returns their averages.

    `stop_at` ends the run early with a checkpoint, as an interruption would.
    """
    parameters = list(weights.values())
    optimizer = torch.optim.AdamW(_groups(weights, plan), betas=(0.9, 0.99), weight_decay=plan.weight_decay)
    schedule = get_cosine_schedule_with_warmup(optimizer, plan.warm_up, plan.steps)
    averages = EMAModel(parameters, decay=plan.averaging)
    parts = {
        "weights": nn.ParameterList(parameters),
        "optimizer": optimizer,
        "schedule": schedule,
        "averages": averages,
    }
    begun, last = _restore(checkpoint, parts), plan.steps if stop_at is None else min(stop_at, plan.steps)
    clock, losses = time.monotonic(), list[float]()
    for step in range(begun, last):
        value = loss(step)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        averages.step(parameters)
        losses.append(float(value.detach()))
        if (step + 1) % plan.save_every == 0 or step + 1 == last:
            _save(checkpoint, step + 1, parts)
            mean, pace = sum(losses) / len(losses), (time.monotonic() - clock) / len(losses)
            print(f"{checkpoint.stem}: step {step + 1}/{plan.steps}, mean loss {mean:.4f}, {pace:.3f} s", flush=True)
            clock, losses = time.monotonic(), []
    return dict(zip(weights, averages.shadow_params, strict=True))


def _groups(weights: Mapping[str, nn.Parameter], plan: Plan) -> list[dict[str, Any]]:
    slow = [name for name in weights if plan.slow is not None and name.startswith(plan.slow)]
    fast = [weight for name, weight in weights.items() if name not in slow]
    slowly = {"params": [weights[name] for name in slow], "lr": plan.rate * plan.slow_share}
    return [group for group in ({"params": fast, "lr": plan.rate}, slowly) if group["params"]]


def _save(path: Path, step: int, parts: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    torch.save({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, unfinished)
    os.replace(unfinished, path)


def _restore(path: Path, parts: Mapping[str, Any]) -> int:
    """The step to go on with."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])
