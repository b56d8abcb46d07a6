"""Patches other than low-rank ones that are added to a module's outputs, without a change of its weight.

kronecker   LoKr: D x by two small products, one for each factor
hadamard    LoHa: an elementwise product of two low-rank matrices is one of the product of their ranks
dora        DoRA of a LoRA: outputs are scaled by m / ||W + D||, which takes the norms of the weight once
matrix      anything else on a quantised layer: D as a matrix in the layer's compute type
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from hub_ui.generate.lora.algorithms import cut, dora_epsilon, is_peft, kronecker_factors, over_inputs
from hub_ui.generate.lora.parameters import ParamHandle, compute_dtype
from hub_ui.generate.lora.patch import Patch

if TYPE_CHECKING:
    from torch import Tensor

# Inputs of a layer whose weights are read at once: a whole weight in float32 may be the largest tensor there is.
_COLUMNS = 512
Form = Literal["kronecker", "hadamard", "dora"]
Shape = tuple[int, ...]


def form_of(patch: Patch, shape: Shape) -> Form | None:
    """How a patch is added to the outputs of a layer with such a weight; None where that takes a matrix as large."""
    factors = patch.factors
    if factors.has("magnitude"):
        is_plain = patch.algorithm == "lora" and not factors.has("mid") and not over_inputs(factors)
        return "dora" if is_plain else None
    if patch.algorithm == "lokr" and not factors.has("lokr_t2"):
        return "kronecker" if _kronecker_inputs(patch, shape) is not None else None
    if patch.algorithm == "loha" and not factors.has("hada_t1"):
        return "hadamard" if cost_of(patch, "hadamard", shape) < math.prod(shape) else None
    return None


def cost_of(patch: Patch, form: Form, shape: Shape) -> int:
    """Multiplications for each token."""
    outputs, inputs, parts = shape[0], math.prod(shape[1:]), patch.factors.parts
    if form == "dora":
        return (inputs + outputs) * len(parts["down"])
    if form == "hadamard":
        return (inputs + outputs) * len(parts["hada_w1_b"]) * len(parts["hada_w2_b"])
    wide = _kronecker_inputs(patch, shape) or 1
    high = parts["lokr_w2"].shape[0] if "lokr_w2" in parts else parts["lokr_w2_a"].shape[0]
    return inputs * high + outputs * wide


def _kronecker_inputs(patch: Patch, shape: Shape) -> int | None:
    """The inputs of the first factor; None where a convolution's inputs are not divided between both factors."""
    parts = patch.factors.parts
    wide = parts["lokr_w1"].shape[1] if "lokr_w1" in parts else parts["lokr_w1_b"].shape[1]
    return wide if shape[1] % wide == 0 else None


# Module, its inputs `x` and outputs `y`, and `amounts`, one weight for each row -> what `y` gains, in its type.
Addition = Callable[[Any, "Tensor", "Tensor", "Tensor"], "Tensor"]
# Of a module: its weight as matrices of some of its inputs.
Read = Callable[[Any], Iterable["Tensor"]]


def addition_of(
    patch: Patch, module: Any, read: Read, bias: ParamHandle | None, y: Tensor, channels_second: bool
) -> Addition:
    """`y` is any output of the module, whose device and type are meant."""
    import torch

    parts = {part: value.to(y.device).float() for part, value in patch.factors.parts.items()}
    patch = replace(patch, factors=replace(patch.factors, parts=parts))
    shape = tuple(module.weight.shape) if channels_second else (module.out_features, module.in_features)
    form = form_of(patch, shape)
    if form == "kronecker":
        return _kronecker(patch, shape, y.dtype, channels_second)
    if form == "hadamard":
        return _hadamard(patch, shape, y.dtype, channels_second)
    # No variable keeps a piece while the next one is read.
    pieces = map(lambda piece: piece.to(y.device, torch.float32), read(module))
    own = None if bias is None else bias.read().to(y.device)
    if form == "dora":
        return _dora(patch, pieces, shape, own, y.dtype, channels_second)
    return _matrix(patch, torch.cat(list(pieces), 1), own, y.dtype)


def columns(param: ParamHandle, _module: Any) -> Sequence[Tensor]:
    """A weight that can be read as it is, some inputs at a time."""
    import torch

    return torch.split(param.read().flatten(1), _COLUMNS, 1)


def dequantise(module: Any) -> Iterator[Tensor]:
    """A linear layer's weight, whatever packs it, some inputs at a time: its outputs for each single input."""
    import torch

    width = module.in_features
    for start in range(0, width, _COLUMNS):
        count = min(_COLUMNS, width - start)
        inputs = torch.zeros(count, width, device=module.weight.device, dtype=compute_dtype(module))
        inputs[:, start : start + count].fill_diagonal_(1)
        bias, module.bias = module.bias, None
        try:
            # Not the module itself, whose hooks would add what is being computed.
            outputs: Tensor = module.forward(inputs).t()
        finally:
            module.bias = bias
        yield outputs


