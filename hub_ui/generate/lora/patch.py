"""What one module gains from one layer of a file.

LowRankPatch   low-rank factors and a shift of the outputs, added while the module runs, with any weight for each row
WeightPatch    everything else: a change of the module's weight, computed from the weight itself; structured.py adds
               some of them to outputs as well

The scale of a layer is alpha / rank. Where a file has its alpha:

    X.alpha                                a tensor of one value, beside the factors          kohya, LyCORIS, OneTrainer
    __metadata__["lora_adapter_metadata"]  PEFT's LoraConfig as JSON, prefixed by component   diffusers since 0.34
    __metadata__["alpha"]                  one number for all layers                          MiniMax-H3
    nothing                                alpha is the rank, so the scale is 1

A tensor counts more than metadata. The ss_* metadata of kohya's scripts is not used: it may be older than a resize, and
in files without alpha tensors alpha is already part of the factors.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from connectors.http.json_fields import number, table
from connectors.weights.key_formats import Part
from hub_ui.generate.lora.algorithms import Factors, cut, delta_of, ia3_bias, is_peft, rows_together, rows_within
from hub_ui.generate.lora.algorithms import rank_of as rank_of_factors
from hub_ui.generate.lora.modules import Layer, Target
from hub_ui.generate.lora.parameters import ParamHandle

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, ...]
Params = Mapping[str, ParamHandle]
# The rows of a whole weight.
_ALL = slice(None)
_SIZES = "of layers that have other sizes in this model"


class Unfit(Exception):
    """A layer that can't patch a module. `args[0]` completes "48 tensors ..."."""


@dataclass(frozen=True, kw_only=True)
class LowRankPatch:
    """At weight 1: `scale` * `up` @ `mid` @ `down` of the inputs, plus `shift`.

    `down` is [rank, inputs, window], `mid` [rank, rank, window], `up` [outputs, rank], `shift` [outputs].
    """

    down: Tensor | None
    up: Tensor | None
    mid: Tensor | None = None
    scale: float = 1.0
    shift: Tensor | None = None

    def delta(self, weight: Tensor, amount: float, rows: slice = _ALL) -> Tensor | None:
        """What a weight gains, in float32; None for nothing. `weight` has the `rows` of the whole one."""
        if self.down is None or self.up is None:
            return None
        parts: dict[Part, Tensor] = {"down": _float(self.down, weight), "up": _float(self.up[rows], weight)}
        if self.mid is not None:
            parts["mid"] = _float(self.mid, weight)
        return delta_of("lora", Factors(parts=parts, keys={}, scale=self.scale * amount), weight)

    def affects(self, name: str) -> bool:
        """Whether it changes that parameter of a module, "weight" or "bias"."""
        return self.down is not None if name == "weight" else self.shift is not None

    @property
    def rows_together(self) -> int | None:
        """How many rows of a weight have to be computed together; None for all."""
        return 1

    def bias_delta(self, bias: Tensor | None, like: Tensor, amount: float) -> Tensor | None:
        return None if self.shift is None else _float(self.shift, like) * amount

    def tensors(self) -> Iterator[Tensor]:
        yield from (value for value in (self.down, self.up, self.mid, self.shift) if value is not None)

    def wider(self, inputs: int) -> LowRankPatch:
        """The same patch for a module with more inputs, of which it ignores the new ones."""
        import torch

        if self.down is None or self.down.shape[1] == inputs:
            return self
        zeros = self.down.new_zeros(self.down.shape[0], inputs - self.down.shape[1])
        return replace(self, down=torch.cat([self.down, zeros], 1))


@dataclass(frozen=True, kw_only=True)
class WeightPatch:
    """A layer whose new weight depends on the old one, or that is no product of small factors."""

    algorithm: str
    factors: Factors

    def delta(self, weight: Tensor, amount: float, rows: slice = _ALL) -> Tensor | None:
        """What a weight gains, in float32; None for nothing. Linear in `amount`, except for a DoRA of PEFT.

        `weight` has the `rows` of the whole one.
        """
        if self.factors.parts.keys() == {"diff_b"}:
            return None
        factors = self._on(weight)
        if rows != _ALL:
            factors = replace(factors, rows=rows_within(factors.rows, rows))
        if not is_peft(factors.keys, "magnitude"):
            return delta_of(self.algorithm, factors, weight) * amount
        if amount == 0:
            return None
        return delta_of(self.algorithm, replace(factors, scale=factors.scale * amount), weight)

    def affects(self, name: str) -> bool:
        """Whether it may change that parameter of a module, "weight" or "bias"."""
        if name == "weight":
            return self.factors.parts.keys() != {"diff_b"}
        return self.factors.has("diff_b") or self.algorithm == "ia3"

    @property
    def rows_together(self) -> int | None:
        """How many rows of a weight have to be computed together; None for all."""
        return rows_together(self.algorithm, self.factors)

    def bias_delta(self, bias: Tensor | None, like: Tensor, amount: float) -> Tensor | None:
        if self.factors.has("diff_b"):
            value = cut(_float(self.factors.parts["diff_b"], like), self.factors.rows)
            return (value - bias if self.algorithm == "set" and bias is not None else value) * amount
        gain = ia3_bias(self._on(like), bias) if self.algorithm == "ia3" and bias is not None else None
        return None if gain is None else gain * amount

    def tensors(self) -> Iterator[Tensor]:
        yield from self.factors.parts.values()

    def _on(self, like: Tensor) -> Factors:
        parts = {part: _float(value, like) for part, value in self.factors.parts.items()}
        return replace(self.factors, parts=parts)


