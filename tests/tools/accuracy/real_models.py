"""The real networks, as large as they are published but without weights: names and shapes of every parameter.

They are built by diffusers and transformers on the meta device, from the values of the published configs that differ
from the classes' defaults. Nothing is downloaded.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_ui.generate.lora.modules import Model

if TYPE_CHECKING:
    from torch import nn

Values = Mapping[str, Any]
# name -> component -> the library's class and the values that differ from its defaults.
Parts = Mapping[str, tuple[str, Values]]


def _read(text: str) -> tuple[Mapping[str, Values], Mapping[str, Parts]]:
    """The configs by name, and the models."""
    tables = json.loads(text)
    configs: dict[str, Values] = {name: _as_in_python(values) for name, values in tables["configs"].items()}
    models = {
        model: {part: (kind, configs[name[0]] if name else {}) for part, (kind, *name) in parts.items()}
        for model, parts in tables["models"].items()
    }
    return configs, models


def _as_in_python(value: Any) -> Any:
    """The classes' own defaults are tuples, and are hashed."""
    if isinstance(value, dict):
        return {name: _as_in_python(each) for name, each in value.items()}
    return tuple(map(_as_in_python, value)) if isinstance(value, list) else value


CONFIGS, MODELS = _read(Path(__file__).with_name("real_models.json").read_text(encoding="utf-8"))


def architecture_of(name: str) -> str:
    """ "flux2 klein 4b" is a flux2."""
    return name.partition(" ")[0]


def sizes_of(architecture: str) -> list[str]:
    """The models of an architecture; it may be published in several sizes."""
    return [name for name in MODELS if architecture_of(name) == architecture]


def built(name: str) -> Model:
    return shapes_of(parts(name))


def shapes_of(networks: Mapping[str, nn.Module]) -> Model:
    return {
        component: {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
        for component, network in networks.items()
    }


def parts(name: str) -> dict[str, nn.Module]:
    import torch

    with torch.device("meta"), warnings.catch_warnings():
        # diffusers' own classes use names that diffusers calls deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        return {component: _network(*part) for component, part in MODELS[name].items()}


def _network(library_class: str, values: Values) -> nn.Module:
    import diffusers
    import transformers

    if hasattr(diffusers, library_class):
        made: nn.Module = getattr(diffusers, library_class)(**values)
        return made
    make: Any = getattr(transformers, library_class)
    encoder: nn.Module = make(make.config_class(**values))
    return encoder
