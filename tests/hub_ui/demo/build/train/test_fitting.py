"""The training loop: it learns, and an interruption leaves no trace."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hub_ui.demo.build.train.fitting import Plan, draws_at, fit

PLAN = Plan(steps=8, rate=0.1, warm_up=2, averaging=0.9, save_every=3)


def start() -> dict[str, nn.Parameter]:
    return {"w": nn.Parameter(torch.zeros(3))}


def train(weights: dict[str, nn.Parameter], path: Path) -> Tensor:
    def loss(step: int) -> Tensor:
        return (weights["w"] - torch.rand(3, generator=draws_at(1, step).torch) - 1).square().mean()

    return fit(weights, loss, PLAN, path)["w"]


def test_training_comes_closer_to_the_target(tmp_path: Path) -> None:
    weights = start()
    train(weights, tmp_path / "run.pt")
    assert float(weights["w"].detach().mean()) > 0.3


def test_slow_weights_move_at_their_share_of_the_rate(tmp_path: Path) -> None:
    weights = {name: nn.Parameter(torch.zeros(1)) for name in ("fast.w", "slow.w")}
    plan = Plan(steps=1, rate=0.1, warm_up=0, slow="slow.", slow_share=0.1)
    fit(weights, lambda step: (weights["fast.w"] + weights["slow.w"]).sum(), plan, tmp_path / "run.pt")
    assert float((weights["slow.w"] / weights["fast.w"]).detach()) == pytest.approx(0.1, rel=1e-3)
