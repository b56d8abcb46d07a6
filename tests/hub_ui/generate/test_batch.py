from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.errors import PreviewError
from hub_ui.generate import comparison
from hub_ui.generate.batch import plan_calls, rows_of_a_call
from hub_ui.generate.callbacks import Callbacks
from hub_ui.generate.comparison import Cell
from hub_ui.generate.device_kinds import HostCopy
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationCancelled, Step
from hub_ui.generate.settings import ResolvedRequest
from tests.hub_ui.generate.building import adapter, job, save_kohya
from tests.hub_ui.generate.comparing import one, same


def offloaded(studio: Engine) -> Any:
    """The loaded pipeline with its networks on the device one at a time; here that is the processor too."""
    pipe: Any = studio._loaded.pipe if studio._loaded else None
    pipe.enable_model_cpu_offload(device="cpu")
    return pipe


def test_a_cancelled_call_takes_its_networks_off_the_device(studio: Engine, base: str, tmp_path: Path) -> None:
    lora = adapter(save_kohya(tmp_path / "a.safetensors"))
    before = one(studio, lora, base=base)
    studio._image_cache.clear()
    pipe = offloaded(studio)
    hook, asked, calls = pipe.unet._hf_hook, job(lora, base=base), iter([False] * 3)
    with pytest.raises(GenerationCancelled):
        studio.generate(asked, comparison.single(asked), Callbacks(is_cancelled=lambda: next(calls, True)))
    # The hooks are new, and each moves its network to the processor when it is made.
    assert pipe.unet._hf_hook is not hook
    assert same(one(studio, lora, base=base), before)


def test_so_does_a_call_that_fails(studio: Engine, base: str) -> None:
    one(studio, base=base)
    pipe = offloaded(studio)
    hook = pipe.unet._hf_hook

    def fail(*_: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    pipe.unet.time_embedding.register_forward_hook(fail)
    with pytest.raises(PreviewError, match="mat1 and mat2"):
        one(studio, base=base, seed=8)
    assert pipe.unet._hf_hook is not hook


def test_latents_of_a_stopped_run_are_in_no_preview_of_the_next(
    studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a GPU whose copy has not arrived when the run is stopped.
    coming = SimpleNamespace(query=lambda: False, synchronize=lambda: None)
    steps: list[Step] = []
    monkeypatch.setattr("hub_ui.generate.previews.copy_to_host", lambda values: HostCopy(values=values, event=coming))
    asked = job(base=base, steps=9)
    with pytest.raises(GenerationCancelled):
        studio.generate(
            asked, comparison.single(asked), Callbacks(on_progress=steps.append, is_cancelled=lambda: len(steps) > 4)
        )
    monkeypatch.undo()
    assert [step for step in steps if step.preview] == []
    asked = job(base=base, seed=8)
    studio.generate(asked, comparison.single(asked), Callbacks(on_progress=steps.append))
    assert [step for step in steps if step.preview] != []


def settings(width: int, height: int, **fields: Any) -> ResolvedRequest:
    return ResolvedRequest(negative="", seed=0, steps=1, guidance=1.0, width=width, height=height, **fields)


@pytest.mark.parametrize(
    ("side", "device", "count"),
    [(64, "cpu", 8), (128, "cpu", 8), (256, "cpu", 2), (512, "cpu", 1), (512, "cuda", 5), (1024, "cuda", 1)],
)
def test_the_size_of_the_image_says_how_many_are_generated_at_once(side: int, device: str, count: int) -> None:
    assert rows_of_a_call(settings(side, side), device) == count


def test_a_clip_counts_with_its_frames() -> None:
    assert rows_of_a_call(settings(256, 256, frames=81), "cuda") == 1


def cell(prompt: str, weight: float) -> Cell:
    return Cell(label="", prompt=prompt, weights=(weight,))


GRID = [cell(prompt, weight) for prompt in ("cat", "dog") for weight in (1.0, 0.5)]


def planned(size: int, alike: Callable[[Cell], Hashable] = bool) -> list[list[tuple[str, float]]]:
    return [[(each.prompt, each.weights[0]) for each in call] for call in plan_calls(GRID, size, alike)]


def test_single_images_are_generated_by_weight_so_that_merged_weights_serve_the_next_prompt() -> None:
    assert planned(1) == [[("cat", 0.5)], [("dog", 0.5)], [("cat", 1.0)], [("dog", 1.0)]]


def test_calls_of_mixed_weights_come_first_in_the_order_of_the_comparison() -> None:
    assert planned(3) == [[("cat", 1.0), ("cat", 0.5), ("dog", 1.0)], [("dog", 0.5)]]


def test_prompts_that_cannot_be_mixed_have_calls_of_their_own() -> None:
    assert planned(8, lambda each: each.prompt) == [[("cat", 1.0), ("cat", 0.5)], [("dog", 1.0), ("dog", 0.5)]]


def test_weights_that_cannot_be_mixed_have_calls_of_their_own() -> None:
    assert planned(8, lambda each: each.weights) == [[("cat", 0.5), ("dog", 0.5)], [("cat", 1.0), ("dog", 1.0)]]
