"""The scale of each layer of a file: alpha / rank.

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
from dataclasses import dataclass, field
from typing import Any

# PEFT matches a pattern as a regular expression at the end of a module's name. Files are untrusted, and a repeat inside
# a repeat can take forever, so such a pattern is ignored.
_RISKY = re.compile(r"\)\s*[*+{?]|(?:[*+}].*){4}|\\[1-9]|\(\?")
_LONGEST_PATTERN = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """PEFT's settings for one component of the pipeline. `patterns` of module names have an alpha of their own."""

    alpha: float
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Scales:
    """The settings in a file's metadata by component; "" stands for all of them."""

    configs: Mapping[str, Config] = field(default_factory=dict)

    def of(self, component: str, module: str, alpha: float | None, rank: int | None) -> float:
        """`rank` is None where the algorithm has none, as a LoKr with two whole factors: then alpha means nothing."""
        if rank is None:
            return 1.0
        if alpha is not None:
            # kohya and LyCORIS take an alpha of 0 for the rank.
            return alpha / rank if alpha else 1.0
        config = self.configs.get(component) or self.configs.get("")
        if config is None:
            return 1.0
        return config.alpha_of(module) / (math.sqrt(rank) if config.rank_stabilised else rank)


def scales_of(metadata: Mapping[str, str]) -> Scales:
    """Settings that make no sense are ignored."""
    text = metadata.get("lora_adapter_metadata")
    if text is None:
        alpha = _number(metadata.get("alpha"))
        return Scales(configs={"": Config(alpha=alpha)} if alpha is not None else {})
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return Scales()
    # "transformer.lora_alpha": 8 and so on: the component is before the first dot.
    components: dict[str, dict[str, Any]] = {}
    for key, value in values.items() if isinstance(values, dict) else ():
        component, dot, name = key.partition(".")
        components.setdefault(component if dot else "", {})[name if dot else component] = value
    configs = {component: _config(fields) for component, fields in components.items()}
    return Scales(configs={component: config for component, config in configs.items() if config is not None})


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


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
