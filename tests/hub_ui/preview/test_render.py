from __future__ import annotations

from typing import Any

import pytest

from hub_ui.preview.job import PreviewCancelled
from hub_ui.preview.render import Settings, _arguments, stop_if

SETTINGS = Settings(prompt="a cat", negative="", seed=1, steps=2, guidance=4.0, width=32, height=32)


class QwenImagePipeline:
    def __call__(
        self, prompt: str, negative_prompt: str, true_cfg_scale: float, num_inference_steps: int, guidance_scale: float
    ) -> None:
        """As the real one, whose network does not fit into a test."""


class Plain:
    def __call__(self, prompt: str, num_inference_steps: int, guidance_scale: float, width: int, height: int) -> None:
        """A pipeline without a negative prompt."""


@pytest.mark.parametrize(
    ("pipe", "arguments"),
    [
        (
            QwenImagePipeline(),
            {"prompt": "a cat", "negative_prompt": " ", "true_cfg_scale": 4.0, "num_inference_steps": 2},
        ),
        (
            Plain(),
            {"prompt": "a cat", "num_inference_steps": 2, "guidance_scale": 4.0, "width": 32, "height": 32},
        ),
    ],
)
def test_each_pipeline_gets_what_its_call_takes(pipe: Any, arguments: dict[str, Any]) -> None:
    assert _arguments(pipe, SETTINGS) == arguments


def test_a_stop_is_an_error_of_our_own() -> None:
    stop_if(lambda: False)
    with pytest.raises(PreviewCancelled):
        stop_if(lambda: True)
