"""A small rough image of latents, whose colours are fitted to the finished images of the same base.

And copies of what a device computes, which it does not stop for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL.Image import Image, Resampling, fromarray

from connectors.errors import NoBase
from hub_ui.base.i18n import _
from hub_ui.generate.base_models.load import FAILURES
from hub_ui.generate.memory.device import kind_of
from hub_ui.generate.settings import ResolvedRequest

if TYPE_CHECKING:
    from torch import Tensor

_LARGEST = 256
# A latent preview may take a twentieth of the time since the last one.
_SHARE = 20
_PAUSE_SECONDS = 0.25
# Enough points to fit dozens of channels in a few milliseconds.
_POINTS = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class HostCopy:
    """`event` is recorded behind the copy on the device's stream; None where the values are there already."""

    values: Tensor
    event: Any = None

    @property
    def is_ready(self) -> bool:
        """Whether reading it would not wait for the device."""
        return self.event is None or bool(self.event.query())

    def read(self) -> Tensor:
        """The values, once the device has come to them."""
        if self.event is not None:
            self.event.synchronize()
        return self.values


def copy_to_host(tensor: Tensor) -> HostCopy:
    """On CUDA the copy is queued behind the work that makes the tensor; elsewhere it waits for it."""
    import torch

    if not kind_of(tensor.device.type).pins:
        return HostCopy(values=tensor.detach().to("cpu", copy=True))
    # Only into pinned memory can the device copy by itself.
    values = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    values.copy_(tensor.detach(), non_blocking=True)
    make_event: Any = torch.cuda.Event  # untyped
    event = make_event()
    event.record(torch.cuda.current_stream(tensor.device))
    return HostCopy(values=values, event=event)


@dataclass(kw_only=True, slots=True)
class LatentPreviews:
    """Keeps one fit for the base in memory. Before its first image: a small decoder's, or previews are grey."""

    clock: Callable[[], float] = time.perf_counter
    _fit: Any = None
    _has_learned: bool = False
    _last: HostCopy | None = None
    _coming: HostCopy | None = None
    _shown_at: float = -math.inf
    _cost: float = 0.0

    def preview(self, latents: Any, settings: ResolvedRequest, *, last: bool) -> Image | None:
        """An image of the last row; None where latents can't be decoded or the last one is too recent.

        On CUDA it is the image of an earlier step, whose latents were copied while the device went on.
        """
        start = self.clock()
        if last:
            self._coming = None
            self._last = None if self._has_learned else copy_pixels(latents, settings)
            return None
        if self._coming is None and start - self._shown_at >= max(_PAUSE_SECONDS, _SHARE * self._cost):
            self._coming = copy_pixels(latents, settings)
        if self._coming is None or not self._coming.is_ready:
            return None
        image = self._draw(self._coming.read().float(), settings)
        self._coming = None
        self._shown_at = self.clock()
        self._cost = self._shown_at - start
        return image

    def learn(self, image: Image) -> None:
        """Fits colours to a finished image and its latents."""
        if not self._has_learned and self._last is not None:
            self._fit, self._has_learned = _fit_colours(self._last.read().float(), image), True
        self.forget_latents()

    def learn_decoder(self, decoder: Any) -> None:
        """Fits colours to what an AutoencoderTiny makes of soft noise, unless there was an image."""
        import torch

        if self._has_learned:
            return
        noise = torch.randn(1, decoder.config.latent_channels, 16, 16, generator=torch.Generator().manual_seed(0))
        soft = torch.nn.functional.interpolate(noise, scale_factor=4, mode="bilinear")
        with torch.inference_mode():
            decoded = decoder.decode(soft).sample[0].permute(1, 2, 0)
        self._fit = _fit_colours(soft[0], fromarray(((decoded + 1) * 127.5).clamp(0, 255).byte().numpy()))

    def forget_latents(self) -> None:
        """Before a run: the one before it may have been stopped."""
        self._coming = self._last = None

    def _draw(self, pixels: Any, settings: ResolvedRequest) -> Image:
        channels, rows, columns = pixels.shape
        fit = self._fit
        # FLUX and its kin pack four latents in one, channel by channel.
        if fit is not None and 4 * (len(fit) - 1) == channels:
            fit = np.concatenate([np.repeat(fit[:-1] / 4, 4, axis=0), fit[-1:]])
        if fit is not None and len(fit) == channels + 1:
            colours = (_with_one(pixels) @ fit).reshape(rows, columns, 3)
        else:
            grey = pixels.numpy().mean(axis=0)
            low, high = float(grey.min()), float(grey.max())
            colours = np.repeat(((grey - low) / (high - low or 1.0))[..., None], 3, axis=2)
        small = fromarray((np.clip(colours, 0, 1) * 255).astype(np.uint8))
        scale = min(1, _LARGEST / max(settings.width, settings.height))
        size = (max(1, round(settings.width * scale)), max(1, round(settings.height * scale)))
        return small.resize(size, Resampling.BILINEAR)


