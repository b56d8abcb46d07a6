"""The tiny pipelines of bases.yaml, by name, and the parts that several of them have."""

from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml
from PIL import Image

from tests.hub_ui.generate.pipelines import tokens
from tests.hub_ui.generate.pipelines.frame import Base, build

_FILE = yaml.safe_load(Path(__file__).with_name("bases.yaml").read_text(encoding="utf-8"))
_SHARED = _FILE.pop("shared")


def part(name: str, **fields: Any) -> Any:
    """A shared one, with other settings."""
    return _make({**_SHARED[name], **fields})


def _make(value: Any) -> Any:
    """An object where a class is named, else the value."""
    if not isinstance(value, dict) or "class" not in value:
        return value
    fields = deepcopy(value)
    name = fields.pop("class")
    if name.startswith("tokens."):
        return getattr(tokens, name.removeprefix("tokens."))(**fields)
    if not hasattr(transformers, name):
        return build(name, **fields)
    kind: Any = getattr(transformers, name)
    return kind(kind.config_class(**fields)) if hasattr(kind, "config_class") else kind(**fields)


def _parts(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _make(value) for name, value in table.items()}


def _embeddings() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    sizes = {"prompt_embeds": (1, 12, 32), "pooled_prompt_embeds": (1, 32)}
    return {
        f"{kind}{name}": torch.randn(size, generator=generator)
        for name, size in sizes.items()
        for kind in ("", "negative_")
    }


_GRADIENT = Image.linear_gradient("L").resize((32, 32)).convert("RGB")
# What a call takes that is no plain value.
_INPUTS: Mapping[str, Mapping[str, Any]] = {
    "kolors": _embeddings(),
    "flux1 Kontext": {"image": _GRADIENT},
    # The first noise is given: reading the control picture takes from the same generator.
    "flux1 control": {"control_image": _GRADIENT, "latents": torch.randn(1, 64, 4, generator=torch.Generator())},
    "wan_i2v": {"image": Image.new("RGB", (32, 32), "orange")},
}
TINY: Mapping[str, Base] = {
    name: Base(
        name=name,
        architecture=table["architecture"],
        pipeline=table["pipeline"],
        parts=partial(_parts, table["parts"]),
        call={**table["call"], **_INPUTS.get(name, {})},
        attributes=table.get("attributes", {}),
        given=table.get("given", {}),
    )
    for name, table in _FILE.items()
}
