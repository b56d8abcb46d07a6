"""Patches: the effect of one layer of a file on one module.

A low-rank patch has low-rank factors and a shift of the outputs. A hook adds both while the module runs, with a weight
for each row. Any other patch changes the module's weight and is computed from it; structured.py can add some of these
patches to outputs as well.

The scale of a layer is alpha / rank. A file stores alpha as:

    X.alpha                                a tensor of one value, next to the factors         kohya, LyCORIS, OneTrainer
    __metadata__["lora_adapter_metadata"]  PEFT's LoraConfig as JSON, prefixed by component   diffusers since 0.34
    __metadata__["alpha"]                  one number for all layers                          MiniMax-H3
    (not stored)                           alpha is the rank, so the scale is 1

A tensor takes precedence over metadata. kohya's ss_* metadata is not used, because it may be older than a resize. In a
file of kohya's without alpha tensors, the factors already include alpha.
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
# All rows of a weight.
_ALL = slice(None)
_SIZES = "of layers that have other sizes in this model"


class Unfit(Exception):
    """A layer that does not fit a module. `args[0]` completes "48 tensors ..."."""


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The effect of one layer of a file on one module.

    The `factors` of a low-rank patch are `down` [rank, inputs, window], `mid` [rank, rank, window] if the layer has a
    core, `up` [outputs, rank], and `diff_b`, a shift of the outputs [outputs]. A patch may have only `diff_b`.
    """

    algorithm: str
    factors: Factors

    @property
    def is_low_rank(self) -> bool:
        return self.algorithm == LOW_RANK

    @property
    def rank(self) -> int:
        """The rank of a low-rank patch. It is 0 for a shift alone and for other patches."""
        return self.factors.parts["up"].shape[1] if self.is_low_rank and self.factors.has("up") else 0

    def delta(self, weight: Tensor, amount: float, rows: slice = _ALL) -> Tensor | None:
        """Return the change of a weight in float32, or None if the patch does not change it.

        The change is linear in `amount`, except for a DoRA of PEFT. `weight` contains only `rows` of the whole weight.
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
        """Return whether the patch may change the module's "weight" or "bias"."""
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
        """Return this low-rank patch for a module with more inputs; it ignores the new inputs."""
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
    """Return whether low-rank factors can be added to a module's outputs."""
    return isinstance(module, _matrix_modules()) and getattr(module, "groups", 1) == 1


def _matrix_modules() -> tuple[type, ...]:
    from torch import nn

    return nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


def patches(
    layer: Layer, target: Target, own: Shape, params: Params, tensors: Mapping[str, Tensor], configs: Configs
) -> list[Patch]:
    """Return the patches of a layer for one target; `own` is the shape of the module's weight.

    Raises Unfit if the layer does not fit the module, and Inseparable if a fused layer can't be split.
    """
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
            # Add the bias to the outputs of a module without a bias. The module needs one output per row of its weight,
            # which excludes embeddings and the owner of a bare parameter.
            is_matrix = isinstance(weight.module, _matrix_modules())
            if weight.name != "weight" or not (is_matrix or len(own) == 1):
                raise Unfit("of biases that modules of this model can't have")
            found.append(Patch(algorithm=LOW_RANK, factors=replace(factors, parts=_shift(factors, shape), rows=None)))
        return found
    except KeyError as error:
        raise Unfit("of layers that lack one of their factors") from error
    except IndexError as error:
        raise Unfit(_SIZES) from error


# Parts that are a single number.
_NUMBERS: frozenset[Part] = frozenset(("alpha", "on_input"))
# The differences of a norm are applied like the differences of other layers.
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
    """Return the shift of the outputs. PEFT's trained bias is scaled like the factors, a bias difference is not."""
    scales: tuple[tuple[Part, float], ...] = (("diff_b", 1.0), ("up_bias", factors.scale))
    shifts = [scale * factors.cut(factors.parts[part].float()) for part, scale in scales if part in factors.parts]
    if any(tuple(shift.shape) != (shape[0],) for shift in shifts):
        raise Unfit(_SIZES)
    return {"diff_b": sum(shifts[1:], shifts[0])} if shifts else {}


def _weight_patch(algorithm: str, factors: Factors, shape: Shape) -> Patch:
    """Return a patch after testing its formula on meta tensors. Raises Unfit if the shapes don't match."""
    import torch

    patch = Patch(algorithm=algorithm, factors=factors)
    with torch.inference_mode(False), torch.no_grad():
        try:
            patch.delta(torch.empty(shape, device="meta"), 1.0)
        except (RuntimeError, IndexError, ValueError) as error:
            raise Unfit(_SIZES) from error
    return patch


# PEFT matches a pattern as a regular expression at the end of a module's name. Files are untrusted, and nested
# repetitions can take exponential time, so such a pattern is ignored.
_RISKY = re.compile(r"\)\s*[*+{?]|(?:[*+}].*){4}|\\[1-9]|\(\?")
_LONGEST_PATTERN = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """PEFT's settings for one component. `patterns` map patterns of module names to alphas; `rank` is 0 if unknown."""

    alpha: float
    rank: float = 0.0
    patterns: Mapping[str, float] = field(default_factory=dict)
    rank_stabilised: bool = False

    def alpha_of(self, module: str) -> float:
        """Return a module's alpha. As in PEFT, a pattern matches the whole name or its end after a dot.

        A pattern with "^" matches only from the beginning of the name.
        """
        for pattern, alpha in self.patterns.items():
            if module == pattern or module.endswith("." + pattern):
                return alpha
            if len(pattern) > _LONGEST_PATTERN or _RISKY.search(pattern):
                continue
            with suppress(re.error):
                if re.match(rf"(.*\.)?({pattern})$", module):
                    return alpha
        return self.alpha


# Settings by component; "" represents all components.
Configs = Mapping[str, Config]


def scale_of(configs: Configs, target: Target, alpha: float | None, rank: int | None) -> float:
    """Return alpha / rank of a layer, or alpha / sqrt(rank) for PEFT's rsLoRA.

    If `rank` is None, because the factors have no rank (a LoKr with two whole factors), use the rank from the settings.
    """
    if alpha is not None:
        # kohya and LyCORIS use the rank in place of an alpha of 0.
        return alpha / rank if alpha and rank else 1.0
    config = configs.get(target.component) or configs.get("")
    divisor = rank or (config.rank if config else 0.0)
    if config is None or divisor <= 0:
        return 1.0
    return config.alpha_of(target.module) / (math.sqrt(divisor) if config.rank_stabilised else divisor)


def configs_of(metadata: Mapping[str, str]) -> Configs:
    """Read PEFT's settings from a file's metadata. Invalid settings are ignored."""
    text = metadata.get("lora_adapter_metadata")
    if text is None:
        alpha = number(metadata.get("alpha"))
        return {"": Config(alpha=alpha)} if alpha is not None else {}
    try:
        values = table(json.loads(text))
    except (ValueError, RecursionError):
        return {}
    # The component is before the first dot, for example "transformer.lora_alpha": 8.
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
                patterns={key: value for key, value in patterns.items() if value is not None},
                rank_stabilised=fields.get("use_rslora") is True,
            )
    return configs
