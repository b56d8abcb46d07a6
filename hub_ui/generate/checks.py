"""Checks generated images: half precision can overflow to NaN, which makes an image black."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from connectors.errors import PreviewError
from hub_ui.generate.callbacks import replace_attribute
from hub_ui.generate.comparison import Cell
from hub_ui.generate.device_kinds import HostCopy, copy_to_host
from hub_ui.generate.result import GeneratedImage

_DARKEST = 2


@dataclass(kw_only=True, slots=True)
class OutputChecks:
    """`notes` collects what a user should know about the images."""

    notes: list[str] = field(default_factory=list)
    # Whether the latents of the last step are finite, and their type.
    _last_step: tuple[HostCopy, Any] | None = None

    def check_latents(self, latents: Any) -> None:
        """Raises PreviewError for latents that are not finite, because the later steps would be wasted.

        On CUDA that is known one step later: waiting for the last step, with this one queued behind it, leaves the
        device no pause, and keeps progress and a stop within a step of what the device does.
        """
        import torch

        self.finish_latents()
        self._last_step = copy_to_host(torch.isfinite(latents).all()), latents.dtype
        if self._last_step[0].is_ready:
            self.finish_latents()

    def finish_latents(self) -> None:
        """Waits for the check of the last step, if it is still to come, and raises as `check_latents` does."""
        last, self._last_step = self._last_step, None
        if last is not None and not bool(last[0].read()):
            raise _overflow_error("The network", last[1], "Turn the weight or the guidance down")

    def forget_latents(self) -> None:
        """Before a run: the one before it may have been stopped."""
        self._last_step = None

    @contextmanager
    def watch_decoding(self, pipe: Any) -> Iterator[None]:
        """Within it, the VAE decodes again in full precision what overflows in half precision."""
        import torch

        vae: Any = getattr(pipe, "vae", None)
        if not hasattr(vae, "decode"):
            yield
            return
        decode = vae.decode

        @functools.wraps(decode)
        def checked_decode(latents: Any, *args: Any, **kwargs: Any) -> Any:
            self.finish_latents()
            decoded = decode(latents, *args, **kwargs)
            if _is_finite(decoded):
                return decoded
            dtype = next(vae.parameters()).dtype
            if dtype.itemsize < 4:
                vae.to(torch.float32)
                try:
                    with torch.autocast(latents.device.type, enabled=False) if latents.is_cuda else nullcontext():
                        decoded = decode(latents.float(), *args, **kwargs)
                finally:
                    vae.to(dtype)
                self.note("The VAE overflowed in half precision, so it decoded in full precision.")
            if not _is_finite(decoded):
                raise _overflow_error("The VAE", dtype, "Choose another base")
            return decoded

        with replace_attribute(vae, "decode", checked_decode):
            yield

    def check_image(self, image: Image, label: str) -> None:
        """Notes an image that is black."""
        brightest = max(high for _, high in image.convert("RGB").getextrema())  # type: ignore[misc]
        if brightest <= _DARKEST:
            self.note(
                f"The image “{label}” is all black. If the prompt did not ask for that, try another weight or seed."
            )

    def check_effect(self, cell: Cell, image: GeneratedImage, base: GeneratedImage | None) -> None:
        """Notes LoRAs that change nothing: some files hold only zeros."""
        if any(cell.weights) and base is not None and image.image.tobytes() == base.image.tobytes():
            self.note(f"The image “{cell.label}” is the one without LoRAs, pixel for pixel: here they change nothing.")

    def note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _is_finite(decoded: Any) -> bool:
    import torch

    sample = decoded[0] if isinstance(decoded, tuple) else decoded.sample
    return bool(torch.isfinite(sample).all())


def _overflow_error(part: str, dtype: Any, step: str) -> PreviewError:
    name, half = str(dtype).removeprefix("torch."), ""
    if name == "float16":
        half = " Numbers this large do not fit into half precision: use a base in bfloat16 or float32."
    return PreviewError(
        f"{part} came to values that are no numbers ({name}), so there is no image.{half} {step}, then try again."
    )
