"""What one module gains from one layer of a file, made so that it can be added while the module runs where that works.

Live     low-rank factors and a shift of the outputs: added to what the module gives, for each row as it likes
Dense    everything else: a new weight, computed from the module's own
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connectors.weights.key_formats import Part
from hub_ui.generate.lora.algorithms import Factors, cut, delta_of, ia3_bias, is_peft
from hub_ui.generate.lora.algorithms import rank_of as rank_of_factors
from hub_ui.generate.lora.modules import Layer, ParamHandle, Target
from hub_ui.generate.lora.scale import Scales

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]
Slots = Mapping[str, ParamHandle]


class Unfit(Exception):
    """This layer can't be put on this module. `args[0]` says why, as a Missed does."""


@dataclass(frozen=True, kw_only=True)
class LowRankPatch:
    """`scale` times `up` times `down` for the inputs, plus `shift`, at weight 1. `down` may be followed by `mid`.

    `down` has the shape of the module's weight but for its outputs, or of a 1x1 window before a `mid`; `up` is a
    matrix. Both are None where there is a shift alone.
    """

    down: Tensor | None
    up: Tensor | None
    mid: Tensor | None = None
    scale: float = 1.0
    shift: Tensor | None = None

    def delta(self, weight: Tensor, amount: float) -> Tensor | None:
        """What the weight gains, in float32."""
        if self.down is None or self.up is None:
            return None
        parts: dict[Part, Tensor] = {"down": _float(self.down, weight), "up": _float(self.up, weight)}
        if self.mid is not None:
            parts["mid"] = _float(self.mid, weight)
        return delta_of("lora", Factors(parts=parts, keys={}, scale=self.scale * amount), weight)

    def tensors(self) -> Iterator[Tensor]:
        yield from (value for value in (self.down, self.up, self.mid, self.shift) if value is not None)

    def wider(self, inputs: int) -> LowRankPatch:
        """The same for a module that has more inputs than this was made for, which it leaves alone."""
        if self.down is None or self.down.shape[1] == inputs:
            return self
        zeros = self.down.new_zeros(self.down.shape[0], inputs - self.down.shape[1])
        return replace(self, down=_beside(self.down, zeros))

    def bias_delta(self, bias: Tensor | None, like: Tensor, amount: float) -> Tensor | None:
        return None if self.shift is None else _float(self.shift, like) * amount


@dataclass(frozen=True, kw_only=True)
class WeightPatch:
    """A layer whose new weight depends on the old one, or that is no product of small factors."""

    algorithm: str
    factors: Factors

    def delta(self, weight: Tensor, amount: float) -> Tensor | None:
        """What a weight, in float32, gains. Everything is linear in the amount but a DoRA of PEFT's."""
        if not self._changes_weight:
            return None
        factors = self._on(weight)
        if not is_peft(factors, "magnitude"):
            return delta_of(self.algorithm, factors, weight) * amount
        if amount == 0:
            return None
        return delta_of(self.algorithm, replace(factors, scale=factors.scale * amount), weight)

    def bias_delta(self, bias: Tensor | None, like: Tensor, amount: float) -> Tensor | None:
        if self.factors.has("diff_b"):
            value = cut(_float(self.factors.parts["diff_b"], like), self.factors.rows)
            return (value - bias if self.algorithm == "set" and bias is not None else value) * amount
        if self.algorithm == "ia3" and bias is not None:
            gained = ia3_bias(self._on(like), bias)
            return None if gained is None else gained * amount
        return None

    def tensors(self) -> Iterator[Tensor]:
        yield from self.factors.parts.values()

    @property
    def _changes_weight(self) -> bool:
        return self.factors.parts.keys() != {"diff_b"}

    def _on(self, like: Tensor) -> Factors:
        parts = {part: _float(value, like) for part, value in self.factors.parts.items()}
        return replace(self.factors, parts=parts)


Patch = LowRankPatch | WeightPatch


def rank_of(patch: Patch) -> int:
    """Of what is added while a module runs: 0 for a shift, and for what is merged anyway."""
    return patch.up.shape[1] if isinstance(patch, LowRankPatch) and patch.up is not None else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """What has to be known of a module before anything is put on it. `shape` is its weight's."""

    shape: Shape
    slots: Slots

    @property
    def is_hooked(self) -> bool:
        """Whether factors can be added to what it gives."""
        module = self.slots["weight"].module
        return isinstance(module, _plain()) and getattr(module, "groups", 1) == 1

    @property
    def is_shifted(self) -> bool:
        """Whether it gives one number for each row of its weight: an embedding does not, nor who holds a table."""
        slot = self.slots["weight"]
        return slot.name == "weight" and (isinstance(slot.module, _plain()) or len(self.shape) == 1)


def _plain() -> tuple[type, ...]:
    from torch import nn

    return nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


