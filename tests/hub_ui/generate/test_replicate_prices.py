from typing import Any

import pytest

from connectors.replicate.inputs import Input, Inputs, Runnable
from hub_ui.generate.replicate import Price, format_dollars, image_price, training_price


def _inputs(*names: str) -> Inputs:
    return {name: Input() for name in names}


def _model(inputs: Inputs, **fields: Any) -> Runnable:
    return Runnable(**{"inputs": inputs, "seconds": 8.0, **fields})


FLUX = _inputs("replicate_weights", "extra_lora")
SDXL = _inputs("replicate_weights", "scheduler")
OFFICIAL = "black-forest-labs/flux-dev-lora"
UNKNOWN = "Replicate doesn't say how long this takes. A second costs $0.0002 to $0.0015"


@pytest.mark.parametrize(
    ("name", "model", "steps", "images", "sentence"),
    [
        ("a/b", _model(FLUX), None, 1, "about 8 s and $0.011 to $0.012 an image"),
        ("a/b", _model(SDXL), None, 1, "about 8 s and $0.006 to $0.011 an image"),
        ("a/b", _model(_inputs()), None, 1, "about 8 s and $0.002 to $0.012 an image"),
        ("a/b", _model(FLUX, steps=25.0), 50, 5, "about 16 s and $0.02 an image, 5 images: $0.11 to $0.12"),
        # Official models are paid by the image.
        (OFFICIAL, _model(_inputs()), None, 2, "about 8 s and $0.03 to $0.04 an image, 2 images: $0.05 to $0.08"),
        ("a/b", _model(FLUX, seconds=None), 20, 1, UNKNOWN),
        ("a/b", _model(FLUX, seconds=0.0), 20, 1, UNKNOWN),
    ],
)
def test_a_price_is_a_range_over_what_the_model_may_run_on(
    name: str, model: Runnable, steps: int | None, images: int, sentence: str
) -> None:
    assert image_price(name, model, steps=steps, images=images).sentence == sentence


def test_a_training_costs_about_two_dollars() -> None:
    price = training_price(1000)
    assert (round(price.seconds or 0), round(price.low or 0, 2), round(price.high or 0, 2)) == (1150, 1.23, 2.28)


@pytest.mark.parametrize(
    ("amount", "text"), [(0.0001, "$0.001"), (0.0049, "$0.005"), (0.025, "$0.03"), (1.5, "$1.50"), (12.0, "$12.00")]
)
def test_money_is_written_to_the_cent_or_a_tenth_of_it(amount: float, text: str) -> None:
    assert format_dollars(amount) == text


def test_less_than_a_second_is_not_told() -> None:
    assert Price(seconds=0.2, low=0.001, high=0.001).sentence == "about $0.001 an image"
