"""What becomes of every recorded LoRA when it is loaded: by plain diffusers as it was recorded, and by this project.

The corpus has headers only, so ours is judged by where each layer is placed on the real networks. A file of which only
some tensors were recorded, or whose shapes another project made up, is judged by its names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from connectors.facts import adapter
from connectors.facts.header import Header, Tensor
from connectors.facts.structure import structure_of
from connectors.facts.suffixes import Part, sort
from hub_ui.preview.adapters.layers import HALF, layers_of
from hub_ui.preview.adapters.model import Layer, Placed, Placement, Shape
from hub_ui.preview.adapters.placing import knows, place_on
from hub_ui.preview.adapters.spelled import Names, names_of
from hub_ui.preview.coverage import Missed
from tests.accuracy.real_models import architecture_of, built, sizes_of

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
_MADE_UP = "upstream-fixture"
LEAST_IN_FULL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """`whole`: all tensors of the file are recorded, each layer with both its halves."""

    case: str
    architecture: str
    whole: bool
    before: Outcome
    after: Outcome
    missed: tuple[Missed, ...] = ()


class Networks:
    """The real networks' names, each built when it is first asked for."""

    def __init__(self) -> None:
        self._names: dict[str, Names] = {}

    def of(self, architecture: str) -> list[Names]:
        return [self._of(name) for name in sizes_of(architecture)]

    def _of(self, name: str) -> Names:
        if name not in self._names:
            self._names[name] = names_of(built(name), architecture_of(name))
        return self._names[name]


def loaded(path: Path, networks: Networks) -> Loaded | None:
    """None for what is no LoRA."""
    case = json.loads(path.read_text(encoding="utf-8"))
    if not case["truth"]["is_lora"]:
        return None
    shapes = {name: tuple(entry["shape"]) for name, entry in case["tensors"].items()}
    fitting = _architectures_of(_header(case))
    _, missed = layers_of(shapes)
    whole = case["provenance"] != "real-thinned" and not any(each.reason == HALF for each in missed)
    by_name = not whole or case["provenance"] == _MADE_UP
    found = [
        _by_name(shapes, names) if by_name else place_on(shapes, names)
        for architecture in fitting
        for names in networks.of(architecture)
    ]
    best = max(found, key=lambda placement: len(placement.placed), default=None)
    return Loaded(
        case=path.stem,
        architecture=fitting[0] if len(fitting) == 1 else "undecided",
        whole=whole,
        before=_before(case),
        after=_after(best, len(shapes)),
        missed=best.missed if best else (),
    )


def _architectures_of(header: Header) -> tuple[str, ...]:
    """Those that the tensors leave, where they leave several: a person chooses a base of one of them."""
    architecture = adapter.read(header).architecture
    return (architecture,) if architecture else structure_of(header.tensors).architectures


def _header(case: Mapping[str, Any]) -> Header:
    tensors = {
        name: Tensor(dtype=entry["dtype"], shape=tuple(entry["shape"]), data_offsets=(0, 0))
        for name, entry in case["tensors"].items()
    }
    return Header(tensors=tensors, metadata=case["metadata"] or {})


def _by_name(shapes: Mapping[str, Shape], names: Names) -> Placement:
    """As if every layer were whole and had the right size."""
    layers: dict[str, dict[Part, str]] = {}
    for part, keys in sort({key: key for key in shapes}).parts.items():
        for layer, key in keys.items():
            layers.setdefault(layer, {})[part] = key
    known = {layer for layer in layers if knows(layer, names)}
    return Placement(
        placed=tuple(
            Placed(layer=Layer(name=layer, algorithm="lora", keys=layers[layer]), targets=()) for layer in sorted(known)
        ),
        missed=tuple(
            Missed(reason=f"of {layer}, which this base does not have", keys=tuple(keys.values()))
            for layer, keys in layers.items()
            if layer not in known
        ),
    )


def _before(case: Mapping[str, Any]) -> Outcome:
    recorded = case.get("diffusers_0_42_1")
    return _RECORDED[recorded["result"]] if recorded else "not recorded"


def _after(placement: Placement | None, tensors: int) -> Outcome:
    if placement is None:
        return "refused"
    placed = sum(len(each.layer.keys) for each in placement.placed)
    missed = sum(len(each.keys) for each in placement.missed)
    if placed + missed != tensors:
        return "silent"
    if not placed:
        return "refused" if missed else "silent"
    return "in part" if missed else "in full"


def count(cases: Iterable[Loaded], outcome: Outcome, *, after: bool) -> int:
    return sum((each.after if after else each.before) == outcome for each in cases)


_ROW = "{:<20}{:>7}" + 2 * "{:>10}{:>9}{:>9}{:>8}" + "{:>14}"


def table(cases: Sequence[Loaded]) -> list[str]:
    """A line for each architecture, one for all, and one for those that are recorded whole."""
    ours, theirs = OUTCOMES[:4], OUTCOMES
    heads = [
        "How LoRAs load: by diffusers 0.42.1 alone, then by this project.",
        _ROW.format("architecture", "cases", *ours, *ours, "not recorded"),
    ]
    groups = [(name, [each for each in cases if each.architecture == name]) for name in _architectures(cases)]
    groups += [("all", list(cases)), ("all that are whole", [each for each in cases if each.whole])]
    rows = []
    for name, some in groups:
        before = [count(some, outcome, after=False) for outcome in theirs]
        after = [count(some, outcome, after=True) for outcome in ours]
        rows.append(_ROW.format(name, len(some), *before[:4], *after, before[4]))
    return [*heads, *rows, f"Whole LoRAs in full: {share_in_full(cases):.1%}.", *reports(cases)]


def _architectures(cases: Iterable[Loaded]) -> list[str]:
    return sorted({each.architecture for each in cases})


def reports(cases: Iterable[Loaded]) -> list[str]:
    """What is not placed, and why."""
    return [
        f"{each.case} ({each.after}): {len(missed.keys)} tensors {missed.reason}"
        for each in cases
        if each.after != "in full"
        for missed in each.missed
    ]


def share_in_full(cases: Iterable[Loaded]) -> float:
    whole = [each for each in cases if each.whole]
    return count(whole, "in full", after=True) / len(whole) if whole else 1.0


def shortfalls(cases: Sequence[Loaded]) -> list[str]:
    """What is below the figures that this project promises; empty when all is well."""
    found = [f"loading: {each.case} changes nothing in silence" for each in cases if each.after == "silent"]
    if share_in_full(cases) < LEAST_IN_FULL:
        found.append(f"loading: {share_in_full(cases):.1%} of whole LoRAs in full, {LEAST_IN_FULL:.0%} wanted")
    return found
