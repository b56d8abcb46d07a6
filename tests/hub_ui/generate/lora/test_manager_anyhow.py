"""Whatever is done with a manager, in any order, and wherever it fails: the base is as it was before, to the bit."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from safetensors.torch import save_file

from connectors.errors import HubUiError
from hub_ui.generate.lora import hooks, merge, parameters
from hub_ui.generate.lora import manager as manager_module
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.lora.modules import components
from hub_ui.generate.request import LoraInput
from tests.hub_ui.generate.building import adapter, drawn, save_kohya, save_peft

Q = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
# What a manager does by steps, each of which may run out of memory or be stopped.
STEPS = [
    (parameters.ParamHandle, "write"),
    (merge, "_plus"),
    (manager_module, "attach"),
    (hooks.Hook, "_move"),
    (hooks.Hook, "_apply_weights"),
]
WEIGHTS = st.sampled_from([0.0, 0.5, -0.7, 1e9])
FAILURES = st.none() | st.tuples(st.integers(0, 60), st.sampled_from([torch.OutOfMemoryError, KeyboardInterrupt]))
Failure = tuple[int, type[BaseException]] | None


class Trouble:
    """Lets so many steps pass, then one fails."""

    def __init__(self) -> None:
        self.failure: Failure = None

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def troubled(*args: Any, **kwargs: Any) -> Any:
            if self.failure is not None:
                left, error = self.failure
                self.failure = (left - 1, error) if left else None
                if not left:
                    raise error
            return step(*args, **kwargs)

        return troubled


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Trouble:
    made = Trouble()
    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, made.around(getattr(owner, name)))
    return made


@pytest.fixture
def loras(tmp_path: Path) -> list[LoraInput]:
    """Low-rank, in the text encoder too; and what changes weights and a bias as a whole."""
    whole = {f"{Q}.lokr_w1": torch.ones(4, 4), f"{Q}.lokr_w2": torch.randn(16, 16)}
    whole |= {"lora_unet_conv_in.diff": torch.randn(32, 4, 3, 3), "lora_unet_conv_in.diff_b": torch.randn(32)}
    save_file(whole, tmp_path / "whole.safetensors")
    paths = [save_kohya(tmp_path / "a.safetensors", text=True), save_peft(tmp_path / "b.safetensors", seed=5)]
    return [adapter(path) for path in (*paths, tmp_path / "whole.safetensors")]


def everything(pipe: Any) -> dict[tuple[str, str], object]:
    """Each module with its hooks and attributes, each parameter with the place of its values."""
    found: dict[tuple[str, str], object] = {}
    for name, part in components(pipe).items():
        for at, module in part.named_modules():
            found[name, at] = id(module), len(module._forward_hooks), tuple(vars(module)), dict(module.named_buffers())
        for at, value in part.named_parameters():
            found[name, f"{at} itself"] = id(value), value.data_ptr(), value.dtype, value.is_inference()
    return found


def machine(pipe: Any, loras: list[LoraInput], trouble: Trouble) -> type[RuleBasedStateMachine]:
    drawn(pipe, side=16)  # transformers hooks itself up at a first use
    own, before = drawn(pipe, side=16), everything(pipe)
    values = {
        name: {at: value.clone() for at, value in part.state_dict().items()} for name, part in components(pipe).items()
    }

    class Anyhow(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.manager = AdapterManager(pipe, "sd1", LoraCache(100_000))

        def tried(self, do: Callable[[], object], failure: Failure) -> None:
            trouble.failure = failure
            with suppress(HubUiError, torch.OutOfMemoryError, KeyboardInterrupt):
                do()
            trouble.failure = None

        @rule(stack=st.lists(st.tuples(st.integers(0, 2), WEIGHTS), max_size=3), failure=FAILURES)
        def switch(self, stack: list[tuple[int, float]], failure: Failure) -> None:
            chosen = [adapter(loras[number].path, weight=weight) for number, weight in stack]
            self.tried(lambda: self.manager.set_adapters(chosen), failure)

        @rule(data=st.data(), failure=FAILURES)
        def weigh(self, data: Any, failure: Failure) -> None:
            weights = [data.draw(WEIGHTS) for _ in self.manager._on]
            self.tried(lambda: self.manager.set_weights(weights), failure)

        @rule(data=st.data(), failure=FAILURES)
        def rows(self, data: Any, failure: Failure) -> None:
            weights = [[data.draw(WEIGHTS) for _ in self.manager._on] for _ in range(2)]

            def do() -> None:
                with self.manager.row_weights(weights):
                    drawn(pipe, 2, side=16)

            self.tried(do, failure)

        @rule(steps=st.sampled_from([None, 1]), failure=FAILURES)
        def merged(self, steps: int | None, failure: Failure) -> None:
            def do() -> None:
                with self.manager.merge(steps):
                    drawn(pipe, side=16)

            self.tried(do, failure)

        @rule(failure=FAILURES)
        def off(self, failure: Failure) -> None:
            self.tried(self.manager.disable, failure)

        def teardown(self) -> None:
            self.manager.disable()
            assert everything(pipe) == before
            for name, part in components(pipe).items():
                assert all(torch.equal(value, values[name][at]) for at, value in part.state_dict().items())
            assert torch.equal(drawn(pipe, side=16), own)

    return Anyhow


def test_the_base_is_as_it_was_whatever_happened(pipe: Any, loras: list[LoraInput], trouble: Trouble) -> None:
    quick = settings(
        max_examples=15, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(machine(pipe, loras, trouble), settings=quick)


def test_a_failure_while_they_are_put_on_leaves_the_base(pipe: Any, loras: list[LoraInput], trouble: Trouble) -> None:
    own, manager = drawn(pipe), AdapterManager(pipe, "sd1", LoraCache(100_000))
    trouble.failure = 3, torch.OutOfMemoryError
    with pytest.raises(torch.OutOfMemoryError):
        manager.set_adapters(loras)
    assert torch.equal(drawn(pipe), own)
