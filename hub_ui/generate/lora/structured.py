"""Structured patches: not low-rank, but still added to a module's outputs without a change of its weight.

kronecker   LoKr: D x is two small products, one for each factor
hadamard    LoHa: an elementwise product of two low-rank matrices is a low-rank matrix with the product of their ranks
dora        DoRA of a LoRA: outputs are scaled by m / ||W + D||; the norms of the weight are computed once
matrix      other patches of a quantised layer: D as a matrix in the layer's compute type
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

# Read a weight this many inputs at a time, because a whole weight in float32 may need too much memory.
_COLUMNS = 512
Form = Literal["kronecker", "hadamard", "dora"]
Shape = tuple[int, ...]


def form_of(patch: Patch, shape: Shape) -> Form | None:
    """Return the form to add a patch to the outputs of a layer with this weight shape.

    Return None if the patch has no form that is cheaper than a matrix of the same size as the weight.
    """
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
    """Return the number of multiplications per token."""
    outputs, inputs, parts = shape[0], math.prod(shape[1:]), patch.factors.parts
    if form == "dora":
        return (inputs + outputs) * len(parts["down"])
    if form == "hadamard":
        return (inputs + outputs) * len(parts["hada_w1_b"]) * len(parts["hada_w2_b"])
    first_inputs = _kronecker_inputs(patch, shape) or 1
    second_outputs = parts["lokr_w2"].shape[0] if "lokr_w2" in parts else parts["lokr_w2_a"].shape[0]
    return inputs * second_outputs + outputs * first_inputs


def _kronecker_inputs(patch: Patch, shape: Shape) -> int | None:
    """Return the inputs of the first factor, or None if they don't divide a convolution's input channels."""
    parts = patch.factors.parts
    inputs = parts["lokr_w1"].shape[1] if "lokr_w1" in parts else parts["lokr_w1_b"].shape[1]
    return inputs if shape[1] % inputs == 0 else None


# (module, inputs `x`, outputs `y`, `amounts`: one weight per row) -> the tensor to add to `y`, in the type of `y`.
Addition = Callable[[Any, "Tensor", "Tensor", "Tensor"], "Tensor"]
# Module -> its weight as matrices [outputs, some inputs].
Read = Callable[[Any], Iterable["Tensor"]]


def addition_of(
    patch: Patch, module: Any, read: Read, bias: ParamHandle | None, y: Tensor, channels_second: bool
) -> Addition:
    """Return a function that computes a patch's addition to outputs on the device and in the type of `y`."""
    import torch

    parts = {part: value.to(y.device).float() for part, value in patch.factors.parts.items()}
    patch = replace(patch, factors=replace(patch.factors, parts=parts))
    shape = tuple(module.weight.shape) if channels_second else (module.out_features, module.in_features)
    form = form_of(patch, shape)
    if form == "kronecker":
        return _kronecker(patch, shape, y.dtype, channels_second)
    if form == "hadamard":
        return _hadamard(patch, shape, y.dtype, channels_second)
    # A lambda, because a variable would hold a piece in memory while the next piece is read.
    pieces = map(lambda piece: piece.to(y.device, torch.float32), read(module))
    bias_values = None if bias is None else bias.read().to(y.device)
    if form == "dora":
        return _dora(patch, pieces, shape, bias_values, y.dtype, channels_second)
    return _matrix(patch, torch.cat(list(pieces), 1), bias_values, y.dtype)


def columns(param: ParamHandle, _module: Any) -> Sequence[Tensor]:
    """Return an unquantised weight, some inputs at a time."""
    import torch

    return torch.split(param.read().flatten(1), _COLUMNS, 1)


def dequantise(module: Any) -> Iterator[Tensor]:
    """Yield a quantised linear layer's weight, some inputs at a time.

    The layer's outputs for unit vectors are the weight's columns, so this works for every quantisation library.
    """
    import torch

    width = module.in_features
    for start in range(0, width, _COLUMNS):
        count = min(_COLUMNS, width - start)
        inputs = torch.zeros(count, width, device=module.weight.device, dtype=compute_dtype(module))
        inputs[:, start : start + count].fill_diagonal_(1)
        bias, module.bias = module.bias, None
        try:
            # Call `forward`, because calling the module would run the hooks, which add patches.
            outputs: Tensor = module.forward(inputs).t()
        finally:
            module.bias = bias
        yield outputs