def _kronecker(patch: Patch, shape: Shape, dtype: Any, channels_second: bool) -> Addition:
    """`first` [out1, in1], `second` [out2, in2, window]. `rows`: the outputs to keep."""
    first, second = kronecker_factors(patch.factors)
    second = second.reshape(len(second), -1, *shape[2:]).to(dtype)
    first, rows, wide = (first * patch.factors.scale).to(dtype), patch.factors.rows, first.shape[1]

    def add(module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        import torch

        if channels_second:
            inner = product(module, x.reshape(len(x) * wide, -1, *x.shape[2:]), second, None, True)
            parts = inner.reshape(len(x), wide, *inner.shape[1:])
            whole = torch.einsum("oi,bi...->bo...", first, parts).flatten(1, 2)
            kept = cut(whole.transpose(0, 1), rows).transpose(0, 1)
        else:
            inner = x.reshape(*x.shape[:-1], wide, -1) @ second.t()
            whole = torch.einsum("oi,...ip->...op", first, inner).flatten(-2)
            kept = whole if rows is None else torch.cat([whole[..., a:b] for a, b in rows], -1)
        return (kept * broadcast(amounts[..., None], y, channels_second)).to(y.dtype)

    return add


def _hadamard(patch: Patch, shape: Shape, dtype: Any, channels_second: bool) -> Addition:
    factors = patch.factors
    ups = [factors.cut(factors.flat(part)) for part in ("hada_w1_a", "hada_w2_a")]
    downs = [factors.flat(part) for part in ("hada_w1_b", "hada_w2_b")]
    # Column (p, q) of up is that of p times that of q, and likewise the rows of down.
    up = ((ups[0][:, :, None] * ups[1][:, None, :]).flatten(1) * factors.scale).to(dtype)
    down = (downs[0][:, None, :] * downs[1][None, :, :]).flatten(0, 1).reshape(-1, *shape[1:]).to(dtype)

    def add(module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        inner = product(module, x, down, None, channels_second)
        inner = (inner * broadcast(amounts[..., None], inner, channels_second)).to(y.dtype)
        return times(up, inner, channels_second)

    return add


def _dora(
    patch: Patch, pieces: Iterator[Tensor], shape: Shape, bias: Tensor | None, dtype: Any, channels_second: bool
) -> Addition:
    """`squares` are ||W||^2, 2 <W, D> and ||D||^2 of each output, from which the norm at any weight follows."""
    import torch

    factors, start, dot = patch.factors, 0, torch.linalg.vecdot
    up, down = factors.cut(factors.flat("up")) * factors.scale, factors.flat("down")
    squares = up.new_zeros(3, len(up))
    while (own := next(pieces, None)) is not None:
        delta = up @ down[:, start : start + own.shape[1]]
        start += own.shape[1]
        squares += torch.stack([dot(own, own), 2 * dot(own, delta), dot(delta, delta)])
        del own, delta
    up, down = up.to(dtype), down.reshape(-1, *shape[1:]).to(dtype)
    bias = None if bias is None else bias.to(dtype)
    magnitude = factors.cut(factors.parts["magnitude"].reshape(-1, 1)).flatten()
    epsilon, of_peft = dora_epsilon(factors), is_peft(factors.keys, "magnitude")

    def add(module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        # PEFT scales D by the weight, the others the whole change.
        one, amount = amounts.new_ones(len(amounts), 1), amounts[..., None]
        inside, outside = (amount, one) if of_peft else (one, amount)
        own, mixed, added = squares
        length = (own + inside * mixed + inside.square() * added).clamp(min=0).sqrt() + epsilon
        stretch = magnitude / length
        # At weight 0 PEFT's too is the base alone.
        gain, share = ((amount != 0) * outside * factor for factor in (stretch - 1, inside * stretch))
        change = times(up, product(module, x, down, None, channels_second), channels_second)
        change = change * broadcast(share, y, channels_second)
        change += y * broadcast(gain, y, channels_second)
        if bias is not None:
            change -= broadcast(gain * bias, y, channels_second)
        return change.to(y.dtype)

    return add


def _matrix(patch: Patch, weight: Tensor, bias: Tensor | None, dtype: Any) -> Addition:
    delta = patch.delta(weight, 1.0)
    shift = patch.bias_delta(None if bias is None else bias.to(weight), weight, 1.0)
    delta, shift = (None if each is None else each.to(dtype) for each in (delta, shift))

    def add(module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        import torch

        added = y.new_zeros(()) if delta is None else torch.nn.functional.linear(x, delta)
        added = added if shift is None else added + shift
        return (added * broadcast(amounts[..., None], y, False)).to(y.dtype)

    return add


def broadcast(rows: Tensor, value: Tensor, channels_second: bool) -> Tensor:
    """[rows, channels] in a shape that multiplies or adds to `value`; so are rows with all of its axes."""
    if rows.dim() == value.dim():
        return rows
    between = (1,) * (value.dim() - 2)
    return rows.view(len(rows), -1, *between) if channels_second else rows.view(len(rows), *between, -1)


def product(module: Any, x: Tensor, down: Tensor, mid: Tensor | None, channels_second: bool) -> Tensor:
    """Convolutions use the module's own stride and padding, in whichever of the two factors has its window."""
    import torch

    if not channels_second:
        return torch.nn.functional.linear(x, down)
    if mid is not None:
        x, down = torch.einsum("ri,bi...->br...", down.flatten(1), x), mid
    product: Tensor = module._conv_forward(x, down, None)
    return product


def times(up: Tensor, inner: Tensor, channels_second: bool) -> Tensor:
    """The outputs of a last factor."""
    import torch

    return torch.einsum("or,br...->bo...", up, inner) if channels_second else inner @ up.t()
