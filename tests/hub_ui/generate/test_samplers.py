from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from hub_ui.generate import samplers
from hub_ui.generate.samplers import SAMPLERS, SPACINGS

DIFFUSERS: Any = diffusers


def drawn(pipe: Any, seed: int = 1) -> Any:
    generator = torch.Generator("cpu").manual_seed(seed)
    with torch.inference_mode():
        made = pipe("a cat", num_inference_steps=4, width=32, height=32, generator=generator, output_type="np")
    return made.images[0]


def flow() -> Any:
    return SimpleNamespace(scheduler=DIFFUSERS.FlowMatchEulerDiscreteScheduler())


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.name)
def test_every_sampler_draws_and_the_pipeline_gets_its_own_back(pipe: Any, sampler: samplers.Sampler) -> None:
    before = pipe.scheduler
    with samplers.using(pipe, sampler.name) as note:
        if sampler.name == "LMS" and find_spec("scipy") is None:
            assert note == "LMS needs scipy (pip install scipy): the base's own sampler, DDIM, was used."
            return
        assert type(pipe.scheduler).__name__ == sampler.scheduler
        assert samplers.own(pipe) in (sampler.name, "DPM++ 2S")
        assert pipe.scheduler.config.beta_schedule == "scaled_linear"
        first, second = drawn(pipe), drawn(pipe)
    assert pipe.scheduler is before
    assert np.isfinite(first).all()
    assert (first == second).all()


@pytest.mark.parametrize("spacing", [s for s in SPACINGS if s.name != "Beta"], ids=lambda spacing: spacing.name)
def test_every_spacing_changes_the_steps(pipe: Any, spacing: samplers.Sampler) -> None:
    with samplers.using(pipe, f"DPM++ 2M {spacing.name}") as note:
        assert note is None
        assert {key: pipe.scheduler.config[key] for key in spacing.options} == spacing.options
        assert np.isfinite(drawn(pipe)).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Euler a", "Euler a"), ("DPM++ 2M Karras", "DPM++ 2M Karras"), ("DPM++ 2S a Karras", "DPM++ 2S a Karras"),
        ("DPM++ 2M SDE Exponential", "DPM++ 2M SDE Exponential"), ("DPM++ 3M SDE Karras", "DPM++ 3M SDE Karras"),
        ("DPM++ 2M SGM Uniform", "DPM++ 2M SGM Uniform"), ("DPM2 a Karras", "DPM2 a Karras"), ("PLMS", "PLMS"),
        ("dpmpp_2m", "DPM++ 2M"), ("dpmpp_2m_sde_gpu", "DPM++ 2M SDE"), ("euler_ancestral", "Euler a"),
        ("dpm_2_ancestral", "DPM2 a"), ("uni_pc", "UniPC"), ("dpmpp_2m_k", "DPM++ 2M Karras"),
        ("kdpm_2_a_k", "DPM2 a Karras"), ("K_EULER_ANCESTRAL", "Euler a"), ("unipc_k", "UniPC Karras"),
        ("k_lms", "LMS"),
        ("KarrasDPM", "DPM++ 2M Karras"), ("HeunDiscrete", "Heun"), ("DPMSolverMultistep", "DPM++ 2M"),
        ("EulerAncestralDiscreteScheduler", "Euler a"), ("PNDMScheduler", "PLMS"), ("k_dpmpp_2m_ka", "DPM++ 2M Karras"),
    ],
)  # fmt: skip
def test_names_of_all_programs_are_read(name: str, expected: str) -> None:
    assert getattr(samplers.read(name), "name", None) == expected


@pytest.mark.parametrize("name", ["", "DPM adaptive", "dpm_fast", "Undefined", "k", "Restart", "猫" * 5000])
def test_names_of_nothing_are_none(name: str) -> None:
    assert samplers.read(name) is None


@pytest.mark.parametrize(
    ("sampler", "schedule", "expected"),
    [
        ("dpmpp_2m", "karras", "DPM++ 2M Karras"),
        ("DPM++ 2M", "Karras", "DPM++ 2M Karras"),
        ("Euler a", "Automatic", "Euler a"),
        ("Euler", "sgm_uniform", "Euler SGM Uniform"),
        ("euler", "normal", "Euler Uniform"),
    ],
)
def test_a_schedule_beside_the_sampler_is_read(sampler: str, schedule: str, expected: str) -> None:
    assert getattr(samplers.read(sampler, schedule), "name", None) == expected


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("DPM adaptive", "“DPM adaptive” is no sampler of diffusers: the base's own, DDIM, was used."),
        ("Euler a Karras", "Euler a takes no Karras spacing in diffusers: it was generated with its own."),
        ("DPM++ SDE", "DPM++ SDE is not in diffusers: the nearest was used, with a solver of another kind."),
    ],
)
def test_what_cannot_be_followed_is_said(pipe: Any, name: str, note: str) -> None:
    with samplers.using(pipe, name) as said:
        assert said == note


def test_an_unknown_schedule_is_said(pipe: Any) -> None:
    assert getattr(samplers.read("Euler", "Align Your Steps"), "unread", None) == "Align Your Steps"


def test_bases_that_match_flows_keep_their_sampler() -> None:
    pipe = flow()
    before = pipe.scheduler
    assert samplers.use(pipe, "DPM++ 2M Karras") == (
        "This base matches flows and keeps its own sampler, Euler: DPM++ 2M Karras was not used."
    )
    assert samplers.use(pipe, "euler") is None
    assert pipe.scheduler is before


def test_none_keeps_the_bases_own(pipe: Any) -> None:
    before = pipe.scheduler
    with samplers.using(pipe, None) as note:
        assert (note, pipe.scheduler) == (None, before)


def test_v_prediction_stays(pipe: Any) -> None:
    own = DIFFUSERS.EulerDiscreteScheduler.from_config(
        pipe.scheduler.config, prediction_type="v_prediction", rescale_betas_zero_snr=True
    )
    asked = SimpleNamespace(scheduler=own)
    samplers.use(asked, "DPM++ 2M Karras")
    config = asked.scheduler.config
    assert (config.prediction_type, config.rescale_betas_zero_snr) == ("v_prediction", True)


def test_a_name_is_split_as_a1111_writes_it() -> None:
    assert samplers.parts("DPM++ 2M Karras") == ("DPM++ 2M", "Karras")
    assert samplers.parts("Nobody's") == ("Nobody's", None)


def test_every_name_to_choose_from_is_read() -> None:
    assert [name for name in samplers.names() if samplers.read(name) is None] == []
    assert "DPM++ 2M Karras" in samplers.names()
