"""The mapping of a file's layers to the modules that they patch, with a reason for each layer without a module."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.weights.key_formats import PREFIXES
from hub_ui.generate.lora import modules
from hub_ui.generate.lora.module_names import Names, by_head, flat, is_numbered, plain, targets_by_number
from hub_ui.generate.result import Missed

# Prefixes that trainers put before a layer's name, in any order and number.
_WRAPPER_PREFIXES = (
    *(prefix.text for prefix in PREFIXES if not prefix.encoder), "conditional_transformer.", "model.", "module.",
    "_orig_mod.",
)  # fmt: skip
_WRAPPERS = re.compile(rf"^(?:{'|'.join(map(re.escape, _WRAPPER_PREFIXES))})+")
# Trainers number the text encoders of a pipeline (kohya from 1) or name them.
_ENCODER = re.compile(
    r"^(?:base_model\.model\.)*(?:(?:lora|oft|lycoris)_(?:prior_)?te(?P<kohya>\d?)[_.]+"
    r"|text_encoder(?P<diffusers>_\d)?\.|text_encoders?\.(?P<named>\w+?)\.|(?:clip_l|clip_g|t5xxl)\."
    r"|cond_stage_model\.|(?=(?:text_model|lycoris_text_model)[._]))"
)
_WITHIN_ENCODER = re.compile(r"^(?:base_model\.model\.|lycoris_|_orig_mod\.)+")
_ENCODER_NUMBERS = {"clip_l": 1, "clip_g": 2}
_LONGEST_EXAMPLE = 60
# A module may have two layers with such an algorithm, because weight and bias are stored separately.
_ADDITIVE = frozenset(("diff", "norm"))


class _NoTarget(Exception):
    """A layer that patches nothing. `example` represents all layers with the same reason."""

    def __init__(self, reason: str, example: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.example = example if len(example) <= _LONGEST_EXAMPLE else example[: _LONGEST_EXAMPLE - 1] + "…"


def map_keys(shapes: Mapping[str, modules.Shape], names: Names, *, low_noise: bool = False) -> modules.KeyMapping:
    """Map the layers of a file to modules. Every tensor is in a mapped layer, or missed with a reason.

    Wan 2.2 has two networks with the same names: a layer patches the first network unless `low_noise` is set.
    """
    layers, missed = modules.layers_of(shapes)
    numbered = _targets_by_number(layers, shapes, names)
    mapped: list[modules.Layer] = []
    failures: dict[str, list[tuple[_NoTarget, modules.Layer]]] = {}
    for layer in layers:
        try:
            targets = _targets(layer, shapes, names, numbered)
        except _NoTarget as failure:
            failures.setdefault(failure.reason, []).append((failure, layer))
            continue
        if low_noise and "transformer_2" in names.sizes:
            targets = tuple(
                replace(target, component="transformer_2") if target.component == "transformer" else target
                for target in targets
            )
        mapped.append(replace(layer, targets=targets))
    unique = _without_duplicates(mapped)
    for layer in (layer for number, layer in enumerate(mapped) if number not in unique):
        duplicate = _NoTarget("of layers that the file holds a second time", layer.name)
        failures.setdefault(duplicate.reason, []).append((duplicate, layer))
    for reason, unmapped in failures.items():
        more = f" and {len(unmapped) - 1} more" if len(unmapped) > 1 else ""
        example = f" ({unmapped[0][0].example}{more})" if unmapped[0][0].example else ""
        keys = tuple(key for _, layer in unmapped for key in layer.keys.values())
        missed = (*missed, Missed(reason=reason + example, keys=keys))
    return modules.KeyMapping(layers=tuple(unique[number] for number in sorted(unique)), missed=missed)


def _without_duplicates(mapped: Sequence[modules.Layer]) -> dict[int, modules.Layer]:
    """Return the layers by position, without targets that an earlier layer patches with the same algorithm.

    Layers with few targets come first, so the parts of a fused layer win over the fused layer.
    """
    taken: set[tuple[str, str, str]] = set()
    unique: dict[int, modules.Layer] = {}
    for number, layer in sorted(enumerate(mapped), key=lambda pair: len(pair[1].targets)):
        if layer.algorithm in _ADDITIVE:
            unique[number] = layer
            continue
        targets_by_key = {(layer.algorithm, *target.key): target for target in layer.targets}
        rest = tuple(target for key, target in targets_by_key.items() if key not in taken)
        taken |= targets_by_key.keys()
        if rest:
            unique[number] = layer if len(rest) == len(layer.targets) else replace(layer, targets=rest)
    return unique


def _targets_by_number(
    layers: Sequence[modules.Layer], shapes: Mapping[str, modules.Shape], names: Names
) -> Mapping[str, modules.Target]:
    """Return the targets of layers that have only a number.

    If any layer doesn't fit, the file uses another order, so return no targets at all.
    """
    numbered = [layer for layer in layers if is_numbered(layer.name)]
    targets = targets_by_number(names.sizes) if numbered else {}
    for layer in numbered:
        target, size = targets.get(layer.name), modules.size_of(layer, shapes)
        shape = names.sizes[target.component].get(target.module) if target else None
        if size is None or shape is None or not size.fits(shape):
            return {}
    return targets


def _targets(
    layer: modules.Layer, shapes: Mapping[str, modules.Shape], names: Names, numbered: Mapping[str, modules.Target]
) -> modules.Targets:
    size = modules.size_of(layer, shapes)
    if size is None:
        raise _NoTarget("of layers whose tensors have other shapes than their algorithm's", layer.name)
    if is_numbered(layer.name):
        if layer.name in numbered:
            return (numbered[layer.name],)
        raise _NoTarget("of layers that are only numbered, and do not fit this base in the order of their numbers")
    part = modules.PART_OF_FUSED.match(layer.name)
    name, candidates, encoder = find_candidates(part["fused"] if part else layer.name, names)
    if encoder is not None:
        return _encoder_targets(name, candidates, encoder, size, names)
    if not candidates:
        raise _NoTarget("of layers this base does not have", name)
    targets = candidates[0]
    if part is not None:
        targets = tuple(replace(each, rows=None) for each in targets[int(part["number"]) :][:1])
        if not targets:
            raise _NoTarget("of layers this base does not have", layer.name)
    # DiffSynth trains MiniMax-H3's published weights, in which q, k and v alternate by head. Others reorder them first.
    # Only PEFT's adapter name "default" in the keys identifies a file of DiffSynth.
    is_diffsynth = any(key.endswith(".default.weight") for key in layer.keys.values())
    if len(targets) == 3 and names.architecture == "minimax-h3" and is_diffsynth:
        norm = names.sizes[targets[0].component].get(targets[0].module.removesuffix("to_q") + "norm_q")
        targets = by_head(targets, norm[0]) if norm else targets
    if _fits(targets, size, names):
        return targets
    target, (outputs, inputs) = targets[0], modules.matrix(names.size(targets[0]))
    is_flux_input = names.architecture == "flux1" and target.module == "x_embedder"
    # FLUX's control LoRAs read a control image as well as the noise, so the input has twice as many channels.
    if is_flux_input and size.outputs in (None, outputs) and size.inputs == 2 * inputs:
        return (replace(target, inputs=size.inputs),)
    raise _other_size(size, targets, names)


def find_candidates(layer: str, names: Names) -> tuple[str, tuple[modules.Targets, ...], int | None]:
    """Return a layer's plain name, its candidate targets, and the number of its text encoder.

    The number is 0 if it is unknown, and None for a layer of the network.
    """
    # Early versions of SimpleTuner write an underscore at the end of each name.
    name = layer.replace(".processor.", ".").replace("._orig_mod.", ".").rstrip("_")
    if match := _ENCODER.match(name):
        number = match["kohya"] or (match["diffusers"] or "").removeprefix("_") or 0
        encoder = _ENCODER_NUMBERS.get(match["named"], 0) if match["named"] else int(number)
        name = plain(_WITHIN_ENCODER.sub("", name[match.end() :]))
        return name, names.encoders.get(flat(name), ()), encoder
    stripped = _WRAPPERS.sub("", name)
    targets = names.network.get(flat(stripped)) or names.network.get(flat(name.removeprefix("lora_")))
    if targets is not None:
        return stripped, (targets,), None
    # A layer of a text encoder may have no prefix.
    candidates = names.encoders.get(flat(plain(stripped)), ())
    return stripped, candidates, 0 if candidates else None


def _encoder_targets(
    name: str, candidates: Sequence[modules.Targets], number: int, size: modules.Size, names: Names
) -> modules.Targets:
    """Return the targets in the text encoder that has a layer of this name and size.

    The number only decides between several such encoders, because trainers number text encoders differently.
    """
    component = f"text_encoder_{number}" if number > 1 else "text_encoder"
    fitting = [targets for targets in candidates if _fits(targets, size, names)]
    numbered = [targets for targets in candidates if targets[0].component == component]
    if fitting:
        return next((targets for targets in fitting if targets in numbered), fitting[0])
    label = f"text encoder {number}" if number else "the text encoder"
    if not any(each == component or (not number and each.startswith(component)) for each in names.sizes):
        raise _NoTarget(f"of {label}, which this base does not have")
    if not candidates:
        raise _NoTarget(f"of layers that {label} of this base does not have", name)
    raise _other_size(size, (numbered or candidates)[0], names)


def _fits(targets: modules.Targets, size: modules.Size, names: Names) -> bool:
    return size.fits(*(names.size(target) for target in targets))


def _other_size(size: modules.Size, targets: modules.Targets, names: Names) -> _NoTarget:
    shapes = [modules.matrix(names.size(target)) for target in targets]
    expected = f"{sum(shape[0] for shape in shapes)} x {shapes[0][1]}"
    return _NoTarget("of layers that have other sizes than this base's", f"{size} against {expected}")
