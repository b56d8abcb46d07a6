"""One picture: the denoising run, told about step by step, and stopped between steps."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connectors.errors import PreviewError
from hub_ui.preview.job import Picture, PreviewCancelled


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """A job with every default filled in, as the pipeline gets it."""

    prompt: str
    negative: str
    seed: int
    steps: int
    guidance: float
    width: int
    height: int


def draw(pipe: Any, settings: Settings, *, on_step: Callable[[int], None], cancelled: Callable[[], bool]) -> Picture:
    import torch

    def between(_pipe: Any, step: int, _timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        stop_if(cancelled)
        on_step(step + 1)
        return values

    start = time.perf_counter()
    stop_if(cancelled)
    try:
        # The seed's noise is drawn on the CPU, so that it is the same on every device.
        generator = torch.Generator("cpu").manual_seed(settings.seed)
        with torch.inference_mode():
            image = pipe(**_arguments(pipe, settings), generator=generator, callback_on_step_end=between).images[0]
    except torch.OutOfMemoryError as error:
        raise PreviewError(
            "The picture does not fit into the GPU's memory. Make it smaller, close other programs, or choose a "
            "smaller base."
        ) from error
    return Picture(image=image, seconds=time.perf_counter() - start)


def stop_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise PreviewCancelled("Stopped. Nothing was changed.")


def _arguments(pipe: Any, settings: Settings) -> dict[str, Any]:
    """What of a job a pipeline's call takes: some have no negative prompt, Qwen-Image calls its guidance otherwise."""
    known = inspect.signature(type(pipe).__call__).parameters
    guidance = "true_cfg_scale" if "true_cfg_scale" in known and "Qwen" in type(pipe).__name__ else "guidance_scale"
    wanted = {
        "prompt": settings.prompt,
        # Qwen-Image's guidance works only against a negative prompt, be it blank.
        "negative_prompt": settings.negative or (" " if guidance == "true_cfg_scale" else None),
        "num_inference_steps": settings.steps,
        guidance: settings.guidance,
        "width": settings.width,
        "height": settings.height,
    }
    return {name: value for name, value in wanted.items() if name in known and value is not None}
