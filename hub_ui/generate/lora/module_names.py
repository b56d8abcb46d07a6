"""All spellings of a model's modules: its own names and the original code's, each with the modules that it means.

Names in files have their dots, or underscores instead, and the same module of a model may be spelled both ways. So
every spelling is kept with underscores alone, which costs nothing: no network has two modules that differ in that only
(a test holds it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hub_ui.generate.lora.key_maps import stable_diffusion
from hub_ui.generate.lora.key_maps.stable_diffusion import EARLY, OPEN_CLIP, plain
from hub_ui.generate.lora.key_maps.table import Entry, Swap, Table
from hub_ui.generate.lora.key_maps.tables import TABLES, UNETS
from hub_ui.generate.lora.modules import Model, Shape, Target

Targets = tuple[Target, ...]
Spelled = dict[str, Targets]
# The network that makes the picture, in the words of diffusers' pipelines.
_NETWORKS = ("transformer", "unet", "prior", "decoder", "transformer_2")
# Beside it, with what other programs put before the names of their layers.
_BESIDE: Mapping[str, tuple[str, ...]] = {
    "transformer_2": ("transformer_2",),
    "text_conditioner": ("text_conditioner", "llm_adapter"),
    "connectors": ("connectors",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Built once per model. `network` spells the modules of all components but text encoders, which are several.

    `sizes` are the modules' weights by component. `encoders` are in the order of the pipeline.
    """

    architecture: str
    network: Mapping[str, Targets]
    encoders: Mapping[str, tuple[Targets, ...]]
    components: tuple[str, ...]
    sizes: Mapping[str, Mapping[str, Shape]]

    def size(self, target: Target) -> Shape:
        return self.sizes[target.component][target.module]


def names_of(model: Model, architecture: str) -> Names:
    sizes = {component: modules_of(parameters) for component, parameters in model.items()}
    network: Spelled = {}
    main = next((component for component in _NETWORKS if component in sizes), None)
    for component, befores in _BESIDE.items():
        for before in befores if component in sizes and component != main else ():
            network.update(_spelled(component, sizes[component], before + "_"))
    if main is not None:
        network.update(_spelled(main, sizes[main], "", _originals(architecture, sizes[main])))
    return Names(
        architecture=architecture,
        network=network,
        encoders=_encoders({name: each for name, each in sizes.items() if name.startswith("text_encoder")}),
        components=tuple(sizes),
        sizes=sizes,
    )


def modules_of(parameters: Mapping[str, Shape]) -> dict[str, Shape]:
    """Modules by their weights; a parameter that is no module's weight stands for itself."""
    return {
        name.removesuffix(".weight"): tuple(shape)
        for name, shape in parameters.items()
        if not (name.endswith(".bias") and name.removesuffix("bias") + "weight" in parameters)
    }


def _originals(architecture: str, sizes: Mapping[str, Shape]) -> Iterator[tuple[str, Entry]]:
    if architecture in UNETS:
        yield from ((original, Entry(modules=(module,))) for original, module in stable_diffusion.originals(sizes))
    yield from written_out(TABLES.get(architecture, {}), sizes)


def written_out(table: Table, sizes: Mapping[str, Shape]) -> Iterator[tuple[str, Entry]]:
    """Every row for every block that the model has."""
    blocks = _blocks(sizes)
    for original, entry in table.items():
        if "{}" not in original:
            yield original, entry
            continue
        for number in blocks.get(entry.modules[0].partition("{}")[0], ()):
            modules = tuple(module.replace("{}", number) for module in entry.modules)
            yield original.replace("{}", number), Entry(modules=modules, swap=entry.swap)


def _blocks(sizes: Mapping[str, Shape]) -> Mapping[str, dict[str, None]]:
    """The numbers that follow a beginning of names: "transformer_blocks." -> 0, 1, 2."""
    found: dict[str, dict[str, None]] = {}
    for name in sizes:
        at = name.find(".")
        while at >= 0:
            end = name.find(".", at + 1)
            word = name[at + 1 : end if end >= 0 else None]
            if word.isdecimal():
                found.setdefault(name[: at + 1], {})[word] = None
            at = end
    return found


def _spelled(
    component: str, sizes: Mapping[str, Shape], before: str = "", originals: Iterable[tuple[str, Entry]] = ()
) -> Spelled:
    """The original spellings, then the model's own, which are believed where both are one."""
    spelled: Spelled = {}
    for original, entry in originals:
        if all(module in sizes for module in entry.modules):
            spelled[before + flat(original)] = _targets(component, entry, sizes)
    for module in sizes:
        # Attention's way out is a list of a linear layer and a dropout here, and one layer in older files.
        if module.endswith(".to_out.0"):
            spelled[before + flat(module.removesuffix(".0"))] = (Target(component=component, module=module),)
    for module in sizes:
        spelled[before + flat(module)] = (Target(component=component, module=module),)
    return spelled


def flat(name: str) -> str:
    return name.replace(".", "_")


def _targets(component: str, entry: Entry, sizes: Mapping[str, Shape]) -> Targets:
    if len(entry.modules) == 1:
        module = entry.modules[0]
        return (Target(component=component, module=module, rows=_swapped(entry.swap, sizes[module])),)
    targets = []
    start = 0
    for module in entry.modules:
        stop = start + sizes[module][0]
        targets.append(Target(component=component, module=module, rows=((start, stop),)))
        start = stop
    return tuple(targets)


def by_head(targets: Targets, head: int) -> Targets:
    """The same fused layer with its rows one head after the other: q, k and v of the first, then of the second."""
    count = len(targets)
    found = []
    for number, target in enumerate(targets):
        wide = sum(stop - start for start, stop in target.rows or ())
        starts = ((each * count + number) * head for each in range(wide // head))
        found.append(replace(target, rows=tuple((start, start + head) for start in starts)))
    return tuple(found)


def _swapped(swap: Swap, shape: Shape) -> tuple[tuple[int, int], ...] | None:
    if swap == "never" or (swap == "two" and shape[0] != 2 * shape[1]):
        return None
    half = shape[0] // 2
    return ((half, shape[0]), (0, half))


def _encoders(encoders: Mapping[str, Mapping[str, Shape]]) -> dict[str, tuple[Targets, ...]]:
    """For every name the modules called so, of which a file's shapes pick one."""
    found: dict[str, list[Targets]] = {}
    for component, sizes in encoders.items():
        own = {plain(module): module for module in sizes}
        spelled: Spelled = {name: (Target(component=component, module=module),) for name, module in own.items()}
        for original, entry in written_out(
            {**OPEN_CLIP, **EARLY}, {name: sizes[module] for name, module in own.items()}
        ):
            if all(module in own for module in entry.modules):
                modules = tuple(own[module] for module in entry.modules)
                spelled[original] = _targets(component, Entry(modules=modules), sizes)
        for name, targets in spelled.items():
            found.setdefault(flat(name), []).append(targets)
    return {name: tuple(each) for name, each in found.items()}