def _kronecker(patch: Patch, shape: Shape, dtype: Any, channels_second: bool) -> Addition:
    first, second = kronecker_factors(patch.factors)
    # [outputs of w2, inputs of w2, window]
    second = second.reshape(len(second), -1, *shape[2:]).to(dtype)
    first, rows, first_inputs = (first * patch.factors.scale).to(dtype), patch.factors.rows, first.shape[1]

    def add(module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        import torch

        if channels_second:
            inner = product(module, x.reshape(len(x) * first_inputs, -1, *x.shape[2:]), second, None, True)
            parts = inner.reshape(len(x), first_inputs, *inner.shape[1:])
            whole = torch.einsum("oi,bi...->bo...", first, parts).flatten(1, 2)
            kept = cut(whole.transpose(0, 1), rows).transpose(0, 1)
        else:
            inner = x.reshape(*x.shape[:-1], first_inputs, -1) @ second.t()
            whole = torch.einsum("oi,...ip->...op", first, inner).flatten(-2)
            kept = whole if rows is None else torch.cat([whole[..., a:b] for a, b in rows], -1)
        return (kept * broadcast(amounts[..., None], y, channels_second)).to(y.dtype)

    return add


def _hadamard(patch: Patch, shape: Shape, dtype: Any, channels_second: bool) -> Addition:
    factors = patch.factors
    ups = [factors.cut(factors.flat(part)) for part in ("hada_w1_a", "hada_w2_a")]
    downs = [factors.flat(part) for part in ("hada_w1_b", "hada_w2_b")]
    # Column (p, q) of `up` is column p of the first factor times column q of the second; likewise the rows of `down`.
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
    """Return the addition of a DoRA.

    `squares` are ||W||^2, 2 <W, D> and ||D||^2 of each output, which determine the norm ||W + D|| at every strength.
    """
    import torch

    factors, start, dot = patch.factors, 0, torch.linalg.vecdot
    up, down = factors.cut(factors.flat("up")) * factors.scale, factors.flat("down")
    squares = up.new_zeros(3, len(up))
    while (piece := next(pieces, None)) is not None:
        delta = up @ down[:, start : start + piece.shape[1]]
        start += piece.shape[1]
        squares += torch.stack([dot(piece, piece), 2 * dot(piece, delta), dot(delta, delta)])
        del piece, delta
    up, down = up.to(dtype), down.reshape(-1, *shape[1:]).to(dtype)
    bias = None if bias is None else bias.to(dtype)
    magnitude = factors.cut(factors.parts["magnitude"].reshape(-1, 1)).flatten()
    epsilon, of_peft = dora_epsilon(factors), is_peft(factors.keys, "magnitude")

    def add(module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        # PEFT multiplies D by the strength; other trainers multiply the whole change.
        one, amount = amounts.new_ones(len(amounts), 1), amounts[..., None]
        inside, outside = (amount, one) if of_peft else (one, amount)
        base, mixed, added = squares
        length = (base + inside * mixed + inside.square() * added).clamp(min=0).sqrt() + epsilon
        stretch = magnitude / length
        # At strength 0, a DoRA of PEFT must not change the base either.
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
    delta, shift = (None if value is None else value.to(dtype) for value in (delta, shift))

    def add(module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        import torch

        added = y.new_zeros(()) if delta is None else torch.nn.functional.linear(x, delta)
        added = added if shift is None else added + shift
        return (added * broadcast(amounts[..., None], y, False)).to(y.dtype)

    return add


def broadcast(rows: Tensor, value: Tensor, channels_second: bool) -> Tensor:
    """Reshape `rows` [rows, channels] so that it broadcasts to `value`. Rows with as many axes stay unchanged."""
    if rows.dim() == value.dim():
        return rows
    between = (1,) * (value.dim() - 2)
    return rows.view(len(rows), -1, *between) if channels_second else rows.view(len(rows), *between, -1)


def product(module: Any, x: Tensor, down: Tensor, mid: Tensor | None, channels_second: bool) -> Tensor:
    """Return the product of the inputs with `down`, and with `mid` if it is set.

    For a convolution, apply the module's stride and padding in the factor that has its window.
    """
    import torch

    if not channels_second:
        return torch.nn.functional.linear(x, down)
    if mid is not None:
        x, down = torch.einsum("ri,bi...->br...", down.flatten(1), x), mid
    product: Tensor = module._conv_forward(x, down, None)
    return product


def times(up: Tensor, inner: Tensor, channels_second: bool) -> Tensor:
    """Return the product of the last factor with the inner channels."""
    import torch

    return torch.einsum("or,br...->bo...", up, inner) if channels_second else inner @ up.t()
