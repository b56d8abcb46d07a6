"""How many outputs and inputs a file's layer is made for, read off the shapes of its factors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt, prod

from connectors.weights.key_formats import Part
from hub_ui.generate.lora.modules import Layer, Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Inputs count a convolution's window too. None is what the factors don't tell."""

    outputs: int | None = None
    inputs: int | None = None

    def fits(self, shape: Shape) -> bool:
        """`shape` is a weight's: outputs first."""
        outputs, inputs = matrix(shape)
        return self.outputs in (None, outputs) and self.inputs in (None, inputs)

    def __str__(self) -> str:
        return f"{'?' if self.outputs is None else self.outputs} x {'?' if self.inputs is None else self.inputs}"


def matrix(shape: Shape) -> tuple[int, int]:
    """A weight as a matrix. A norm's has one number for each output."""
    return (shape[0], prod(shape[1:])) if shape else (1, 1)


_Shapes = Mapping[Part, Shape]


def size_of(layer: Layer, shapes: Mapping[str, Shape]) -> Size | None:
    """None where a factor has not as many axes as its algorithm needs: then nothing can be done with it."""
    own = {part: shapes[key] for part, key in layer.keys.items()}
    try:
        return _SIZES[_writer(layer)](own)
    except (IndexError, ZeroDivisionError):
        return None


def _writer(layer: Layer) -> str:
    """PEFT's BOFT has LyCORIS' shapes, but turns the inputs."""
    return "boft of PEFT" if ".boft_R" in layer.keys.get("oft", "") else layer.algorithm


def _lora(own: _Shapes) -> Size:
    down = own["down"]
    window = prod(own["mid"][2:]) if "mid" in own else 1
    return Size(outputs=own["up"][0], inputs=prod(down[1:]) * window if len(down) > 1 else down[1])


def _loha(own: _Shapes) -> Size:
    if "hada_t1" in own:
        return Size(outputs=own["hada_w1_a"][1], inputs=own["hada_w1_b"][1] * prod(own["hada_t1"][2:]))
    return Size(outputs=own["hada_w1_a"][0], inputs=prod(own["hada_w1_b"][1:]))


def _lokr(own: _Shapes) -> Size:
    first = own["lokr_w1"] if "lokr_w1" in own else (own["lokr_w1_a"][0], own["lokr_w1_b"][1])
    second = _second(own)
    return Size(outputs=first[0] * second[0], inputs=first[1] * second[1])


def _second(own: _Shapes) -> tuple[int, int]:
    """LoKr's larger factor, which has a convolution's window."""
    if "lokr_w2" in own:
        return own["lokr_w2"][0], own["lokr_w2"][1] * prod(own["lokr_w2"][2:])
    if "lokr_t2" in own:
        return own["lokr_w2_a"][1], own["lokr_w2_b"][1] * prod(own["lokr_t2"][2:])
    return own["lokr_w2_a"][0], prod(own["lokr_w2_b"][1:])


def _oft(own: _Shapes) -> Size:
    blocks = own["oft"]
    if len(blocks) > 2:
        return Size(outputs=blocks[-3] * blocks[-1])
    # PEFT keeps the upper triangles of the blocks, and turns the inputs.
    block = (1 + isqrt(1 + 8 * blocks[1])) // 2
    return Size(inputs=blocks[0] * block)


def _boft(own: _Shapes) -> Size:
    return Size(outputs=own["oft"][-3] * own["oft"][-1])


def _boft_of_peft(own: _Shapes) -> Size:
    return Size(inputs=own["oft"][-3] * own["oft"][-1], outputs=own["scale"][0] if "scale" in own else None)


def _glora(own: _Shapes) -> Size:
    return Size(outputs=own["b1"][0], inputs=prod(own["b2"][1:]))


def _ia3(own: _Shapes) -> Size:
    """Whether it scales what comes in or what goes out is a value in the file, or told by PEFT's shape."""
    shape = own["ia3"]
    if "on_input" in own:
        return Size()
    return Size(outputs=shape[0]) if len(shape) > 1 and shape[1] == 1 and shape[0] > 1 else Size(inputs=shape[-1])


def _diff(own: _Shapes) -> Size:
    if "diff" in own:
        outputs, inputs = matrix(own["diff"])
        return Size(outputs=outputs, inputs=inputs)
    return Size(outputs=own["diff_b"][0])


def _norm(own: _Shapes) -> Size:
    return Size(outputs=own["w_norm" if "w_norm" in own else "b_norm"][0])


def _set(own: _Shapes) -> Size:
    outputs, inputs = matrix(own["set"])
    return Size(outputs=outputs, inputs=inputs)


_SIZES: Mapping[str, Callable[[_Shapes], Size]] = {
    "lora": _lora,
    "loha": _loha,
    "lokr": _lokr,
    "oft": _oft,
    "boft": _boft,
    "boft of PEFT": _boft_of_peft,
    "glora": _glora,
    "ia3": _ia3,
    "diff": _diff,
    "norm": _norm,
    "set": _set,
}