def patches(layer: Layer, target: Target, module: Module, tensors: Mapping[str, Tensor], scales: Scales) -> list[Patch]:
    """What `target` gains. Raises Unfit, or Inseparable."""
    factors = _factors(layer, target, tensors, scales)
    shape = _widened(module.shape, target.inputs)
    try:
        if layer.algorithm == "lora" and not factors.has("magnitude") and module.is_hooked:
            return [_live(factors, shape)]
        if layer.algorithm in ("diff", "norm") and "bias" not in module.slots:
            return _apart(factors, shape, module)
        return [_checked(WeightPatch(algorithm=layer.algorithm, factors=factors), shape)]
    except KeyError as error:
        raise Unfit("of layers that lack one of their factors") from error
    except IndexError as error:
        raise Unfit(_SIZES) from error


def _apart(factors: Factors, shape: Shape, module: Module) -> list[Patch]:
    """A module without a bias can have one added to what it gives."""
    found: list[Patch] = []
    if factors.has("diff"):
        found.append(_checked(WeightPatch(algorithm="diff", factors=_only(factors, "diff")), shape))
    if factors.has("diff_b"):
        if not module.is_shifted:
            raise Unfit("of biases that modules of this model can't have")
        found.append(LowRankPatch(down=None, up=None, shift=_shift(factors, shape)))
    return found


def _factors(layer: Layer, target: Target, tensors: Mapping[str, Tensor], scales: Scales) -> Factors:
    values = {_ALIKE.get(part, part): tensors[key] for part, key in layer.keys.items() if part not in _BESIDE}
    _refuse_numbers(values.values())
    factors = Factors(parts=values, keys=layer.keys, rows=target.rows)
    alpha = _scalar(tensors, layer.keys.get("alpha"))
    side = _scalar(tensors, layer.keys.get("on_input"))
    scale = scales.of(target.component, target.module, alpha, rank_of_factors(factors))
    return replace(factors, scale=scale, alpha=alpha, on_input=bool(side))


def _refuse_numbers(values: Iterable[Tensor]) -> None:
    for value in values:
        if not value.numel():
            raise Unfit("of layers without any numbers in them")
        if not value.is_floating_point():
            raise Unfit("stored as whole numbers, of which the file does not say what they stand for")


# Numbers about a layer, which are no factors of it.
_BESIDE: tuple[Part, ...] = ("alpha", "on_input", "reshape")
# A norm's differences are differences.
_ALIKE: Mapping[Part, Part] = {"w_norm": "diff", "b_norm": "diff_b"}


def _scalar(tensors: Mapping[str, Tensor], key: str | None) -> float | None:
    if key is None:
        return None
    if tensors[key].numel() != 1:
        raise Unfit("with an alpha that is more than one number")
    return float(tensors[key].reshape(()).item())


def _live(factors: Factors, shape: Shape) -> LowRankPatch:
    down, up = factors.parts["down"], factors.cut(factors.flat("up"))
    rank, outputs = down.shape[0], shape[0]
    mid = factors.parts.get("mid")
    window = shape[:2] + (1,) * (len(shape) - 2) if mid is not None else shape
    core = mid.shape if mid is not None else (rank, rank, *shape[2:])
    if tuple(up.shape) != (outputs, core[0]) or tuple(core) != (core[0], rank, *shape[2:]):
        raise Unfit(_SIZES)
    if down.numel() != rank * _product(window[1:]):
        raise Unfit(_SIZES)
    return LowRankPatch(
        down=down.reshape(rank, *window[1:]), up=up, mid=mid, scale=factors.scale, shift=_shift(factors, shape)
    )


_SIZES = "of layers that have other sizes in this model"


def _shift(factors: Factors, shape: Shape) -> Tensor | None:
    """A bias that PEFT trains is scaled as its factors are, a difference of the module's own bias is not."""
    scales: tuple[tuple[Part, float], ...] = (("diff_b", 1.0), ("up_bias", factors.scale))
    found = [scale * factors.cut(factors.parts[part].float()) for part, scale in scales if part in factors.parts]
    if any(tuple(value.shape) != (shape[0],) for value in found):
        raise Unfit(_SIZES)
    return sum(found[1:], found[0]) if found else None


def _only(factors: Factors, part: Part) -> Factors:
    return replace(factors, parts={part: factors.parts[part]})


def _checked(patch: WeightPatch, shape: Shape) -> WeightPatch:
    """The same, once its formula has been gone through with shapes alone."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        like = torch.empty(shape, device="meta")
        try:
            patch.delta(like, 1.0)
        except (RuntimeError, IndexError, ValueError) as error:
            raise Unfit(_SIZES) from error
    return patch


def _widened(shape: Shape, inputs: int | None) -> Shape:
    return shape if inputs is None else (shape[0], inputs, *shape[2:])


def _float(value: Tensor, like: Tensor) -> Tensor:
    import torch

    return value.to(like.device, torch.float32)


def _beside(left: Tensor, right: Tensor) -> Tensor:
    import torch

    return torch.cat([left, right], 1)


def _product(sizes: Shape) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
