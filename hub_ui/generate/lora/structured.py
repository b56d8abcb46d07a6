"""Patches other than low-rank ones that are added to a module's outputs, without a change of its weight.

kronecker   LoKr: D x by two small products, one for each factor
hadamard    LoHa: an elementwise product of two low-rank matrices is one of the product of their ranks
dora        DoRA of a LoRA: outputs are scaled by m / ||W + D||, which takes the norms of the weight once
matrix      anything else on a quantised layer: D as a matrix in the layer's compute type
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hub_ui.generate.lora.algorithms import cut, dora_epsilon, is_peft, kronecker_factors, over_inputs
from hub_ui.generate.lora.hooks import AdapterWeights, batch_of, broadcast, by_channels, product
from hub_ui.generate.lora.parameters import ParamHandle, compute_dtype
from hub_ui.generate.lora.patch import WeightPatch

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

# Inputs of a layer whose weights are read at once: a whole weight in float32 may be the largest tensor there is.
_COLUMNS = 512
Form = Literal["kronecker", "hadamard", "dora"]
Shape = tuple[int, ...]
# A patch and the position of its LoRA among the weights.
IndexedPatch = tuple[int, WeightPatch]


def form_of(patch: WeightPatch, shape: Shape) -> Form | None:
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


def cost_of(patch: WeightPatch, form: Form, shape: Shape) -> int:
    """Multiplications for each token."""
    outputs, inputs, parts = shape[0], math.prod(shape[1:]), patch.factors.parts
    if form == "dora":
        return (inputs + outputs) * len(parts["down"])
    if form == "hadamard":
        return (inputs + outputs) * len(parts["hada_w1_b"]) * len(parts["hada_w2_b"])
    wide = _kronecker_inputs(patch, shape) or 1
    high = parts["lokr_w2"].shape[0] if "lokr_w2" in parts else parts["lokr_w2_a"].shape[0]
    return inputs * high + outputs * wide


def _kronecker_inputs(patch: WeightPatch, shape: Shape) -> int | None:
    """The inputs of the first factor; None where a convolution's inputs are not divided between both factors."""
    parts = patch.factors.parts
    wide = parts["lokr_w1"].shape[1] if "lokr_w1" in parts else parts["lokr_w1_b"].shape[1]
    return wide if shape[1] % wide == 0 else None


