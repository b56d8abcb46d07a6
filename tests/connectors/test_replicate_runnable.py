from __future__ import annotations

from typing import Any

import pytest

from connectors.replicate_runnable import runnable_of

VERSION = {"openapi_schema": {"components": {"schemas": {"Input": {"properties": {"prompt": {"type": "string"}}}}}}}


def model(**fields: Any) -> dict[str, Any]:
    example = {
        "metrics": {"predict_time": 8.5}, "input": {"num_inference_steps": 25}, "output": ["https://a.example/1.png"],
    }  # fmt: skip
    return {"latest_version": {"id": "f" * 64}, "is_official": False, "default_example": example, **fields}


def test_a_model_is_read_once_for_all_that_a_run_needs() -> None:
    read = runnable_of(model(), VERSION)
    assert ("prompt" in read.inputs, read.newest, read.official) == (True, "f" * 64, False)
    assert (read.seconds, read.steps, read.example) == (8.5, 25.0, ("https://a.example/1.png",))


def test_twice_the_steps_take_twice_the_time() -> None:
    assert runnable_of(model(), VERSION).seconds_for(50) == 17.0
    assert runnable_of(model(), VERSION).seconds_for(None) == 8.5


@pytest.mark.parametrize(
    "example", [None, {}, "x", {"metrics": None, "input": [], "output": 3}, {"metrics": {"predict_time": -1}}]
)
def test_without_a_sound_example_nobody_knows_how_long_it_takes(example: Any) -> None:
    assert runnable_of(model(default_example=example), VERSION).seconds_for(20) is None
