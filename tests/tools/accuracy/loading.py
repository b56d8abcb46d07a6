"""What becomes of every recorded LoRA when it is loaded: by plain diffusers as it was recorded, and by this project.

The corpus has headers only, so ours is judged by tensors without values, which are placed on the real networks without
weights and made into patches there, as the program does it. A file of which only some tensors were recorded, or whose
shapes another project made up, is judged by its names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from connectors.weights import lora_facts
from connectors.weights.file_type import structure_of
from connectors.weights.header import Header, read_header
from connectors.weights.key_formats import Part, sort
from hub_ui.generate.lora.algorithms import Inseparable
from hub_ui.generate.lora.key_mapping import find_candidates, map_keys
from hub_ui.generate.lora.module_names import Names, names_of
from hub_ui.generate.lora.modules import HALF, KeyMapping, Layer, Shape, layers_of, matrix
from hub_ui.generate.lora.parameters import param_handles
from hub_ui.generate.lora.patch import Unfit, configs_of, patches
from hub_ui.generate.result import Missed
from tests.tools.accuracy.real_models import architecture_of, parts, shapes_of, sizes_of
from tests.tools.accuracy.scoring import content_of

if TYPE_CHECKING:
    from torch import nn

Outcome = Literal["in full", "in part", "refused", "silent", "not recorded"]
OUTCOMES: tuple[Outcome, ...] = ("in full", "in part", "refused", "silent", "not recorded")
# A part without a report is what diffusers makes of it: it warns in a log at most.
_RECORDED: Mapping[str, Outcome] = {
    "converted": "in full",
    "partial": "in part",
    "degraded": "in part",
    "SILENT-NOOP": "silent",
    "ERR": "refused",
    "ERR-at-load": "refused",
    "no-loader-class": "refused",
}
_NO_BASE = "of an architecture that diffusers has no pipeline for"
_MADE_UP = "upstream-fixture"
LEAST_IN_FULL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """`whole`: all tensors of the file are recorded, each layer with both its halves.

    `based`: there is a network to load it into.
    """

    case: str
    whole: bool
    before: Outcome
    after: Outcome
    missed: tuple[Missed, ...] = ()
    based: bool = True


@dataclass(frozen=True, kw_only=True)
class Network:
    parts: Mapping[str, nn.Module]
    names: Names


class Networks:
    """The real networks, each built when it is first asked for."""

    def __init__(self) -> None:
        self._built: dict[str, Network] = {}

    def of(self, architecture: str) -> list[Network]:
        return [self._of(name) for name in sizes_of(architecture)]

    def _of(self, name: str) -> Network:
        if name not in self._built:
            made = parts(name)
            self._built[name] = Network(parts=made, names=names_of(shapes_of(made), architecture_of(name)))
        return self._built[name]


def load_case(path: Path, networks: Networks, *, quickly: bool = False) -> Loaded | None:
    """None for what is no LoRA. `quickly`: by the places of the layers alone, without making patches of them."""
    case = json.loads(path.read_text(encoding="utf-8"))
    if not case["truth"]["is_lora"]:
        return None
    shapes = {name: tuple(entry["shape"]) for name, entry in case["tensors"].items()}
    fitting = _architectures_of(read_header(content_of(case)))
    _, missed = layers_of(shapes)
    whole = case["provenance"] != "real-thinned" and not any(each.reason == HALF for each in missed)
    by_name = not whole or case["provenance"] == _MADE_UP
    judge = _by_name if by_name else _place if quickly else _load_patches
    found = [
        judge(shapes, case["metadata"] or {}, network)
        for architecture in fitting
        for network in networks.of(architecture)
    ]
    best = max(found, key=lambda mapping: len(mapping.layers), default=None)
    return Loaded(
        case=path.stem,
        whole=whole,
        before=_RECORDED[recorded["result"]] if (recorded := case.get("diffusers_0_42_1")) else "not recorded",
        after=_after(best, len(shapes)),
        missed=best.missed if best else (Missed(reason=_NO_BASE, keys=tuple(shapes)),),
        based=best is not None,
    )


def _architectures_of(header: Header) -> tuple[str, ...]:
    """Those that the tensors leave, where they leave several: a person chooses a base of one of them."""
    architecture = lora_facts.read(header).architecture
    return (architecture,) if architecture else structure_of(header.tensors).architectures


def _load_patches(shapes: Mapping[str, Shape], metadata: Mapping[str, str], network: Network) -> KeyMapping:
    """The layers of which patches can be made."""
    import torch

    # Single numbers are read while a patch is made; of all else the shape is enough.
    tensors = {
        key: torch.ones(shape) if prod(shape) == 1 else torch.empty(shape, device="meta")
        for key, shape in shapes.items()
    }
    mapping = map_keys(shapes, network.names)
    placed, missed = [], list(mapping.missed)
    for each in mapping.layers:
        if "on_input" in each.keys:
            # A value in the file says which side an IA3 scales; here only how many numbers it has can tell.
            outputs = sum(matrix(network.names.size(target))[0] for target in each.targets)
            over_inputs = prod(shapes[each.keys["ia3"]]) != outputs
            tensors[each.keys["on_input"]] = torch.tensor(float(over_inputs))
        try:
            for target in each.targets:
                params = param_handles(network.parts[target.component], target.module)
                shape = network.names.size(target)
                patches(each, target, shape, params, tensors, configs_of(metadata))
            placed.append(each)
        except (Unfit, Inseparable) as refused:
            missed.append(Missed(reason=str(refused.args[0]), keys=tuple(each.keys.values())))
    return KeyMapping(layers=tuple(placed), missed=tuple(missed))


def _place(shapes: Mapping[str, Shape], metadata: Mapping[str, str], network: Network) -> KeyMapping:
    return map_keys(shapes, network.names)


def _by_name(shapes: Mapping[str, Shape], metadata: Mapping[str, str], network: Network) -> KeyMapping:
    """As if every layer were whole and had the right size."""
    layers: dict[str, dict[Part, str]] = {}
    for part, keys in sort({key: key for key in shapes}).parts.items():
        for layer, key in keys.items():
            layers.setdefault(layer, {})[part] = key
    known = {layer for layer in layers if find_candidates(layer, network.names)[1]}
    return KeyMapping(
        layers=tuple(Layer(name=layer, algorithm="lora", keys=layers[layer]) for layer in sorted(known)),
        missed=tuple(
            Missed(reason=f"of {layer}, which this base does not have", keys=tuple(keys.values()))
            for layer, keys in layers.items()
            if layer not in known
        ),
    )


def _after(mapping: KeyMapping | None, tensors: int) -> Outcome:
    if mapping is None:
        return "refused"
    placed = sum(len(each.keys) for each in mapping.layers)
    missed = sum(len(each.keys) for each in mapping.missed)
    if placed + missed != tensors:
        return "silent"
    if not placed:
        return "refused" if missed else "silent"
    return "in part" if missed else "in full"


def count(cases: Iterable[Loaded], outcome: Outcome, *, after: bool) -> int:
    return sum((each.after if after else each.before) == outcome for each in cases)


def table(cases: Sequence[Loaded]) -> list[str]:
    """A line for all, and one for those that are recorded whole."""
    row = "{:<20}{:>7}" + 2 * "{:>10}{:>9}{:>9}{:>8}" + "{:>14}"
    lines = [
        "How LoRAs load: by diffusers 0.42.1 alone, then by this project.",
        row.format("", "cases", *OUTCOMES[:4], *OUTCOMES),
    ]
    for name, some in (("all", cases), ("all that are whole", [each for each in cases if each.whole])):
        *before, unknown = (count(some, outcome, after=False) for outcome in OUTCOMES)
        after = (count(some, outcome, after=True) for outcome in OUTCOMES[:4])
        lines.append(row.format(name, len(some), *before, *after, unknown))
    return [*lines, f"Whole LoRAs in full: {share_in_full(cases):.1%}.", *reports(cases)]


def reports(cases: Iterable[Loaded]) -> list[str]:
    """What is not placed, and why."""
    return [
        f"{each.case} ({each.after}): {len(missed.keys)} tensors {missed.reason}"
        for each in cases
        if each.after != "in full"
        for missed in each.missed
    ]


def share_in_full(cases: Iterable[Loaded]) -> float:
    whole = [each for each in cases if each.whole and each.based]
    return count(whole, "in full", after=True) / len(whole) if whole else 1.0


def shortfalls(cases: Sequence[Loaded]) -> list[str]:
    """What is below the figures that this project promises; empty when all is well."""
    found = [f"loading: {each.case} changes nothing in silence" for each in cases if each.after == "silent"]
    if share_in_full(cases) < LEAST_IN_FULL:
        found.append(f"loading: {share_in_full(cases):.1%} of whole LoRAs in full, {LEAST_IN_FULL:.0%} wanted")
    return found