def load_decoder(folder: Path) -> Any:
    """The AutoencoderTiny in a folder. Raises NoBase for what is none."""
    from diffusers import AutoencoderTiny

    try:
        kind: Any = AutoencoderTiny
        return kind.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
    except FAILURES as error:
        text = _("The small decoder in {folder} can't be read. Delete it to have it fetched again.")
        raise NoBase(text.format(folder=folder)) from error


def copy_pixels(latents: Any, settings: ResolvedRequest) -> HostCopy | None:
    """Channels by rows by columns of the last image, or the middle frame of a video; None for an unknown form."""
    last = latents[-1].detach()
    if last.ndim == 4 and last.shape[1] * settings.width == last.shape[2] * settings.height:
        # Kandinsky 5 has the channels last.
        last = last.movedim(-1, 0)
    if last.ndim == 4:
        last = last[:, last.shape[1] // 2]
    if last.ndim == 2:
        last = _unpack(last, settings)
    if last is None or last.ndim != 3:
        return None
    step = max(1, math.ceil(max(last.shape[1:]) / _LARGEST))
    return copy_to_host(last[:, ::step, ::step].contiguous())


def _unpack(patches: Any, settings: ResolvedRequest) -> Any:
    """The length is rows times columns, times frames for a video; None where that does not divide evenly."""
    width, height = settings.width, settings.height
    # Video networks make one latent frame of eight, four, or one frame.
    several = settings.frames > 1
    for frames in [(settings.frames - 1) // each + 1 for each in (8, 4, 1)] if several else [1]:
        each, left = divmod(len(patches), frames)
        rows = round(math.sqrt(each * height / width))
        if left or rows <= 0 or each % rows:
            continue
        if abs(each // rows * height - rows * width) < 2 * max(width, height):
            middle = patches[frames // 2 * each :][:each]
            return middle.reshape(rows, -1, patches.shape[1]).permute(2, 0, 1)
    return None


def _fit_colours(pixels: Any, image: Image) -> Any:
    """The least-squares matrix from channels (and a one) to the image's colours."""
    channels, rows, columns = pixels.shape
    colours = np.asarray(image.convert("RGB").resize((columns, rows), Resampling.BOX), dtype=np.float32) / 255
    known = _with_one(pixels)
    every = max(1, len(known) // _POINTS)
    # A small ridge keeps channels with little variance from deciding anything.
    ridge = 1e-3 * np.eye(channels + 1, dtype=np.float32) * len(known[::every])
    left = known[::every].T @ known[::every] + ridge
    return np.linalg.solve(left, known[::every].T @ colours.reshape(-1, 3)[::every])


def _with_one(pixels: Any) -> Any:
    flat = pixels.numpy().reshape(pixels.shape[0], -1).T
    return np.concatenate([flat, np.ones((len(flat), 1), dtype=np.float32)], axis=1)
