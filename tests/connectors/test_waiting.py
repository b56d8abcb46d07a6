from __future__ import annotations

from contextlib import ExitStack

import pytest

from connectors.errors import HubTimeout
from connectors.waiting import Waiting


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_hub_that_hangs_takes_only_so_many_searches() -> None:
    clock, stack = Clock(), ExitStack()
    waiting = Waiting(most=2, slow_seconds=4, clock=clock)
    for _ in range(2):
        stack.enter_context(waiting.place("civitai", "CivitAI"))
    clock.now += 5
    with pytest.raises(HubTimeout, match="CivitAI is slow to answer just now"):
        stack.enter_context(waiting.place("civitai", "CivitAI"))
    stack.enter_context(waiting.place("huggingface", "Hugging Face"))


def test_a_hub_that_answers_takes_as_many_as_there_are() -> None:
    clock, stack = Clock(), ExitStack()
    waiting = Waiting(most=2, slow_seconds=4, clock=clock)
    for _ in range(50):
        stack.enter_context(waiting.place("civitai", "CivitAI"))


def test_a_hub_that_answers_again_is_asked_again() -> None:
    clock, first = Clock(), ExitStack()
    waiting = Waiting(most=1, slow_seconds=4, clock=clock)
    first.enter_context(waiting.place("civitai", "CivitAI"))
    clock.now += 5
    first.close()
    with waiting.place("civitai", "CivitAI"):
        pass
