from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from connectors.errors import PreviewError
from hub_ui.generate import comparison
from hub_ui.generate.batch import OutputChecks
from hub_ui.generate.device_kinds import HostCopy
from hub_ui.generate.engine import Engine
from tests.hub_ui.generate.building import adapter, job, save_kohya
from tests.hub_ui.generate.comparing import one


class Vae(nn.Module):
    """Makes numbers on its way that half precision has no room for, and small ones of them again."""

    def __init__(self, grows: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((), grows))

    def decode(self, latents: torch.Tensor, return_dict: bool = True) -> Any:
        return ((latents.to(self.weight.dtype) * self.weight * 10) / 10 / self.weight,)


def decoded(vae: Any, sound: OutputChecks) -> torch.Tensor:
    with torch.inference_mode(), sound.watch_decoding(SimpleNamespace(vae=vae)):
        picture: torch.Tensor = vae.decode(torch.ones(1, 3, 4, 4, dtype=torch.float16), return_dict=False)[0]
    return picture


def test_a_vae_that_overflows_decodes_again_in_full_precision() -> None:
    vae, sound = Vae(60000.0).half(), OutputChecks()
    assert decoded(vae, sound).tolist() == torch.ones(1, 3, 4, 4).tolist()
    assert sound.notes == ["The VAE overflowed in half precision, so it decoded in full precision."]
    assert (vae.weight.dtype, "decode" in vars(vae)) == (torch.float16, False)


def test_a_vae_that_does_not_is_left_alone() -> None:
    sound = OutputChecks()
    assert decoded(Vae(10.0).half(), sound).dtype == torch.float16
    assert sound.notes == []


@pytest.mark.parametrize(("dtype", "name"), [(torch.float16, "float16"), (torch.float32, "float32")])
def test_a_vae_that_overflows_even_so_is_told(dtype: torch.dtype, name: str) -> None:
    with pytest.raises(PreviewError, match=rf"The VAE came to values that are no numbers \({name}\)"):
        decoded(Vae(float("inf")).to(dtype), OutputChecks())


def test_latents_that_are_no_numbers_are_told_with_the_reason_and_the_next_step() -> None:
    with pytest.raises(PreviewError) as raised:
        OutputChecks().check_latents(torch.full((1, 4, 2, 2), float("nan"), dtype=torch.float16))
    assert raised.value.message == (
        "The network came to values that are no numbers (float16), so there is no image. Numbers this large do not "
        "fit into half precision: use a base in bfloat16 or float32. Turn the weight or the guidance down, then try "
        "again."
    )


def copy_under_way(tensor: torch.Tensor) -> HostCopy:
    """As on CUDA, whose event has not come by yet when it is asked for the first time."""
    return HostCopy(values=tensor, event=SimpleNamespace(query=lambda: False, synchronize=lambda: None))


def test_a_gpu_is_asked_one_step_later_whether_latents_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.generate.batch.copy_to_host", copy_under_way)
    checks, broken = OutputChecks(), torch.full((1, 4, 2, 2), float("nan"))
    checks.check_latents(torch.zeros(1, 4, 2, 2))
    checks.check_latents(broken)
    with pytest.raises(PreviewError, match=r"The network came to values that are no numbers \(float32\)"):
        checks.check_latents(torch.zeros(1, 4, 2, 2))


def test_what_a_gpu_has_not_said_yet_is_known_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.generate.batch.copy_to_host", copy_under_way)
    checks = OutputChecks()
    checks.check_latents(torch.full((1, 4, 2, 2), float("nan")))
    with pytest.raises(PreviewError, match="The network came to"):
        decoded(Vae(10.0), checks)
    checks.check_latents(torch.full((1, 4, 2, 2), float("nan")))
    checks.forget_latents()
    assert decoded(Vae(10.0), checks).shape == (1, 3, 4, 4)


def test_a_run_that_comes_to_no_numbers_stops_at_that_step(
    studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []

    def broken(self: Any, sample: Any, *_args: Any, **_kwargs: Any) -> Any:
        runs.append(len(sample))
        return (torch.full_like(sample, float("nan") if len(runs) == 2 else 0.5),)

    monkeypatch.setattr(UNet2DConditionModel, "forward", broken)
    with pytest.raises(PreviewError, match="no numbers"):
        one(studio, base=base, steps=9)
    assert len(runs) == 2


def test_an_all_black_picture_is_noted(studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import AutoencoderKL

    monkeypatch.setattr(AutoencoderKL, "decode", lambda *_args, **_kwargs: (torch.full((1, 3, 32, 32), -1.0),))
    asked = job(base=base)
    assert studio.generate(asked, comparison.single(asked)).report.notes == (
        "The image “the base alone” is all black. If the prompt did not ask for that, try another weight or seed.",
    )


def test_loras_that_change_nothing_are_noted(studio: Engine, base: str, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "zeros.safetensors")
    save_file({name: value * (name[-9:] != "up.weight") for name, value in load_file(path).items()}, path)
    asked = job(adapter(path, title="Ink"), base=base)
    assert studio.generate(asked, comparison.before_after(asked)).report.notes == (
        "The image “with Ink 1” is the one without LoRAs, pixel for pixel: here they change nothing.",
    )
    asked = job(adapter(save_kohya(tmp_path / "whole.safetensors")), base=base)
    assert studio.generate(asked, comparison.before_after(asked)).report.notes == ()


@pytest.mark.parametrize(("colour", "count"), [((0, 0, 0), 1), ((2, 1, 0), 1), ((0, 0, 9), 0)])
def test_only_what_shows_nothing_counts_as_black(colour: tuple[int, int, int], count: int) -> None:
    sound = OutputChecks()
    sound.check_image(Image.new("RGB", (8, 8), colour), "with")
    assert len(sound.notes) == count
