from __future__ import annotations

import pytest

from hub_ui.generate.lora.load import layers_of
from hub_ui.generate.lora.modules import Shape
from hub_ui.generate.lora.sizes import Size, size_of


def size(ends: dict[str, Shape]) -> Size | None:
    shapes = {f"a{end}": shape for end, shape in ends.items()}
    layers, _ = layers_of(shapes)
    return size_of(layers[0], shapes)


@pytest.mark.parametrize(
    ("ends", "outputs", "inputs"),
    [
        ({".lora_down.weight": (4, 320), ".lora_up.weight": (640, 4)}, 640, 320),
        ({".lora_down.weight": (4, 320, 3, 3), ".lora_up.weight": (640, 4, 1, 1)}, 640, 2880),
        ({".lora_down.weight": (4, 320, 3, 3), ".lora_up.weight": (640, 4)}, 640, 2880),
        (
            {".lora_down.weight": (4, 320, 1, 1), ".lora_up.weight": (640, 4, 1, 1), ".lora_mid.weight": (4, 4, 3, 3)},
            640,
            2880,
        ),
        (
            {".hada_w1_a": (640, 4), ".hada_w1_b": (4, 2880), ".hada_w2_a": (640, 4), ".hada_w2_b": (4, 2880)},
            640,
            2880,
        ),
        (
            {
                ".hada_t1": (4, 4, 3, 3), ".hada_w1_a": (4, 640), ".hada_w1_b": (4, 320),
                ".hada_t2": (4, 4, 3, 3), ".hada_w2_a": (4, 640), ".hada_w2_b": (4, 320),
            },
            640,
            2880,
        ),
        ({".lokr_w1": (16, 16), ".lokr_w2": (40, 20)}, 640, 320),
        ({".lokr_w1": (16, 16), ".lokr_w2_a": (40, 4), ".lokr_w2_b": (4, 180)}, 640, 2880),
        ({".lokr_w1_a": (16, 4), ".lokr_w1_b": (4, 16), ".lokr_w2": (40, 20, 3, 3)}, 640, 2880),
        ({".lokr_w1": (16, 16), ".lokr_t2": (4, 4, 3, 3), ".lokr_w2_a": (4, 40), ".lokr_w2_b": (4, 20)}, 640, 2880),
        ({".oft_blocks": (10, 64, 64)}, 640, None),
        ({".oft_R.weight": (10, 496)}, None, 320),
        ({".oft_blocks": (3, 10, 64, 64)}, 640, None),
        ({".weight": (1, 640, 1, 1), ".on_input": ()}, None, None),
        ({".ia3_l": (640, 1)}, 640, None),
        ({".ia3_l": (1, 320)}, None, 320),
        ({".a1.weight": (320, 4), ".a2.weight": (4, 320), ".b1.weight": (640, 4), ".b2.weight": (4, 320)}, 640, 320),
        ({".diff": (640, 320, 3, 3)}, 640, 2880),
        ({".diff_b": (640,)}, 640, None),
        ({".w_norm": (640,), ".b_norm": (640,)}, 640, None),
        ({".b_norm": (640,)}, 640, None),
        ({".set_weight": (128,)}, 128, 1),
    ],
)  # fmt: skip
def test_factors_tell_the_size_of_the_layer(ends: dict[str, Shape], outputs: int | None, inputs: int | None) -> None:
    assert size(ends) == Size(outputs=outputs, inputs=inputs)


def test_factors_with_too_few_axes_tell_nothing() -> None:
    assert size({".lora_down.weight": (4,), ".lora_up.weight": (640, 4)}) is None


def test_what_is_unknown_fits() -> None:
    assert Size(outputs=8).fits((8, 4, 3, 3))
    assert Size(inputs=36).fits((8, 4, 3, 3))
    assert not Size(inputs=4).fits((8, 4, 3, 3))


def test_a_size_is_told_outputs_first() -> None:
    assert str(Size(outputs=640, inputs=320)) == "640 x 320"
    assert str(Size(outputs=640)) == "640 x ?"
