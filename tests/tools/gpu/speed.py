"""What LoRAs cost: switching, a strip of five, an image; held against stock diffusers with PEFT in the same run.

On SDXL's UNet at full size in 16 bits, with random weights. Images are latents, so that the autoencoder, which no LoRA
changes, hides nothing.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.building import adapter
from tests.tools.gpu import networks
from tests.tools.gpu.card import GIGABYTE, Card
from tests.tools.gpu.results import Budget, Line, judged, left_out

WEIGHTS = (0.0, 0.3, 0.6, 0.9, 1.2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A pipeline and two LoRAs for it. `draw` makes so many images in so many steps, in one call.

    Without `has_aims` nothing is judged: a tiny network takes no time that could be compared.
    """

    card: Card
    name: str
    pipe: Any
    paths: tuple[Path, Path]
    draw: Callable[[Any, int, int], object]
    steps: int = 8
    runs: int = 3
    has_aims: bool = True


def measured_sdxl(card: Card, folder: Path, pipe: Any, *, size: int, rank: int, **fields: Any) -> Measured:
    one, other = (networks.lora(folder / f"{seed}.safetensors", pipe, rank=rank, seed=seed) for seed in (1, 2))
    return Measured(
        card=card,
        pipe=pipe,
        paths=(one, other),
        draw=lambda pipe, images, steps: networks.call(pipe, card, size=size, steps=steps, images=images),
        **fields,
    )


def lines(measured: Measured, budget: Budget) -> Iterator[Line]:
    """The product's side first: the other side wraps the layers in modules of its own."""
    card, pipe, steps = measured.card, measured.pipe, measured.steps
    manager = AdapterManager(pipe, "sdxl" if hasattr(pipe, "text_encoder_2") else "sd1", LoraCache(4 * GIGABYTE))
    draw = partial(measured.draw, pipe, 1, steps)
    draw()  # kernels are chosen and compiled at a first use
    bare, bare_peak = card.median_seconds(draw, measured.runs), card.peak(draw)
    ours = _ours(measured, manager)
    yield Line(what=f"{measured.name}: an image without a LoRA, {steps} steps", figure=f"{bare:.2f} s")
    if budget.is_spent():
        yield left_out("stock diffusers with PEFT", "the time for this section was over")
        theirs = None
    else:
        theirs = _theirs(measured)
    image = ours.image / bare
    yield judged(
        "an image with a LoRA, of one without (aim 1.1)", f"{image:.2f}", good=image <= 1.1 or not measured.has_aims
    )
    if theirs is not None:
        for what, mine, other, aim in (
            ("switch to a LoRA used before", ours.switch, theirs.switch, 0.1),
            ("an image with a LoRA", ours.image, theirs.image, 1.0),
            ("a strip of five weights", ours.strip, theirs.strip, 1.0),
        ):
            ratio = mine / other
            figure = f"{ratio:.2f} ({mine:.3f} s against {other:.3f} s)"
            yield judged(
                f"{what}, of stock diffusers with PEFT (aim {aim:g})",
                figure,
                good=ratio <= aim or not measured.has_aims,
            )
    peaks = (("without a LoRA", bare_peak), ("with one", ours.peak), ("in a batch of five", ours.strip_peak))
    if bare_peak is None:
        yield left_out("peak memory", "only CUDA counts it")
    else:
        others = (("with one, stock diffusers with PEFT", theirs.peak),) if theirs else ()
        figure = ", ".join(f"{(peak or 0) / GIGABYTE:.2f} GB {what}" for what, peak in (*peaks, *others))
        yield Line(what="peak memory", figure=figure)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    switch: float
    image: float
    strip: float
    peak: int | None
    strip_peak: int | None = None


def _ours(measured: Measured, manager: AdapterManager) -> _Side:
    card, steps = measured.card, measured.steps
    turns = [[adapter(path)] for path in measured.paths]
    for turn in turns:
        manager.set_adapters(turn)

    def image() -> None:
        # As the engine does: merged where that saves time over all steps, and restored.
        manager.set_adapters([adapter(measured.paths[0], weight=0.8)])
        with manager.merge(steps):
            measured.draw(measured.pipe, 1, steps)
        manager.disable()

    def strip() -> None:
        with manager.row_weights([[weight] for weight in WEIGHTS]):
            measured.draw(measured.pipe, len(WEIGHTS), steps)

    switches = iter(turns * (measured.runs + 1))
    switch = card.median_seconds(lambda: manager.set_adapters(next(switches)), 2 * measured.runs)
    image()
    taken, peak = card.median_seconds(image, measured.runs), card.peak(image)
    manager.set_adapters(turns[0])
    strip()
    strip_taken, strip_peak = card.median_seconds(strip, measured.runs), card.peak(strip)
    manager.disable()
    return _Side(switch=switch, image=taken, strip=strip_taken, peak=peak, strip_peak=strip_peak)


def _theirs(measured: Measured) -> _Side:
    """`load_lora_weights` and `set_adapters`, as diffusers' documentation has them: one call for each weight."""
    card, pipe, steps = measured.card, measured.pipe, measured.steps

    def load(path: Path) -> None:
        with warnings.catch_warnings(action="ignore"):
            pipe.unload_lora_weights()
            pipe.load_lora_weights(str(path), adapter_name="lora")

    def strip() -> None:
        for weight in WEIGHTS:
            pipe.set_adapters(["lora"], [weight])
            measured.draw(pipe, 1, steps)

    load(measured.paths[0])
    paths = iter(measured.paths[::-1] * measured.runs)
    switch = card.median_seconds(lambda: load(next(paths)), 2 * measured.runs)
    load(measured.paths[0])
    pipe.set_adapters(["lora"], [0.8])
    draw = partial(measured.draw, pipe, 1, steps)
    draw()
    image, peak = card.median_seconds(draw, measured.runs), card.peak(draw)
    taken = card.median_seconds(strip, 1)
    pipe.unload_lora_weights()
    return _Side(switch=switch, image=image, strip=taken, peak=peak)
