from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import PreviewError
from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationCancelled
from tests.hub_ui.generate.building import adapter, job, save_kohya
from tests.hub_ui.generate.test_engine import one, same


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
        studio.generate(asked, comparison.single(asked), is_cancelled=lambda: next(calls, True))
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
