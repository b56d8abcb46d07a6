"""What a run on Replicate will cost, roughly, before it is started.

Most models are paid by the second of the hardware they run on; the prices are those of replicate.com/pricing, as it was
stored in 2025 (FLUX fine-tunes run on H100s, it says there). Which hardware a model runs on the API does not tell, so
the answer is a range. Official models have a price for an image, which the API does not tell either: FLUX.1 [dev]'s
and [schnell]'s (replicate.com/black-forest-labs, 2026) are the lower ends here, the upper ones an allowance of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.replicate.inputs import Runnable

# Dollars a second.
HARDWARE: Mapping[str, float] = {
    "cpu": 0.000100,
    "gpu-t4": 0.000225,
    "gpu-a40-small": 0.000575,
    "gpu-a40-large": 0.000725,
    "gpu-l40s": 0.000975,
    "gpu-a100-large": 0.001400,
    "gpu-h100": 0.001525,
}
# Dollars an image, from and to.
_OFFICIAL: Mapping[str, tuple[float, float]] = {
    "black-forest-labs/flux-dev-lora": (0.025, 0.04),
    "black-forest-labs/flux-schnell-lora": (0.003, 0.02),
}
# By the inputs that a trainer leaves: what its fine-tunes run on.
_RUN_ON: tuple[tuple[frozenset[str], tuple[str, str]], ...] = (
    (frozenset({"replicate_weights", "extra_lora"}), ("gpu-a100-large", "gpu-h100")),
    (frozenset({"replicate_weights", "scheduler"}), ("gpu-a40-large", "gpu-a100-large")),
)
_ANY = ("gpu-t4", "gpu-h100")
# A training of 1500 steps took 1675 seconds, the writing of captions included.
_TRAINING_START, _TRAINING_STEP = 100.0, 1.05
_TRAINING_SPREAD = (0.7, 1.3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """For one image: `seconds`, and dollars from `low` to `high`. None where nobody knows how long it takes."""

    seconds: float | None
    low: float | None
    high: float | None
    images: int = 1

    @property
    def sentence(self) -> str:
        if self.low is None or self.high is None:
            low, high = (HARDWARE[name] for name in _ANY)
            return f"Replicate doesn't say how long this takes. A second costs {format_range(low, high, digits=4)}"
        time = f"about {self.seconds:.0f} s and " if self.seconds is not None and self.seconds >= 1 else "about "
        price = f"{time}{format_range(self.low, self.high)} an image"
        if self.images == 1:
            return price
        return f"{price}, {self.images} images: {format_range(self.low * self.images, self.high * self.images)}"


def image_price(name: str, model: Runnable, *, steps: int | None, images: int) -> Price:
    seconds = model.seconds_for(steps)
    if name in _OFFICIAL:
        low, high = _OFFICIAL[name]
        return Price(seconds=seconds, low=low, high=high, images=images)
    if seconds is None:
        return Price(seconds=None, low=None, high=None, images=images)
    hardware = next((found for names, found in _RUN_ON if names <= model.inputs.known.keys()), _ANY)
    low, high = (seconds * HARDWARE[each] for each in hardware)
    return Price(seconds=seconds, low=low, high=high, images=images)


def training_price(steps: int) -> Price:
    seconds = _TRAINING_START + _TRAINING_STEP * steps
    low, high = (seconds * share * HARDWARE["gpu-h100"] for share in _TRAINING_SPREAD)
    return Price(seconds=seconds, low=low, high=high)


def format_range(low: float, high: float, *, digits: int | None = None) -> str:
    """ "$0.02 to $0.04" """
    first, last = format_dollars(low, digits), format_dollars(high, digits)
    return first if first == last else f"{first} to {last}"


def format_dollars(amount: float, digits: int | None = None) -> str:
    """To the cent, or to a tenth of a cent where it is less than two."""
    places = digits if digits is not None else 2 if amount >= 0.02 else 3
    return f"${max(amount, 10**-places):.{places}f}"
