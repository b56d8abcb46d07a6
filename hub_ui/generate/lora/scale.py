"""The factor a file brings for each of its layers: alpha / rank, once.

    X.alpha                                a tensor of one value, beside the factors         kohya, LyCORIS, OneTrainer
    __metadata__["lora_adapter_metadata"]  PEFT's LoraConfig as JSON, under components' names  diffusers since 0.34
    __metadata__["alpha"]                  one number for all layers                           MiniMax-H3
    nothing                                alpha is the rank, the factor is 1

A tensor is believed over metadata. What the ss_* metadata of kohya's scripts says is left alone: it may be of before a
resize, and files without alpha tensors have their alpha multiplied in.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# PEFT matches a pattern as a regular expression at the end of a module's name. These come from strangers: a repeat
# inside a repeat can take forever, so such a pattern is refused.
_RISKY = re.compile(r"\)\s*[*+{?]|(?:[*+}].*){4}|\\[1-9]|\(\?")
_LONGEST_PATTERN = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What PEFT would be told for one component of the pipeline. `name` of a module -> alpha by `alpha_of`."""

    alpha: float
    patterns: Mapping[str, float] = field(default_factory=dict)
    rank_stabilised: bool = False

    def alpha_of(self, module: str) -> float:
        for pattern, alpha in self.patterns.items():
            if _matches(pattern, module):
                return alpha
        return self.alpha


@dataclass(frozen=True, kw_only=True, slots=True)
class Scales:
    """The settings that a file's metadata holds, by component; "" stands for all of them."""

    configs: Mapping[str, Config] = field(default_factory=dict)

    def of(self, component: str, module: str, alpha: float | None, rank: int | None) -> float:
        """`rank` None: the algorithm has none, as LoKr with two whole factors, whose alpha means nothing."""
        if rank is None:
            return 1.0
        if alpha is not None:
            # kohya and LyCORIS read an alpha of 0 as "the rank".
            return alpha / rank if alpha else 1.0
        config = self.configs.get(component) or self.configs.get("")
        if config is None:
            return 1.0
        return config.alpha_of(module) / (math.sqrt(rank) if config.rank_stabilised else rank)


def scales_of(metadata: Mapping[str, str]) -> Scales:
    written = metadata.get("lora_adapter_metadata")
    if written is not None:
        return Scales(configs=_configs(written))
    alpha = _number(metadata.get("alpha"))
    return Scales(configs={"": Config(alpha=alpha)} if alpha is not None else {})


def _configs(written: str) -> dict[str, Config]:
    """ "transformer.lora_alpha": 8 and so on: the component stands before the first dot."""
    try:
        values = json.loads(written)
    except (ValueError, RecursionError):
        return {}
    parts: dict[str, dict[str, Any]] = {}
    for key, value in values.items() if isinstance(values, dict) else ():
        component, dot, name = key.partition(".")
        parts.setdefault(component if dot else "", {})[name if dot else component] = value
    return {component: config for component, fields in parts.items() if (config := _config(fields)) is not None}


def _config(fields: Mapping[str, Any]) -> Config | None:
    alpha = _number(fields.get("lora_alpha", fields.get("alpha")))
    if alpha is None:
        return None
    patterns = fields.get("alpha_pattern")
    found = patterns.items() if isinstance(patterns, dict) else ()
    return Config(
        alpha=alpha,
        patterns={key: number for key, value in found if (number := _number(value)) is not None},
        rank_stabilised=fields.get("use_rslora") is True,
    )


def _matches(pattern: str, module: str) -> bool:
    """As PEFT does: the whole name or its end after a dot; "^" ties a pattern to the name's beginning."""
    if module == pattern or module.endswith("." + pattern):
        return True
    if len(pattern) > _LONGEST_PATTERN or _RISKY.search(pattern):
        return False
    try:
        return re.match(rf"(.*\.)?({pattern})$", module) is not None
    except re.error:
        return False


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
