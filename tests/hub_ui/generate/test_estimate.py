from pathlib import Path
from typing import Any

import pytest
import torch

from hub_ui.generate import base_models
from hub_ui.generate.estimate import (
    Timing,
    Timings,
    estimate_time,
    format_duration,
    guess_timing,
    measure_speed,
    spill_note,
)
from hub_ui.generate.memory.device import Device
from hub_ui.generate.memory.plan import network_parameters
from tests.hub_ui.generate.building import CPU, load_base, settings
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

SD = base_models.choose_base("sd1", None, None)


def sentence(images: int, step: float) -> str:
    return estimate_time(SD, settings(), CPU, images, Timing(step=step, rest=0.5), load=False).sentence


@pytest.mark.parametrize(
    ("images", "step", "said"),
    [
        (2, 1.0, "about 41 s for 2 images on this CPU"),
        (1, 0.01, "about a second for 1 image on this CPU"),
        (25, 0.5, "about 4 min for 25 images on this CPU"),
        (2, 180.0, "about 2 h for 2 images on this CPU: this base is not meant for a CPU"),
        (0, 1.0, "instant, from the cache"),
    ],
)
def test_a_measured_time_is_said_in_words(images: int, step: float, said: str) -> None:
    assert sentence(images, step) == said


def test_before_the_first_run_it_is_called_rough() -> None:
    guess = estimate_time(SD, settings(), CPU, 1, guess_timing(SD, settings(), 1e12), load=False)
    assert (guess.measured, guess.sentence.startswith("roughly ")) == (False, True)
    assert guess.sentence.endswith(", a guess until the first run")


def test_loading_the_base_counts() -> None:
    known = Timing(step=1.0, rest=1.0)
    here, away = (estimate_time(SD, settings(), CPU, 1, known, load=load).seconds for load in (False, True))
    assert away - here == pytest.approx(SD.gigabytes, rel=0.03)


def test_before_the_first_run_the_weights_of_the_network_are_counted_in_the_table_or_on_the_disk(base: str) -> None:
    small = guess_timing(SD, settings(), 1e12).step
    assert guess_timing(SD, settings(width=1024), 1e12).step == pytest.approx(2 * small)
    assert guess_timing(base_models.choose_base("sdxl", None, None), settings(), 1e12).step > 2 * small
    own = base_models.choose_base("sd1", None, base)
    assert guess_timing(own, settings(), 1e12).step / small == pytest.approx(network_parameters(own) / 859_520_964)
    assert network_parameters(own) == sum(value.numel() for value in load_base(base).unet.parameters())


@pytest.mark.parametrize(
    ("base", "guidance", "times"),
    [
        ("sd-1.5", 7.5, 2), ("sd-1.5", 1.0, 1), ("flux.1-dev", 3.5, 1), ("flux.2-dev", 4.0, 1),
        ("flux.2-klein-4b-base", 4.0, 2), ("flux.2-klein-4b", 1.0, 1), ("hunyuan-video", 6.0, 1),
        ("hunyuan-video-1.5", 6.0, 2), ("krea-2", 0.5, 2), ("z-image", 0.5, 2), ("ltx-2", 4.0, 4 / 3),
    ],
)  # fmt: skip
def test_guidance_takes_as_long_as_the_network_runs_it_needs(base: str, guidance: float, times: float) -> None:
    spec = base_models.choose_base(None, None, base)
    without = guess_timing(spec, settings(guidance=0.0), 1e12).step
    assert guess_timing(spec, settings(guidance=guidance), 1e12).step == pytest.approx(times * without)


def test_stable_diffusion_on_a_processor_is_guessed_within_reason() -> None:
    """1.6 million million operations a step, on a processor that does a tenth of that in a second."""
    assert 4 < guess_timing(SD, settings(), 1e11).step * 0.4 < 40


def test_a_device_has_a_speed() -> None:
    assert measure_speed(CPU) > 1e8


def test_the_speed_of_a_second_gpu_is_not_the_first_one_s() -> None:
    second = Device(label="card", kind="cuda", dtype="float16", index=1)
    with simulated_cuda(Card(memory=0), Card(memory=0)), pytest.raises(torch.OutOfMemoryError, match="on cuda:1"):
        measure_speed(second)


@pytest.mark.parametrize(
    ("platform", "kind", "level", "step", "said"),
    [
        ("win32", "cuda", "whole", 6.0, True), ("win32", "cuda", "model_offload", 6.0, True),
        ("win32", "cuda", "whole", 4.0, False), ("win32", "cuda", "group_offload", 6.0, False),
        ("win32", "cpu", "whole", 6.0, False), ("linux", "cuda", "whole", 6.0, False),
    ],
)  # fmt: skip
def test_a_gpu_that_goes_on_in_the_computer_s_memory_is_found_out_by_its_steps(
    monkeypatch: pytest.MonkeyPatch, platform: str, kind: str, level: Any, step: float, said: bool
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    device = Device(label="card", kind=kind, dtype="float16")
    note = spill_note(step, Timing(step=1.0, rest=1.0), device, level)
    assert (note is not None) is said
    assert note is None or note.startswith("Each step took 6.0 s, 6 times as long as expected: the GPU's memory was")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.3, "a second"), (41.2, "41 s"), (170, "3 min"), (5500, "1.5 h"), (7000, "2 h"), (36000, "10 h")],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


def test_what_was_measured_is_known_the_next_time(tmp_path: Path) -> None:
    Timings(tmp_path / "a" / "timings.json").put("sd-1.5 512x512 CPU", Timing(step=1.25, rest=2.0))
    assert Timings(tmp_path / "a" / "timings.json").get("sd-1.5 512x512 CPU") == Timing(step=1.25, rest=2.0)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["timings.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": {"step": "x", "rest": 1}}'])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "timings.json").write_text(text)
    assert Timings(tmp_path / "timings.json").get("a") is None


def test_without_a_file_it_is_known_while_the_program_runs() -> None:
    timings = Timings(None)
    timings.put("a", Timing(step=1, rest=1))
    assert timings.get("a") == Timing(step=1, rest=1)