class _Addition(Protocol):
    def __call__(self, module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        """What the outputs `y` of the inputs `x` gain, in the type of `y`. `amounts` has one weight for each row."""


@dataclass(kw_only=True)
class StructuredHook:
    """`read` gives the module's weight as matrices of some of its inputs; it is called once, when the module first
    runs. So is `bias` read: while hooks run, offloading may have emptied the module's own.
    """

    patches: tuple[IndexedPatch, ...]
    weights: AdapterWeights
    read: Callable[[Any], Iterable[Tensor]]
    bias: ParamHandle | None
    channels_second: bool
    _device_and_type: tuple[Any, Any] | None = None
    _additions: list[tuple[int, _Addition]] = field(default_factory=list)
    _version: int = -1
    _by_batch: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], y: Tensor) -> Tensor:
        import torch

        inputs: Tensor = args[0] if args else next(iter(kwargs.values()))
        x = inputs.to(y.device, y.dtype)
        if self._device_and_type != (y.device, y.dtype):
            with torch.inference_mode(False), torch.no_grad():
                self._additions = [(index, self._addition(patch, module, y)) for index, patch in self.patches]
            self._device_and_type, self._version = (y.device, y.dtype), -1
        if self._version != self.weights.version:
            self._by_batch.clear()
            self._version = self.weights.version
        result = y
        for index, addition in self._additions:
            # Of the module's own outputs, whatever others have added.
            result = result + addition(module, x, y, self._amounts(index, module, x))
        return result

    def _amounts(self, index: int, module: Any, x: Tensor) -> Tensor:
        """One weight for each row, or for all."""
        import torch

        rows = self.weights.rows
        batch, tokens = (1, None) if rows is None else batch_of(self.weights, module, x)
        if (index, batch) not in self._by_batch:
            # A copy to a GPU waits for it, so that it is made once and not for each call.
            weights = [self.weights.weights] if rows is None else [*rows] * (batch // len(rows))
            self._by_batch[index, batch] = torch.tensor([row[index] for row in weights], device=x.device)
        amounts = self._by_batch[index, batch]
        return amounts if tokens is None else amounts[tokens.rows.to(x.device)]

    def _addition(self, patch: WeightPatch, module: Any, y: Tensor) -> _Addition:
        import torch

        parts = {part: value.to(y.device).float() for part, value in patch.factors.parts.items()}
        patch = replace(patch, factors=replace(patch.factors, parts=parts))
        shape = tuple(module.weight.shape) if self.channels_second else (module.out_features, module.in_features)
        form = form_of(patch, shape)
        if form == "kronecker":
            return _Kronecker.of(patch, shape, y.dtype, self.channels_second)
        if form == "hadamard":
            return _Hadamard.of(patch, shape, y.dtype, self.channels_second)
        # No variable keeps a piece while the next one is read.
        pieces = map(lambda piece: piece.to(y.device, torch.float32), self.read(module))
        bias = None if self.bias is None else self.bias.read().to(y.device)
        if form == "dora":
            return _Dora.of(patch, pieces, shape, bias, y.dtype, self.channels_second)
        return _Matrix.of(patch, torch.cat(list(pieces), 1), bias, y.dtype)


def attach_structured(
    module: nn.Module,
    patches: Sequence[IndexedPatch],
    weights: AdapterWeights,
    read: Callable[[Any], Iterable[Tensor]],
    bias: ParamHandle | None,
) -> RemovableHandle:
    """To be attached before hooks that change outputs in place."""
    hook = StructuredHook(
        patches=tuple(patches), weights=weights, read=read, bias=bias, channels_second=by_channels(module)
    )
    return module.register_forward_hook(hook, with_kwargs=True)


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


@dataclass(frozen=True, kw_only=True)
class _Kronecker:
    """`first` [out1, in1], `second` [out2, in2, window]. `rows`: the outputs to keep."""

    first: Tensor
    second: Tensor
    rows: Any
    channels_second: bool

    @classmethod
    def of(cls, patch: WeightPatch, shape: Shape, dtype: Any, channels_second: bool) -> _Kronecker:
        first, second = kronecker_factors(patch.factors)
        second = second.reshape(len(second), -1, *shape[2:])
        return cls(
            first=(first * patch.factors.scale).to(dtype),
            second=second.to(dtype),
            rows=patch.factors.rows,
            channels_second=channels_second,
        )

    def __call__(self, module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        import torch

        wide = self.first.shape[1]
        if self.channels_second:
            inner = product(module, x.reshape(len(x) * wide, -1, *x.shape[2:]), self.second, None, True)
            parts = inner.reshape(len(x), wide, *inner.shape[1:])
            whole = torch.einsum("oi,bi...->bo...", self.first, parts).flatten(1, 2)
            kept = cut(whole.transpose(0, 1), self.rows).transpose(0, 1)
        else:
            inner = x.reshape(*x.shape[:-1], wide, -1) @ self.second.t()
            whole = torch.einsum("oi,...ip->...op", self.first, inner).flatten(-2)
            kept = whole if self.rows is None else torch.cat([whole[..., a:b] for a, b in self.rows], -1)
        return (kept * broadcast(amounts[..., None], y, self.channels_second)).to(y.dtype)


@dataclass(frozen=True, kw_only=True)
class _Hadamard:
    down: Tensor
    up: Tensor
    channels_second: bool

    @classmethod
    def of(cls, patch: WeightPatch, shape: Shape, dtype: Any, channels_second: bool) -> _Hadamard:
        factors = patch.factors
        ups = [factors.cut(factors.flat(part)) for part in ("hada_w1_a", "hada_w2_a")]
        downs = [factors.flat(part) for part in ("hada_w1_b", "hada_w2_b")]
        # Column (p, q) of up is that of p times that of q, and likewise the rows of down.
        up = (ups[0][:, :, None] * ups[1][:, None, :]).flatten(1) * factors.scale
        down = (downs[0][:, None, :] * downs[1][None, :, :]).flatten(0, 1)
        return cls(down=down.reshape(-1, *shape[1:]).to(dtype), up=up.to(dtype), channels_second=channels_second)

    def __call__(self, module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        inner = product(module, x, self.down, None, self.channels_second)
        inner = (inner * broadcast(amounts[..., None], inner, self.channels_second)).to(y.dtype)
        return _times(self.up, inner, self.channels_second)


@dataclass(frozen=True, kw_only=True)
class _Dora:
    """`squares` are ||W||^2, 2 <W, D> and ||D||^2 of each output, from which the norm at any weight follows."""

    down: Tensor
    up: Tensor
    magnitude: Tensor
    bias: Tensor | None
    squares: Tensor
    epsilon: float
    is_peft: bool
    channels_second: bool

    @classmethod
    def of(
        cls, patch: WeightPatch, pieces: Iterator[Tensor], shape: Shape, bias: Tensor | None, dtype: Any, second: bool
    ) -> _Dora:
        import torch

        factors, start, dot = patch.factors, 0, torch.linalg.vecdot
        up, down = factors.cut(factors.flat("up")) * factors.scale, factors.flat("down")
        squares = up.new_zeros(3, len(up))
        while (own := next(pieces, None)) is not None:
            delta = up @ down[:, start : start + own.shape[1]]
            start += own.shape[1]
            squares += torch.stack([dot(own, own), 2 * dot(own, delta), dot(delta, delta)])
            del own, delta
        return cls(
            down=down.reshape(-1, *shape[1:]).to(dtype),
            up=up.to(dtype),
            magnitude=factors.cut(factors.parts["magnitude"].reshape(-1, 1)).flatten(),
            bias=None if bias is None else bias.to(dtype),
            squares=squares,
            epsilon=dora_epsilon(factors),
            is_peft=is_peft(factors.keys, "magnitude"),
            channels_second=second,
        )

    def __call__(self, module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        # PEFT scales D by the weight, the others the whole change.
        inside = amounts[..., None] if self.is_peft else amounts.new_ones(len(amounts), 1)
        outside = amounts.new_ones(len(amounts), 1) if self.is_peft else amounts[..., None]
        own, mixed, added = self.squares
        length = (own + inside * mixed + inside.square() * added).clamp(min=0).sqrt() + self.epsilon
        stretch = self.magnitude / length
        # At weight 0 PEFT's too is the base alone.
        gain, share = ((amounts != 0)[..., None] * outside * factor for factor in (stretch - 1, inside * stretch))
        change = _times(self.up, product(module, x, self.down, None, self.channels_second), self.channels_second)
        change = change * broadcast(share, y, self.channels_second)
        change += y * broadcast(gain, y, self.channels_second)
        if self.bias is not None:
            change -= broadcast(gain * self.bias, y, self.channels_second)
        return change.to(y.dtype)


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    delta: Tensor | None
    shift: Tensor | None

    @classmethod
    def of(cls, patch: WeightPatch, weight: Tensor, bias: Tensor | None, dtype: Any) -> _Matrix:
        own = None if bias is None else bias.to(weight)
        delta, shift = patch.delta(weight, 1.0), patch.bias_delta(own, weight, 1.0)
        return cls(delta=None if delta is None else delta.to(dtype), shift=None if shift is None else shift.to(dtype))

    def __call__(self, module: Any, x: Tensor, y: Tensor, amounts: Tensor) -> Tensor:
        import torch

        added = y.new_zeros(()) if self.delta is None else torch.nn.functional.linear(x, self.delta)
        added = added if self.shift is None else added + self.shift
        return (added * broadcast(amounts[..., None], y, False)).to(y.dtype)


def _times(up: Tensor, inner: Tensor, channels_second: bool) -> Tensor:
    import torch

    return torch.einsum("or,br...->bo...", up, inner) if channels_second else inner @ up.t()
