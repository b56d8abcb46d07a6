"""Which modules of a model the layers of a file patch, and why the others patch none."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.weights.key_formats import PREFIXES
from hub_ui.generate.lora import modules
from hub_ui.generate.lora.module_names import Names, by_head, flat, is_numbered, plain, targets_by_number
from hub_ui.generate.result import Missed

# What trainers put before the name of a layer, in any order and number.
_BEGINNINGS = (
    *(prefix.text for prefix in PREFIXES if not prefix.encoder), "conditional_transformer.", "model.", "module.",
    "_orig_mod.",
)  # fmt: skip
_WRAPPERS = re.compile(rf"^(?:{'|'.join(map(re.escape, _BEGINNINGS))})+")
# Several encoders are numbered, by kohya from 1, or named.
_ENCODER = re.compile(
    r"^(?:base_model\.model\.)*(?:(?:lora|oft|lycoris)_(?:prior_)?te(?P<kohya>\d?)[_.]+"
    r"|text_encoder(?P<diffusers>_\d)?\.|text_encoders?\.(?P<named>\w+?)\.|(?:clip_l|clip_g|t5xxl)\."
    r"|cond_stage_model\.|(?=(?:text_model|lycoris_text_model)[._]))"
)
_WITHIN_ENCODER = re.compile(r"^(?:base_model\.model\.|lycoris_|_orig_mod\.)+")
_ENCODER_NUMBERS = {"clip_l": 1, "clip_g": 2}
_LONGEST_EXAMPLE = 60
# Weight and bias are stored apart, so a module may have two such layers.
_ADDITIVE = frozenset(("diff", "norm"))


class _NoTarget(Exception):
    """Why a layer patches nothing, and an example to show of all layers with the same reason."""

    def __init__(self, reason: str, example: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.example = example if len(example) <= _LONGEST_EXAMPLE else example[: _LONGEST_EXAMPLE - 1] + "…"


def map_keys(shapes: Mapping[str, modules.Shape], names: Names, *, low_noise: bool = False) -> modules.KeyMapping:
    """Every tensor is in a mapped layer, or missed with a reason. Wan 2.2 has two networks with the same names: a layer
    goes to the first one unless `low_noise`.
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
    for layer in (each for number, each in enumerate(mapped) if number not in unique):
        duplicate = _NoTarget("of layers that the file holds a second time", layer.name)
        failures.setdefault(duplicate.reason, []).append((duplicate, layer))
    for reason, those in failures.items():
        more = f" and {len(those) - 1} more" if len(those) > 1 else ""
        example = f" ({those[0][0].example}{more})" if those[0][0].example else ""
        keys = tuple(key for _, layer in those for key in layer.keys.values())
        missed = (*missed, Missed(reason=reason + example, keys=keys))
    return modules.KeyMapping(layers=tuple(unique[number] for number in sorted(unique)), missed=missed)


def _without_duplicates(mapped: Sequence[modules.Layer]) -> dict[int, modules.Layer]:
    """Layers by position, each target once: of a fused layer and its parts, the one with the fewest targets wins."""
    taken: set[tuple[str, str, str]] = set()
    unique: dict[int, modules.Layer] = {}
    for number, each in sorted(enumerate(mapped), key=lambda pair: len(pair[1].targets)):
        if each.algorithm in _ADDITIVE:
            unique[number] = each
            continue
        places = {(each.algorithm, *target.key): target for target in each.targets}
        rest = tuple(target for place, target in places.items() if place not in taken)
        taken |= places.keys()
        if rest:
            unique[number] = each if len(rest) == len(each.targets) else replace(each, targets=rest)
    return unique


def _targets_by_number(
    layers: Sequence[modules.Layer], shapes: Mapping[str, modules.Shape], names: Names
) -> Mapping[str, modules.Target]:
    """The targets of layers that are only numbered. If one doesn't fit, the order is another and none is reliable."""
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
    # DiffSynth trains MiniMax-H3 as it is published, where q, k and v alternate by head; others reorder them first.
    # Only the adapter's name that PEFT writes shows whose file it is.
    is_diffsynth = any(key.endswith(".default.weight") for key in layer.keys.values())
    if len(targets) == 3 and names.architecture == "minimax-h3" and is_diffsynth:
        norm = names.sizes[targets[0].component].get(targets[0].module.removesuffix("to_q") + "norm_q")
        targets = by_head(targets, norm[0]) if norm else targets
    if _fits(targets, size, names):
        return targets
    target, (outputs, inputs) = targets[0], modules.matrix(names.size(targets[0]))
    is_flux_input = names.architecture == "flux1" and target.module == "x_embedder"
    # FLUX's control LoRAs read a control image beside the noise: twice as many channels.
    if is_flux_input and size.outputs in (None, outputs) and size.inputs == 2 * inputs:
        return (replace(target, inputs=size.inputs),)
    raise _other_size(size, targets, names)


def find_candidates(layer: str, names: Names) -> tuple[str, tuple[modules.Targets, ...], int | None]:
    """A layer's plain name, its candidates, and the number of its text encoder: 0 if unknown, None for the network."""
    # Early files of SimpleTuner end each name in an underscore.
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
    # It may be a text encoder's layer without a prefix.
    candidates = names.encoders.get(flat(plain(stripped)), ())
    return stripped, candidates, 0 if candidates else None


def _encoder_targets(
    name: str, candidates: Sequence[modules.Targets], number: int, size: modules.Size, names: Names
) -> modules.Targets:
    """Trainers number text encoders differently, so the encoder that has a layer of this name and size is meant."""
    component = f"text_encoder_{number}" if number > 1 else "text_encoder"
    fitting = [each for each in candidates if _fits(each, size, names)]
    own = [each for each in candidates if each[0].component == component]
    if fitting:
        return next((each for each in fitting if each in own), fitting[0])
    label = f"text encoder {number}" if number else "the text encoder"
    if not any(each == component or (not number and each.startswith(component)) for each in names.sizes):
        raise _NoTarget(f"of {label}, which this base does not have")
    if not candidates:
        raise _NoTarget(f"of layers that {label} of this base does not have", name)
    raise _other_size(size, (own or candidates)[0], names)


def _fits(targets: modules.Targets, size: modules.Size, names: Names) -> bool:
    return size.fits(*(names.size(target) for target in targets))


def _other_size(size: modules.Size, targets: modules.Targets, names: Names) -> _NoTarget:
    shapes = [modules.matrix(names.size(target)) for target in targets]
    ours = f"{sum(shape[0] for shape in shapes)} x {shapes[0][1]}"
    return _NoTarget("of layers that have other sizes than this base's", f"{size} against {ours}")
