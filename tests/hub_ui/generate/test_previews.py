from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hub_ui.generate.previews import HostCopy, LatentPreviews, copy_pixels, copy_to_host
from tests.hub_ui.generate.building import settings


def latents(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("shape", "fields", "read"),
    [
        ((2, 4, 4, 8), {}, (4, 4, 8)),
        ((1, 16, 5, 4, 8), {"frames": 17}, (16, 4, 8)),
        ((1, 5, 4, 8, 16), {"frames": 17}, (16, 4, 8)),
        ((1, 8, 64), {}, (64, 2, 4)),
        ((1, 24, 64), {"frames": 17}, (64, 2, 4)),
        ((1, 4, 400, 800), {"width": 3200, "height": 1600}, (4, 100, 200)),
        ((1, 7, 64), {}, None),
        ((1, 5), {}, None),
    ],
)
def test_latents_of_every_form_are_channels(shape: tuple[int, ...], fields: Any, read: tuple[int, ...] | None) -> None:
    found = copy_pixels(latents(*shape), settings(**{"width": 64, "height": 32, **fields}))
    assert (None if found is None else tuple(found.read().shape)) == read


def test_a_packed_list_runs_row_by_row_and_a_clip_shows_its_middle() -> None:
    patches = torch.arange(24.0)[None, :, None]
    found = copy_pixels(patches, settings(64, 32, frames=17))
    assert found is not None
    assert found.read()[0].tolist() == [[8, 9, 10, 11], [12, 13, 14, 15]]


def picture_of(pixels: torch.Tensor, mix: torch.Tensor) -> Image.Image:
    """An image whose colours are that mix of the channels."""
    colours = (torch.einsum("chw,ck->hwk", pixels, mix) * 20 + 128).clamp(0, 255).byte().numpy()
    return Image.fromarray(colours).resize((64, 32), Image.Resampling.NEAREST)


def preview(previews: LatentPreviews, given: torch.Tensor, last: bool = False) -> Any:
    return previews.preview(given, settings(64, 32), last=last)


def test_which_colours_the_channels_stand_for_is_learnt_from_the_first_picture() -> None:
    previews, mix = LatentPreviews(clock=iter(range(100)).__next__), latents(4, 3)
    given = latents(1, 4, 4, 8)
    preview(previews, given, last=True)
    previews.learn(picture_of(given[0], mix))
    other = torch.flip(given, dims=(3,))
    shown = preview(previews, other).resize((8, 4), Image.Resampling.BOX)
    wanted = picture_of(other[0], mix).resize((8, 4), Image.Resampling.BOX)
    assert np.abs(np.asarray(shown, dtype=int) - np.asarray(wanted, dtype=int)).mean() < 12


def test_before_that_they_are_read_in_grey() -> None:
    pixels = np.asarray(preview(LatentPreviews(), latents(1, 4, 4, 8)))
    assert (pixels.shape, pixels.std() > 10) == ((32, 64, 3), True)
    assert (pixels[..., 0] == pixels[..., 1]).all()


def test_a_preview_is_small() -> None:
    shown = LatentPreviews().preview(latents(1, 4, 128, 256), settings(2048, 1024), last=False)
    assert getattr(shown, "size", None) == (256, 128)


def test_a_preview_takes_a_twentieth_of_the_time_at_most() -> None:
    """Each costs a second here: the next one comes twenty seconds later."""
    times = iter([0.0, 1.0, 20.0, 21.5, 22.5])
    previews = LatentPreviews(clock=times.__next__)
    assert [preview(previews, latents(1, 4, 4, 8)) is not None for _ in range(3)] == [True, False, True]


def test_the_last_step_shows_none_for_the_picture_itself_comes() -> None:
    assert preview(LatentPreviews(), latents(1, 4, 4, 8), last=True) is None


def test_on_a_gpu_a_preview_comes_when_its_copy_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = iter([False, False, True])
    event = SimpleNamespace(query=lambda: next(arrived), synchronize=lambda: None)
    monkeypatch.setattr(
        "hub_ui.generate.previews.copy_to_host", lambda values: HostCopy(values=values.clone(), event=event)
    )
    previews, first = LatentPreviews(), latents(1, 4, 4, 8)
    shown = [preview(previews, given) for given in (first, first * 0, first * 0)]
    assert shown[:2] == [None, None]
    assert np.asarray(shown[2]).std() > 10


def test_latents_of_a_run_that_was_stopped_are_not_shown_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    event = SimpleNamespace(query=lambda: False, synchronize=lambda: None)
    monkeypatch.setattr("hub_ui.generate.previews.copy_to_host", lambda values: HostCopy(values=values, event=event))
    previews = LatentPreviews()
    assert preview(previews, latents(1, 4, 4, 8)) is None
    previews.forget_latents()
    monkeypatch.undo()
    assert preview(previews, latents(1, 4, 8, 4) * 0).getextrema() == ((0, 0), (0, 0), (0, 0))


def test_a_copy_keeps_its_values_when_the_tensor_changes() -> None:
    tensor = torch.ones(2, 2)
    copied = copy_to_host(tensor)
    tensor.zero_()
    assert (copied.is_ready, copied.read().tolist()) == (True, [[1.0, 1.0], [1.0, 1.0]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_on_cuda_a_copy_is_read_behind_the_work_that_makes_it() -> None:
    tensor = torch.ones(512, 512, device="cuda")
    for _ in range(50):
        tensor = tensor @ tensor / 512
    copied = copy_to_host(tensor.sum())
    assert (copied.values.is_pinned(), copied.read().item()) == (True, 512.0 * 512.0)