Patch = LowRankPatch | WeightPatch


def _float(value: Tensor, like: Tensor) -> Tensor:
    import torch

    return value.to(like.device, torch.float32)


def rank_of(patch: Patch) -> int:
    """The rank of a LowRankPatch; 0 for a shift alone and for a WeightPatch."""
    return patch.up.shape[1] if isinstance(patch, LowRankPatch) and patch.up is not None else 0


def takes_factors(module: nn.Module) -> bool:
    """Whether low-rank factors can be added to a module's outputs."""
    return isinstance(module, _matrix_modules()) and getattr(module, "groups", 1) == 1


def _matrix_modules() -> tuple[type, ...]:
    from torch import nn

    return nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


def patches(
    layer: Layer, target: Target, own: Shape, params: Params, tensors: Mapping[str, Tensor], configs: Configs
) -> list[Patch]:
    """`own` is the shape of the module's weight. Raises Unfit or Inseparable."""
    factors = _factors(layer, target, tensors, configs)
    inputs = own[1:2] if target.inputs is None else (target.inputs,)
    shape, weight = (*own[:1], *inputs, *own[2:]), params["weight"]
    try:
        if layer.algorithm == "lora" and not factors.has("magnitude") and takes_factors(weight.module):
            return [_low_rank_patch(factors, shape)]
        if layer.algorithm not in ("diff", "norm") or "bias" in params:
            return [_weight_patch(layer.algorithm, factors, shape)]
        found: list[Patch] = []
        if factors.has("diff"):
            found.append(_weight_patch("diff", replace(factors, parts={"diff": factors.parts["diff"]}), shape))
        if factors.has("diff_b"):
            # A module without a bias can have one added to its outputs, of which it has to have one for each row of its
            # weight: not an embedding, nor the owner of a bare parameter.
            is_matrix = isinstance(weight.module, _matrix_modules())
            if weight.name != "weight" or not (is_matrix or len(own) == 1):
                raise Unfit("of biases that modules of this model can't have")
            found.append(LowRankPatch(down=None, up=None, shift=_shift(factors, shape)))
        return found
    except KeyError as error:
        raise Unfit("of layers that lack one of their factors") from error
    except IndexError as error:
        raise Unfit(_SIZES) from error


# Single numbers about a layer.
_NUMBERS: frozenset[Part] = frozenset(("alpha", "on_input"))
# The differences of a norm are differences like any other.
_SAME_AS: Mapping[Part, Part] = {"w_norm": "diff", "b_norm": "diff_b"}


def _factors(layer: Layer, target: Target, tensors: Mapping[str, Tensor], configs: Configs) -> Factors:
    no_factors = _NUMBERS | {"reshape"}
    values = {_SAME_AS.get(part, part): tensors[key] for part, key in layer.keys.items() if part not in no_factors}
    for value in values.values():
        if not value.numel():
            raise Unfit("of layers without any numbers in them")
        if not value.is_floating_point():
            raise Unfit("stored as whole numbers, of which the file does not say what they stand for")
    factors = Factors(parts=values, keys=layer.keys, rows=target.rows)
    numbers: dict[Part, float] = {}
    for part in _NUMBERS & layer.keys.keys():
        tensor = tensors[layer.keys[part]]
        if tensor.numel() != 1:
            raise Unfit("with an alpha that is more than one number")
        numbers[part] = float(tensor.reshape(()).item())
    alpha, on_input = numbers.get("alpha"), bool(numbers.get("on_input"))
    scale = scale_of(configs, target, alpha, rank_of_factors(factors))
    return replace(factors, scale=scale, alpha=alpha, on_input=on_input)


