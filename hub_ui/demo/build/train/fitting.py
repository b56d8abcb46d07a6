"""One training loop for every stage: warm-up, decay, averaged weights, and checkpoints that resume bit for bit.

A stage's loss must draw all its randomness from the step's number. Then a checkpoint needs no random state, and a run
that was interrupted is the same as one that was not.
"""

import math
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
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
    optimizer = torch.optim.AdamW(_groups(weights, plan), betas=(0.9, 0.99), weight_decay=plan.weight_decay)
    averages = {name: weight.detach().clone() for name, weight in weights.items()}
    begun = _restore(checkpoint, weights, optimizer, averages)
    last = plan.steps if stop_at is None else min(stop_at, plan.steps)
    clock, losses = time.monotonic(), list[float]()
    for step in range(begun, last):
        losses.append(_advance(weights, optimizer, averages, loss, plan, step))
        if (step + 1) % plan.save_every == 0 or step + 1 == last:
            _save(checkpoint, step + 1, weights, optimizer, averages)
            _report(checkpoint.stem, step + 1, plan.steps, losses, time.monotonic() - clock)
            clock, losses = time.monotonic(), []
    return averages


def rate_at(plan: Plan, step: int) -> float:
    """Linear warm-up, then a half cosine down to 2 % of the full rate."""
    rise = min(1.0, (step + 1) / max(1, plan.warm_up))
    return plan.rate * rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))


def _groups(weights: Mapping[str, nn.Parameter], plan: Plan) -> list[dict[str, Any]]:
    slow = [name for name in weights if plan.slow is not None and name.startswith(plan.slow)]
    fast = [weight for name, weight in weights.items() if name not in slow]
    groups = [{"params": fast, "share": 1.0}, {"params": [weights[name] for name in slow], "share": plan.slow_share}]
    return [group for group in groups if group["params"]]


def _advance(
    weights: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    averages: dict[str, Tensor],
    loss: Callable[[int], Tensor],
    plan: Plan,
    step: int,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate_at(plan, step) * group["share"]
    value = loss(step)
    optimizer.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(weights.values(), 1.0)
    optimizer.step()
    _average(weights, averages, min(plan.averaging, (step + 1) / (step + 10)))
    return float(value.detach())


@torch.no_grad()
def _average(weights: Mapping[str, nn.Parameter], averages: dict[str, Tensor], keep: float) -> None:
    for name, weight in weights.items():
        averages[name].lerp_(weight.detach(), 1 - keep)


def _save(
    path: Path,
    step: int,
    weights: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    averages: Mapping[str, Tensor],
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = {
        "step": step,
        "weights": {name: weight.detach() for name, weight in weights.items()},
        "optimizer": optimizer.state_dict(),
        "averages": dict(averages),
    }
    unfinished = path.with_suffix(".part")
    torch.save(state, unfinished)
    os.replace(unfinished, path)


def _restore(
    path: Path,
    weights: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    averages: dict[str, Tensor],
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(state["weights"][name])
            averages[name].copy_(state["averages"][name])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _report(name: str, step: int, steps: int, losses: list[float], seconds: float) -> None:
    loss, pace = sum(losses) / len(losses), seconds / len(losses)
    print(f"{name}: step {step}/{steps}, mean loss {loss:.4f}, {pace:.3f} s a step", flush=True)
