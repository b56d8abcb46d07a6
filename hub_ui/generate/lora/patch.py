"""What one module gains from one layer of a file.

That is low-rank factors and a shift of the outputs, added while the module runs, with any weight for each row; or a
change of the module's weight, computed from the weight itself, which structured.py adds to outputs as well for some.

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
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from connectors.http.json_fields import number, table
from connectors.weights.key_formats import Part
from hub_ui.generate.lora.algorithms import LOW_RANK, Factors, cut, delta_of, ia3_bias, is_peft, rank_of, rows_within
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
class Patch:
    """A layer of low rank has `down` [rank, inputs, window], `mid` [rank, rank, window] and `up` [outputs, rank] in its
    `factors`, and a shift of the outputs [outputs] in `diff_b`, which may be all that it has.
    """

    algorithm: str
    factors: Factors

    @property
    def is_low_rank(self) -> bool:
        return self.algorithm == LOW_RANK

    @property
    def rank(self) -> int:
        """0 for a shift alone, and for what is not of low rank."""
        return self.factors.parts["up"].shape[1] if self.is_low_rank and self.factors.has("up") else 0

    def delta(self, weight: Tensor, amount: float, rows: slice = _ALL) -> Tensor | None:
        """What a weight gains, in float32; None for nothing. Linear in `amount`, except for a DoRA of PEFT.

        `weight` has the `rows` of the whole one.
        """
        if self.factors.parts.keys() == {"diff_b"}:
            return None
        factors = self._on(weight)
        if rows != _ALL:
            factors = replace(factors, rows=rows_within(factors.rows, rows))
        if not self.is_low_rank and not is_peft(factors.keys, "magnitude"):
            return delta_of(self.algorithm, factors, weight) * amount
        if amount == 0:
            return None
        return delta_of(self.algorithm, replace(factors, scale=factors.scale * amount), weight)

    def affects(self, name: str) -> bool:
        """Whether it may change that parameter of a module, "weight" or "bias"."""
        if name == "weight":
            return self.factors.parts.keys() != {"diff_b"}
        return self.factors.has("diff_b") or self.algorithm == "ia3"

    def bias_delta(self, bias: Tensor | None, like: Tensor, amount: float) -> Tensor | None:
        if self.factors.has("diff_b"):
            value = cut(_float(self.factors.parts["diff_b"], like), self.factors.rows)
            return (value - bias if self.algorithm == "set" and bias is not None else value) * amount
        gain = ia3_bias(self._on(like), bias) if self.algorithm == "ia3" and bias is not None else None
        return None if gain is None else gain * amount

    def wider(self, inputs: int) -> Patch:
        """Of low rank, for a module with more inputs, of which it ignores the new ones."""
        import torch

        down = self.factors.parts.get("down")
        if down is None or down.shape[1] == inputs:
            return self
        wide = torch.cat([down, down.new_zeros(len(down), inputs - down.shape[1])], 1)
        return replace(self, factors=replace(self.factors, parts={**self.factors.parts, "down": wide}))

    def _on(self, like: Tensor) -> Factors:
        parts = {part: _float(value, like) for part, value in self.factors.parts.items()}
        return replace(self.factors, parts=parts)


def _float(value: Tensor, like: Tensor) -> Tensor:
    import torch

    return value.to(like.device, torch.float32)


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
            found.append(Patch(algorithm=LOW_RANK, factors=replace(factors, parts=_shift(factors, shape), rows=None)))
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
    scale = scale_of(configs, target, alpha, rank_of(factors))
    return replace(factors, scale=scale, alpha=alpha, on_input=on_input)


def _low_rank_patch(factors: Factors, shape: Shape) -> Patch:
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
    parts: dict[Part, Tensor] = {"down": down.reshape(rank, *inside), "up": up, **_shift(factors, shape)}
    if mid is not None:
        parts["mid"] = mid
    return Patch(algorithm=LOW_RANK, factors=replace(factors, parts=parts, rows=None))


def _shift(factors: Factors, shape: Shape) -> dict[Part, Tensor]:
    """A bias that PEFT trains is scaled like its factors; a difference of the module's own bias is not scaled."""
    scales: tuple[tuple[Part, float], ...] = (("diff_b", 1.0), ("up_bias", factors.scale))
    shifts = [scale * factors.cut(factors.parts[part].float()) for part, scale in scales if part in factors.parts]
    if any(tuple(shift.shape) != (shape[0],) for shift in shifts):
        raise Unfit(_SIZES)
    return {"diff_b": sum(shifts[1:], shifts[0])} if shifts else {}


def _weight_patch(algorithm: str, factors: Factors, shape: Shape) -> Patch:
    """Tries the formula on tensors without values first. Raises Unfit where the shapes don't match."""
    import torch

    patch = Patch(algorithm=algorithm, factors=factors)
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
