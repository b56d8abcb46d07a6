from __future__ import annotations

from pathlib import Path

import pytest

from hub_ui.generate.lora.wan_experts import is_for_low_noise
from tests.hub_ui.generate.building import adapter


@pytest.mark.parametrize("name", ["nightbus_wan22_low_noise", "Boats-LowNoise-v2", "boats_low"])
def test_a_file_name_says_that_it_is_for_little_noise(name: str) -> None:
    assert is_for_low_noise(adapter(Path(f"{name}.safetensors"), title="Boats"), {})


@pytest.mark.parametrize("name", ["nightbus_high_noise", "low_poly_v1", "boats", "yellow"])
def test_other_file_names_do_not(name: str) -> None:
    assert not is_for_low_noise(adapter(Path(f"{name}.safetensors"), title="Boats"), {})


def test_a_file_name_that_says_nothing_leaves_it_to_the_model_it_was_trained_on() -> None:
    trained = {"ss_sd_model_name": "wan2.2_t2v_low_noise_14B_fp16.safetensors"}
    assert is_for_low_noise(adapter(Path("boats.safetensors"), title="Boats, high noise"), trained)


def test_a_title_that_names_both_says_nothing() -> None:
    assert not is_for_low_noise(adapter(Path("boats.safetensors"), title="Boats (high noise and low noise)"), {})
