"""Runs of an engine, and how far their images are apart."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, LoraInput
from hub_ui.generate.result import GeneratedImage, GenerationResult
from tests.hub_ui.generate.building import job


def single(
    studio: Engine, *adapters: LoraInput, callbacks: Callbacks = NO_CALLBACKS, **fields: Any
) -> GenerationResult:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.single(asked), callbacks)


def one(studio: Engine, *adapters: LoraInput, **fields: Any) -> GeneratedImage:
    return single(studio, *adapters, **fields).images[0]


def pair(studio: Engine, *adapters: LoraInput, callbacks: Callbacks = NO_CALLBACKS, **fields: Any) -> GenerationResult:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.before_after(asked), callbacks)


def strip(
    studio: Engine, *adapters: LoraInput, weights: tuple[float, ...] = comparison.DEFAULT_SWEEP, **fields: Any
) -> GenerationResult:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.weight_sweep(asked, weights))


def pixels(picture: GeneratedImage) -> NDArray[np.int64]:
    return np.asarray(picture.image, dtype=np.int64)


def same(one: GeneratedImage, other: GeneratedImage) -> bool:
    return bool((pixels(one) == pixels(other)).all())


def alike(one: GeneratedImage, other: GeneratedImage) -> bool:
    """Rows of a batch are summed up in another order than an image alone: a shade of one colour at most."""
    return int(np.abs(pixels(one) - pixels(other)).max()) <= 1


def apart(one: GeneratedImage, other: GeneratedImage) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())