def _low_rank_patch(factors: Factors, shape: Shape) -> LowRankPatch:
    down, up, mid = factors.parts["down"], factors.cut(factors.flat("up")), factors.parts.get("mid")
    rank, window = down.shape[0], shape[2:]
    core = (rank, rank, *window) if mid is None else tuple(mid.shape)
    inside = shape[1:] if mid is None else (shape[1], *(1 for _ in window))
    if (
        tuple(up.shape) != (shape[0], core[0])
        or core[1:] != (rank, *window)
        or down.numel() != rank * math.prod(inside)
    ):
        raise Unfit(_SIZES)
    return LowRankPatch(
        down=down.reshape(rank, *inside), up=up, mid=mid, scale=factors.scale, shift=_shift(factors, shape)
    )


def _shift(factors: Factors, shape: Shape) -> Tensor | None:
    """A bias that PEFT trains is scaled like its factors; a difference of the module's own bias is not scaled."""
    scales: tuple[tuple[Part, float], ...] = (("diff_b", 1.0), ("up_bias", factors.scale))
    shifts = [scale * factors.cut(factors.parts[part].float()) for part, scale in scales if part in factors.parts]
    if any(tuple(shift.shape) != (shape[0],) for shift in shifts):
        raise Unfit(_SIZES)
    return sum(shifts[1:], shifts[0]) if shifts else None


def _weight_patch(algorithm: str, factors: Factors, shape: Shape) -> WeightPatch:
    """Tries the formula on tensors without values first. Raises Unfit where the shapes don't match."""
    import torch

    patch = WeightPatch(algorithm=algorithm, factors=factors)
    with torch.inference_mode(False), torch.no_grad():
        try:
            patch.delta(torch.empty(shape, device="meta"), 1.0)
        except (RuntimeError, IndexError, ValueError) as error:
            raise Unfit(_SIZES) from error
    return patch


# PEFT matches a pattern as a regular expression at the end of a module's name. Files are untrusted, and a repeat inside
# a repeat can take forever, so such a pattern is ignored.
_RISKY = re.compile(r"\)\s*[*+{?]|(?:[*+}].*){4}|\\[1-9]|\(\?")
_LONGEST_PATTERN = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """PEFT's settings for one component. `patterns` of modules have an alpha of their own; a `rank` of 0 is not set."""

    alpha: float
    rank: float = 0.0
    patterns: Mapping[str, float] = field(default_factory=dict)
    rank_stabilised: bool = False

    def alpha_of(self, module: str) -> float:
        """Matches as PEFT does: the whole name or its end after a dot, "^" only the beginning of the name."""
        for pattern, alpha in self.patterns.items():
            if module == pattern or module.endswith("." + pattern):
                return alpha
            if len(pattern) > _LONGEST_PATTERN or _RISKY.search(pattern):
                continue
            with suppress(re.error):
                if re.match(rf"(.*\.)?({pattern})$", module):
                    return alpha
        return self.alpha


# By component; "" stands for all of them.
Configs = Mapping[str, Config]


def scale_of(configs: Configs, target: Target, alpha: float | None, rank: int | None) -> float:
    """`rank` is None where the factors have none, as a LoKr with two whole ones: then only PEFT's settings tell it."""
    if alpha is not None:
        # kohya and LyCORIS take an alpha of 0 for the rank.
        return alpha / rank if alpha and rank else 1.0
    config = configs.get(target.component) or configs.get("")
    divisor = rank or (config.rank if config else 0.0)
    if config is None or divisor <= 0:
        return 1.0
    return config.alpha_of(target.module) / (math.sqrt(divisor) if config.rank_stabilised else divisor)


def configs_of(metadata: Mapping[str, str]) -> Configs:
    """The settings in a file's metadata. Those that make no sense are ignored."""
    text = metadata.get("lora_adapter_metadata")
    if text is None:
        alpha = number(metadata.get("alpha"))
        return {"": Config(alpha=alpha)} if alpha is not None else {}
    try:
        values = table(json.loads(text))
    except (ValueError, RecursionError):
        return {}
    # "transformer.lora_alpha": 8 and so on: the component is before the first dot.
    components: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        component, dot, name = key.partition(".")
        components.setdefault(component if dot else "", {})[name if dot else component] = value
    configs: dict[str, Config] = {}
    for component, fields in components.items():
        alpha = number(fields.get("lora_alpha", fields.get("alpha")))
        if alpha is not None:
            patterns = {key: number(value) for key, value in table(fields.get("alpha_pattern")).items()}
            configs[component] = Config(
                alpha=alpha,
                rank=number(fields.get("r")) or 0.0,
                patterns={key: found for key, found in patterns.items() if found is not None},
                rank_stabilised=fields.get("use_rslora") is True,
            )
    return configs
