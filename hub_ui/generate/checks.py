"""Whether numbers are sound on their way to a picture: half precision overflows, and what comes out is black."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from connectors.errors import PreviewError
from hub_ui.generate.callbacks import replaced
from hub_ui.generate.comparison import Cell
from hub_ui.generate.request import GeneratedImage

_DARKEST = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputChecks:
    """`notes` gathers what a person should know about how the pictures came about."""

    notes: list[str] = field(default_factory=list)

    def check(self, latents: Any) -> None:
        """Raises PreviewError when a step brought anything but numbers: every later step would be for nothing."""
        import torch

        if not bool(torch.isfinite(latents).all()):
            raise PreviewError(_overflow("The network", latents.dtype, "Turn the weight or the guidance down"))

    @contextmanager
    def decoding(self, pipe: Any) -> Iterator[None]:
        """While this is open the VAE decodes once more in full precision what overflows in half."""
        vae = getattr(pipe, "vae", None)
        if not hasattr(vae, "decode"):
            yield
            return
        with replaced(vae, "decode", self._decoder(vae)):
            yield

    def _decoder(self, vae: Any) -> Any:
        decode = vae.decode

        @functools.wraps(decode)
        def sound(latents: Any, *args: Any, **kwargs: Any) -> Any:
            made = decode(latents, *args, **kwargs)
            if _finite(made):
                return made
            dtype = next(vae.parameters()).dtype
            if dtype.itemsize < 4:
                made = _in_full(vae, decode, latents, args, kwargs)
                self.say("The VAE overflowed in half precision, so it decoded in full precision.")
            if not _finite(made):
                raise PreviewError(_overflow("The VAE", dtype, "Choose another base"))
            return made

        return sound

    def look(self, image: Image, label: str) -> None:
        """Notes a picture in which nothing can be seen."""
        brightest = max(high for _, high in image.convert("RGB").getextrema())  # type: ignore[misc]
        if brightest <= _DARKEST:
            self.say(
                f"The picture “{label}” is all black. If the prompt did not ask for that, try another weight or seed."
            )

    def compare(self, cell: Cell, picture: GeneratedImage, base: GeneratedImage | None) -> None:
        """Notes LoRAs that are on and change nothing: some files hold nothing but zeros."""
        if any(cell.weights) and base is not None and picture.image.tobytes() == base.image.tobytes():
            self.say(f"The picture “{cell.label}” is the one without LoRAs, pixel for pixel: here they change nothing.")

    def say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _in_full(vae: Any, decode: Any, latents: Any, args: Any, kwargs: Any) -> Any:
    import torch

    dtype = next(vae.parameters()).dtype
    vae.to(torch.float32)
    try:
        with torch.autocast(latents.device.type, enabled=False) if latents.is_cuda else nullcontext():
            return decode(latents.float(), *args, **kwargs)
    finally:
        vae.to(dtype)


def _finite(made: Any) -> bool:
    import torch

    sample = made[0] if isinstance(made, tuple) else made.sample
    return bool(torch.isfinite(sample).all())


def _overflow(part: str, dtype: Any, step: str) -> str:
    name = str(dtype).removeprefix("torch.")
    half = (
        " Numbers this large do not fit into half precision: use a base in bfloat16 or float32."
        if (name == "float16")
        else ""
    )
    return f"{part} came to values that are no numbers ({name}), so there is no picture.{half} {step}, then try again."
